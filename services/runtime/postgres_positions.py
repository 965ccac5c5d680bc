"""The row that says how far a partition is folded, and who may move it on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.runtime.headers import Cursor
from services.runtime.store import OwnershipLost, Place, StoreError

_QUOTING = ("22", "23")
"""Classes of SQLSTATE whose messages quote what was stored: data exceptions, violated constraints."""


def told(error: BaseException) -> str:
    """What the database says, without the statement and its parameters: these may be a citizen's words."""
    if isinstance(error, DBAPIError):
        cause = (error.orig.__cause__ or error.orig) if error.orig is not None else error
        state = str(getattr(cause, "sqlstate", None) or "")
        words = str(cause.args[0]) if state and not state.startswith(_QUOTING) and cause.args else ""
        return " ".join(filter(None, (type(cause).__name__, state, words)))
    if isinstance(error, StatementError):
        return type(error.orig or error).__name__
    return f"{type(error).__name__} {error}"


@asynccontextmanager
async def transaction(engine: AsyncEngine, doing: str) -> AsyncIterator[AsyncConnection]:
    """A transaction; whatever the database or the network does becomes a `StoreError`."""
    try:
        async with engine.begin() as connection:
            yield connection
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        raise StoreError(f"{doing}: {told(error)}") from error


@asynccontextmanager
async def reading(engine: AsyncEngine, doing: str) -> AsyncIterator[AsyncConnection]:
    """A connection for one query: without BEGIN and COMMIT, which are a round trip each."""
    try:
        async with engine.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        raise StoreError(f"{doing}: {told(error)}") from error


def place_of(row: Any) -> Place:
    return Place(
        row.serial,
        row.identity,
        {topic: int(offset) for topic, offset in row.offsets.items()},
        row.at,
        None if row.cursor is None else Cursor.from_json(row.cursor),
    )


async def claim(connection: AsyncConnection, schema: str, partition: int, owner: str) -> Place:
    """Waits for a save in hand (the row's lock); afterwards no earlier owner's save finds its row."""
    result = await connection.execute(
        text(
            f'INSERT INTO "{schema}".positions (partition, owner) VALUES (:partition, :owner) '
            "ON CONFLICT (partition) DO UPDATE SET owner = excluded.owner RETURNING *"
        ),
        {"partition": partition, "owner": owner},
    )
    return place_of(result.one())


MOVE = (
    'UPDATE "{schema}".positions SET serial = serial + 1, identity = CAST(:identity AS jsonb), '
    "offsets = CAST(:offsets AS jsonb), at = :at, cursor = :cursor "
    "WHERE partition = :partition AND owner = :owner AND serial = :serial"
)


def moving(partition: int, owner: str, old: Place, new: Place) -> dict[str, Any]:
    """The parameters of `MOVE`."""
    return {
        "partition": partition,
        "owner": owner,
        "serial": old.serial,
        "identity": None if new.identity is None else json.dumps(dict(new.identity)),
        "offsets": json.dumps(dict(new.offsets)),
        "at": new.at,
        "cursor": None if new.cursor is None else new.cursor.to_json(),
    }


async def move(connection: AsyncConnection, schema: str, partition: int, owner: str, old: Place, new: Place) -> None:
    """Move the position on, first of all in the transaction, so that it holds the row; raises `OwnershipLost`."""
    result = await connection.execute(text(MOVE.format(schema=schema)), moving(partition, owner, old, new))
    if result.rowcount != 1:
        raise OwnershipLost(f"{schema} {partition}: партиция уже не наша")


async def look(connection: AsyncConnection, schema: str, partition: int) -> Place | None:
    result = await connection.execute(
        text(f'SELECT * FROM "{schema}".positions WHERE partition = :partition'), {"partition": partition}
    )
    row = result.one_or_none()
    return None if row is None else place_of(row)


async def notify(connection: AsyncConnection, schema: str, partition: int | str, position: int) -> None:
    """Tell who waits that the source's records before `position` are stored; delivered when the transaction is."""
    await connection.execute(
        text("SELECT pg_notify(:channel, :payload)"),
        {"channel": f"{schema}_stored", "payload": f"{partition}:{position}"},
    )
