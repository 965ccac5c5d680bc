"""Which messages owe something by when, folded from `deadlines`: for the list's `due_before`, and for nothing that is judged."""

from alembic import op
from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The schema is told, not written down: a rebuild makes the same tables beside the old ones.
    metadata = MetaData(schema=op.get_context().version_table_schema)
    due = Table(
        "due",
        metadata,
        Column("deadline_id", Text, primary_key=True),
        Column("message_id", Text, nullable=False),
        Column("partition", Integer, nullable=False),
        Column("due_at", DateTime(timezone=True), nullable=False),
    )
    Index("due_of_message", due.c.message_id, due.c.due_at)
    Index("due_of_partition", due.c.partition)
    Table(
        "due_position",
        metadata,
        Column("partition", Integer, primary_key=True),
        Column("identity", JSONB, nullable=False),
        Column("next", BigInteger, nullable=False),
    )
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    """There is no way back: what stands here is folded from the log, drop the schema instead."""
