"""The runtime's tables of a decider, and what workflow derives from its states and its outcomes."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY

from services.runtime.postgres_tables import decider_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The schema is told, not written down: a rebuild makes the same tables beside the old ones.
    metadata = MetaData(schema=op.get_context().version_table_schema)
    decider_tables(metadata)
    messages = Table(
        "messages",
        metadata,
        Column("message_id", Text, primary_key=True),
        Column("partition", Integer, nullable=False),
        Column("authority", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("sequence", Integer, nullable=False),
        Column("agencies", ARRAY(Text)),
        Column("received_at", DateTime(timezone=True), nullable=False),
    )
    Index("messages_listed", messages.c.authority, messages.c.received_at.desc(), messages.c.message_id.desc())
    Index("messages_of_partition", messages.c.partition)
    Index("messages_of_agency", messages.c.agencies, postgresql_using="gin")
    outcomes = Table(
        "outcomes",
        metadata,
        Column("partition", Integer, primary_key=True),
        Column("source", BigInteger, primary_key=True),
        Column("command_id", Text, nullable=False),
        Column("subject", Text),
        Column("sub", Text),
        Column("accepted", Boolean, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("body", Text, nullable=False),
    )
    Index("outcomes_of_command", outcomes.c.command_id)
    Index("outcomes_by_age", outcomes.c.partition, outcomes.c.at)
    Table(
        "pending",
        metadata,
        Column("command_id", Text, primary_key=True),
        Column("sub", Text, nullable=False),
        Column("subject", Text),
        Column("partition", Integer, nullable=False),
        Column("source", BigInteger, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
    )
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    """There is no way back: what stands here is folded from the log, drop the schema instead."""
