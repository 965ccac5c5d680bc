"""Tokens: who asks. RS256 or ES256 by the keys of an issuer, or by a local key where no issuer is set (`otklik up`)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, Field, ValidationError

from schemas.envelope import Actor
from schemas.ids import Slug
from services.runtime import problems
from services.runtime.problems import ProblemError
from services.runtime.settings import Settings

ALGORITHMS = ("RS256", "ES256")
"""Of these kinds only: a symmetric or empty algorithm would let a public key, or nobody, sign."""
LOCAL_ISSUER = "urn:otklik:local"
LOCAL_AUDIENCE = "otklik"

_LEEWAY = timedelta(seconds=10)
_KEYS_KEPT_SECONDS = 600.0
_KEYS_AGAIN_SECONDS = 10.0
"""Unknown key ids make us ask the issuer again, but no more often than this: strangers may invent key ids."""


class Claims(BaseModel):
    """What a token must say of its bearer."""

    sub: Annotated[str, Field(min_length=1, max_length=200)]
    authorities: Annotated[tuple[Slug | Literal["*"], ...], Field(max_length=1000)] = ()
    """`*`, for operators alone: every authority, also those to come."""
    roles: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    agency: Slug | None = None

    def actor(self) -> Actor:
        return Actor(sub=self.sub, roles=self.roles, authorities=self.authorities, agency=self.agency)


class Verifier:
    """Checks tokens. One a process; keys of the issuer are cached and asked for anew when they rotate."""

    def __init__(self, settings: Settings, *, client: httpx.AsyncClient | None = None) -> None:
        self._settings = settings
        self._client = client
        self._keys: dict[str, jwt.PyJWK] = {}
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()
        self._seen: dict[str, tuple[float, Actor]] = {}

    async def actor(self, token: str) -> Actor:
        """The bearer. Raises ProblemError 401 on anything that is not a valid token of our issuer for us, 503 when the
        issuer's keys cannot be had."""
        now = time.time()
        seen = self._seen.get(token)
        if seen is not None and now < seen[0]:
            return seen[1]
        try:
            claims = await self._claims(token)
            actor = Claims.model_validate(claims).actor()
        except jwt.ExpiredSignatureError:
            raise problems.unauthenticated("Срок токена истёк.", error="invalid_token") from None
        except (jwt.PyJWTError, ValidationError, ValueError):
            raise problems.unauthenticated("Токен не годится.", error="invalid_token") from None
        self._remember(token, min(float(claims["exp"]), now + 60.0), actor)
        return actor

    async def close(self) -> None:
        """Let go of the connection to the issuer."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _remember(self, token: str, until: float, actor: Actor) -> None:
        # A signature costs more than all else of a small request; a minute's memory of good tokens spares it.
        if len(self._seen) >= 10_000:
            self._seen.clear()
        self._seen[token] = (until, actor)

    async def _claims(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS:
            raise jwt.InvalidAlgorithmError("algorithm")
        issuer, audience, key = await self._key_of(header)
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[header["alg"]],
            issuer=issuer,
            audience=audience,
            leeway=_LEEWAY,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
        return claims

    async def _key_of(self, header: dict[str, Any]) -> tuple[str, str, Any]:
        settings = self._settings
        if settings.oidc_issuer is not None and settings.oidc_audience is not None:
            return settings.oidc_issuer, settings.oidc_audience, await self._issuers_key(header)
        local = settings.local_key
        if local is None:
            raise jwt.InvalidIssuerError("nobody")
        return LOCAL_ISSUER, LOCAL_AUDIENCE, load_local_key(local).public_key()

    async def _issuers_key(self, header: dict[str, Any]) -> jwt.PyJWK:
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise jwt.InvalidKeyError("no key id")
        age = time.monotonic() - self._asked_at
        if age > _KEYS_KEPT_SECONDS or (kid not in self._keys and age > _KEYS_AGAIN_SECONDS):
            await self._ask_for_keys(age)
        key = self._keys.get(kid)
        if key is None or (key.algorithm_name or header["alg"]) != header["alg"]:
            raise jwt.InvalidKeyError("unknown key id")
        return key

    async def _ask_for_keys(self, age: float) -> None:
        async with self._asking:
            if time.monotonic() - self._asked_at < age:
                return  # somebody has asked while we waited
            try:
                self._keys = await self._fetched_keys()
            except (httpx.HTTPError, ValueError, KeyError, jwt.PyJWTError):
                if not self._keys:
                    raise _issuer_silent() from None
                # The keys that we have go on to count: an issuer's bad minute must not shut the gates.
            self._asked_at = time.monotonic()

    async def _fetched_keys(self) -> dict[str, jwt.PyJWK]:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=5.0, follow_redirects=False)
        issuer = cast(str, self._settings.oidc_issuer)
        address = self._settings.oidc_jwks_url
        if address is None:
            found = await self._client.get(issuer.rstrip("/") + "/.well-known/openid-configuration")
            metadata = found.raise_for_status().json()
            if metadata["issuer"] != issuer:
                raise ValueError("the metadata speak of another issuer")
            address = metadata["jwks_uri"]
        document = (await self._client.get(address)).raise_for_status().json()
        keys: dict[str, jwt.PyJWK] = {}
        for one in document["keys"]:
            if one.get("kty") in {"RSA", "EC"} and one.get("use", "sig") == "sig" and isinstance(one.get("kid"), str):
                keys[one["kid"]] = jwt.PyJWK(one, algorithm=one.get("alg") or _usual_algorithm(one))
        return keys


def _usual_algorithm(key: dict[str, Any]) -> str:
    return "RS256" if key["kty"] == "RSA" else "ES256"


def _issuer_silent() -> ProblemError:
    return problems.unavailable(5, "Ключи издателя токенов сейчас недоступны: повторите позже.")


def ensure_local_key(path: Path) -> None:
    """Make the local key when there is none; only its owner may read it. Two who make it at once end with one."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    body = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_bytes(body)
    try:
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(fresh)
    finally:
        fresh.unlink()


def load_local_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The key that signs local tokens. Raises ProblemError 503 when there is none yet."""
    try:
        modified = path.stat().st_mtime_ns
    except FileNotFoundError:
        raise problems.unavailable(1, "Местного ключа ещё нет: его создаёт `otklik up`.") from None
    return _loaded(path, modified)


_local_keys: dict[tuple[Path, int], ec.EllipticCurvePrivateKey] = {}


def _loaded(path: Path, modified: int) -> ec.EllipticCurvePrivateKey:
    key = _local_keys.get((path, modified))
    if key is None:
        loaded = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{path}: не ключ ES256")
        _local_keys.clear()
        key = _local_keys[(path, modified)] = loaded
    return key


def local_token(key: Path, claims: Claims, *, now: datetime, ttl: timedelta) -> str:
    """A token signed by the local key; `now` is the machine's time, as tokens live by it."""
    body = claims.model_dump(mode="json", exclude_none=True) | {
        "iss": LOCAL_ISSUER,
        "aud": LOCAL_AUDIENCE,
        "iat": int(now.timestamp()),
        "exp": int((now + ttl).timestamp()),
    }
    return jwt.encode(body, load_local_key(key), algorithm="ES256")
