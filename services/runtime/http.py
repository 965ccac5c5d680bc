"""HTTP of every service: one app factory, problems for everything that goes wrong, tokens, limits, health, metrics.

A service writes `app = create_app("sla", settings, health)`, adds its routes with `CurrentActor`, and awaits `serve(app,
settings, port)` beside its other tasks.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

import structlog
import uvicorn
from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from schemas.envelope import Actor
from schemas.outcomes import Fault, Problem, problem
from schemas.roles import in_words
from services.runtime import problems, telemetry
from services.runtime.appender import Overloaded
from services.runtime.guard import Guard, TokenReader
from services.runtime.health import Check
from services.runtime.health import Health as RunnerHealth
from services.runtime.log import LogError
from services.runtime.problems import MEDIA_TYPE, ProblemError
from services.runtime.rates import Rates
from services.runtime.settings import Settings
from services.runtime.store import StoreError
from services.runtime.tokens import Verifier

__all__ = [
    "After",
    "CurrentActor",
    "Health",
    "Limit",
    "ProblemError",
    "Ready",
    "always_ready",
    "create_app",
    "health_of",
    "require_role",
    "serve",
]


class Ready(BaseModel):
    """`GET /readyz`. `lag`: records not yet worked, per topic or in all; `reached`: the smallest event time of its partitions."""

    status: Literal["ready", "not-ready"]
    checks: dict[str, Check] = Field(default_factory=dict)
    lag: int | dict[str, int] = 0
    reached: datetime | None = None


Health = Callable[[], Awaitable[Ready]]


def health_of(
    runner: RunnerHealth, *more: Callable[[], dict[str, Check]], database: Callable[[], Awaitable[str]]
) -> Health:
    """The readiness that a runner tells, with further checks of the service's own. `database`: why it does not answer,
    and nothing when it does."""

    async def health() -> Ready:
        wrong = await database()
        checks = runner.checks()
        checks["postgres"] = Check(ok=not wrong, detail=wrong or "отвечает")
        for asked in more:
            checks |= asked()
        ready = all(check.ok for check in checks.values())
        return Ready(status="ready" if ready else "not-ready", checks=checks, lag=runner.lag, reached=runner.reached)

    return health


async def always_ready() -> Ready:
    """The health of a service that depends on nothing; for tests."""
    return Ready(status="ready")


_log = structlog.get_logger("http")
_bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="Токен издателя или `otklik token`")


async def _current_actor(
    request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Actor:
    # The guard in front has checked the token already; the bearer scheme above only tells OpenAPI of it.
    actor = request.scope.get("otklik.actor")
    if not isinstance(actor, Actor):
        raise problems.unauthenticated("Нужен токен: заголовок Authorization: Bearer …")
    return actor


CurrentActor = Annotated[Actor, Depends(_current_actor)]
"""Who asks, from a token that was checked. Parameters of this type make a route ask for a token in OpenAPI."""
Limit = Annotated[int, Query(ge=1, le=1000, description="Сколько записей отдать")]
"""Of lists; give it a default: `limit: Limit = 100`."""
After = Annotated[str | None, Query(max_length=500, description="Значение next предыдущего ответа")]
"""Of lists: where the page before ended; `after: After = None`."""


def require_role(actor: Actor, *roles: str) -> None:
    """403 when the actor has none of the roles."""
    if not set(roles) & set(actor.roles):
        raise problems.forbidden(f"Нужна роль: {in_words(roles)}.")


def create_app(
    name: str,
    settings: Settings,
    health: Health,
    *,
    verifier: Verifier | None = None,
    public: Collection[str] = (),
    streams: Collection[str] = (),
    read_token: TokenReader | None = None,
    lifespan: Callable[[FastAPI], contextlib.AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """The app of service `name`. `public`: further paths without a token (a trailing `*` covers what begins so);
    `streams`: paths whose body has no limit of its own; `read_token`: where the token stands when not in `Authorization`."""
    telemetry.configure(name, settings)
    checked = verifier or Verifier(settings)

    @contextlib.asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            if lifespan is not None:
                await stack.enter_async_context(lifespan(app))
            stack.push_async_callback(checked.close)
            yield

    app = FastAPI(
        title=f"Отклик: {name}",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=living,
        redirect_slashes=False,
    )
    app.state.verifier = checked
    _tell_problems(app)
    _stand_aside(app, name, health)
    app.add_middleware(
        Guard,
        verifier=checked,
        rates=Rates(settings.requests_per_second, settings.requests_burst, time.monotonic, sorted(streams)),
        limit=settings.max_request_bytes,
        public=frozenset(public) | {"/healthz", "/readyz", "/metrics", "/openapi.json"},
        streams=frozenset(streams),
        read_token=read_token,
    )
    return app


def _stand_aside(app: FastAPI, name: str, health: Health) -> None:
    """The four paths that need no token and no place in OpenAPI."""

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok", "service": name}

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        ready = await health()
        return JSONResponse(ready.model_dump(mode="json"), 200 if ready.status == "ready" else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(telemetry.exposition(), media_type=telemetry.EXPOSITION_TYPE)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return JSONResponse(openapi_of(app))


_TOO_OFTEN = {
    "description": "Слишком часто с этим токеном",
    "headers": {"Retry-After": {"description": "Через сколько секунд повторить", "schema": {"type": "integer"}}},
}


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1 of the app, in which every refusal is a problem."""
    document = get_openapi(title=app.title, version=app.version, routes=app.routes, openapi_version="3.1.0")
    parts = document.setdefault("components", {}).setdefault("schemas", {})
    told = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    parts.update(told.pop("$defs", {}))
    parts["Problem"] = told
    for part in ("HTTPValidationError", "ValidationError"):
        parts.pop(part, None)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path in document.get("paths", {}).values():
        for operation in path.values():
            answers = operation.setdefault("responses", {})
            answers.pop("422", None)
            answers["429"] = _TOO_OFTEN | {"content": content}
            answers["4XX"] = {"description": "Отказ", "content": content}
            answers["5XX"] = {"description": "Не вышло", "content": content}
    return document


def answer(refusal: ProblemError) -> JSONResponse:
    """The HTTP answer of a problem."""
    told = refusal.problem
    body = told.model_dump(mode="json", exclude_none=True, exclude={"errors"} if not told.errors else None)
    return JSONResponse(body, told.status, refusal.headers, media_type=MEDIA_TYPE)


def _tell_problems(app: FastAPI) -> None:
    @app.exception_handler(ProblemError)
    async def refused(_: Request, refusal: ProblemError) -> Response:
        return answer(refusal)

    @app.exception_handler(LogError)
    @app.exception_handler(StoreError)
    @app.exception_handler(Overloaded)
    async def unreachable(_: Request, error: Exception) -> Response:
        _log.warning("unreachable", error=str(error))
        return answer(problems.unavailable(1, "Kafka или PostgreSQL сейчас не отвечает: повторите позже."))

    @app.exception_handler(RequestValidationError)
    async def shapeless(request: Request, error: RequestValidationError) -> Response:
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        about_body = any(one["loc"] and one["loc"][0] == "body" for one in error.errors())
        if about_body and not (media == "application/json" or media.endswith("+json")):
            return answer(problems.unsupported("application/json"))
        return answer(problems.invalid(_faults(error)))

    @app.exception_handler(HTTPException)
    async def plain(_: Request, error: HTTPException) -> Response:
        return answer(_of_status(error))

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> Response:
        detail = "Внутренняя ошибка: она записана в журнал."
        return answer(ProblemError(problem("internal", "Внутренняя ошибка", 500, detail)))


def _faults(error: RequestValidationError) -> Iterator[Fault]:
    for one in error.errors():
        where, *rest = one["loc"] or ("body",)
        if one["type"] == "json_invalid":
            yield problems.fault(one, ())
        else:
            # A fault of the body points into the body; of a parameter, to its kind and name.
            yield problems.fault(one, rest if where == "body" else one["loc"])


def _of_status(error: HTTPException) -> ProblemError:
    headers = dict(error.headers or {})
    match error.status_code:
        case 404:
            return problems.not_found("Такого адреса нет.")
        case 405:
            told = problem("method-not-allowed", "Неподходящий метод", 405, "У этого адреса нет такого метода.")
        case 413:
            told = problem("too-large", "Слишком большое тело запроса", 413, str(error.detail))
        case 400:
            # A body that is no JSON comes as a fault of validation; as 400, one whose bytes are not even text.
            return problems.invalid([Fault(pointer="", detail="это не JSON в UTF-8")], "Тело запроса не читается.")
        case status:
            told = problem("http", "Не вышло", status, str(error.detail))
    return ProblemError(told, headers)


class _Server(uvicorn.Server):
    """uvicorn inside somebody's loop: signals belong to the process, not to it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: FastAPI, settings: Settings, port: int, *, grace: float = 3.0) -> None:
    """Listen until cancelled; then no new requests, those in hand get `grace` seconds. Raises OSError when the port is taken."""
    config = uvicorn.Config(
        app,
        host=settings.http_host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, int(grace)),
        timeout_keep_alive=30,
        lifespan="on",
        ws="none",
    )
    server = _Server(config)
    listening = asyncio.ensure_future(server.serve())
    try:
        await asyncio.shield(listening)
    except SystemExit as leaving:  # uvicorn's way of saying that it could not start
        raise OSError(f"порт {port} занят или служба не запустилась") from leaving
    finally:
        server.should_exit = True
        if not listening.done():
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(asyncio.shield(listening), grace + 2)
        if not listening.done():
            listening.cancel()
