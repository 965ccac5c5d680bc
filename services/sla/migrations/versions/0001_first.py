"""The runtime's tables of a decider: sla has none of its own, a message's deadlines are its state."""

from alembic import op
from sqlalchemy import MetaData

from services.runtime.postgres_tables import decider_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The schema is told, not written down: a rebuild makes the same tables beside the old ones.
    metadata = MetaData(schema=op.get_context().version_table_schema)
    decider_tables(metadata)
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    """There is no way back: what stands here is folded from the log, drop the schema instead."""
