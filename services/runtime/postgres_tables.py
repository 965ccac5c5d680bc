"""The runtime's tables in a service's schema: alembic migrations of services make them from here."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB


def decider_tables(metadata: MetaData) -> None:
    """Add the tables of a decider's runtime to `metadata`, whose schema is the service's."""
    position_table(metadata)
    Table(
        "states",
        metadata,
        Column("partition", Integer, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("version", Integer, nullable=False),
        Column("body", LargeBinary, nullable=False),
    )
    for name in ("history", "parked"):
        Table(
            name,
            metadata,
            Column("partition", Integer, primary_key=True),
            Column("key", Text, primary_key=True),
            Column("source", BigInteger, primary_key=True),
            Column("index", Integer, primary_key=True),
            Column("topic", Text, primary_key=True),
            Column("offset", BigInteger, primary_key=True),
            Column("at", DateTime(timezone=True), nullable=False),
            Column("body", LargeBinary, nullable=False),
        )
    agenda = Table(
        "agenda",
        metadata,
        Column("partition", Integer, primary_key=True),
        Column("name", Text, primary_key=True),
        Column("at", DateTime(timezone=True), primary_key=True),
        # Code points, as Python compares: the order must not depend on a database's collation.
        Column("item", Text(collation="C"), primary_key=True),
        Column("key", Text(collation="C"), primary_key=True),
    )
    Index("agenda_of_key", agenda.c.partition, agenda.c.key)
    Table(
        "quarantine",
        metadata,
        Column("partition", Integer, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("topic", Text, nullable=False),
        Column("offset", BigInteger, nullable=False),
        Column("reason", Text, nullable=False),
        Column("detail", Text, nullable=False),
        Column("version", Text, nullable=False),
    )


def position_table(metadata: MetaData) -> None:
    """Positions: all that a projection needs of the runtime."""
    Table(
        "positions",
        metadata,
        Column("partition", Integer, primary_key=True),
        Column("owner", Text, nullable=False),
        Column("serial", BigInteger, nullable=False, server_default="0"),
        Column("identity", JSONB),
        Column("offsets", JSONB, nullable=False, server_default="{}"),
        Column("at", DateTime(timezone=True)),
        Column("cursor", Text),
    )
