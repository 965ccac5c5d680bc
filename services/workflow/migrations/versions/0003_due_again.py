"""What is due is folded anew: ignored excuses had been taken for deadlines that are owed."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    schema = op.get_context().version_table_schema
    op.execute(f'DELETE FROM "{schema}".due')
    op.execute(f'UPDATE "{schema}".due_position SET next = 0')


def downgrade() -> None:
    """There is no way back: what stands here is folded from the log, drop the schema instead."""
