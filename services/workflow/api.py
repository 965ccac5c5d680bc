"""Workflow over HTTP: messages, commands, the law in force."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import FastAPI, Header, Query, Request
from fastapi.middleware.cors import CORSMiddleware
from pydantic import BaseModel, ConfigDict

from schemas.envelope import Actor
from schemas.ids import Slug
from schemas.instants import Instant
from schemas.messages import MessageStatus, MessageView, Page
from schemas.outcomes import Accepted, Fault
from services.runtime import problems
from services.runtime.http import After, CurrentActor, Health, Limit, create_app
from services.runtime.settings import Settings
from services.runtime.tokens import Verifier
from services.workflow import authorities, guards, views
from services.workflow.doors import agency_system
from services.workflow.gate import AmendmentGate, CommandGate
from services.workflow.reads import MessageReader
from services.workflow.shapes import Shaped, Shapeless, UnknownReport, body_schema, shaped
from services.workflow.state import Message
from services.workflow.store import StoredOutcome, Wanted, WorkflowReads, cursor, from_cursor

Key = Annotated[UUID | None, Header(alias="Idempotency-Key", description="command_id; без него создаётся")]
AtLeast = Annotated[int | None, Query(ge=1, description="Ждать до 5 с, пока сообщение не дойдёт до этого sequence")]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes work with; made when the service has reached its log and its database."""

    commands: CommandGate
    amendments: AmendmentGate
    reader: MessageReader
    reads: WorkflowReads
    new_agency: authorities.TopicMaker


class CommandStatus(BaseModel):
    """`outcome`: the accepted command, or the problem."""

    model_config = ConfigDict(extra="forbid")
    command_id: str
    status: Literal["pending", "accepted", "refused"]
    outcome: dict[str, Any] | None = None


def make_app(
    settings: Settings,
    parts: Callable[[], Parts],
    health: Health,
    *,
    verifier: Verifier | None = None,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """The app; `parts` is asked for at each request, as they are made after the app."""
    app = create_app("workflow", settings, health, verifier=verifier, lifespan=lifespan)
    # The forms of reporting's pages send their commands from the browser; tokens travel in a header, never in a cookie.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=[settings.pages_origin] if settings.pages_origin else [],
        allow_origin_regex=rf"https?://[^/:]+:{settings.http_port('reporting')}",
        allow_methods=["POST", "GET"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
    )
    _read_messages(app, parts)
    _give_commands(app, parts)
    authorities.add_routes(app, lambda: (parts().reader, parts().amendments, parts().new_agency))
    return app


def _read_messages(app: FastAPI, parts: Callable[[], Parts]) -> None:
    @app.get("/v1/messages", summary="Сообщения, новые сначала")
    async def messages(
        actor: CurrentActor,
        authority: Annotated[Slug | None, Query()] = None,
        status: Annotated[MessageStatus | None, Query()] = None,
        agency: Annotated[Slug | None, Query()] = None,
        due_before: Annotated[Instant | None, Query(description="С открытым сроком раньше этого")] = None,
        limit: Limit = 100,
        after: After = None,
    ) -> Page:
        wanted = _wanted(actor, authority, status, agency, due_before, limit, after)
        rows = await parts().reads.listed(wanted)
        page, more = rows[:limit], len(rows) > limit
        found = await parts().reader.messages([(partition, message_id) for partition, message_id, _ in page])
        items = [await _shown(parts(), found[message_id], actor) for _, message_id, _ in page if message_id in found]
        return Page(items=items, next=cursor(page[-1][2], page[-1][1]) if more else None)

    @app.get("/v1/messages/{message_id}", summary="Сообщение")
    async def message(message_id: UUID, actor: CurrentActor, at_least: AtLeast = None) -> MessageView:
        return await _shown(parts(), await _visible(parts(), message_id, actor, at_least), actor)

    @app.get("/v1/messages/{message_id}/history", summary="События сообщения по порядку")
    async def history(message_id: UUID, actor: CurrentActor, at_least: AtLeast = None) -> Page:
        found = await _visible(parts(), message_id, actor, at_least)
        law = await parts().reader.law_of(found)
        events = views.history(await parts().reader.history(found.message_id), found, law, actor)
        return Page(items=[event.model_dump(mode="json", exclude_none=True) for event in events])


def _give_commands(app: FastAPI, parts: Callable[[], Parts]) -> None:
    @app.post("/v1/messages/{message_id}/commands", summary="Команда по сообщению", openapi_extra=_body("message"))
    async def command(message_id: UUID, request: Request, actor: CurrentActor, key: Key = None) -> Accepted:
        given = await _shaped(request, "message", str(message_id), actor, key)
        await _repeats_what_was_answered(parts(), given, actor)
        return await parts().commands.submit(str(message_id), given, actor)

    @app.post("/v1/periods/{period_id}/commands", summary="Команда по отчёту за период", openapi_extra=_body("period"))
    async def period_command(period_id: UUID, request: Request, actor: CurrentActor, key: Key = None) -> Accepted:
        given = await _shaped(request, "period", str(period_id), actor, key)
        return await parts().commands.submit(str(period_id), given, actor)

    @app.get("/v1/commands/{command_id}", summary="Что стало с командой", response_model_exclude_none=True)
    async def command_status(command_id: UUID, actor: CurrentActor) -> CommandStatus:
        asked = str(command_id)
        outcome = await parts().reads.outcome_of(asked)
        if outcome is not None and await _may_know(parts(), outcome, actor):
            told = outcome.body if outcome.accepted else outcome.body["problem"]
            return CommandStatus(command_id=asked, status="accepted" if outcome.accepted else "refused", outcome=told)
        if outcome is None:
            given_by = parts().commands.given_by(asked) or await parts().reads.pending_sub(asked)
            if given_by == actor.sub:
                return CommandStatus(command_id=asked, status="pending")
        raise problems.not_found("Такой команды нет или она вам не доступна.")


async def _may_know(parts: Parts, outcome: StoredOutcome, actor: Actor) -> bool:
    """Who gave the command; executors, what their agency's system gave by its topic; who reads every message of the
    authority, whatever was given about one."""
    if outcome.sub == actor.sub:
        return True
    if "executor" in actor.roles and actor.agency is not None:
        return outcome.sub in {agency_system(authority, actor.agency) for authority in actor.authorities}
    if not actor.reads_all or outcome.subject is None:
        return False
    found = await parts.reader.message(outcome.subject, None)
    return found is not None and guards.may_see(found, actor)


async def _shown(parts: Parts, message: Message, actor: Actor) -> MessageView:
    return views.view(message, await parts.reader.law_of(message), actor)


def _body(about: Literal["message", "period"]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": body_schema(about)}}}}


async def _shaped(
    request: Request, about: Literal["message", "period"], subject: str, actor: Actor, key: UUID | None
) -> Shaped:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (media == "application/json" or media.endswith("+json")):
        raise problems.unsupported("application/json")
    try:
        given = shaped(await request.body(), about, subject, actor.authorities)
    except Shapeless as error:
        raise problems.invalid(error.faults) from None
    except UnknownReport:
        raise problems.not_found("Такого отчёта нет или он вам не доступен.") from None
    if key is not None and given.command_id not in (None, key):
        raise problems.invalid([Fault(pointer="/command_id", detail="не тот, что в заголовке Idempotency-Key")])
    return Shaped(given.name, given.data, given.expected_sequence, key or given.command_id)


async def _repeats_what_was_answered(parts: Parts, given: Shaped, actor: Actor) -> None:
    """422 for a `repeat_of` that names no answered message of his. The one state that is asked for at the gate: the other
    message mostly lives in a partition of which this one's decider knows nothing, and once answered it stays so."""
    named = given.data.get("repeat_of")
    if given.name != "triage" or named is None or "coordinator" not in actor.roles:
        return
    earlier = await parts.reader.message(str(named), None)
    if earlier is None or earlier.authority not in actor.authorities:
        raise problems.invalid([Fault(pointer="/data/repeat_of", detail="Такого сообщения нет.")])
    if earlier.answered_at is None:
        detail = "Повторным считается сообщение по вопросу, на который уже дан ответ."
        raise problems.invalid([Fault(pointer="/data/repeat_of", detail=detail)])


async def _visible(parts: Parts, message_id: UUID, actor: Actor, at_least: int | None) -> Message:
    found = await parts.reader.message(str(message_id), at_least)
    if found is None or not guards.may_see(found, actor):
        raise problems.not_found("Такого сообщения нет или оно вам не доступно.")
    return found


def _wanted(
    actor: Actor,
    authority: str | None,
    status: str | None,
    agency: str | None,
    due_before: datetime | None,
    limit: int,
    after: str | None,
) -> Wanted:
    if authority is not None and authority not in actor.authorities:
        raise problems.not_found("Такого органа власти нет или он вам не доступен.")
    if not actor.reads_all:
        if "executor" not in actor.roles or actor.agency is None:
            raise problems.forbidden("Список сообщений ведут координатор, руководители и исполнители.")
        if agency not in (None, actor.agency):
            raise problems.not_found("Такого органа нет или он вам не доступен.")
        agency = actor.agency
    try:
        place = None if after is None else from_cursor(after)
    except ValueError:
        raise problems.invalid([Fault(pointer="/query/after", detail="нужно значение next прежнего ответа")]) from None
    return Wanted(
        of=(authority,) if authority is not None else actor.authorities,
        status=status,
        agency=agency,
        due_before=due_before,
        limit=limit,
        after=place,
    )
