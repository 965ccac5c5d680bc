"""The summary of a month or a quarter, with what each act asks it to tell (kbr 21, kemerovo 25, nenets 28, kursky 22,
buryatia 25)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from regulations.directory import Directory
from regulations.periods import Period, act_of_period
from services.reporting import tables
from services.reporting.reports import figures
from services.reporting.reports.dynamics import Step, steps
from services.reporting.reports.figures import AgencyFigures, Counts, Quality, Slice, Span, Term


class Earlier(BaseModel):
    """The same figures of the period before."""

    period: str
    received: int
    answered: int
    dismissed: int
    sent_back: int
    terms: list[Term]


class Change(BaseModel):
    """`share`: of the change against the earlier figure; None where there was nothing to compare with."""

    now: int
    earlier: int
    change: int
    share: float | None


class Analysis(BaseModel):
    """Conflicts and errors, best practices, problem fields (buryatia 4), as far as figures tell of them."""

    problem_fields: list[Slice]
    errors: dict[str, int]
    best_practices: list[dict[str, Any]]


class Summary(BaseModel):
    """Contract, "HTTP". `tells`: what the act asks for; the other parts stand here too."""

    authority: str
    name: str
    period: str
    regulation: str
    paragraph: str
    to: str
    tells: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime
    delivery: str | None
    """Where the report stands: `sent-for-agreement`, `agreed`, `refused`, `delivered`; None: nothing yet."""
    received: int
    answered: int
    dismissed: int
    sent_back: int
    terms: list[Term]
    previous: Earlier
    order: dict[str, int]
    quality: Quality
    structure: dict[str, list[Slice]]
    agencies: list[AgencyFigures]
    dynamics: dict[str, Change]
    series: list[Step]
    analysis: Analysis


async def summarize(connection: AsyncConnection, directory: Directory, period: Period) -> Summary:
    """All instants and bounds are in the authority's zone."""
    begin, end = period.bounds(directory.zone)
    before = period.previous()
    span, earlier = Span(directory.id, begin, end), Span(directory.id, *before.bounds(directory.zone))
    now, then = await figures.counts(connection, span), await figures.counts(connection, earlier)
    act = act_of_period(directory, period)
    structure = dict(await figures.slices(connection, span))
    headline = {name: getattr(now, name) for name in ("received", "answered", "dismissed", "sent_back")}
    return Summary(
        authority=directory.id,
        name=directory.name,
        period=period.name,
        regulation=act.id,
        paragraph=act.summary.paragraph,
        to=act.summary.to,
        tells=act.summary.tells,
        begins_at=begin,
        ends_at=end,
        delivery=await delivery(connection, directory.id, "summary", period.name),
        terms=await figures.terms(connection, span),
        previous=Earlier(
            period=before.name,
            terms=await figures.terms(connection, earlier),
            **{name: getattr(then, name) for name in headline},
        ),
        order=now.model_dump(exclude={"received", "answered", "dismissed"}),
        quality=await figures.quality(connection, span),
        structure=structure,
        agencies=await figures.by_agency(connection, span),
        dynamics={name: _change(getattr(now, name), getattr(then, name)) for name in headline},
        series=await steps(connection, directory, begin, end, "day" if period.length == "month" else "week"),
        analysis=await _analysis(connection, span, structure["topic"], now),
        **headline,
    )


async def delivery(connection: AsyncConnection, authority: str, report: str, period: str) -> str | None:
    """Where the report of that period stands; `report`: `summary` or `rating`."""
    table = tables.periods
    state: str | None = await connection.scalar(
        select(table.c.state).where(table.c.authority == authority, table.c.report == report, table.c.period == period)
    )
    return state


def _change(now: int, earlier: int) -> Change:
    return Change(now=now, earlier=earlier, change=now - earlier, share=figures.share(now - earlier, earlier))


async def _analysis(connection: AsyncConnection, span: Span, topics: list[Slice], now: Counts) -> Analysis:
    table = tables.counted
    cases = await connection.execute(
        select(table.c.message_id, table.c.agency, table.c.what, table.c.at)
        .where(span.of(table), table.c.what.in_(("case_agreed", "case_published")))
        .order_by(table.c.at, table.c.id)
    )
    dissatisfied = await connection.execute(
        select(table.c.id).where(span.of(table), table.c.what == "feedback", table.c.score == 0)
    )
    worst = sorted(topics, key=lambda topic: (-topic.breached, -topic.received, topic.name))
    return Analysis(
        problem_fields=worst[:10],
        errors={
            "sent_back": now.sent_back,
            "returned": now.returned,
            "reopened": now.reopened,
            "shortcomings": now.shortcoming,
            "dissatisfied": len(dissatisfied.all()),
        },
        best_practices=[dict(row) | {"at": row["at"].isoformat()} for row in cases.mappings()],
    )
