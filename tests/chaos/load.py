"""Load through all doors: detections by HTTP, NDJSON and Kafka; commands by HTTP and by the agencies' topics.

Every request is retried with the same id until it has a definite answer, as a careful client would; some are sent twice on
purpose. What was acknowledged and answered is remembered for the checker.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.e2e.installation import Client, Installation

DEFINITE = {200, 202, 400, 401, 403, 404, 409, 413, 422}


@dataclass
class Told:
    """What clients heard."""

    acknowledged: set[str] = field(default_factory=set)
    answers: list[tuple[str, int, dict[str, Any]]] = field(default_factory=list)
    retries: int = 0
    refused: int = 0
    commands: int = 0


class Load:
    def __init__(self, installation: Installation, authorities: list[str], seed: int) -> None:
        self._installation = installation
        self._clients = {authority: Client(installation, authority) for authority in authorities}
        self._dice = random.Random(seed)
        self._stop = asyncio.Event()
        self._agencies: dict[str, list[str]] = {}
        self.told = Told()

    async def prepare(self) -> None:
        """Tokens and agencies, while everything is still well."""
        for authority, client in self._clients.items():
            self._agencies[authority] = (await client.agencies())[:3]
            client.auth("monitor")
            client.auth("coordinator")
            for agency in self._agencies[authority]:
                client.auth("executor", agency)

    def finish(self) -> None:
        self._stop.set()

    async def run(self, citizens: int, limit: int | None = None) -> None:
        """`citizens` at once, each with one message after another, until `finish` or `limit` messages each."""
        async with asyncio.TaskGroup() as group:
            for number in range(citizens):
                group.create_task(self._citizen(number, limit))
            group.create_task(self._vandal())

    async def _citizen(self, number: int, limit: int | None) -> None:
        count = 0
        while not self._stop.is_set() and (limit is None or count < limit):
            authority = self._dice.choice(sorted(self._clients))
            door = self._dice.choice(("http", "http", "batch", "kafka"))
            name = f"chaos-{number}-{count}-{self._dice.getrandbits(32):x}"
            message = await self._detect(authority, name, door)
            if message:
                await self._work(authority, message)
            count += 1

    async def _definite(self, ask: Any) -> httpx.Response | None:
        """Ask until the answer is definite; 503 and 504 and broken connections are not."""
        pause = 0.1
        while True:
            try:
                answer: httpx.Response = await ask()
                if answer.status_code in DEFINITE:
                    if self._dice.random() < 0.05:
                        # A client that did not hear its answer asks again.
                        with contextlib.suppress(httpx.HTTPError):
                            await ask()
                    return answer
                assert answer.status_code in (502, 503, 504), f"{answer.status_code}: {answer.text}"
            except httpx.HTTPError:
                pass
            self.told.retries += 1
            if self._stop.is_set() and pause > 5:
                return None
            await asyncio.sleep(pause)
            pause = min(pause * 1.7, 6)

    def _detection(self, authority: str, name: str) -> dict[str, Any]:
        return {
            "detection_id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
            "authority": authority,
            "source": {"network": "vk", "external_id": name, "url": f"https://vk.example/{name}"},
            "author": {"name": "Житель"},
            "text": "Нет воды " * self._dice.randint(1, 40),
        }

    async def _detect(self, authority: str, name: str, door: str) -> str | None:
        client = self._clients[authority]
        message = client.message_id(name)
        body = self._detection(authority, name)
        base = self._installation.url("intake")
        if door == "kafka":
            await self._write(
                "otklik.detections", self._event(body["detection_id"], "otklik.detection.v1", message, body)
            )
            self.told.acknowledged.add(message)
            return message
        if door == "batch":
            headers = client.auth("monitor") | {"Content-Type": "application/x-ndjson"}
            line = json.dumps(body, ensure_ascii=False).encode() + b"\n"
            answer = await self._definite(
                lambda: client.http.post(f"{base}/v1/detections/batch", content=line, headers=headers)
            )
            while answer is not None and '"error"' in answer.text:
                answer = await self._definite(
                    lambda: client.http.post(f"{base}/v1/detections/batch", content=line, headers=headers)
                )
        else:
            answer = await self._definite(
                lambda: client.http.post(f"{base}/v1/detections", json=body, headers=client.auth("monitor"))
            )
        if answer is None:
            return None
        assert answer.status_code in (200, 202), answer.text
        self.told.acknowledged.add(message)
        return message

    async def _command(self, authority: str, message: str, kind: str, agency: str | None = None, /, **data: Any) -> Any:
        client = self._clients[authority]
        key = str(uuid.UUID(int=self._dice.getrandbits(128), version=4))
        headers = client.auth("executor" if agency else "coordinator", agency) | {"Idempotency-Key": key}
        url = f"{self._installation.url('workflow')}/v1/messages/{message}/commands"
        answer = await self._definite(lambda: client.http.post(url, json={"type": kind, "data": data}, headers=headers))
        self.told.commands += 1
        if answer is None:
            return None
        self.told.answers.append((key, answer.status_code, answer.json()))
        if answer.status_code != 200:
            self.told.refused += 1
            return None
        return answer.json()

    async def _work(self, authority: str, message: str) -> None:
        """Part of the way, or all of it; a refusal ends it (some are asked for on purpose)."""
        agency = self._dice.choice(self._agencies[authority])
        stated: dict[str, Any] = {"topics": ["utilities"], "location": "центр", "importance": "ordinary"}
        for attempt in ({"reduced": False}, {}):
            # Whether the decision is stated is the region's own rule; one of the two is refused, or neither.
            if await self._command(authority, message, "triage", **stated, **attempt):
                break
        else:
            return
        if self._dice.random() < 0.15:
            await self._command(authority, message, "dismiss", ground="no_response_needed")
            return
        if not await self._command(authority, message, "route", assignments=[{"agency": agency}]):
            return
        if self._dice.random() < 0.2:
            await self._by_topic(authority, message, agency)
            return
        draft = await self._command(authority, message, "submit_draft", agency, kind="answer", text="Сделаем")
        if not draft or self._dice.random() < 0.3:
            return
        draft_id = draft["events"][0]["data"]["draft_id"]
        if not await self._command(authority, message, "approve_draft", draft_id=draft_id):
            return
        where = {"draft_id": draft_id, "url": "https://vk.example/a", "place": "same"}
        if not await self._command(authority, message, "report_publication", agency, **where):
            await self._command(authority, message, "report_publication", **where)

    async def _by_topic(self, authority: str, message: str, agency: str) -> None:
        command = str(uuid.UUID(int=self._dice.getrandbits(128), version=4))
        data = {"type": "submit_draft", "data": {"kind": "answer", "text": "По теме"}}
        event = self._event(command, "otklik.command.submit-draft.v1", message, data)
        for _ in range(self._dice.choice((1, 1, 2))):
            await self._write(f"otklik.commands.{authority}.{agency}", event)

    def _event(self, one: str, kind: str, subject: str, data: dict[str, Any]) -> bytes:
        event = {"specversion": "1.0", "id": one, "source": "/load", "type": kind, "subject": subject,
                 "time": "2026-11-16T09:00:00Z", "data": data}  # fmt: skip
        return json.dumps(event, ensure_ascii=False).encode()

    async def _write(self, topic: str, value: bytes) -> None:
        """Until the broker has it; a producer that met an error is thrown away."""
        while True:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._installation.bootstrap,
                acks="all",
                request_timeout_ms=5000,
                max_request_size=8 << 20,
            )
            try:
                await producer.start()
                await producer.send_and_wait(topic, value)
                return
            except (KafkaError, OSError):
                self.told.retries += 1
                await asyncio.sleep(0.5)
            finally:
                with contextlib.suppress(KafkaError, OSError, TimeoutError):
                    await asyncio.wait_for(producer.stop(), 3)

    async def _vandal(self) -> None:
        """Garbage and oversize on every door, now and then."""
        authority = sorted(self._clients)[0]
        client = self._clients[authority]
        while not self._stop.is_set():
            garbage = self._dice.randbytes(self._dice.choice((10, 1000, 1 << 20)))
            topic = self._dice.choice(
                ("otklik.detections", f"otklik.commands.{authority}.{self._agencies[authority][0]}")
            )
            await self._write(topic, garbage)
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.http.post(
                    f"{self._installation.url('intake')}/v1/detections",
                    content=b"x" * (2 << 20),
                    headers=client.auth("monitor") | {"Content-Type": "application/json"},
                )
                assert answer.status_code in (400, 413, 422, 503), answer.status_code
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 2)
