"""Who looks at the pages: a cookie that holds the token, got by a local choice of role or from the issuer."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, FastAPI, Form, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute

from schemas.envelope import Actor
from schemas.roles import READERS, ROLES
from services.reporting.context import Context
from services.reporting.pages import render
from services.runtime import problems
from services.runtime.problems import ProblemError
from services.runtime.tokens import Claims, Verifier, local_token

COOKIE = "otklik_session"
TTL = timedelta(hours=12)
PUBLIC = ("/", "/login", "/logout", "/p/*", "/static/*", "/oidc/*")
"""Paths that the guard lets through: each page asks for its visitor itself, to send a stranger to the login."""
READING = tuple(role for role in ROLES if role in READERS or role == "executor")
"""Whom the pages have something to show."""


class Stranger(Exception):
    """Nobody is logged in; `back` is where he wanted to go."""

    def __init__(self, back: str) -> None:
        super().__init__(back)
        self.back = back


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks, and his token: the page's forms send it to workflow."""

    actor: Actor
    token: str


def token_of(request: Request) -> str | None:
    """The token of the cookie; only for reading: this service has nothing that a forged request could change."""
    return request.cookies.get(COOKIE) if request.method in {"GET", "HEAD"} else None


async def _visitor(request: Request) -> Visitor:
    token = request.cookies.get(COOKIE)
    if token is None:
        raise Stranger(_path(request))
    verifier: Verifier = request.app.state.verifier
    try:
        return Visitor(await verifier.actor(token), token)
    except ProblemError as refusal:
        if refusal.problem.status != 401:
            raise
        raise Stranger(_path(request)) from None


class PageRoute(APIRoute):
    """A route whose refusals are pages too: people read them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except ProblemError as refusal:
                problem = refusal.problem
            except RequestValidationError:
                problem = problems.not_found("Такой страницы нет.").problem
            return render.page(request, "problem.html", {"problem": problem}, status=problem.status)

        return handled


CurrentVisitor = Annotated[Visitor, Depends(_visitor)]


def _path(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return request.url.path + query


def own_path(back: str) -> str:
    """A path of ours to go back to, and nothing else: a link must not lead a visitor from the login to a stranger's page."""
    harmless = back.startswith("/") and not back.startswith("//") and "\\" not in back
    return back if harmless and back.isprintable() else "/"


def admit(token: str, back: str, *, secure: bool, lasting: timedelta = TTL) -> Response:
    """Set the cookie and go on. Not readable by scripts, not sent along from other sites' pages."""
    response = RedirectResponse(own_path(back), 303)
    response.set_cookie(
        COOKIE, token, max_age=int(lasting.total_seconds()), httponly=True, samesite="lax", secure=secure, path="/"
    )
    return response


def send_strangers_to_login(app: FastAPI) -> None:
    @app.exception_handler(Stranger)
    async def to_login(_: Request, stranger: Stranger) -> Response:
        return RedirectResponse(f"/login?back={quote(stranger.back, safe='')}", 303)


def add(app: APIRouter, context: Context) -> None:
    settings = context.settings

    @app.get("/login", include_in_schema=False)
    async def login(request: Request, back: str = "/") -> Response:
        if settings.local_key is None:
            return RedirectResponse(f"/oidc/start?back={quote(own_path(back), safe='')}", 303)
        return await _choice(request, context, own_path(back), {})

    @app.post("/login", include_in_schema=False)
    async def choose(
        request: Request,
        authority: Annotated[str, Form()],
        role: Annotated[str, Form()],
        agency: Annotated[str, Form()] = "",
        back: Annotated[str, Form()] = "/",
    ) -> Response:
        if settings.local_key is None:
            raise problems.not_found()
        async with context.engine.connect() as connection:
            laws = await context.laws.all(connection)
        known = laws.get(authority)
        chosen = {"authority": authority, "role": role, "agency": agency}
        if known is None or role not in READING or (role == "executor" and agency not in known.agencies):
            fault = "Выберите орган власти и роль; исполнителю — ещё и ведомство этого органа."
            return await _choice(request, context, own_path(back), chosen, fault)
        mine = agency if role == "executor" else None
        claims = Claims(
            sub=f"local:{role}" + (f":{mine}" if mine else ""), authorities=(authority,), roles=(role,), agency=mine
        )
        return admit(_signed(context, claims, context.wall()), back, secure=request.url.scheme == "https")

    @app.post("/logout", include_in_schema=False)
    async def logout() -> Response:
        response = RedirectResponse("/login", 303)
        response.delete_cookie(COOKIE, path="/")
        return response


def _signed(context: Context, claims: Claims, now: datetime) -> str:
    key = context.settings.local_key
    assert key is not None
    return local_token(key, claims, now=now, ttl=TTL)


async def _choice(
    request: Request, context: Context, back: str, chosen: dict[str, str], fault: str | None = None
) -> HTMLResponse:
    async with context.engine.connect() as connection:
        laws = await context.laws.all(connection)
    told: dict[str, Any] = {
        "laws": sorted(laws.values(), key=lambda law: law.name),
        "roles": READING,
        "back": back,
        "chosen": chosen,
        "fault": fault,
    }
    return render.page(request, "login.html", told, status=422 if fault else 200)
