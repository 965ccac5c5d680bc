"""The page of one message: the post, its deadlines with their reasons, its story, and what can be done now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy import case, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import events
from services.reporting import tables
from services.reporting.access import Sight, sight
from services.reporting.context import Context
from services.reporting.pages import render, timeline
from services.reporting.pages.forms import forms
from services.reporting.pages.frame import frame
from services.reporting.pages.session import CurrentVisitor
from services.reporting.pages.standing import Standing
from services.reporting.pages.suggestions import suggested
from services.reporting.projections.register import Row
from services.reporting.store import wait_for_sequence
from services.runtime import problems

_WAIT_SECONDS = 5.0


def add(app: APIRouter, context: Context) -> None:
    @app.get("/p/messages/{message_id}", include_in_schema=False)
    async def read_message(
        request: Request,
        visitor: CurrentVisitor,
        message_id: UUID,
        at_least: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    ) -> Response:
        seen, wanted = sight(visitor.actor), str(message_id)
        in_time = not at_least or await wait_for_sequence(context.engine, wanted, at_least, _WAIT_SECONDS)
        async with context.snapshot() as connection:
            row = await _row(connection, seen, wanted)
            told = await frame(context, connection, visitor, row.authority)
            story = await _story(connection, wanted)
            post = await _post(connection, wanted)
            owed = await _deadlines(connection, wanted)
            alike = await suggested(connection, seen, visitor.actor, row)
        act = told["law"].act(row.law, row.regulation)
        own = told["seen"].agency
        shown = timeline.visible(story, row, act, own)
        # An executor's forms are made by what he may see: a draft of another agency must not begin his own.
        standing = Standing(row, act, told["law"], told["now"], story=shown, deadlines=owed)
        told |= {
            "row": row,
            "act": act,
            "post": post,
            "moments": list(reversed(timeline.moments(shown, told["law"]))),
            "deadlines": [one for one in owed if own is None or one["agency"] == own],
            "standing": standing,
            "forms": forms(standing, visitor.actor),
            "drafts": _texts(shown, row),
            "alike": alike,
            "in_time": in_time,
        }
        return render.page(request, "message.html", told | render.to_workflow(request, context.settings))


async def _row(connection: AsyncConnection, seen: Sight, message_id: str) -> Row:
    """404 for what does not exist, and the same for what is not his."""
    table = tables.register
    found = await connection.execute(
        select(table).where(
            table.c.message_id == message_id, table.c.until.is_(None), table.c.authority.in_(seen.authorities)
        )
    )
    columns = found.mappings().one_or_none()
    if columns is None or (seen.agency is not None and seen.agency not in columns["seen_by"]):
        raise problems.not_found()
    return Row.of(columns)


async def _story(connection: AsyncConnection, message_id: str) -> Sequence[Mapping[Any, Any]]:
    table = tables.story
    found = await connection.execute(select(table).where(table.c.message_id == message_id).order_by(table.c.sequence))
    return found.mappings().all()


async def _post(connection: AsyncConnection, message_id: str) -> Mapping[Any, Any]:
    table = tables.posts
    found = await connection.execute(
        select(table).where(table.c.message_id == message_id).order_by(table.c.sequence.desc()).limit(1)
    )
    return found.mappings().one()


async def _deadlines(connection: AsyncConnection, message_id: str) -> Sequence[Mapping[Any, Any]]:
    """Late ones first, then what is open, by the instant at which they are due."""
    table = tables.deadlines
    pressing = case({"breached": 0, "open": 1, "pending": 1}, value=table.c.state, else_=2)
    found = await connection.execute(
        select(table)
        .where(table.c.message_id == message_id)
        .order_by(pressing, table.c.due_at, table.c.rule, table.c.occurrence)
    )
    return found.mappings().all()


def _texts(shown: Sequence[Mapping[Any, Any]], row: Row) -> list[dict[str, Any]]:
    """The drafts that are under way or public, with their texts, as far as the visitor may see them."""
    texts = {one["data"]["draft_id"]: one["data"] for one in shown if one["type"] == events.DraftSubmitted.type}
    return [
        {"kind": draft.kind, "status": draft.status, "by": draft.by, **_said(texts[draft.draft_id])}
        for draft in row.work.drafts
        if draft.draft_id in texts and draft.status in {"in_review", "approved", "published"}
    ]


def _said(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: data.get(name) for name in ("text", "measures", "progress", "attachments")}
