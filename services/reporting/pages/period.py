"""The pages of a period: the summary and the rating, each with the forms that bring it to its addressee."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from regulations.directory import Directory
from regulations.periods import Period, act_of_period, length_of
from schemas.commands import Report
from schemas.ids import period_id
from services.reporting.context import Context
from services.reporting.pages import forms_period, render
from services.reporting.pages.frame import frame
from services.reporting.pages.session import CurrentVisitor, Visitor
from services.reporting.reports import periods
from services.reporting.reports.rating import rate
from services.reporting.reports.summary import summarize
from services.reporting.store import wait_for_period
from services.runtime import problems

_WAIT_SECONDS = 5.0
Text = Annotated[str | None, Query(max_length=500)]
AtLeast = Annotated[int, Query(ge=0, le=1_000_000)]


def add(app: APIRouter, context: Context) -> None:
    @app.get("/p/summary", include_in_schema=False)
    async def read_summary(
        request: Request, visitor: CurrentVisitor, authority: Text = None, period: Text = None, at_least: AtLeast = 0
    ) -> Response:
        told = await _told(context, visitor, "summary", authority, period, at_least)
        return render.page(request, "summary.html", told | render.to_workflow(request, context.settings))

    @app.get("/p/rating", include_in_schema=False)
    async def read_rating(
        request: Request, visitor: CurrentVisitor, authority: Text = None, period: Text = None, at_least: AtLeast = 0
    ) -> Response:
        told = await _told(context, visitor, "rating", authority, period, at_least)
        return render.page(request, "rating.html", told | render.to_workflow(request, context.settings))


async def _told(
    context: Context, visitor: Visitor, report: Report, authority: str | None, period: str | None, at_least: int
) -> dict[str, Any]:
    """What the page of that report tells; the period that runs now, unless another is asked for."""
    in_time = True
    if at_least and period and authority:
        subject = period_id(authority, report, periods.parse(period).name)
        in_time = await wait_for_period(context.engine, subject, at_least, _WAIT_SECONDS)
    async with context.snapshot() as connection:
        told = await frame(context, connection, visitor, authority)
        if told["seen"].agency is not None:
            raise problems.forbidden("Сводки и рейтинги — для координатора и руководства.")
        law, now = told["law"], told["now"]
        wanted = periods.parse(period) if period else running(law, report, now)
        document: Any = await (summarize if report == "summary" else rate)(connection, law, wanted)
    made = forms_period.forms(
        act_of_period(law, wanted), visitor.actor, law.id, report, wanted, document.ends_at, now, document.delivery
    )
    subject = period_id(law.id, report, wanted.name)
    more = {"period": wanted, "forms": made, "subject": subject, "in_time": in_time, "over": now >= document.ends_at}
    return told | more | {report: document}


def running(law: Directory, report: Report, now: datetime) -> Period:
    """The period of today, as long as the act of today has it."""
    act = law.act(law.number, law.regulation_at(now))
    return Period.containing(now.astimezone(law.zone).date(), length_of(act, report))
