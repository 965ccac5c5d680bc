"""Dynamics: how many messages came and were answered, day by day, week by week or month by month, in the authority's zone."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel
from sqlalchemy import Date, and_, any_, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from regulations.directory import Directory
from services.reporting import tables

By = Literal["day", "week", "month"]
_WHAT = ("received", "answered", "dismissed")


class Step(BaseModel):
    """One day, week (from its Monday) or month (from its first), by local date. Steps in which nothing happened are left out."""

    start: date
    received: int = 0
    answered: int = 0
    dismissed: int = 0
    breached: int = 0


async def steps(
    connection: AsyncConnection,
    directory: Directory,
    begin: datetime,
    end: datetime,
    by: By,
    *,
    topic: str | None = None,
    agency: str | None = None,
) -> list[Step]:
    """Of `begin` ≤ instant < `end`; narrowed to messages that bear the topic now, or that the agency was given."""
    found: dict[date, dict[str, Any]] = {}
    counted, events = tables.counted, tables.deadline_events
    sources = (
        (counted, counted.c.what, counted.c.what.in_(_WHAT)),
        (events, events.c.kind, events.c.kind == "breached"),
    )
    for table, name, kind in sources:
        start = func.date_trunc(by, table.c.at, directory.timezone).op("AT TIME ZONE")(directory.timezone).cast(Date)
        query = select(start.label("start"), name, func.count(table.c.message_id.distinct())).where(
            and_(table.c.authority == directory.id, table.c.at >= begin, table.c.at < end), kind
        )
        narrowed = _narrowed(table, topic, agency)
        if narrowed is not None:
            query = query.where(narrowed)
        for at, what, number in await connection.execute(query.group_by(start, name)):
            found.setdefault(at, {"start": at})[what] = number
    return [Step.model_validate(found[at]) for at in sorted(found)]


def _narrowed(table: Any, topic: str | None, agency: str | None) -> Any:
    row = tables.register
    if topic is None and agency is None:
        return None
    query = select(row.c.message_id).where(row.c.message_id == table.c.message_id, row.c.until.is_(None))
    if topic is not None:
        query = query.where(literal(topic) == any_(row.c.topics))
    if agency is not None:
        query = query.where(literal(agency) == any_(row.c.seen_by))
    return query.exists()
