"""Routes of the pages: the queue, a message's story, agencies, the register, summaries, ratings, accounts."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles

from services.reporting.context import Context
from services.reporting.pages import message, oidc, period, queue, render, session
from services.reporting.pages.frame import frame
from services.reporting.pages.queue import Filter
from services.reporting.pages.session import CurrentVisitor
from services.reporting.parameters import bound
from services.reporting.reports import overdue, register
from services.reporting.reports.accounts import accounts
from services.reporting.reports.register import Wanted

_SHOWN = 200
Text = Annotated[str | None, Query(max_length=500)]


def add(app: FastAPI, context: Context) -> None:
    app.mount("/static", StaticFiles(directory=render.STATIC), name="static")
    session.send_strangers_to_login(app)
    pages = APIRouter(route_class=session.PageRoute)
    for room in (session.add, oidc.add, _queue, message.add, period.add, _agencies, _register):
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
            standing = await queue.standing(connection, told["seen"])
            late, soon = await overdue.number(connection, told["seen"], told["now"])
        bands = {
            band: [entry for entry in found[:_SHOWN] if entry.band == band] for band in ("overdue", "soon", "rest")
        }
        told |= {
            "bands": bands,
            "more": len(found) > _SHOWN,
            "wanted": wanted,
            "standing": standing,
            "mine": mine,
            "late": late,
            "soon": soon,
        }
        return render.page(request, "queue.html", told)

    @app.get("/p/next", include_in_schema=False)
    async def read_next(visitor: CurrentVisitor, after: UUID, authority: Text = None) -> Response:
        """On to the message that presses most beside this one; first of all where the visitor himself owes something."""
        async with context.snapshot() as connection:
            told = await frame(context, connection, visitor, authority)
            role = "coordinator" if "coordinator" in visitor.actor.roles else None
            for wanted in (Filter(role=role), Filter()):
                found = await queue.entries(connection, told["seen"], told["now"], wanted, _SHOWN)
                ids = [entry.message_id for entry in found]
                here = ids.index(str(after)) if str(after) in ids else -1
                # Round the end to the beginning, so that nobody is led to the same one again.
                others = [*ids[here + 1 :], *ids[: max(here, 0)]]
                if others:
                    return RedirectResponse(f"/p/messages/{others[0]}", 303)
        return RedirectResponse(f"/?authority={told['law'].id}", 303)


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
