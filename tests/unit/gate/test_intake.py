"""Detections over HTTP: who may send which, streams of any length, and a log that takes nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.detections import InboxDetection
from schemas.envelope import Envelope
from services.intake import batch
from services.intake.api import make_app
from services.intake.detections import Intake
from services.runtime.appender import Overloaded
from services.runtime.http import always_ready, serve
from services.runtime.log import LogError, Outgoing, Position
from services.runtime.settings import Settings, load_settings
from services.runtime.tokens import ensure_local_key
from tests.unit.gate.test_http import a_detection, bearer, told

NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)


class Appended:
    """An appender that keeps what it takes, refuses when told so, and loses what is marked."""

    def __init__(self) -> None:
        self.taken: list[Outgoing] = []
        self.full = False

    async def append(self, outgoing: Outgoing) -> Position:
        (result,) = await self.append_all([outgoing])
        if isinstance(result, LogError):
            raise result
        return result

    async def append_all(self, outgoing: Sequence[Outgoing]) -> list[Position | LogError]:
        if self.full:
            raise Overloaded(3)
        first = len(self.taken)
        self.taken += outgoing
        await asyncio.sleep(0)
        return [
            LogError("lost") if b"lost" in one.value else Position("inbox", 0, first + number, NOW)
            for number, one in enumerate(outgoing)
        ]

    @property
    def envelopes(self) -> list[Envelope]:
        return [Envelope.from_bytes(one.value) for one in self.taken]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("OTKLIK_OIDC_ISSUER", raising=False)
    chosen = load_settings(data=tmp_path, log_level="error")
    assert chosen.local_key is not None
    ensure_local_key(chosen.local_key)
    return chosen


@pytest.fixture
def appended() -> Appended:
    return Appended()


@pytest.fixture
async def client(settings: Settings, appended: Appended) -> AsyncIterator[httpx.AsyncClient]:
    intake = Intake(appended, lambda: {"kbr": timedelta(hours=24)}, lambda: NOW)
    transport = httpx.ASGITransport(make_app(settings, lambda: intake, always_ready))
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=bearer(settings)) as opened:
        yield opened


async def test_a_detection_stands_on_the_inbox_under_its_message(client: httpx.AsyncClient, appended: Appended) -> None:
    response = await client.post("/v1/detections", json=a_detection(topics=["roads"], posted_at="2020-01-01T00:00:00Z"))
    assert response.status_code == 202
    (envelope,) = appended.envelopes
    assert (envelope.subject, envelope.id) == (response.json()["message_id"], response.json()["detection_id"])
    assert appended.taken[0].key == response.json()["message_id"].encode()
    assert (envelope.type, envelope.authority, envelope.time) == ("otklik.detection.v1", "kbr", NOW)
    assert envelope.dataschema == "urn:otklik:schema:otklik.detection.v1"
    data = InboxDetection.model_validate(envelope.data)
    assert (data.post.text, data.post.author.name, data.topics) == ("Яма на дороге", "Житель", ("roads",))
    assert "text" not in envelope.data and "author" not in envelope.data


async def test_who_is_no_monitor_of_the_authority_may_not_send(
    client: httpx.AsyncClient, settings: Settings, appended: Appended
) -> None:
    coordinator = bearer(settings, roles=("coordinator",))
    told(await client.post("/v1/detections", json=a_detection(), headers=coordinator), 403, "forbidden")
    told(await client.post("/v1/detections", json=a_detection(authority="nenets")), 404, "not-found")
    unknown = bearer(settings, authorities=("atlantis",))
    told(await client.post("/v1/detections", json=a_detection(authority="atlantis"), headers=unknown), 404, "not-found")
    assert appended.taken == []


async def test_a_detection_of_the_day_before_yesterday_is_told_how_to_come(client: httpx.AsyncClient) -> None:
    late = (NOW - timedelta(hours=24, seconds=1)).isoformat()
    body = told(await client.post("/v1/detections", json=a_detection(detected_at=late)), 422, "detection-too-old")
    assert "posted_at" in body["detail"]
    assert body["errors"][0]["pointer"] == "/detected_at"
    just = (NOW - timedelta(hours=24)).isoformat()
    assert (await client.post("/v1/detections", json=a_detection(detected_at=just))).status_code == 202


async def test_what_no_table_can_hold_is_refused(client: httpx.AsyncClient) -> None:
    body = told(await client.post("/v1/detections", json=a_detection(text="a\0b")), 422, "invalid")
    assert body["errors"][0]["pointer"] == "/text"
    assert (await client.post("/v1/detections", json=a_detection(text=r"a\u0000b"))).status_code == 202
    body = told(await client.post("/v1/detections", json=a_detection(posted_at="0001-01-01T00:00:00Z")), 422, "invalid")
    assert body["errors"][0]["pointer"] == "/posted_at"
    body = told(await client.post("/v1/detections", json=a_detection(detected_at=1_763_000_000)), 422, "invalid")
    assert body["errors"][0]["pointer"] == "/detected_at"


async def test_a_full_log_is_503_with_a_time_to_come_back(client: httpx.AsyncClient, appended: Appended) -> None:
    appended.full = True
    response = await client.post("/v1/detections", json=a_detection())
    told(response, 503, "unavailable")
    assert response.headers["retry-after"] == "3"


async def test_an_append_of_unknown_fate_is_503_and_never_202(client: httpx.AsyncClient) -> None:
    told(await client.post("/v1/detections", json=a_detection(text="lost")), 503, "unavailable")


def line(number: int, **more: Any) -> bytes:
    source = {"network": "vk", "external_id": f"{number}", "url": "https://vk.com/1"}
    return json.dumps(a_detection(source=source, **more)).encode()


NDJSON = {"content-type": "application/x-ndjson"}


async def test_good_lines_go_in_though_others_are_bad_and_answers_keep_the_order(
    client: httpx.AsyncClient, appended: Appended
) -> None:
    lines = [
        line(1), b"", b"{", line(4, authority="nenets"), line(5), line(6, text="lost"), b"[]",
        line(8, text="x" * (1 << 20)), line(9),
    ]  # fmt: skip
    response = await client.post("/v1/detections/batch", content=b"\n".join(lines), headers=NDJSON)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-ndjson"
    answers = [json.loads(answer) for answer in response.text.splitlines()]
    assert [answer["line"] for answer in answers] == [1, 3, 4, 5, 6, 7, 8, 9]
    statuses = {answer["line"]: answer["error"]["status"] for answer in answers if "error" in answer}
    assert statuses == {3: 422, 4: 404, 6: 503, 7: 422, 8: 413}
    ids = [answer["message_id"] for answer in answers if "error" not in answer]
    assert ids == [envelope.subject for envelope in appended.envelopes if "lost" not in str(envelope.data)]


async def test_a_batch_of_another_media_type_or_role_is_refused_as_a_whole(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    json_type = {"content-type": "application/json"}
    told(await client.post("/v1/detections/batch", content=line(1), headers=json_type), 415, "unsupported-media-type")
    headers = bearer(settings, roles=("auditor",)) | NDJSON
    told(await client.post("/v1/detections/batch", content=line(1), headers=headers), 403, "forbidden")


async def test_an_empty_batch_is_an_empty_answer(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/detections/batch", content=b"", headers=NDJSON)
    assert (response.status_code, response.content) == (200, b"")


async def test_a_log_that_takes_nothing_at_all_is_503_for_the_whole_batch(
    client: httpx.AsyncClient, appended: Appended
) -> None:
    appended.full = True
    response = await client.post("/v1/detections/batch", content=line(1), headers=NDJSON)
    told(response, 503, "unavailable")
    assert response.headers["retry-after"] == "3"


async def test_a_stream_waits_for_a_log_that_is_full_for_a_while(
    client: httpx.AsyncClient, appended: Appended, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield line(1) + b"\n"
        await asyncio.sleep(0.05)
        appended.full = True
        yield line(2) + b"\n"
        await asyncio.sleep(0.1)
        appended.full = False
        yield line(3) + b"\n"

    response = await client.post("/v1/detections/batch", content=parts(), headers=NDJSON)
    assert "error" not in response.text
    assert [json.loads(one)["line"] for one in response.text.splitlines()] == [1, 2, 3]
    assert [envelope.data["source"]["external_id"] for envelope in appended.envelopes] == ["1", "2", "3"]
    monkeypatch.setattr(batch, "PATIENCE_SECONDS", 0.1)

    async def blocked() -> AsyncIterator[bytes]:
        yield line(1) + b"\n"
        await asyncio.sleep(0.05)
        appended.full = True
        yield line(2) + b"\n"

    answers = (await client.post("/v1/detections/batch", content=blocked(), headers=NDJSON)).text.splitlines()
    assert json.loads(answers[1])["error"]["status"] == 503


async def test_a_log_that_fills_up_before_the_first_answer_breaks_no_stream(
    client: httpx.AsyncClient, appended: Appended, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first group is on its way, the second is not taken any more: its lines are refused, the first ones answered."""
    monkeypatch.setattr(batch, "PATIENCE_SECONDS", 0.1)
    slow, take = asyncio.Event(), appended.append_all

    async def append_all(outgoing: Sequence[Outgoing]) -> list[Position | LogError]:
        taken = await take(outgoing)
        appended.full = True
        await slow.wait()
        return taken

    monkeypatch.setattr(appended, "append_all", append_all)

    async def parts() -> AsyncIterator[bytes]:
        yield line(1) + b"\n"
        yield line(2) + b"\n"
        await asyncio.sleep(0.3)
        slow.set()

    response = await client.post("/v1/detections/batch", content=parts(), headers=NDJSON)
    first, second = (json.loads(one) for one in response.text.splitlines())
    assert response.status_code == 200
    assert "message_id" in first
    assert second["error"]["status"] == 503


@asynccontextmanager
async def served(settings: Settings, appended: Appended) -> AsyncIterator[str]:
    from tests.ports import free_port

    port = free_port()
    intake = Intake(appended, lambda: {"kbr": timedelta(hours=24)}, lambda: NOW)
    task = asyncio.create_task(serve(make_app(settings, lambda: intake, always_ready), settings, port))
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient() as http:
            for _ in range(100):
                try:
                    await http.get(f"{url}/healthz")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.05)
        yield url
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_client_that_sends_all_before_it_reads_is_not_stuck(settings: Settings, appended: Appended) -> None:
    count = 40_000
    body = b"".join(line(number) + b"\n" for number in range(count))
    async with served(settings, appended) as url, httpx.AsyncClient(timeout=60) as http:
        started = time.perf_counter()
        response = await http.post(f"{url}/v1/detections/batch", content=body, headers=bearer(settings) | NDJSON)
        assert response.status_code == 200
        assert response.text.count("\n") == count == len(appended.taken)
        print(f"{count / (time.perf_counter() - started):.0f} lines a second")


async def test_answers_come_while_the_stream_is_still_open(settings: Settings, appended: Appended) -> None:
    async with served(settings, appended) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        token = bearer(settings)["Authorization"]
        head = (
            f"POST /v1/detections/batch HTTP/1.1\r\nHost: t\r\nAuthorization: {token}\r\n"
            "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        writer.write(head.encode())
        for number in range(3):
            part = line(number) + b"\n"
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await writer.drain()
            async with asyncio.timeout(5):
                while b'"message_id"' not in await reader.readline():
                    pass
        writer.close()


async def test_a_stopped_server_lets_go_of_an_open_stream(settings: Settings, appended: Appended) -> None:
    async with served(settings, appended) as url:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        token = bearer(settings)["Authorization"]
        writer.write(
            f"POST /v1/detections/batch HTTP/1.1\r\nHost: t\r\nAuthorization: {token}\r\n"
            "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        await writer.drain()
        await asyncio.sleep(0.2)
        started = time.monotonic()
    assert time.monotonic() - started < 8
    writer.close()
