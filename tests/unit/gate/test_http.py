"""Every refusal of a service's HTTP is a problem that says what, where and, to a human, why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from schemas.detections import Detection
from services.runtime import problems
from services.runtime.health import Check
from services.runtime.http import CurrentActor, Ready, create_app, require_role
from services.runtime.settings import Settings, load_settings
from services.runtime.tokens import Claims, ensure_local_key, local_token


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("OTKLIK_OIDC_ISSUER", raising=False)
    chosen = load_settings(data=tmp_path, max_request_bytes=2048, log_level="error")
    assert chosen.local_key is not None
    ensure_local_key(chosen.local_key)
    return chosen


def bearer(settings: Settings, **claims: Any) -> dict[str, str]:
    assert settings.local_key is not None
    said = Claims(**{"sub": "some", "authorities": ("kbr",), "roles": ("monitor",), **claims})
    token = local_token(settings.local_key, said, now=datetime.now(UTC), ttl=timedelta(minutes=5))
    return {"Authorization": f"Bearer {token}"}


def example(settings: Settings, ready: Ready | None = None) -> FastAPI:
    async def health() -> Ready:
        return ready or Ready(status="ready", checks={"kafka": Check(ok=True)}, lag=0)

    app = create_app("example", settings, health, streams={"/v1/stream"})

    @app.post("/v1/detections")
    async def detect(detection: Detection, actor: CurrentActor) -> dict[str, str]:
        require_role(actor, "monitor")
        if detection.authority not in actor.authorities:
            raise problems.not_found()
        return {"message_id": detection.message_id}

    @app.get("/v1/things/{thing_id}")
    async def thing(thing_id: int, actor: CurrentActor, limit: int = 5) -> dict[str, Any]:
        return {"thing_id": thing_id, "limit": limit, "sub": actor.sub}

    @app.post("/v1/stream")
    async def stream(request: Request) -> dict[str, int]:
        return {"bytes": sum([len(part) async for part in request.stream()])}

    @app.get("/v1/broken")
    async def broken() -> None:
        raise RuntimeError("a secret")

    return app


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(example(settings), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=bearer(settings)) as opened:
        yield opened


def a_detection(**more: Any) -> dict[str, Any]:
    return {
        "authority": "kbr",
        "source": {"network": "vk", "external_id": "-1_2", "url": "https://vk.com/wall-1_2"},
        "author": {"name": "Житель"},
        "text": "Яма на дороге",
    } | more


def told(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["type"] == f"urn:otklik:problem:{slug}"
    assert body["status"] == status
    assert body["detail"]
    return body


async def test_without_a_token_nothing_answers_not_even_that_a_path_is_unknown(client: httpx.AsyncClient) -> None:
    for path in ("/v1/things/1", "/v1/nowhere"):
        response = await client.get(path, headers={"Authorization": ""})
        told(response, 401, "unauthenticated")
        assert response.headers["www-authenticate"].startswith("Bearer")


async def test_an_unknown_path_and_a_wrong_method_are_problems(client: httpx.AsyncClient) -> None:
    told(await client.get("/v1/nowhere"), 404, "not-found")
    response = await client.delete("/v1/things/1")
    told(response, 405, "method-not-allowed")
    assert response.headers["allow"] == "GET"


async def test_every_fault_is_listed_with_its_pointer(client: httpx.AsyncClient) -> None:
    faulty = a_detection(detected_at="2026-11-16T09:00:00", colour="red", change="burnt")
    faulty["source"]["network"] = "ВК"
    del faulty["author"]["name"]
    body = told(await client.post("/v1/detections", json=faulty), 422, "invalid")
    assert {fault["pointer"] for fault in body["errors"]} == {
        "/author/name", "/change", "/colour", "/detected_at", "/source/network",
    }  # fmt: skip
    assert all(not fault["detail"].isascii() for fault in body["errors"])


async def test_a_body_whose_bytes_are_no_text_is_told_of_as_a_whole(client: httpx.AsyncClient) -> None:
    for broken in (b'{"authority":"\xff"}', b"\xff", b"\xd0"):
        response = await client.post(
            "/v1/detections", content=broken, headers={"Content-Type": "application/json", **client.headers}
        )
        body = told(response, 422, "invalid")
        assert [fault["pointer"] for fault in body["errors"]] == [""]


async def test_pointers_reach_into_lists(client: httpx.AsyncClient) -> None:
    faulty = a_detection(attachments=[{"url": "https://a.ru/1", "media_type": "image/png"}, {"url": "nothing"}])
    body = told(await client.post("/v1/detections", json=faulty), 422, "invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/attachments/1/url", "/attachments/1/media_type"]


async def test_a_fault_of_a_parameter_points_to_it(client: httpx.AsyncClient) -> None:
    body = told(await client.get("/v1/things/one?limit=many"), 422, "invalid")
    assert [fault["pointer"] for fault in body["errors"]] == ["/path/thing_id", "/query/limit"]


async def test_a_body_that_is_no_json_is_one_fault(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    body = told(await client.post("/v1/detections", content=b"{", headers=headers), 422, "invalid")
    assert body["errors"] == [{"pointer": "", "detail": "это не JSON"}]


async def test_another_media_type_is_415(client: httpx.AsyncClient) -> None:
    for headers in ({"content-type": "text/plain"}, {}):
        response = await client.post("/v1/detections", content=b'{"a": 1}', headers=headers)
        told(response, 415, "unsupported-media-type")


async def test_a_body_too_large_is_413_whether_its_length_is_declared_or_not(client: httpx.AsyncClient) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 1000

    headers = {"content-type": "application/json"}
    told(await client.post("/v1/detections", content=b" " * 4000, headers=headers), 413, "too-large")
    told(await client.post("/v1/detections", content=parts(), headers=headers), 413, "too-large")


async def test_a_streamed_path_has_no_limit(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/stream", content=b" " * 100_000)
    assert response.json() == {"bytes": 100_000}


async def test_somebody_elses_authority_is_not_found_and_a_missing_role_forbidden(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    told(await client.post("/v1/detections", json=a_detection(authority="nenets")), 404, "not-found")
    headers = bearer(settings, roles=("auditor",))
    told(await client.post("/v1/detections", json=a_detection(), headers=headers), 403, "forbidden")


async def test_an_error_inside_tells_nothing_of_itself(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/broken")
    told(response, 500, "internal")
    assert "secret" not in response.text


async def test_health_metrics_and_openapi_need_no_token(client: httpx.AsyncClient) -> None:
    client.headers.pop("Authorization")
    assert (await client.get("/healthz")).json()["status"] == "ok"
    ready = (await client.get("/readyz")).json()
    assert ready == {"status": "ready", "checks": {"kafka": {"ok": True, "detail": ""}}, "lag": 0, "reached": None}
    metrics = await client.get("/metrics")
    assert 'route="/readyz"' in metrics.text
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert "HTTPValidationError" not in str(document)
    operation = document["paths"]["/v1/detections"]["post"]
    assert operation["security"]
    assert "application/problem+json" in operation["responses"]["4XX"]["content"]


async def test_a_service_that_is_not_ready_answers_503(settings: Settings) -> None:
    app = example(settings, Ready(status="not-ready", checks={"kafka": Check(ok=False, detail="не отвечает")}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/readyz")).status_code == 503
