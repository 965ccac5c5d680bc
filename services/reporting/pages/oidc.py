"""Login by an issuer: OpenID Connect, authorization code with PKCE; the audience of tokens is the client's id."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import timedelta
from urllib.parse import urlencode

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from services.reporting.context import Context
from services.reporting.pages.session import admit, own_path
from services.runtime import problems
from services.runtime.problems import ProblemError
from services.runtime.tokens import Verifier

_COOKIE = "otklik_login"
_MINUTES = 10


def add(app: APIRouter, context: Context) -> None:
    settings = context.settings

    async def endpoints(client: httpx.AsyncClient) -> dict[str, str]:
        issuer = settings.oidc_issuer or ""
        found = await client.get(issuer.rstrip("/") + "/.well-known/openid-configuration")
        metadata: dict[str, str] = found.raise_for_status().json()
        if metadata["issuer"] != issuer:
            raise ValueError("the metadata speak of another issuer")
        return metadata

    @app.get("/oidc/start", include_in_schema=False)
    async def start(request: Request, back: str = "/") -> Response:
        if settings.oidc_issuer is None:
            raise problems.not_found()
        async with httpx.AsyncClient(timeout=5.0) as client:
            try:
                metadata = await endpoints(client)
            except (httpx.HTTPError, ValueError, KeyError):
                raise _silent() from None
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": settings.oidc_audience or "",
            "redirect_uri": _callback(request),
            "scope": "openid",
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        response = RedirectResponse(f"{metadata['authorization_endpoint']}?{urlencode(asked)}", 303)
        # What the callback has to find again: only this browser, only for some minutes.
        kept = urlencode({"state": state, "verifier": verifier, "back": own_path(back)})
        secure = request.url.scheme == "https"
        response.set_cookie(
            _COOKIE, kept, max_age=_MINUTES * 60, httponly=True, samesite="lax", secure=secure, path="/oidc"
        )
        return response

    @app.get("/oidc/callback", include_in_schema=False)
    async def callback(request: Request, code: str = "", state: str = "") -> Response:
        kept = dict(httpx.QueryParams(request.cookies.get(_COOKIE, "")))
        if not code or not state or not secrets.compare_digest(kept.get("state", ""), state):
            raise problems.unauthenticated("Вход не удался: начните его снова.")
        given = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": settings.oidc_audience or "",
            "redirect_uri": _callback(request),
            "code_verifier": kept["verifier"],
        }
        async with httpx.AsyncClient(timeout=10.0) as client:
            try:
                metadata = await endpoints(client)
                answer = await client.post(metadata["token_endpoint"], data=given)
                told = answer.raise_for_status().json()
            except httpx.HTTPStatusError:
                raise problems.unauthenticated("Издатель не подтвердил вход: начните его снова.") from None
            except (httpx.HTTPError, ValueError, KeyError):
                raise _silent() from None
        token = await _usable(request.app.state.verifier, [told.get("access_token"), told.get("id_token")])
        lasting = timedelta(seconds=int(told.get("expires_in", 300)))
        response = admit(token, kept.get("back", "/"), secure=request.url.scheme == "https", lasting=lasting)
        response.delete_cookie(_COOKIE, path="/oidc")
        return response


def _callback(request: Request) -> str:
    return str(request.base_url).rstrip("/") + "/oidc/callback"


def _silent() -> ProblemError:
    return problems.unavailable(5, "Издатель токенов сейчас не отвечает: повторите позже.")


async def _usable(verifier: Verifier, tokens: list[str | None]) -> str:
    """The first token that our gates take. Raises ProblemError 401 when they would take none."""
    for token in tokens:
        if token is None:
            continue
        try:
            await verifier.actor(token)
        except ProblemError as refusal:
            if refusal.problem.status != 401:
                raise
        else:
            return token
    raise problems.unauthenticated("Токен издателя не годится для этой установки (aud, права).")
