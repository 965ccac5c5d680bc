"""The authorities in force, folded from partition 0 of `events`, and how far."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The schema is told, not written down: a rebuild makes the same tables beside the old ones.
    metadata = MetaData(schema=op.get_context().version_table_schema)
    Table(
        "authorities",
        metadata,
        Column("id", Text, primary_key=True),
        Column("version", Integer, nullable=False),
        Column("directory", Text, nullable=False),
    )
    Table(
        "position",
        metadata,
        Column("one", Integer, primary_key=True, comment="always 1: there is one row"),
        Column("identity", JSONB, nullable=False),
        Column("next", BigInteger, nullable=False),
        Column("version", Integer, nullable=False),
    )
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    """There is no way back: what stands here is folded from the log, drop the schema instead."""
