"""Login by an issuer: a code is exchanged for a token that our gates take, in this browser and by this login alone."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import FastAPI, Form
from fastapi.responses import JSONResponse, Response
from jwt.algorithms import RSAAlgorithm
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting.api import app_of
from services.reporting.store import apply
from services.runtime.http import always_ready, serve
from services.runtime.settings import Settings
from tests.ports import free_port
from tests.unit.reporting.given import Log, Message, eleven

CODE = "the-code"


class Issuer:
    """An issuer that gives one code, and a token to whoever shows it with the verifier of the challenge."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.challenge = ""
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.app = FastAPI()
        self.app.get("/.well-known/openid-configuration")(self._metadata)
        self.app.get("/keys")(self._keys)
        self.app.post("/token")(self._token)

    async def _metadata(self) -> dict[str, str]:
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
        }

    async def _keys(self) -> dict[str, Any]:
        key = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [key | {"kid": "1", "use": "sig", "alg": "RS256"}]}

    async def _token(self, code: Annotated[str, Form()], code_verifier: Annotated[str, Form()]) -> Response:
        digest = hashlib.sha256(code_verifier.encode()).digest()
        if code != CODE or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != self.challenge:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = datetime.now(UTC)
        claims = {
            "sub": "person", "roles": ["coordinator"], "authorities": ["kbr"], "iss": self.url, "aud": "otklik",
            "iat": now, "exp": now + timedelta(minutes=5),
        }  # fmt: skip
        token = jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": "1"})
        return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": 300})


@pytest_asyncio.fixture(loop_scope="session")
async def issuer() -> AsyncIterator[Issuer]:
    port = free_port()
    found = Issuer(port)
    running = asyncio.ensure_future(serve(found.app, Settings(), port))
    async with httpx.AsyncClient() as client, asyncio.timeout(20):
        while True:
            try:
                await client.get(found.url + "/keys")
                break
            except httpx.HTTPError:
                await asyncio.sleep(0.05)
    yield found
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest_asyncio.fixture(loop_scope="session")
async def browser(engine: AsyncEngine, issuer: Issuer, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    log = Log()
    log.law()
    Message(log, 1, "16.11 09:00", text="Яма у школы")
    async with engine.begin() as connection:
        await apply(connection, log.told)
    settings = Settings(data=tmp_path, partitions=1, oidc_issuer=issuer.url, oidc_audience="otklik")
    app = app_of(settings, engine, always_ready, eleven)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8004") as client:
        yield client


async def started(browser: httpx.AsyncClient, issuer: Issuer) -> dict[str, list[str]]:
    sent = await browser.get("/oidc/start?back=/p/register")
    asked = parse_qs(urlsplit(sent.headers["location"]).query)
    issuer.challenge = asked["code_challenge"][0]
    return asked


async def test_a_stranger_goes_to_the_issuer_and_comes_back_logged_in(
    browser: httpx.AsyncClient, issuer: Issuer
) -> None:
    assert (await browser.get("/p/register")).headers["location"] == "/login?back=%2Fp%2Fregister"
    assert (await browser.get("/login?back=/p/register")).headers["location"] == "/oidc/start?back=%2Fp%2Fregister"
    asked = await started(browser, issuer)
    assert (asked["client_id"], asked["code_challenge_method"]) == (["otklik"], ["S256"])
    assert asked["redirect_uri"] == ["http://127.0.0.1:8004/oidc/callback"]
    back = await browser.get("/oidc/callback", params={"code": CODE, "state": asked["state"][0]})
    assert (back.status_code, back.headers["location"]) == (303, "/p/register")
    assert "Яма у школы" in (await browser.get("/p/register")).text


async def test_a_login_that_this_browser_did_not_begin_is_refused(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    asked = await started(browser, issuer)
    for given in (
        {"code": CODE, "state": "another"},
        {"code": CODE},
        {"state": asked["state"][0]},
        {"code": "another", "state": asked["state"][0]},
    ):
        answer = await browser.get("/oidc/callback", params=given)
        assert answer.status_code == 401, given
        assert "otklik_session" not in answer.headers.get("set-cookie", "")


async def test_with_an_issuer_nobody_chooses_his_role(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/login", data={"authority": "kbr", "role": "coordinator"})
    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers
