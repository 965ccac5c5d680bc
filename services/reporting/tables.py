"""The tables of reporting. Every one can be dropped and folded again from `events` and `deadlines`.

Facts are rows that bear the id of their event, and states bear the sequence that made them; so folding a record twice
changes nothing, and two partitions never write the same row.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Float,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR

SCHEMA = "reporting"
metadata = MetaData(schema=SCHEMA)


def _instant(name: str, *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _id(name: str, **more: object) -> Column[str]:
    return Column(name, Uuid(as_uuid=False), nullable=False, **more)  # type: ignore[arg-type]


def _partition(**more: object) -> Column[int]:
    """Whose fold wrote the row, so that one partition can be emptied and folded anew."""
    return Column("partition", Integer, nullable=False, **more)  # type: ignore[arg-type]


def _texts(name: str) -> Column[list[str]]:
    return Column(name, ARRAY(Text), nullable=False)


register = Table(
    "register",
    metadata,
    _partition(),
    _id("message_id", primary_key=True),
    Column("sequence", Integer, primary_key=True),
    _instant("at"),
    _instant("until", nullable=True),
    Column("authority", Text, nullable=False),
    Column("regulation", Text, nullable=False),
    Column("law", Integer, nullable=False),
    Column("network", Text, nullable=False),
    Column("url", Text, nullable=False),
    _instant("detected_at"),
    _instant("received_at"),
    Column("status", Text, nullable=False),
    _texts("topics"),
    Column("topic_group", Text),
    Column("location", Text),
    Column("importance", Text),
    Column("reduced", Boolean),
    Column("marked", Boolean, nullable=False),
    Column("removed", Boolean, nullable=False),
    Column("repeat_of", Uuid(as_uuid=False)),
    _texts("agencies"),
    _texts("seen_by"),
    Column("joint", Boolean, nullable=False),
    Column("drafted_by", Text),
    _instant("answered_at", nullable=True),
    Column("answer_url", Text),
    Column("ground", Text),
    Column("work", JSONB, nullable=False),
)
"""One row for each event of a message: how it stood from `at` until `until` (NULL: still), so that the register of any
past instant can be read. `agencies`: those at work on it; `seen_by`: those it was ever issued to."""
Index(
    "register_now",
    register.c.authority,
    register.c.detected_at,
    register.c.message_id,
    postgresql_where=text("until IS NULL"),
)
Index("register_then", register.c.authority, register.c.detected_at, register.c.message_id, register.c.at)
Index("register_open", register.c.authority, register.c.status, postgresql_where=text("until IS NULL"))

WORDS = "to_tsvector('russian'::regconfig, left(text, 20000))"
"""PostgreSQL's own stems of Russian words. A text may be longer than a list of stems can be; its beginning tells it."""

posts = Table(
    "register_posts",
    metadata,
    _partition(),
    _id("message_id", primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("author", Text, nullable=False),
    Column("author_url", Text),
    Column("text", Text, nullable=False),
    Column("attachments", JSONB, nullable=False),
    Column("words", TSVECTOR, Computed(WORDS, persisted=True)),
)
"""The register's columns that identify a person, and the only place where they stand: as of that sequence. `words`: the
stems of the text, without those that say nothing."""
Index("posts_words", posts.c.words, postgresql_using="gin")
Index("posts_author", posts.c.author)
Index("posts_author_url", posts.c.author_url)

story = Table(
    "story",
    metadata,
    _partition(),
    _id("message_id", primary_key=True),
    Column("sequence", Integer, primary_key=True),
    _id("id", unique=True),
    Column("authority", Text, nullable=False),
    Column("type", Text, nullable=False),
    _instant("at"),
    Column("actor", JSONB),
    Column("data", JSONB, nullable=False),
)
"""The events of a message, or of a period, without `post`."""

counted = Table(
    "counted",
    metadata,
    _partition(),
    _id("id", primary_key=True),
    Column("authority", Text, nullable=False),
    Column("what", Text, nullable=False),
    _instant("at"),
    _id("message_id"),
    Column("sequence", Integer, nullable=False),
    Column("agency", Text),
    Column("detail", Text),
    Column("score", SmallInteger),
    Column("seconds", Float),
)
"""What is counted in summaries and ratings, one row an event. `seconds`: how long the agency had it (plain time)."""
Index("counted_when", counted.c.authority, counted.c.what, counted.c.at)

deadlines = Table(
    "deadlines",
    metadata,
    _partition(),
    _id("deadline_id", primary_key=True),
    _id("message_id"),
    Column("authority", Text, nullable=False),
    Column("regulation", Text, nullable=False),
    Column("paragraph", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("occurrence", Integer, nullable=False),
    Column("about", JSONB),
    Column("role", Text, nullable=False),
    Column("agency", Text),
    _instant("starts_at"),
    _instant("due_at", nullable=True),
    _instant("warn_at", nullable=True),
    Column("clock", Text, nullable=False),
    Column("window", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    _instant("warned_at", nullable=True),
    _instant("breached_at", nullable=True),
    _instant("excused_at", nullable=True),
    _instant("closed_at", nullable=True),
    Column("reason", Text),
    _texts("explanation"),
    Column("amendments", ARRAY(Integer), nullable=False),
    Column("offset", BigInteger, nullable=False),
)
"""Each deadline as it stands. `state` is the contract's, or `pending`: it cannot be computed until a calendar year comes, and
has no `due_at`. `offset`: of the last record on `deadlines` that changed it; older ones change nothing."""
Index("deadlines_of", deadlines.c.message_id)
Index(
    "deadlines_due", deadlines.c.authority, deadlines.c.due_at, postgresql_where=text("state IN ('open', 'breached')")
)

deadline_events = Table(
    "deadline_events",
    metadata,
    _partition(),
    _id("id", primary_key=True),
    _id("deadline_id"),
    _id("message_id"),
    Column("authority", Text, nullable=False),
    Column("kind", Text, nullable=False),
    _instant("at"),
    Column("rule", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("agency", Text),
    Column("window", Boolean, nullable=False),
)
"""What befell deadlines, one row an event; `role` and `agency`: who owed it then. `at` of a breach is its due instant."""
Index("deadline_events_of", deadline_events.c.message_id, deadline_events.c.kind)
Index("deadline_events_when", deadline_events.c.authority, deadline_events.c.kind, deadline_events.c.at)

periods = Table(
    "periods",
    metadata,
    _partition(),
    _id("period_id", primary_key=True),
    Column("authority", Text, nullable=False),
    Column("report", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("state", Text, nullable=False),
    _instant("at"),
    Column("data", JSONB, nullable=False),
)
"""Where the report of a period stands: `sent-for-agreement`, `agreed`, `refused`, `delivered`."""

amendments = Table(
    "amendments",
    metadata,
    _partition(primary_key=True),
    Column("authority", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    _instant("at"),
    Column("data", JSONB, nullable=False),
)
"""The law's amendments, as each partition tells them; the earliest partition's instant is when one began to count."""

PARTITIONED = (register, posts, story, counted, deadlines, deadline_events, periods, amendments)
"""All but `reached`, whose partition is one of a topic."""

reached = Table(
    "reached",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    _instant("reached_at", nullable=True),
    _instant("event_at", nullable=True),
)
"""How far each partition's time has come in what was folded: by its last `reached`, and by any event of it."""
