"""Sla over HTTP: the deadlines of a message, deadlines from instants given, calendars."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import FastAPI, Path, Query
from pydantic import AwareDatetime, BaseModel

from regulations.directory import Directory, NotInForce
from regulations.working_time.errors import YearUnknown
from regulations.working_time.year_summary import year_summary
from schemas.deadlines import PendingData
from schemas.envelope import Actor
from schemas.ids import Slug
from schemas.messages import DeadlineView
from schemas.outcomes import Fault, problem
from services.runtime import problems
from services.runtime.http import CurrentActor, Health, create_app
from services.runtime.problems import ProblemError
from services.runtime.settings import Settings
from services.runtime.tokens import Verifier
from services.sla.calculate import Answer, Question, YearMissing, calculate
from services.sla.law import Law
from services.sla.said import Spoken, Waiting
from services.sla.state import Subject
from services.sla.store import Reader

AtLeast = Annotated[int | None, Query(ge=1, description="Ждать до 5 с, пока учтено это sequence сообщения")]


class Deadlines(BaseModel):
    """`pending`: deadlines that cannot be computed until somebody gives a calendar year; `reason` says which."""

    items: list[DeadlineView]
    pending: list[PendingData] = []


class CalendarDay(BaseModel):
    date: str
    kind: Literal["working", "short", "off"]
    hours: float


class CalendarMonth(BaseModel):
    month: int
    working_days: int
    hours: float


class Norm(BaseModel):
    working_days: int
    hours: float
    months: list[CalendarMonth]


class CalendarYear(BaseModel):
    """A year as the authority works it, and the norm of a 40-hour week without regional days beside it."""

    authority: str
    year: int
    days: list[CalendarDay]
    months: list[CalendarMonth]
    working_days: int
    hours: float
    norm: Norm


def make_app(
    settings: Settings,
    reader: Callable[[], Reader],
    health: Health,
    *,
    verifier: Verifier | None = None,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """The app; `reader` is asked for at each request, as it is made after the app."""
    app = create_app("sla", settings, health, verifier=verifier, lifespan=lifespan)

    @app.get(
        "/v1/messages/{message_id}/deadlines",
        summary="Все сроки сообщения, или отчёта за период по его period_id, с объяснениями",
        response_model_exclude_none=True,
    )
    async def deadlines(message_id: UUID, actor: CurrentActor, at_least: AtLeast = None) -> Deadlines:
        found = await reader().message(str(message_id), at_least)
        if found is None or not may_see(found, actor):
            raise problems.not_found("Такого сообщения нет или оно вам не доступно.")
        return shown(str(message_id), found)

    @app.post("/v1/deadlines/calculate", summary="Сроки от названных моментов; ничего не хранит", response_model=Answer)
    async def calculated(question: Question, actor: CurrentActor) -> Answer:
        directory = await _directory(reader(), question.authority, actor)
        try:
            return calculate(_law(directory, question), question)
        except YearMissing as missing:
            raise _year_unknown(directory, missing.unknown.year) from None

    @app.get("/v1/calendars/{authority}/{year}", summary="Рабочий календарь года")
    async def calendar(authority: Slug, year: Annotated[int, Path(ge=1, le=9999)], actor: CurrentActor) -> CalendarYear:
        directory = await _directory(reader(), authority, actor)
        try:
            return CalendarYear.model_validate(year_summary(authority, directory.working_schedule, year))
        except YearUnknown:
            raise problems.not_found(_no_calendar(directory, year) + ".") from None

    return app


def may_see(subject: Subject, actor: Actor) -> bool:
    """Whether the message, or the report of a period, exists for that actor (contract, "Roles")."""
    if authority_of(subject) not in actor.authorities:
        return False
    facts = subject.facts
    return actor.reads_all or (facts is not None and "executor" in actor.roles and actor.agency in facts.agencies)


def authority_of(subject: Subject) -> str | None:
    """Whose it is; None where nothing is known of it but what sla has to say first."""
    if subject.facts is not None:
        return subject.facts.authority
    return subject.said.authority if subject.said is not None else None


def shown(subject_id: str, subject: Subject) -> Deadlines:
    """Deadlines in the order in which they were set."""
    said = subject.said
    if said is None:
        return Deadlines(items=[])
    return Deadlines(
        items=[view(subject_id, authority_of(subject) or "", one) for one in said.deadlines.values()],
        pending=[_waiting(one) for one in said.waiting.values() if one.data.closed is None],
    )


def view(message_id: str, authority: str, one: Spoken) -> DeadlineView:
    fields = one.data.model_dump()
    return DeadlineView.model_validate(fields | {"message_id": message_id, "authority": authority, "state": one.state})


def _waiting(one: Waiting) -> PendingData:
    return one.data


async def _directory(reader: Reader, authority: str, actor: Actor) -> Directory:
    directory = await reader.directory(authority) if authority in actor.authorities else None
    if directory is None:
        raise problems.not_found("Такого органа власти нет или он вам не доступен.")
    return directory


def _law(directory: Directory, question: Question) -> Law:
    """The act asked for, or the one in force when the first of the facts happened."""
    first: AwareDatetime = min(fact.at for fact in question.facts)
    regulation = question.regulation or directory.regulation_at(first)
    try:
        return Law.of(directory, directory.number, regulation)
    except NotInForce:
        raise problems.invalid(
            [Fault(pointer="/regulation", detail=f"у органа {directory.id} нет положения {regulation}")]
        ) from None


def _no_calendar(directory: Directory, year: int) -> str:
    known = sorted(entry.year for entry in directory.years)
    given = f" (заданы годы {known[0]}–{known[-1]})" if known else ""
    return f"Производственный календарь на {year} год не задан{given}"


def _year_unknown(directory: Directory, year: int) -> ProblemError:
    detail = (
        f"{_no_calendar(directory, year)}: срок нельзя вычислить, а угадывать его нельзя. "
        "Год задаёт оператор (otklik law apply)."
    )
    errors: dict[str, Any] = {"errors": (Fault(pointer="/facts", detail=f"нужен календарь на {year} год"),)}
    return ProblemError(problem("calendar-year-unknown", "Календарь года не задан", 422, detail, **errors))
