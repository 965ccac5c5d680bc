"""Intake over HTTP: one detection, or a stream of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, suppress

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from schemas.detections import Detection
from services.intake.batch import Batch
from services.intake.detections import Frame, Intake
from services.runtime import gate, problems
from services.runtime.http import CurrentActor, Health, create_app, require_role
from services.runtime.settings import Settings
from services.runtime.tokens import Verifier

BATCH = "/v1/detections/batch"
NDJSON = "application/x-ndjson"


class Detected(BaseModel):
    """202: it stands on the log, in all in-sync replicas."""

    message_id: str
    detection_id: str


def make_app(
    settings: Settings,
    intake: Callable[[], Intake],
    health: Health,
    *,
    verifier: Verifier | None = None,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """The app; `intake` is asked for at each request, as it is made after the app."""
    app = create_app("intake", settings, health, streams={BATCH}, verifier=verifier, lifespan=lifespan)

    @app.post("/v1/detections", status_code=202, summary="Передать одно выявленное сообщение")
    async def detect(detection: Detection, actor: CurrentActor) -> Detected:
        await intake().settled(actor)
        message_id, detection_id, outgoing = intake().record(detection, Frame(actor, intake().now()))
        structlog.contextvars.bind_contextvars(message_id=message_id)
        await gate.put(intake().appender, outgoing)
        return Detected(message_id=message_id, detection_id=detection_id)

    @app.post(
        BATCH,
        summary="Передать поток сообщений, по одному в строке",
        response_class=StreamingResponse,
        responses={200: {"content": {NDJSON: {"schema": {"type": "string"}}}, "description": "Ответы в порядке строк"}},
        openapi_extra={"requestBody": {"required": True, "content": {NDJSON: {"schema": {"type": "string"}}}}},
    )
    async def detect_all(request: Request, actor: CurrentActor) -> StreamingResponse:
        require_role(actor, "monitor")
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != NDJSON:
            raise problems.unsupported(NDJSON)
        await intake().settled(actor)
        answers = Batch(intake(), actor, _chunks(request), settings.max_request_bytes).answers()
        # The first part is waited for, so that a log that takes nothing at all is still a 503.
        first = await anext(answers, b"")
        return _Duplex(_beginning_with(first, answers), media_type=NDJSON)

    return app


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """The body; one that breaks off ends, and what came is answered to nobody but stands on the log."""
    with suppress(ClientDisconnect):
        async for chunk in request.stream():
            yield chunk


async def _beginning_with(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(rest):
        yield first
        async for part in rest:
            yield part


class _Duplex(StreamingResponse):
    """Answers while the body still comes. Starlette's own would read on in search of a disconnect, and swallow it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.stream_response(send)
        finally:
            if isinstance(self.body_iterator, AsyncGenerator):
                await self.body_iterator.aclose()
