"""The register: rows as they stand, or as they stood at an instant, page by page or in one stream."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, and_, any_, func, lateral, literal, or_, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.messages import RegisterRow
from schemas.outcomes import Fault
from services.reporting import tables
from services.reporting.access import Sight
from services.runtime import problems

_PIECE = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows. `begin` ≤ detected_at < `end`; `as_of`: as the register stood then; all instants aware."""

    sight: Sight
    begin: datetime | None = None
    end: datetime | None = None
    agency: str | None = None
    topic: str | None = None
    status: str | None = None
    as_of: datetime | None = None
    message_id: str | None = None


async def page(
    connection: AsyncConnection, wanted: Wanted, limit: int, after: str | None
) -> tuple[list[RegisterRow], str | None]:
    """Rows in the order of their detection, and the cursor of the next page where there is one."""
    rows = select_rows(wanted).limit(limit + 1)
    if after is not None:
        table = rows.selected_columns
        detected_at, message_id = _decode(after)
        rows = rows.where(
            tuple_(table.detected_at, table.message_id)
            > tuple_(literal(detected_at), literal(message_id, tables.register.c.message_id.type))
        )
    found = [row_of(row) for row in (await connection.execute(rows)).mappings()]
    following = _encode(found[limit - 1]) if len(found) > limit else None
    return found[:limit], following


async def stream(connection: AsyncConnection, wanted: Wanted, limit: int | None) -> AsyncIterator[RegisterRow]:
    """All rows, a piece at a time: memory does not grow with the register."""
    rows = select_rows(wanted) if limit is None else select_rows(wanted).limit(limit)
    async with connection.stream(rows.execution_options(yield_per=_PIECE)) as found:
        async for row in found.mappings():
            yield row_of(row)


def row_of(columns: Mapping[Any, Any]) -> RegisterRow:
    return RegisterRow.model_validate(dict(columns))


def select_rows(wanted: Wanted) -> Select[Any]:
    """The query of the contract's row, in the order of detection."""
    row, post = tables.register, tables.posts
    posted = (
        select(post.c.author, post.c.text)
        .where(post.c.message_id == row.c.message_id, post.c.sequence <= row.c.sequence)
        .order_by(post.c.sequence.desc())
        .limit(1)
    )
    told = lateral(posted).alias("told")
    breaches = lateral(_deadlines(wanted.as_of)).alias("breaches")
    columns = [
        row.c[name]
        for name in ("message_id", "authority", "network", "url", "topics", "location", "importance",
                     "detected_at", "agencies", "status", "answered_at", "answer_url")
    ]  # fmt: skip
    query = (
        select(*columns, told.c.author, told.c.text, breaches.c.deadlines_breached, breaches.c.deadlines_excused)
        .select_from(row.join(told, true()).join(breaches, true()))
        .order_by(row.c.detected_at, row.c.message_id)
    )
    return query.where(*conditions(wanted))


def conditions(wanted: Wanted) -> list[Any]:
    """What a version of a row has to be to be wanted."""
    row = tables.register
    found: list[Any] = [row.c.authority.in_(wanted.sight.authorities)]
    if wanted.as_of is None:
        found.append(row.c.until.is_(None))
    else:
        found.append(and_(row.c.at <= wanted.as_of, or_(row.c.until.is_(None), row.c.until > wanted.as_of)))
    if wanted.sight.agency is not None:
        found.append(literal(wanted.sight.agency) == any_(row.c.seen_by))
    if wanted.agency is not None:
        found.append(literal(wanted.agency) == any_(row.c.agencies))
    if wanted.topic is not None:
        found.append(literal(wanted.topic) == any_(row.c.topics))
    if wanted.status is not None:
        found.append(row.c.status == wanted.status)
    if wanted.begin is not None:
        found.append(row.c.detected_at >= wanted.begin)
    if wanted.end is not None:
        found.append(row.c.detected_at < wanted.end)
    if wanted.message_id is not None:
        found.append(row.c.message_id == wanted.message_id)
    return found


def _deadlines(as_of: datetime | None) -> Select[Any]:
    events = tables.deadline_events
    count = func.count(events.c.deadline_id.distinct())
    counts = select(
        count.filter(events.c.kind == "breached").label("deadlines_breached"),
        count.filter(events.c.kind == "excused").label("deadlines_excused"),
    ).where(events.c.message_id == tables.register.c.message_id)
    return cast("Select[Any]", counts if as_of is None else counts.where(events.c.at <= as_of))


def _encode(row: RegisterRow) -> str:
    return base64.urlsafe_b64encode(f"{row.detected_at.isoformat()}~{row.message_id}".encode()).decode()


def _decode(after: str) -> tuple[datetime, str]:
    try:
        detected_at, _, message_id = base64.urlsafe_b64decode(after.encode()).decode().partition("~")
        at = datetime.fromisoformat(detected_at)
        UUID(message_id)
    except (ValueError, binascii.Error):
        raise problems.invalid(
            [Fault(pointer="/query/after", detail="нужно значение next предыдущего ответа")]
        ) from None
    if at.tzinfo is None:
        raise problems.invalid([Fault(pointer="/query/after", detail="нужно значение next предыдущего ответа")])
    return at, message_id
