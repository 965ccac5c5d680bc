"""The words of posts, by which a message's earlier likes are found; and their authors."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WORDS = "to_tsvector('russian'::regconfig, left(text, 20000))"


def upgrade() -> None:
    schema = op.get_context().version_table_schema
    op.add_column(
        "register_posts",
        sa.Column("words", postgresql.TSVECTOR(), sa.Computed(WORDS, persisted=True), nullable=True),
        schema=schema,
    )
    op.create_index("posts_words", "register_posts", ["words"], postgresql_using="gin", schema=schema)
    op.create_index("posts_author", "register_posts", ["author"], schema=schema)
    op.create_index("posts_author_url", "register_posts", ["author_url"], schema=schema)
