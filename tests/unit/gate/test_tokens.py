"""A token opens a door only when our issuer signed it, for us, and it is still good."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from services.runtime import tokens
from services.runtime.problems import ProblemError
from services.runtime.settings import Settings, load_settings
from services.runtime.tokens import Claims, Verifier, ensure_local_key, local_token

ISSUER = "https://id.example"
AUDIENCE = "otklik"
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@pytest.fixture(autouse=True)
def _asks_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_KEYS_AGAIN_SECONDS", 0.0)


class Issuer:
    """An issuer of tokens with metadata and keys behind httpx's own test transport."""

    def __init__(self) -> None:
        self.keys: dict[str, Key] = {"first": rsa.generate_private_key(public_exponent=65537, key_size=2048)}
        self.asked: list[str] = []
        self.silent = False
        self.calls_itself = ISSUER

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.silent:
            raise httpx.ConnectError("nobody")
        if request.url.path == "/.well-known/openid-configuration":
            return httpx.Response(200, json={"issuer": self.calls_itself, "jwks_uri": f"{ISSUER}/keys"})
        return httpx.Response(200, json={"keys": [jwk(kid, key) for kid, key in self.keys.items()]})

    def token(self, kid: str = "first", key: Key | None = None, **changed: Any) -> str:
        signing = key or self.keys[kid]
        claims = {
            "sub": "ivan",
            "authorities": ["kbr"],
            "roles": ["coordinator"],
            "iss": ISSUER,
            "aud": AUDIENCE,
            "exp": datetime.now(UTC) + timedelta(minutes=5),
        } | changed
        kept = {name: value for name, value in claims.items() if value is not None}
        algorithm = "RS256" if isinstance(signing, rsa.RSAPrivateKey) else "ES256"
        return jwt.encode(kept, signing, algorithm=algorithm, headers={"kid": kid})


def jwk(kid: str, key: Key) -> dict[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        made = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        made = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**made, "kid": kid, "use": "sig"}


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def verifier(issuer: Issuer, tmp_path: Path) -> Verifier:
    settings = load_settings(data=tmp_path, oidc_issuer=ISSUER, oidc_audience=AUDIENCE)
    return Verifier(settings, client=httpx.AsyncClient(transport=httpx.MockTransport(issuer.answer)))


async def refused(verifier: Verifier, token: str, status: int = 401) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        await verifier.actor(token)
    assert caught.value.problem.status == status
    if status == 401:
        assert 'error="invalid_token"' in caught.value.headers["WWW-Authenticate"]
    return caught.value


async def test_a_token_of_the_issuer_tells_who_asks(verifier: Verifier, issuer: Issuer) -> None:
    actor = await verifier.actor(issuer.token(agency="minzdrav"))
    assert (actor.sub, actor.authorities, actor.roles, actor.agency) == ("ivan", ("kbr",), ("coordinator",), "minzdrav")


async def test_an_expired_token_is_refused(verifier: Verifier, issuer: Issuer) -> None:
    refusal = await refused(verifier, issuer.token(exp=datetime.now(UTC) - timedelta(minutes=1)))
    assert "истёк" in refusal.problem.detail


async def test_a_token_that_never_expires_is_refused(verifier: Verifier, issuer: Issuer) -> None:
    await refused(verifier, issuer.token(exp=None))


async def test_a_token_is_not_remembered_beyond_its_expiry(
    verifier: Verifier, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issuer.token(exp=datetime.now(UTC) + timedelta(seconds=2))
    await verifier.actor(token)
    later = datetime.now(UTC).timestamp() + 30
    monkeypatch.setattr("services.runtime.tokens.time.time", lambda: later)
    monkeypatch.setattr("services.runtime.tokens._LEEWAY", timedelta(seconds=-30))
    await refused(verifier, token)


@pytest.mark.parametrize("changed", [{"iss": "https://else.example"}, {"aud": "else"}, {"iss": None}, {"aud": None}])
async def test_a_token_of_another_issuer_or_for_another_audience_is_refused(
    verifier: Verifier, issuer: Issuer, changed: dict[str, Any]
) -> None:
    await refused(verifier, issuer.token(**changed))


async def test_a_token_signed_by_a_stranger_under_the_issuers_key_id_is_refused(
    verifier: Verifier, issuer: Issuer
) -> None:
    await refused(verifier, issuer.token(key=rsa.generate_private_key(public_exponent=65537, key_size=2048)))


def _unsigned(issuer: Issuer) -> str:
    _, body, _ = issuer.token().split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "first"}).encode()).rstrip(b"=").decode()
    return f"{header}.{body}."


def _signed_with_the_public_key_as_a_secret(issuer: Issuer) -> str:
    public = issuer.keys["first"].public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    import hashlib
    import hmac

    header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "first"}).encode()).rstrip(b"=").decode()
    _, body, _ = issuer.token().split(".")
    signature = hmac.new(pem, f"{header}.{body}".encode(), hashlib.sha256).digest()
    return f"{header}.{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize("forge", [_unsigned, _signed_with_the_public_key_as_a_secret])
async def test_algorithms_that_nobody_signs_by_are_refused(
    verifier: Verifier, issuer: Issuer, forge: Callable[[Issuer], str]
) -> None:
    await refused(verifier, forge(issuer))


@pytest.mark.parametrize("garbage", ["", "a", "a.b.c", "....", "é.è.ê"])
async def test_garbage_is_refused(verifier: Verifier, garbage: str) -> None:
    await refused(verifier, garbage)


async def test_claims_of_another_shape_are_refused(verifier: Verifier, issuer: Issuer) -> None:
    await refused(verifier, issuer.token(authorities="kbr"))
    await refused(verifier, issuer.token(agency="Минздрав"))


async def test_rotated_keys_are_asked_for_and_old_ones_count_no_more(verifier: Verifier, issuer: Issuer) -> None:
    before = issuer.token()
    await verifier.actor(before)
    issuer.keys = {"second": ec.generate_private_key(ec.SECP256R1())}
    assert (await verifier.actor(issuer.token("second"))).sub == "ivan"
    verifier._seen.clear()
    await refused(verifier, before)


async def test_keys_are_kept_between_tokens(verifier: Verifier, issuer: Issuer) -> None:
    for number in range(5):
        await verifier.actor(issuer.token(sub=f"user-{number}"))
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_invented_key_ids_do_not_make_us_ask_each_time(
    verifier: Verifier, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_KEYS_AGAIN_SECONDS", 60.0)
    await verifier.actor(issuer.token())
    for number in range(5):
        await refused(verifier, issuer.token(f"invented-{number}", key=issuer.keys["first"]))
    assert len(issuer.asked) == 2


async def test_a_silent_issuer_is_503_at_first_and_no_hindrance_later(verifier: Verifier, issuer: Issuer) -> None:
    issuer.silent = True
    refusal = await refused(verifier, issuer.token(), 503)
    assert refusal.headers["Retry-After"]
    issuer.silent = False
    await verifier.actor(issuer.token())
    issuer.silent = True
    verifier._asked_at = float("-inf")
    assert (await verifier.actor(issuer.token(sub="later"))).sub == "later"


async def test_metadata_that_speak_of_another_issuer_are_not_believed(verifier: Verifier, issuer: Issuer) -> None:
    issuer.calls_itself = "https://else.example"
    await refused(verifier, issuer.token(), 503)


@pytest.fixture
def local(tmp_path: Path) -> Settings:
    settings = load_settings(data=tmp_path)
    assert settings.local_key is not None
    ensure_local_key(settings.local_key)
    return settings


def sign(settings: Settings, ttl: timedelta = timedelta(minutes=5)) -> str:
    assert settings.local_key is not None
    return local_token(settings.local_key, Claims(sub="anna", authorities=("kbr",)), now=datetime.now(UTC), ttl=ttl)


async def test_the_local_key_signs_where_no_issuer_is_set(local: Settings) -> None:
    assert (await Verifier(local).actor(sign(local))).sub == "anna"
    await refused(Verifier(local), sign(local, timedelta(minutes=-1)))


async def test_the_local_key_opens_nothing_where_an_issuer_is_set(local: Settings, issuer: Issuer) -> None:
    settings = local.model_copy(update={"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE})
    client = httpx.AsyncClient(transport=httpx.MockTransport(issuer.answer))
    await refused(Verifier(settings, client=client), sign(local))


async def test_the_local_key_is_its_owners_alone_and_made_once(local: Settings) -> None:
    assert local.local_key is not None
    before = local.local_key.read_bytes()
    ensure_local_key(local.local_key)
    assert local.local_key.read_bytes() == before
    assert local.local_key.stat().st_mode & 0o077 == 0
