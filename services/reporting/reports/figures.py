"""Figures of a span of time, counted by the instants of the events themselves: what is over does not change any more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import and_, case, desc, func, lateral, literal, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables


@dataclass(frozen=True, slots=True)
class Span:
    """`begin` ≤ instant < `end`, both aware, of one authority."""

    authority: str
    begin: datetime
    end: datetime

    def of(self, table: Any) -> Any:
        return and_(table.c.authority == self.authority, table.c.at >= self.begin, table.c.at < self.end)


class Term(BaseModel):
    """How a rule's deadlines were kept, by who owed them (`agency` None: the coordinator or the committee, by `role`).

    `breached` counts every breach of the span, and is never taken back; `met_late` and `excused` tell of breaches that
    were later fulfilled or excused, in the span when that happened. `window`: a right and no duty (reading 6)."""

    rule: str
    role: str
    agency: str | None = None
    met: int = 0
    breached: int = 0
    met_late: int = 0
    excused: int = 0
    window: bool = False


class Counts(BaseModel):
    """`received` by the instant of detection, all others by that of their event. `answered` and `dismissed` are messages;
    `sent_back` is drafts, and the rest events."""

    received: int = 0
    answered: int = 0
    interim: int = 0
    clarification: int = 0
    dismissed: int = 0
    sent_back: int = 0
    contribution_sent_back: int = 0
    returned: int = 0
    recalled: int = 0
    reopened: int = 0
    escalated: int = 0
    referred: int = 0
    shortcoming: int = 0
    case_agreed: int = 0
    case_published: int = 0


_MESSAGES = frozenset({"received", "answered", "dismissed"})


async def counts(connection: AsyncConnection, span: Span) -> Counts:
    table = tables.counted
    found = await connection.execute(
        select(table.c.what, func.count(), func.count(table.c.message_id.distinct()))
        .where(span.of(table))
        .group_by(table.c.what)
    )
    told = {what: messages if what in _MESSAGES else events for what, events, messages in found}
    return Counts.model_validate(told)


async def terms(connection: AsyncConnection, span: Span) -> list[Term]:
    """In the order of rule, then who owed."""
    table = tables.deadline_events
    number = func.count(table.c.deadline_id.distinct())
    query = select(
        table.c.rule,
        table.c.role,
        table.c.agency,
        func.bool_or(table.c.window).label("window"),
        number.filter(table.c.kind == "met").label("met"),
        number.filter(table.c.kind == "breached").label("breached"),
        number.filter(table.c.kind == "met-late").label("met_late"),
        number.filter(table.c.kind == "excused").label("excused"),
    ).where(span.of(table), table.c.kind != "approaching")
    grouped = query.group_by(table.c.rule, table.c.role, table.c.agency)
    ordered = grouped.order_by(table.c.rule, table.c.role, table.c.agency.nulls_first())
    return [Term.model_validate(dict(row)) for row in (await connection.execute(ordered)).mappings()]


class Slice(BaseModel):
    """Messages received in the span, and how many of these are answered, dismissed or breached by now."""

    name: str
    received: int
    answered: int = 0
    dismissed: int = 0
    breached: int = 0


async def slices(connection: AsyncConnection, span: Span) -> Mapping[str, list[Slice]]:
    """The structure of what was received, by `topic`, `category` (importance), `channel`, `location` and `topic_group`; a
    message of two topics stands in both. Topics are those that the message had when the span ended."""
    return {
        "topic": await _slice(connection, span, "topics"),
        "topic_group": await _slice(connection, span, "topic_group"),
        "category": await _slice(connection, span, "importance"),
        "channel": await _slice(connection, span, "network"),
        "location": await _slice(connection, span, "location"),
    }


async def _slice(connection: AsyncConnection, span: Span, by: str) -> list[Slice]:
    counted, row = tables.counted, tables.register
    versions = (
        select(row)
        .where(row.c.message_id == counted.c.message_id)
        # The last version before the end; of a message that the log got only afterwards, its first one.
        .order_by(desc(row.c.at < span.end), case((row.c.at < span.end, -row.c.sequence), else_=row.c.sequence))
        .limit(1)
    )
    stood = lateral(versions).alias("register")
    events = tables.deadline_events
    broken = (
        select(literal(True))
        .where(events.c.message_id == counted.c.message_id, events.c.kind == "breached", events.c.at < span.end)
        .exists()
    )
    source = counted.join(stood, true())
    name: Any = func.coalesce(stood.c[by], "")
    if by == "topics":
        each = func.unnest(stood.c.topics).table_valued("topic").render_derived().lateral("each")
        source, name = source.join(each, true()), each.c.topic
    number = func.count(counted.c.message_id.distinct())
    query = (
        select(
            name.label("name"),
            number.label("received"),
            number.filter(stood.c.status == "answered").label("answered"),
            number.filter(stood.c.status == "dismissed").label("dismissed"),
            number.filter(broken).label("breached"),
        )
        .select_from(source)
        .where(span.of(counted), counted.c.what == "received")
        .group_by(name)
        .order_by(desc("received"), name)
    )
    return [Slice.model_validate(dict(found)) for found in (await connection.execute(query)).mappings()]


class Quality(BaseModel):
    """Scores from 1 to 5: those given on approval and those given to the published answer. `at_once`: approved answers and
    interim answers whose draft was never sent back, of all approved ones; `satisfied`: of the authors asked."""

    mean_score: float | None = None
    scored: int = 0
    approved: int = 0
    at_once: float | None = None
    asked: int = 0
    satisfied: float | None = None


class AgencyFigures(BaseModel):
    """One agency's span. `mean_seconds`: from the issue of the assignment to the publication, plain time."""

    agency: str
    issued: int = 0
    returned: int = 0
    recalled: int = 0
    contributed: int = 0
    submitted: int = 0
    sent_back: int = 0
    answered: int = 0
    interim: int = 0
    cases: int = 0
    shortcomings: int = 0
    mean_seconds: float | None = None
    quality: Quality = Quality()
    met: int = 0
    breached: int = 0
    excused: int = 0


async def quality(connection: AsyncConnection, span: Span) -> Quality:
    """Of the whole authority, answers of the coordinator included."""
    return (await _qualities(connection, span, by_agency=False)).get("", Quality())


async def by_agency(connection: AsyncConnection, span: Span) -> list[AgencyFigures]:
    """Every agency of which something was counted, in the order of ids."""
    table = tables.counted
    names = {
        "issued": "issued", "returned": "returned", "recalled": "recalled", "contributed": "contributed",
        "submitted": "submitted", "sent_back": "sent_back", "answered": "answered", "interim": "interim",
        "case_published": "cases", "shortcoming": "shortcomings",
    }  # fmt: skip
    found = await connection.execute(
        select(table.c.agency, table.c.what, func.count(), func.avg(table.c.seconds))
        .where(span.of(table), table.c.agency.is_not(None))
        .group_by(table.c.agency, table.c.what)
    )
    agencies: dict[str, dict[str, Any]] = {}
    for agency, what, number, mean in found:
        figures = agencies.setdefault(agency, {"agency": agency})
        if what in names:
            figures[names[what]] = number
        if what == "answered":
            figures["mean_seconds"] = None if mean is None else round(mean, 1)
    for term in await terms(connection, span):
        if term.agency is not None and not term.window:
            figures = agencies.setdefault(term.agency, {"agency": term.agency})
            for name in ("met", "breached", "excused"):
                figures[name] = figures.get(name, 0) + getattr(term, name)
    qualities = await _qualities(connection, span, by_agency=True)
    return [
        AgencyFigures.model_validate(figures | {"quality": qualities.get(agency, Quality())})
        for agency, figures in sorted(agencies.items())
    ]


async def _qualities(connection: AsyncConnection, span: Span, *, by_agency: bool) -> dict[str, Quality]:
    table = tables.counted
    again = table.alias("again")
    sent_back = (
        select(literal(True))
        .where(
            again.c.message_id == table.c.message_id,
            again.c.what == "sent_back",
            again.c.sequence < table.c.sequence,
            again.c.agency.is_not_distinct_from(table.c.agency),
        )
        .exists()
    )
    group: Any = table.c.agency if by_agency else literal("")
    scores = table.c.what.in_(("approved", "scored"))
    approved = and_(table.c.what == "approved", table.c.detail != "clarification")
    asked = table.c.what == "feedback"
    query = (
        select(
            group.label("agency"),
            func.avg(table.c.score).filter(scores).label("mean_score"),
            func.count(table.c.score).filter(scores).label("scored"),
            func.count().filter(approved).label("approved"),
            func.count().filter(and_(approved, ~sent_back)).label("at_once"),
            func.count().filter(asked).label("asked"),
            func.sum(table.c.score).filter(asked).label("satisfied"),
        )
        .where(span.of(table), table.c.what.in_(("approved", "scored", "feedback")))
        .group_by(group)
    )
    told: dict[str, Quality] = {}
    for row in (await connection.execute(query)).mappings():
        if row["agency"] is not None:
            told[row["agency"]] = Quality(
                mean_score=None if row["mean_score"] is None else round(float(row["mean_score"]), 2),
                scored=row["scored"],
                approved=row["approved"],
                at_once=share(row["at_once"], row["approved"]),
                asked=row["asked"],
                satisfied=share(row["satisfied"] or 0, row["asked"]),
            )
    return told


def share(part: int, of: int) -> float | None:
    """Between 0 and 1, in four digits; None of nothing."""
    return round(part / of, 4) if of else None
