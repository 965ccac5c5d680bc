"""The queue: what is open, the most pressing first, each with the duty that presses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import and_, any_, case, func, lateral, literal, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.access import Sight
from services.reporting.exports import words

CLOSED = ("answered", "dismissed")
Band = Literal["overdue", "soon", "rest"]


@dataclass(frozen=True, slots=True)
class Filter:
    """What a visitor narrows the queue to; `text` stands somewhere in the post."""

    status: str | None = None
    agency: str | None = None
    topic: str | None = None
    role: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the queue: the message's columns, and those of its most pressing duty (`rule` None: it has none)."""

    columns: Mapping[str, Any]
    band: Band

    def __getattr__(self, name: str) -> Any:
        try:
            return self.columns[name]
        except KeyError:
            raise AttributeError(name) from None


async def entries(connection: AsyncConnection, seen: Sight, now: datetime, wanted: Filter, limit: int) -> list[Entry]:
    """Late ones first, then by the instant at which they are due; those without a duty last."""
    row, post, duty = tables.register, tables.posts, tables.deadlines
    posted = lateral(
        select(post.c.author, post.c.text)
        .where(post.c.message_id == row.c.message_id, post.c.sequence <= row.c.sequence)
        .order_by(post.c.sequence.desc())
        .limit(1)
    ).alias("posted")
    owed = and_(duty.c.message_id == row.c.message_id, duty.c.state.in_(("open", "breached")), ~duty.c.window)
    if seen.agency is not None:
        owed = and_(owed, duty.c.agency == seen.agency)
    if wanted.role is not None:
        owed = and_(owed, duty.c.role == wanted.role)
    late = (duty.c.state == "breached").label("late")
    soon = or_(duty.c.warned_at.is_not(None), duty.c.warn_at <= now, duty.c.due_at <= now).label("soon")
    pressing = lateral(
        select(duty.c.rule, duty.c.due_at, duty.c.role, duty.c.agency, duty.c.clock, late, soon)
        .where(owed)
        # A late answer outweighs what else is late: it is what the citizen waits for.
        .order_by(late.desc(), duty.c.due_at, case((duty.c.rule == "answer", 0), else_=1))
        .limit(1)
    ).alias("pressing")
    joined = row.join(posted, true())
    joined = joined.join(pressing, true()) if wanted.role else joined.outerjoin(pressing, true())
    columns = [row.c[name] for name in (
        "message_id", "authority", "network", "status", "topics", "location", "importance", "reduced", "removed",
        "repeat_of", "agencies", "detected_at",
    )]  # fmt: skip
    query = (
        select(
            *columns,
            posted,
            *(pressing.c[name] for name in ("rule", "due_at", "role", "agency", "clock", "late", "soon")),
        )
        .select_from(joined)
        .where(row.c.until.is_(None), row.c.authority.in_(seen.authorities), row.c.status.not_in(CLOSED))
        .order_by(
            func.coalesce(pressing.c.late, literal(False)).desc(), pressing.c.due_at.nulls_last(), row.c.detected_at
        )
        .limit(limit)
    )
    for condition in _narrowed(seen, wanted, posted):
        query = query.where(condition)
    found = (await connection.execute(query)).mappings()
    return [Entry(dict(one), "overdue" if one["late"] else "soon" if one["soon"] else "rest") for one in found]


def _narrowed(seen: Sight, wanted: Filter, posted: Any) -> list[Any]:
    row = tables.register
    found: list[Any] = []
    if seen.agency is not None:
        found.append(literal(seen.agency) == any_(row.c.seen_by))
        found.append(literal(seen.agency) == any_(row.c.agencies))
    if wanted.status is not None:
        found.append(row.c.status == wanted.status)
    if wanted.agency is not None:
        found.append(literal(wanted.agency) == any_(row.c.agencies))
    if wanted.topic is not None:
        found.append(literal(wanted.topic) == any_(row.c.topics))
    if wanted.text is not None:
        found.append(posted.c.text.icontains(wanted.text, autoescape=True))
    return found


async def standing(connection: AsyncConnection, seen: Sight) -> dict[str, int]:
    """How many messages are open in each status, in the order of work."""
    row = tables.register
    query = (
        select(row.c.status, func.count())
        .where(row.c.until.is_(None), row.c.authority.in_(seen.authorities), row.c.status.not_in(CLOSED))
        .group_by(row.c.status)
    )
    if seen.agency is not None:
        query = query.where(literal(seen.agency) == any_(row.c.agencies))
    found: dict[str, int] = dict((await connection.execute(query)).tuples().all())
    return {status: found[status] for status in words.STATUSES if status in found}


async def load(connection: AsyncConnection, authority: str) -> list[Mapping[str, Any]]:
    """Each agency's share of what is open: messages in hand, duties late and duties soon due."""
    row, duty = tables.register, tables.deadlines
    each = func.unnest(row.c.agencies).table_valued("agency").render_derived().lateral("each")
    held = (
        select(each.c.agency, func.count().label("held"))
        .select_from(row.join(each, true()))
        .where(row.c.until.is_(None), row.c.authority == authority, row.c.status.not_in(CLOSED))
        .group_by(each.c.agency)
    )
    owed = (
        select(
            duty.c.agency,
            func.count().filter(duty.c.state == "breached").label("late"),
            func.count().filter(and_(duty.c.state == "open", duty.c.warned_at.is_not(None))).label("soon"),
            func.min(duty.c.due_at).filter(duty.c.state == "open").label("nearest"),
        )
        .where(
            duty.c.authority == authority,
            duty.c.state.in_(("open", "breached")),
            ~duty.c.window,
            duty.c.agency.is_not(None),
        )
        .group_by(duty.c.agency)
    )
    told: dict[str, dict[str, Any]] = {}
    for query in (held, owed):
        for one in (await connection.execute(query)).mappings():
            told.setdefault(one["agency"], {}).update(one)
    empty = {"held": 0, "late": 0, "soon": 0, "nearest": None}
    return [empty | told[agency] for agency in sorted(told)]
