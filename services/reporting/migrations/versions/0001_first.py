"""The first tables: the register with its past, its story, what is counted of it, and its deadlines."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from services.runtime.postgres_tables import position_table

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The schema is told, not written down: a rebuild makes the same tables beside the old ones.
    schema = op.get_context().version_table_schema
    runtime = sa.MetaData(schema=schema)
    position_table(runtime)
    runtime.create_all(op.get_bind())

    op.create_table(
        "amendments",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("partition", "authority", "number"),
        schema=schema,
    )
    op.create_table(
        "counted",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("message_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("score", sa.SmallInteger(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        schema=schema,
    )
    op.create_index("counted_when", "counted", ["authority", "what", "at"], unique=False, schema=schema)
    op.create_table(
        "deadline_events",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("deadline_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("message_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=True),
        sa.Column("window", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema=schema,
    )
    op.create_index("deadline_events_of", "deadline_events", ["message_id", "kind"], unique=False, schema=schema)
    op.create_index("deadline_events_when", "deadline_events", ["authority", "kind", "at"], unique=False, schema=schema)
    op.create_table(
        "deadlines",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("deadline_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("message_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("regulation", sa.Text(), nullable=False),
        sa.Column("paragraph", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("occurrence", sa.Integer(), nullable=False),
        sa.Column("about", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("warn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clock", sa.Text(), nullable=False),
        sa.Column("window", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("breached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("excused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("explanation", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("amendments", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("deadline_id"),
        schema=schema,
    )
    op.create_index(
        "deadlines_due",
        "deadlines",
        ["authority", "due_at"],
        unique=False,
        schema=schema,
        postgresql_where=sa.text("state IN ('open', 'breached')"),
    )
    op.create_index("deadlines_of", "deadlines", ["message_id"], unique=False, schema=schema)
    op.create_table(
        "periods",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("period_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("period_id"),
        schema=schema,
    )
    op.create_table(
        "reached",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("event_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("topic", "partition"),
        schema=schema,
    )
    op.create_table(
        "register",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("regulation", sa.Text(), nullable=False),
        sa.Column("law", sa.Integer(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("detected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("topics", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("topic_group", sa.Text(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("importance", sa.Text(), nullable=True),
        sa.Column("reduced", sa.Boolean(), nullable=True),
        sa.Column("marked", sa.Boolean(), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("repeat_of", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("agencies", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("seen_by", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("joint", sa.Boolean(), nullable=False),
        sa.Column("drafted_by", sa.Text(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer_url", sa.Text(), nullable=True),
        sa.Column("ground", sa.Text(), nullable=True),
        sa.Column("work", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "sequence"),
        schema=schema,
    )
    op.create_index(
        "register_now",
        "register",
        ["authority", "detected_at", "message_id"],
        unique=False,
        schema=schema,
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_index(
        "register_open",
        "register",
        ["authority", "status"],
        unique=False,
        schema=schema,
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_index(
        "register_then", "register", ["authority", "detected_at", "message_id", "at"], unique=False, schema=schema
    )
    op.create_table(
        "register_posts",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("author_url", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("attachments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "sequence"),
        schema=schema,
    )
    op.create_table(
        "story",
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("message_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "sequence"),
        sa.UniqueConstraint("id"),
        schema=schema,
    )


def downgrade() -> None:
    """There is no way back: what stands here is folded from the log, drop the schema instead."""
