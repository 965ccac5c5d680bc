"""HTTP of reporting: the register here, the reports in `api_reports.py`, the pages for people under `pages/`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.messages import MessageStatus, RegisterRow
from services.reporting import api_reports
from services.reporting.access import Sight, sight
from services.reporting.context import Context
from services.reporting.exports import csv, words, xlsx
from services.reporting.exports.choice import choose
from services.reporting.exports.sending import attached, file, temporary
from services.reporting.pages import routes, session
from services.reporting.parameters import bound, instant
from services.reporting.reports import register
from services.reporting.reports.register import Wanted
from services.reporting.store import undecided_until
from services.runtime import problems
from services.runtime.http import After, CurrentActor, Health, create_app
from services.runtime.settings import Settings
from services.runtime.tokens import Verifier

COLUMNS = tuple(RegisterRow.model_fields)
_TITLES = {
    "message_id": "Номер", "authority": "Орган власти", "network": "Сеть", "url": "Ссылка", "author": "Автор",
    "text": "Текст", "topics": "Темы", "location": "Местность", "importance": "Важность", "detected_at": "Выявлено",
    "agencies": "Исполнители", "status": "Состояние", "answered_at": "Ответ размещён", "answer_url": "Ссылка на ответ",
    "deadlines_breached": "Нарушено сроков", "deadlines_excused": "Из них уважительно",
}  # fmt: skip
_WIDTHS = (38, 12, 14, 36, 24, 70, 28, 24, 12, 17, 30, 22, 17, 36, 12, 12)


class RegisterPage(BaseModel):
    """`next` is given where there is another page: the value of its `after`."""

    items: list[RegisterRow]
    next: str | None = None


def now() -> datetime:
    """The machine's clock: only the edge reads it."""
    return datetime.now(UTC)


def app_of(
    settings: Settings,
    engine: AsyncEngine,
    health: Health,
    reached: Callable[[], Awaitable[datetime | None]],
    *,
    verifier: Verifier | None = None,
    clock: Callable[[], datetime] = now,
) -> FastAPI:
    """The whole app. `reached`, `clock`: of its `Context`."""
    known = Context(settings, engine, clock, now, reached)
    app = create_app(
        "reporting",
        settings,
        health,
        verifier=verifier,
        public=session.PUBLIC,
        read_token=session.token_of,
    )
    _register(app, known)
    api_reports.add(app, known)
    routes.add(app, known)
    return app


def _register(app: FastAPI, context: Context) -> None:
    @app.get(
        "/v1/register",
        response_model=RegisterPage,
        responses={200: {"content": {"text/csv": {}, xlsx.MEDIA_TYPE: {}}}},
        summary="Реестр сообщений: как он есть или каким был в момент as_of",
    )
    async def read_register(
        request: Request,
        actor: CurrentActor,
        authority: Annotated[str | None, Query(max_length=60)] = None,
        begin: Annotated[str | None, Query(alias="from", description="Выявлены с: момент или день")] = None,
        end: Annotated[str | None, Query(alias="to", description="Выявлены до: момент, или день включительно")] = None,
        agency: Annotated[str | None, Query(max_length=60)] = None,
        topic: Annotated[str | None, Query(max_length=500)] = None,
        status: MessageStatus | None = None,
        as_of: Annotated[str | None, Query(description="Каким реестр был в этот момент")] = None,
        limit: Annotated[int | None, Query(ge=1, le=1_000_000, description="JSON: не больше 1000, обычно 100")] = None,
        after: After = None,
        asked: Annotated[Literal["json", "csv", "xlsx"] | None, Query(alias="format")] = None,
    ) -> Response:
        seen = sight(actor).only(authority)
        kind = choose(request, asked, "json", "csv", "xlsx")
        zone = await _zone(context, seen)
        wanted = Wanted(
            seen,
            bound("from", begin, zone, whole_day=False),
            bound("to", end, zone, whole_day=True),
            agency,
            topic,
            status,
            instant("as_of", as_of),
        )
        await _require_reached(context, wanted)
        if kind == "csv":
            return _csv(context, wanted, limit)
        if kind == "xlsx":
            return await _xlsx(context, wanted, limit, zone)
        async with context.snapshot() as connection:
            items, following = await register.page(connection, wanted, min(limit or 100, 1000), after)
        page = RegisterPage(items=items, next=following)
        return JSONResponse(page.model_dump(mode="json", exclude={"next"} if following is None else None))


async def _zone(context: Context, seen: Sight) -> str | None:
    """The one zone of what is asked for; None where there are several, or none yet."""
    async with context.engine.connect() as connection:
        laws = await context.laws.all(connection)
    zones = {laws[authority].timezone for authority in seen.authorities if authority in laws}
    return zones.pop() if len(zones) == 1 else None


async def _require_reached(context: Context, wanted: Wanted) -> None:
    """409 for an instant that is not over yet: what is told of it today could be another thing tomorrow. Only here the log
    is asked, so 503 while Kafka does not answer."""
    if wanted.as_of is None:
        return
    reached = await context.reached()
    if reached is None or reached < wanted.as_of:
        stands = "пока ни одного общего момента" if reached is None else f"всё учтено до {reached.isoformat()}"
        raise problems.conflict("not-reached", f"Реестр на этот момент ещё не окончателен: {stands}.")
    async with context.engine.connect() as connection:
        if await undecided_until(connection, wanted.sight.authorities, wanted.as_of):
            raise problems.conflict("not-reached", "Реестр на этот момент ещё не окончателен: сроки досчитываются.")


async def _rows(context: Context, wanted: Wanted, limit: int | None) -> AsyncIterator[RegisterRow]:
    async with context.snapshot() as connection:
        async for row in register.stream(connection, wanted, limit):
            yield row


def _csv(context: Context, wanted: Wanted, limit: int | None) -> Response:
    async def cells() -> AsyncIterator[list[Any]]:
        async for row in _rows(context, wanted, limit):
            yield [getattr(row, name) for name in COLUMNS]

    return StreamingResponse(csv.stream(COLUMNS, cells()), media_type=csv.MEDIA_TYPE, headers=attached("register.csv"))


async def _xlsx(context: Context, wanted: Wanted, limit: int | None, zone: str | None) -> Response:
    async def cells() -> AsyncIterator[list[Any]]:
        async for row in _rows(context, wanted, limit):
            told = row.model_dump()
            told |= {"status": words.of(words.STATUSES, row.status), "network": words.of(words.NETWORKS, row.network)}
            told["topics"] = words.topics(row.topics)
            told["importance"] = words.of(words.IMPORTANCE, row.importance or "")
            yield [told[name] for name in COLUMNS]

    path = temporary(".xlsx")
    book = xlsx.Book(path, ZoneInfo(zone or "UTC"))
    await book.stream("Реестр", [_TITLES[name] for name in COLUMNS], cells(), _WIDTHS)
    await asyncio.to_thread(book.close)
    return file(path, xlsx.MEDIA_TYPE, "register.xlsx")
