"""What stands in front of every app: the token, the size of the body, the access log, the metrics. Plain ASGI."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from uuid import UUID

import structlog
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime import problems, telemetry
from services.runtime.problems import MEDIA_TYPE, ProblemError
from services.runtime.rates import Rates
from services.runtime.tokens import Verifier

TokenReader = Callable[[Request], str | None]
"""Where a service looks for the token besides the header `Authorization` (a cookie of the pages)."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others may be any word at all, and each would be a series of its own."""

_log = structlog.get_logger("http")


class Guard:
    """Token first, so that nothing of a service answers a stranger; then how often he asks; then the size; then the
    service itself."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        verifier: Verifier,
        rates: Rates,
        limit: int,
        public: Collection[str],
        streams: Collection[str],
        read_token: TokenReader | None,
    ) -> None:
        self._app = app
        self._verifier = verifier
        self._rates = rates
        self._limit = limit
        self._public = frozenset(path for path in public if not path.endswith("*"))
        self._public_under = tuple(path[:-1] for path in public if path.endswith("*"))
        self._streams = frozenset(streams)
        self._read_token = read_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        status = 500
        # What the service binds while it answers (a `command_id` that it made) stands in the line below too.
        structlog.contextvars.clear_contextvars()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._admitted(scope, receive, noting)
        finally:
            seconds = time.monotonic() - began
            # The route's template and not the path: a query or an id typed wrongly may hold anything.
            route = getattr(scope.get("route"), "path", "—")
            method = scope["method"] if scope["method"] in _METHODS else "—"
            telemetry.request_seen(method, route, status, seconds)
            if route not in {"/healthz", "/readyz", "/metrics"}:
                ms = round(seconds * 1000, 1)
                _log.info("request", method=method, route=route, status=status, ms=ms, **_ids(scope))

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            path = scope["path"]
            if path not in self._public and not path.startswith(self._public_under or ("\0",)):
                actor = scope["otklik.actor"] = await self._verifier.actor(self._token(request))
                self._rates.take(actor.sub)
            if path not in self._streams:
                self._check_declared(request)
                receive = self._counted(receive)
        except ProblemError as refusal:
            body = refusal.problem.model_dump(mode="json", exclude_none=True, exclude={"errors"})
            await JSONResponse(body, refusal.problem.status, refusal.headers, media_type=MEDIA_TYPE)(
                scope, receive, send
            )
            return
        await self._app(scope, receive, send)

    def _token(self, request: Request) -> str:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
        other = self._read_token(request) if self._read_token is not None else None
        if other is None:
            raise problems.unauthenticated("Нужен токен: заголовок Authorization: Bearer …")
        return other

    def _check_declared(self, request: Request) -> None:
        declared = request.headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > self._limit:
            raise problems.too_large(self._limit)

    def _counted(self, receive: Receive) -> Receive:
        taken = 0

        async def counting() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                # An HTTPException is the one thing that FastAPI lets through from inside its reading of a body.
                raise HTTPException(413, f"Тело запроса больше {self._limit} байт.")
            return message

        return counting


def _ids(scope: Scope) -> dict[str, str]:
    """The ids in the path. What is no UUID may be anything, and is not told."""
    found = {}
    for name, value in (scope.get("path_params") or {}).items():
        with suppress(ValueError):
            found[name] = str(UUID(str(value)))
    return found
