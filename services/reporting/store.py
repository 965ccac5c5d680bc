"""The store: a batch's rows, written in the transaction that also stores the positions of its topics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Table, Uuid, and_, any_, bindparam, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.reporting import tables
from services.reporting.projections.fold import Rows, Told, deadlines_of, fold, messages_of
from services.reporting.projections.register import Row

TOPICS = ("events", "deadlines")


async def apply(connection: AsyncConnection, told: Sequence[Told]) -> None:
    """Fold a batch into the tables, inside the caller's transaction. The records of one partition come in the order of
    the log; those of other partitions and of the other topic may stand anywhere between."""
    messages = await _messages(connection, messages_of(told))
    known = await _deadlines(connection, deadlines_of(told))
    await _write(connection, fold(told, messages, known))


async def _messages(connection: AsyncConnection, ids: set[str]) -> dict[str, Row]:
    if not ids:
        return {}
    table = tables.register
    found = await connection.execute(
        select(table).where(table.c.message_id == any_(_uuids(ids)), table.c.until.is_(None))
    )
    return {row["message_id"]: Row.of(row) for row in found.mappings()}


async def _deadlines(connection: AsyncConnection, ids: set[str]) -> dict[str, dict[str, Any]]:
    if not ids:
        return {}
    table = tables.deadlines
    found = await connection.execute(select(table).where(table.c.deadline_id == any_(_uuids(ids))))
    return {row["deadline_id"]: dict(row) for row in found.mappings()}


def _uuids(ids: set[str]) -> Any:
    return literal(sorted(ids), ARRAY(Uuid(as_uuid=False)))


async def _write(connection: AsyncConnection, rows: Rows) -> None:
    await _write_register(connection, rows.register)
    await _add(connection, tables.posts, rows.posts)
    await _add(connection, tables.story, rows.story)
    await _add(connection, tables.counted, rows.counted)
    await _put(connection, tables.deadlines, list(rows.deadlines.values()))
    await _add(connection, tables.deadline_events, rows.deadline_events)
    await _add(connection, tables.amendments, rows.amendments)
    await _write_latest(connection, rows)


async def _write_register(connection: AsyncConnection, versions: Sequence[tuple[Row, int]]) -> None:
    """Each version ends when the next one begins; the one before the batch's first is ended in the table."""
    if not versions:
        return
    begins = {(row.message_id, row.sequence): row.at for row, _ in versions}
    written = [
        row.columns() | {"until": begins.get((row.message_id, row.sequence + 1)), "partition": partition}
        for row, partition in versions
    ]
    ended = [
        {"ended_message": row.message_id, "ended_sequence": row.sequence - 1, "ended_at": row.at}
        for row, _ in versions
        if row.sequence > 1 and (row.message_id, row.sequence - 1) not in begins
    ]
    table = tables.register
    if ended:
        which = and_(table.c.message_id == bindparam("ended_message"), table.c.sequence == bindparam("ended_sequence"))
        await connection.execute(update(table).where(which).values(until=bindparam("ended_at")), ended)
    await _add(connection, table, written)


async def _write_latest(connection: AsyncConnection, rows: Rows) -> None:
    """Rows of which only the latest word counts."""
    if rows.periods:
        write = insert(tables.periods)
        newer = write.excluded.sequence > tables.periods.c.sequence
        await connection.execute(
            write.on_conflict_do_update(
                index_elements=["period_id"], set_=_excluded(write, tables.periods), where=newer
            ),
            list(rows.periods.values()),
        )
    if rows.reached:
        write = insert(tables.reached)
        latest = {
            name: func.greatest(tables.reached.c[name], write.excluded[name]) for name in ("reached_at", "event_at")
        }
        ordered = sorted(rows.reached.values(), key=lambda row: (row["topic"], row["partition"]))
        await connection.execute(
            write.on_conflict_do_update(index_elements=["topic", "partition"], set_=latest), ordered
        )


async def _add(connection: AsyncConnection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await connection.execute(insert(table).on_conflict_do_nothing(), list(rows))


async def _put(connection: AsyncConnection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        write = insert(table)
        keys = [column.name for column in table.primary_key]
        await connection.execute(
            write.on_conflict_do_update(index_elements=keys, set_=_excluded(write, table)), list(rows)
        )


def _excluded(write: Any, table: Table) -> dict[str, Any]:
    return {column.name: write.excluded[column.name] for column in table.columns if not column.primary_key}


async def wipe(connection: AsyncConnection, partition: int) -> None:
    """Empty what a partition has written: the log is another one, and it is folded anew."""
    for table in (*tables.PARTITIONED, tables.reached):
        await connection.execute(delete(table).where(table.c.partition == partition))


async def latest_instant(connection: AsyncConnection) -> datetime | None:
    """The latest instant that any partition has told of."""
    table = tables.reached
    at: datetime | None = await connection.scalar(select(func.max(func.greatest(table.c.event_at, table.c.reached_at))))
    return at


async def undecided_until(connection: AsyncConnection, authorities: Sequence[str], at: datetime) -> bool:
    """Whether a duty is due by `at` of which sla has not said yet that it was met or breached. At the very instant too: a
    breach bears it, and is told later."""
    table = tables.deadlines
    found = await connection.execute(
        select(table.c.deadline_id)
        .where(table.c.authority.in_(authorities), table.c.state == "open", table.c.due_at <= at, ~table.c.window)
        .limit(1)
    )
    return found.first() is not None


async def wait_for_sequence(engine: AsyncEngine, message_id: str, sequence: int, seconds: float) -> bool:
    """Wait until the message's event of that sequence is folded; False when it is not within `seconds`."""
    table = tables.register
    stands = select(table.c.sequence).where(table.c.message_id == message_id, table.c.until.is_(None))
    return await _wait(engine, stands, sequence, seconds)


async def wait_for_period(engine: AsyncEngine, period_id: str, sequence: int, seconds: float) -> bool:
    """The same of a period's report."""
    table = tables.periods
    return await _wait(engine, select(table.c.sequence).where(table.c.period_id == period_id), sequence, seconds)


async def _wait(engine: AsyncEngine, stands: Select[Any], sequence: int, seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while True:
        async with engine.connect() as connection:
            found = await connection.scalar(stands)
        if found is not None and found >= sequence:
            return True
        if time.monotonic() >= ends:
            return False
        await asyncio.sleep(0.05)
