"""Routes of the pages: the queue, a message's story, agencies, the register, summaries, ratings, accounts."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy.ext.asyncio import AsyncConnection

from regulations.directory import Directory
from services.reporting.context import Context
from services.reporting.pages import message, oidc, queue, render, session
from services.reporting.pages.frame import frame
from services.reporting.pages.queue import Filter
from services.reporting.pages.session import CurrentVisitor, Visitor
from services.reporting.parameters import bound
from services.reporting.reports import overdue, periods, register
from services.reporting.reports.accounts import accounts
from services.reporting.reports.rating import rate
from services.reporting.reports.register import Wanted
from services.reporting.reports.summary import summarize
from services.runtime import problems

_SHOWN = 200
Text = Annotated[str | None, Query(max_length=500)]


def add(app: FastAPI, context: Context) -> None:
    app.mount("/static", StaticFiles(directory=render.STATIC), name="static")
    session.send_strangers_to_login(app)
    pages = APIRouter(route_class=session.PageRoute)
    for room in (session.add, oidc.add, _queue, message.add, _agencies, _register, _reports):
        room(pages, context)
    app.include_router(pages)


def _queue(app: APIRouter, context: Context) -> None:
    @app.get("/", include_in_schema=False)
    async def read_queue(
        request: Request,
        visitor: CurrentVisitor,
        authority: Text = None,
        status: Text = None,
        agency: Text = None,
        topic: Text = None,
        mine: bool = False,
        text: Text = None,
    ) -> Response:
        async with context.snapshot() as connection:
            told = await frame(context, connection, visitor, authority)
            role = "coordinator" if mine and "coordinator" in visitor.actor.roles else None
            wanted = Filter(status or None, agency or None, topic or None, role, text or None)
            found = await queue.entries(connection, told["seen"], told["now"], wanted, _SHOWN + 1)
            late, soon = await overdue.number(connection, told["seen"], told["now"])
        bands = {
            band: [entry for entry in found[:_SHOWN] if entry.band == band] for band in ("overdue", "soon", "rest")
        }
        told |= {
            "bands": bands,
            "more": len(found) > _SHOWN,
            "wanted": wanted,
            "mine": mine,
            "late": late,
            "soon": soon,
        }
        return render.page(request, "queue.html", told)


def _agencies(app: APIRouter, context: Context) -> None:
    @app.get("/p/agencies", include_in_schema=False)
    async def read_agencies(request: Request, visitor: CurrentVisitor, authority: Text = None) -> Response:
        async with context.snapshot() as connection:
            told = await frame(context, connection, visitor, authority)
            if told["seen"].agency is not None:
                return RedirectResponse("/", 303)
            loads = {one["agency"]: one for one in await queue.load(connection, told["law"].id)}
        told["loads"] = loads
        return render.page(request, "agencies.html", told)

    @app.get("/p/accounts", include_in_schema=False)
    async def read_accounts(request: Request, visitor: CurrentVisitor, authority: Text = None) -> Response:
        async with context.snapshot() as connection:
            told = await frame(context, connection, visitor, authority)
        told["accounts"] = accounts(told["law"])
        return render.page(request, "accounts.html", told)


def _register(app: APIRouter, context: Context) -> None:
    @app.get("/p/register", include_in_schema=False)
    async def read_register(
        request: Request,
        visitor: CurrentVisitor,
        authority: Text = None,
        begin: Annotated[str | None, Query(alias="from")] = None,
        end: Annotated[str | None, Query(alias="to")] = None,
        status: Text = None,
        agency: Text = None,
        topic: Text = None,
        after: Text = None,
    ) -> Response:
        async with context.snapshot() as connection:
            told = await frame(context, connection, visitor, authority)
            zone = told["law"].timezone
            wanted = Wanted(
                told["seen"],
                bound("from", begin or None, zone, whole_day=False),
                bound("to", end or None, zone, whole_day=True),
                agency or None,
                topic or None,
                status or None,
            )
            items, following = await register.page(connection, wanted, 50, after)
        asked = {
            "authority": told["law"].id,
            "from": begin,
            "to": end,
            "status": status,
            "agency": agency,
            "topic": topic,
        }
        kept = {name: value for name, value in asked.items() if value}
        told |= {"items": items, "asked": asked, "query": urlencode(kept)}
        told["following"] = None if following is None else urlencode(kept | {"after": following})
        return render.page(request, "register.html", told)


def _reports(app: APIRouter, context: Context) -> None:
    async def framed(connection: AsyncConnection, visitor: Visitor, authority: str | None) -> dict[str, Any]:
        told = await frame(context, connection, visitor, authority)
        if told["seen"].agency is not None:
            raise problems.forbidden("Сводки и рейтинги — для координатора и руководства.")
        return told

    def this_period(directory: Directory, told: dict[str, Any], months: int) -> str:
        return periods.containing(told["now"].astimezone(directory.zone).date(), months).name

    @app.get("/p/summary", include_in_schema=False)
    async def read_summary(
        request: Request, visitor: CurrentVisitor, authority: Text = None, period: Text = None
    ) -> Response:
        async with context.snapshot() as connection:
            told = await framed(connection, visitor, authority)
            months = 3 if told["law"].act(told["law"].number).summary.period == "quarter" else 1
            wanted = periods.parse(period or this_period(told["law"], told, months))
            told["summary"] = await summarize(connection, told["law"], wanted)
        return render.page(request, "summary.html", told | {"period": wanted})

    @app.get("/p/rating", include_in_schema=False)
    async def read_rating(
        request: Request, visitor: CurrentVisitor, authority: Text = None, period: Text = None
    ) -> Response:
        async with context.snapshot() as connection:
            told = await framed(connection, visitor, authority)
            wanted = periods.parse(period or this_period(told["law"], told, 3))
            told["rating"] = await rate(connection, told["law"], wanted)
        return render.page(request, "rating.html", told | {"period": wanted})
