"""Load through all doors: detections by HTTP, NDJSON and Kafka; commands by HTTP and by the agencies' topics; reads between.

Every request is asked again with the same id, at any replica, until it has a definite answer, as a careful client would; some
are sent twice at once, some again long after, out of order. What was acknowledged, answered and read is remembered for the
checker.
"""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.chaos.writer import Writer
from tests.e2e.installation import Client, Installation

DEFINITE = {200, 202, 400, 401, 403, 404, 409, 413, 422}
REMEMBERED = 300
TWICE, LATER = 0.06, 0.12
"""How likely a request is sent twice at once, and how likely it comes once more long after."""

Ask = Callable[[], Awaitable[httpx.Response]]


@dataclass
class Told:
    """What clients heard. `answers`: command_id, status, body. `reads`: messages as they were read on the way."""

    acknowledged: set[str] = field(default_factory=set)
    answers: list[tuple[str, int, dict[str, Any]]] = field(default_factory=list)
    reads: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    retries: int = 0
    repeats: int = 0
    refused: int = 0
    commands: int = 0


class Load:
    """`bases`: of intake and workflow, every replica's address. `done`: how many messages were worked on to their end."""

    def __init__(
        self, installation: Installation, authorities: list[str], seed: int, bases: dict[str, list[str]]
    ) -> None:
        self.installation = installation
        self.clients = {authority: Client(installation, authority) for authority in authorities}
        self.dice = random.Random(seed)
        self.stop = asyncio.Event()
        self.agencies: dict[str, list[str]] = {}
        self.told = Told()
        self.writer = Writer(installation.bootstrap)
        self._bases = bases
        self._later: list[Callable[[], Awaitable[None]]] = []
        self._left: int | None = None
        self.done = 0

    async def prepare(self) -> None:
        """Tokens and agencies, while everything is still well."""
        for authority, client in self.clients.items():
            self.agencies[authority] = (await client.agencies())[:3]
            client.auth("monitor")
            client.auth("coordinator")
            for agency in self.agencies[authority]:
                client.auth("executor", agency)

    async def run(self, citizens: int, messages: int | None = None) -> None:
        """`citizens` at once, each with one message after another, until `stop`, or `messages` in all."""
        self._left = messages
        echo = asyncio.create_task(self._echo())
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(citizens):
                    group.create_task(self._citizen(number))
        finally:
            self.stop.set()
            await echo
            self.told.retries += self.writer.retries
            await self.writer.close()

    async def _citizen(self, number: int) -> None:
        count = 0
        while not self.stop.is_set() and (self._left is None or self._left > 0):
            if self._left is not None:
                self._left -= 1
            authority = self.dice.choice(sorted(self.clients))
            door = self.dice.choice(("http", "http", "batch", "kafka"))
            name = f"chaos-{number}-{count}-{self.dice.getrandbits(32):x}"
            if message := await self._detect(authority, name, door):
                await self._work(authority, message)
            count += 1
            self.done += 1

    async def _echo(self) -> None:
        """What was sent some time ago comes once more, in no order: a proxy, or a client that woke up."""
        while not self.stop.is_set():
            if len(self._later) > 20:
                again = self._later.pop(self.dice.randrange(len(self._later)))
                self.told.repeats += 1
                await again()
            await asyncio.sleep(0.05)

    def _remember(self, again: Callable[[], Awaitable[None]]) -> None:
        if self.dice.random() < LATER and len(self._later) < REMEMBERED:
            self._later.append(again)

    async def definite(self, ask: Ask) -> httpx.Response | None:
        """Ask until the answer is definite; 503 and 504 and broken connections are not. None: everything is over."""
        pause = 0.1
        while True:
            try:
                answer = await ask()
                if answer.status_code in DEFINITE:
                    return answer
                if answer.status_code not in (502, 503, 504):
                    self.told.wrong.append(f"{answer.request.url}: {answer.status_code} {answer.text[:300]}")
                    return None
            except httpx.HTTPError:
                pass
            self.told.retries += 1
            if self.stop.is_set() and pause > 5:
                return None
            await asyncio.sleep(pause)
            pause = min(pause * 1.7, 6)

    def _post(self, service: str, path: str, client: Client, headers: dict[str, str], **body: Any) -> Ask:
        """A request that goes to any replica each time it is made."""

        async def ask() -> httpx.Response:
            base = self.dice.choice(self._bases[service])
            return await client.http.post(f"{base}{path}", headers=headers, **body)

        return ask

    async def _detect(self, authority: str, name: str, door: str) -> str | None:
        client = self.clients[authority]
        message = client.message_id(name)
        body: dict[str, Any] = {
            "detection_id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
            "authority": authority,
            "source": {"network": "vk", "external_id": name, "url": f"https://vk.example/{name}"},
            "author": {"name": "Житель"},
            "text": "Нет воды " * self.dice.randint(1, 40),
        }
        if self.dice.random() < 0.25:
            # Seen long ago, and pushed only now: much of this is overdue as soon as it is registered.
            ago = timedelta(hours=self.dice.uniform(0, 20))
            body["detected_at"] = (datetime.now(UTC) - ago).isoformat(timespec="seconds")
        if door == "kafka":
            event = event_of(body["detection_id"], "otklik.detection.v1", message, body)
            await self._write("otklik.detections", event)
            self.told.acknowledged.add(message)
            return message
        headers = client.auth("monitor")
        if door == "batch":
            line = json.dumps(body, ensure_ascii=False).encode() + b"\n"
            headers |= {"Content-Type": "application/x-ndjson"}
            ask = self._post("intake", "/v1/detections/batch", client, headers, content=line)
        else:
            ask = self._post("intake", "/v1/detections", client, headers, json=body)
        answer = await self.definite(ask)
        while answer is not None and '"error"' in answer.text:
            # A line that was not taken is answered within a good batch.
            await asyncio.sleep(0.5)
            answer = await self.definite(ask)
        if answer is None:
            return None
        if answer.status_code not in (200, 202) or message not in answer.text:
            self.told.wrong.append(f"a good post was answered {answer.status_code}: {answer.text[:300]}")
            return None
        self.told.acknowledged.add(message)
        self._remember(lambda: self._asked_again(ask))
        return message

    async def _asked_again(self, ask: Ask) -> None:
        await self.definite(ask)

    async def _command(self, authority: str, message: str, kind: str, agency: str | None = None, /, **data: Any) -> Any:
        client = self.clients[authority]
        key = str(uuid.UUID(int=self.dice.getrandbits(128), version=4))
        headers = client.auth("executor" if agency else "coordinator", agency) | {"Idempotency-Key": key}
        ask = self._post(
            "workflow", f"/v1/messages/{message}/commands", client, headers, json={"type": kind, "data": data}
        )
        self.told.commands += 1
        if self.dice.random() < TWICE:
            self.told.repeats += 1
            _, answer = await asyncio.gather(self._answered(key, ask), self._answered(key, ask))
        else:
            answer = await self._answered(key, ask)
        self._remember(lambda: self._repeated(key, ask))
        if answer is None:
            return None
        if answer.status_code != 200:
            self.told.refused += 1
            return None
        told = answer.json()
        if self.dice.random() < 0.15:
            await self._read(authority, message, told["sequence"])
        return told

    async def _answered(self, key: str, ask: Ask) -> httpx.Response | None:
        answer = await self.definite(ask)
        if answer is not None:
            self.told.answers.append((key, answer.status_code, answer.json()))
        return answer

    async def _repeated(self, key: str, ask: Ask) -> None:
        await self._answered(key, ask)

    async def _read(self, authority: str, message: str, at_least: int) -> None:
        """Whoever has an outcome reads at least that state, at any replica."""
        client = self.clients[authority]

        async def ask() -> httpx.Response:
            base = self.dice.choice(self._bases["workflow"])
            path = f"{base}/v1/messages/{message}?at_least={at_least}"
            return await client.http.get(path, headers=client.auth("coordinator"))

        answer = await self.definite(ask)
        if answer is None:
            return
        if answer.status_code != 200 or answer.json()["sequence"] < at_least:
            self.told.wrong.append(f"{message} read at least {at_least}: {answer.status_code} {answer.text[:200]}")
        else:
            self.told.reads.append(answer.json())

    async def _work(self, authority: str, message: str) -> None:
        """Part of the way, or all of it; a refusal ends it (some are asked for on purpose)."""
        agency, other = self.dice.sample(self.agencies[authority], 2)
        stated: dict[str, Any] = {"topics": ["utilities"], "location": "центр", "importance": "ordinary"}
        for attempt in ({"reduced": False}, {}):
            # Whether the decision is stated is the region's own rule; one of the two is refused, or neither.
            if await self._command(authority, message, "triage", **stated, **attempt):
                break
        else:
            return
        if self.dice.random() < 0.15:
            await self._command(authority, message, "dismiss", ground="no_response_needed")
            return
        routed = await self._command(authority, message, "route", assignments=[{"agency": agency}])
        if not routed:
            return
        if self.dice.random() < 0.15:
            one = next(event["data"]["assignment_id"] for event in routed["events"] if "agency" in event["data"])
            if await self._command(authority, message, "return", agency, assignment_id=one, justification="Не наше"):
                agency = other
                if not await self._command(authority, message, "route", assignments=[{"agency": agency}]):
                    return
        if self.dice.random() < 0.2:
            await self._by_topic(authority, message, agency)
            return
        await self._answer(authority, message, agency)

    async def _answer(self, authority: str, message: str, agency: str) -> None:
        draft = await self._command(authority, message, "submit_draft", agency, kind="answer", text="Сделаем")
        if draft and self.dice.random() < 0.15:
            back = {"draft_id": draft["events"][0]["data"]["draft_id"], "comments": "Назовите срок"}
            if await self._command(authority, message, "send_back_draft", **back):
                draft = await self._command(authority, message, "submit_draft", agency, kind="answer", text="К среде")
        if not draft or self.dice.random() < 0.3:
            return
        draft_id = draft["events"][0]["data"]["draft_id"]
        if not await self._command(authority, message, "approve_draft", draft_id=draft_id):
            return
        where = {"draft_id": draft_id, "url": "https://vk.example/a", "place": "same"}
        if not await self._command(authority, message, "report_publication", agency, **where):
            await self._command(authority, message, "report_publication", **where)

    async def _by_topic(self, authority: str, message: str, agency: str) -> None:
        command = str(uuid.UUID(int=self.dice.getrandbits(128), version=4))
        data = {"type": "submit_draft", "data": {"kind": "answer", "text": "По теме"}}
        event = event_of(command, "otklik.command.submit-draft.v1", message, data)
        self.told.commands += 1
        await self._write(f"otklik.commands.{authority}.{agency}", event)

    async def _write(self, topic: str, event: bytes) -> None:
        await self.writer.write(topic, event)
        if self.dice.random() < TWICE:
            self.told.repeats += 1
            await self.writer.write(topic, event)

        async def again() -> None:
            await self.writer.write(topic, event)

        self._remember(again)


def event_of(one: str, kind: str, subject: str, data: dict[str, Any]) -> bytes:
    """A CloudEvent as a partner writes it."""
    event = {"specversion": "1.0", "id": one, "source": "/load", "type": kind, "subject": subject,
             "time": "2026-11-16T09:00:00Z", "data": data}  # fmt: skip
    return json.dumps(event, ensure_ascii=False).encode()
