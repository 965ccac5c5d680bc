"""HTTP of what is summed up: summaries, ratings, dynamics, overdue, accounts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel

from regulations.periods import Period
from services.reporting.access import sight, whole
from services.reporting.context import Context
from services.reporting.exports import csv, summary_files, words, xlsx
from services.reporting.exports.choice import choose
from services.reporting.exports.sending import attached, file, temporary
from services.reporting.parameters import bound
from services.reporting.reports import periods
from services.reporting.reports.accounts import Accounts, accounts
from services.reporting.reports.dynamics import By, Step, steps
from services.reporting.reports.overdue import Owed, owed
from services.reporting.reports.rating import Rating, rate
from services.reporting.reports.similar import Similar, similar
from services.reporting.reports.summary import Summary, summarize
from services.runtime.http import After, CurrentActor, Limit

Format = Annotated[str | None, Query(alias="format", max_length=10)]
_ACCOUNTS = ("agency", "agency_name", "network", "url", "title")


class OwedPage(BaseModel):
    """`at`: the instant by which it was judged what is due soon."""

    at: datetime
    items: list[Owed]
    next: str | None = None


class SimilarPage(BaseModel):
    """The likeliest first; empty where nothing is alike."""

    items: list[Similar]


class Dynamics(BaseModel):
    authority: str
    by: By
    begins_at: datetime
    ends_at: datetime
    items: list[Step]


def add(app: FastAPI, context: Context) -> None:
    _summaries(app, context)
    _ratings(app, context)
    _dynamics(app, context)
    _overdue(app, context)
    _accounts(app, context)
    _similar(app, context)


def _summaries(app: FastAPI, context: Context) -> None:
    @app.get(
        "/v1/summaries/{authority}/{period}",
        response_model=Summary,
        responses={200: {"content": {xlsx.MEDIA_TYPE: {}, summary_files.DOCX: {}}}},
        summary="Сводная информация за месяц или квартал",
    )
    async def read_summary(
        request: Request, actor: CurrentActor, authority: str, period: str, asked: Format = None
    ) -> Response:
        whole(actor, authority)
        kind = choose(request, asked, "json", "xlsx", "docx")
        wanted = periods.parse(period)
        async with context.snapshot() as connection:
            directory = await context.laws.of(connection, authority)
            summary = await summarize(connection, directory, wanted)
        if kind == "json":
            return JSONResponse(without_nobody(summary.model_dump(mode="json")))
        path = temporary(f".{kind}")
        write = summary_files.write_xlsx if kind == "xlsx" else summary_files.write_docx
        await asyncio.to_thread(write, path, summary, directory, wanted)
        media = xlsx.MEDIA_TYPE if kind == "xlsx" else summary_files.DOCX
        return file(path, media, f"summary-{authority}-{wanted.name}.{kind}")


def without_nobody(summary: dict[str, Any]) -> dict[str, Any]:
    """A term that no agency owed has no `agency`."""
    for terms in (summary["terms"], summary["previous"]["terms"]):
        for term in terms:
            if term["agency"] is None:
                del term["agency"]
    return summary


def _ratings(app: FastAPI, context: Context) -> None:
    @app.get(
        "/v1/ratings/{authority}/{period}",
        response_model=Rating,
        responses={200: {"content": {xlsx.MEDIA_TYPE: {}}}},
        summary="Рейтинг исполнителей и удовлетворённость авторов",
    )
    async def read_rating(
        request: Request, actor: CurrentActor, authority: str, period: str, asked: Format = None
    ) -> Response:
        whole(actor, authority)
        kind = choose(request, asked, "json", "xlsx")
        wanted = periods.parse(period)
        async with context.snapshot() as connection:
            directory = await context.laws.of(connection, authority)
            rating = await rate(connection, directory, wanted)
        if kind == "json":
            return JSONResponse(rating.model_dump(mode="json"))
        columns = ("Место", "Исполнитель", "Отвечено", "Качество", "В срок", "Активность", "Среднее время", "Довольны")
        rows = [
            (
                one.place, one.name, one.answered, words.decimal(one.quality), words.percent(one.in_time),
                words.decimal(one.activity), words.lasting(one.mean_seconds), words.percent(one.satisfied),
            )
            for one in rating.items
        ]  # fmt: skip
        path = temporary(".xlsx")
        book = xlsx.Book(path, directory.zone)
        book.sheet(xlsx.Sheet("Рейтинг", columns, rows, (8, 50, 10, 10, 10, 12, 20, 10)))
        await asyncio.to_thread(book.close)
        return file(path, xlsx.MEDIA_TYPE, f"rating-{authority}-{wanted.name}.xlsx")


def _dynamics(app: FastAPI, context: Context) -> None:
    @app.get("/v1/dynamics/{authority}", summary="Динамика по дням, неделям или месяцам")
    async def read_dynamics(
        actor: CurrentActor,
        authority: str,
        begin: Annotated[str | None, Query(alias="from", description="Момент или день; обычно — начало месяца")] = None,
        end: Annotated[
            str | None, Query(alias="to", description="Момент, или день включительно; обычно — конец месяца")
        ] = None,
        by: By = "day",
        topic: Annotated[str | None, Query(max_length=500)] = None,
        agency: Annotated[str | None, Query(max_length=60)] = None,
    ) -> Dynamics:
        whole(actor, authority)
        async with context.snapshot() as connection:
            directory = await context.laws.of(connection, authority)
            today = (await context.now(connection)).astimezone(directory.zone).date()
            month_begins, month_ends = Period.containing(today, "month").bounds(directory.zone)
            first = bound("from", begin, directory.timezone, whole_day=False) or month_begins
            last = bound("to", end, directory.timezone, whole_day=True) or month_ends
            items = await steps(connection, directory, first, last, by, topic=topic, agency=agency)
        return Dynamics(authority=authority, by=by, begins_at=first, ends_at=last, items=items)


def _overdue(app: FastAPI, context: Context) -> None:
    @app.get("/v1/overdue/{authority}", response_model=OwedPage, summary="Просроченное и то, чему скоро срок")
    async def read_overdue(actor: CurrentActor, authority: str, limit: Limit = 100, after: After = None) -> Response:
        seen = sight(actor).only(authority)
        async with context.snapshot() as connection:
            now = await context.now(connection)
            items, following = await owed(connection, seen, now, limit, after)
        page = OwedPage(at=now.astimezone(UTC), items=items, next=following)
        return JSONResponse(page.model_dump(mode="json", exclude={"next"} if following is None else None))


def _similar(app: FastAPI, context: Context) -> None:
    @app.get(
        "/v1/messages/{message_id}/similar",
        summary="Прежние сообщения, которые это может повторять: по автору, месту и словам",
    )
    async def read_similar(
        actor: CurrentActor,
        message_id: UUID,
        limit: Annotated[int, Query(ge=1, le=50, description="Не больше стольких, самые похожие сначала")] = 10,
    ) -> SimilarPage:
        seen = sight(actor)
        async with context.snapshot() as connection:
            return SimilarPage(items=await similar(connection, seen, str(message_id), limit))


def _accounts(app: FastAPI, context: Context) -> None:
    @app.get(
        "/v1/accounts/{authority}",
        response_model=Accounts,
        responses={200: {"content": {"text/csv": {}, xlsx.MEDIA_TYPE: {}}}},
        summary="Реестр официальных аккаунтов",
    )
    async def read_accounts(request: Request, actor: CurrentActor, authority: str, asked: Format = None) -> Response:
        sight(actor).only(authority)
        kind = choose(request, asked, "json", "csv", "xlsx")
        async with context.snapshot() as connection:
            directory = await context.laws.of(connection, authority)
        told = accounts(directory)
        rows = [[getattr(row, name) for name in _ACCOUNTS] for row in told.items]
        if kind == "json":
            return JSONResponse(told.model_dump(mode="json"))
        if kind == "csv":
            body = csv.stream(_ACCOUNTS, _each(rows))
            return StreamingResponse(body, media_type=csv.MEDIA_TYPE, headers=attached("accounts.csv"))
        path = temporary(".xlsx")
        book = xlsx.Book(path, directory.zone)
        columns = ("Код", "Орган", "Сеть", "Адрес", "Название")
        book.sheet(xlsx.Sheet("Аккаунты", columns, rows, (16, 50, 16, 50, 50)))
        await asyncio.to_thread(book.close)
        return file(path, xlsx.MEDIA_TYPE, "accounts.xlsx")


async def _each(rows: list[list[Any]]) -> AsyncIterator[list[Any]]:
    for row in rows:
        yield row
