"""Overdue and due soon: duties that are late or warned of, with who owes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, and_, func, literal, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.outcomes import Fault
from services.reporting import tables
from services.reporting.access import Sight
from services.runtime import problems


class Owed(BaseModel):
    """A duty. `overdue`: its breach is on the log, and nobody has fulfilled or excused it; else it is due soon, that is,
    warned of by sla or past its warning instant. `subject`: the message, or the period of a report."""

    deadline_id: str
    message_id: str
    authority: str
    rule: str
    occurrence: int
    regulation: str
    paragraph: str
    owed_by: dict[str, str]
    starts_at: datetime
    due_at: datetime
    warn_at: datetime | None
    warned_at: datetime | None
    overdue: bool
    about: dict[str, str] | None
    status: str | None
    topics: list[str] | None
    location: str | None


async def owed(
    connection: AsyncConnection, seen: Sight, now: datetime, limit: int, after: str | None
) -> tuple[list[Owed], str | None]:
    """In the order of `due_at`: what is late longest comes first. `now`: the instant by which a warning counts."""
    table, row = tables.deadlines, tables.register
    query: Select[Any] = (
        select(table, row.c.status, row.c.topics, row.c.location)
        .select_from(table.outerjoin(row, and_(row.c.message_id == table.c.message_id, row.c.until.is_(None))))
        .where(table.c.authority.in_(seen.authorities), pressing(now))
        .order_by(table.c.due_at, table.c.deadline_id)
        .limit(limit + 1)
    )
    if seen.agency is not None:
        query = query.where(table.c.agency == seen.agency)
    if after is not None:
        query = query.where(tuple_(table.c.due_at, table.c.deadline_id) > _place(after))
    found = [_owed(one) for one in (await connection.execute(query)).mappings()]
    following = f"{found[limit - 1].due_at.isoformat()}~{found[limit - 1].deadline_id}" if len(found) > limit else None
    return found[:limit], following


def pressing(now: datetime) -> ColumnElement[bool]:
    """Late, or soon so; a window never is (reading 6)."""
    table = tables.deadlines
    warned = or_(table.c.warned_at.is_not(None), table.c.warn_at <= now, table.c.due_at <= now)
    late = table.c.state == "breached"
    return and_(table.c.state.in_(("open", "breached")), or_(late, and_(~table.c.window, warned)))


async def number(connection: AsyncConnection, seen: Sight, now: datetime) -> tuple[int, int]:
    """How many are overdue, and how many due soon."""
    table = tables.deadlines
    late = table.c.state == "breached"
    query = select(func.count().filter(late), func.count().filter(~late)).where(
        table.c.authority.in_(seen.authorities), pressing(now)
    )
    if seen.agency is not None:
        query = query.where(table.c.agency == seen.agency)
    overdue, soon = (await connection.execute(query)).one()
    return overdue, soon


def _owed(row: Any) -> Owed:
    by = {"role": row["role"]} | ({"agency": row["agency"]} if row["agency"] else {})
    return Owed.model_validate(dict(row) | {"owed_by": by, "overdue": row["state"] == "breached"})


def _place(after: str) -> Any:
    at: datetime | None
    due_at, _, deadline_id = after.partition("~")
    try:
        # A plus sign that a client forgot to escape arrives as a space.
        at, _ = datetime.fromisoformat(due_at.replace(" ", "+")), UUID(deadline_id)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise problems.invalid([Fault(pointer="/query/after", detail="нужно значение next предыдущего ответа")])
    return tuple_(literal(at), literal(deadline_id, tables.deadlines.c.deadline_id.type))
