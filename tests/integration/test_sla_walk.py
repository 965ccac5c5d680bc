"""Every worked example, walked through the front door on real Kafka and PostgreSQL by a simulated clock: what sla says on
the log is what `calculate` says, to the second, and what the law's examples expect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.cli import token
from services.cli.bootstrap import bootstrap
from services.intake.__main__ import run as run_intake
from services.runtime import installation
from services.runtime.clock import ManualClock
from services.runtime.settings import Settings, load_settings
from services.sla.__main__ import run as run_sla
from services.workflow.__main__ import run as run_workflow
from tests.checker.invariants import deadlines_final, gapless
from tests.checker.raw_log import read
from tests.ports import free_port_base
from tests.unit.sla.law import EXAMPLES

BEGINNING = datetime.fromisoformat("2024-11-01T09:00:00+03:00")
SERVICES = {"intake": run_intake, "workflow": run_workflow, "sla": run_sla}
CASES: list[dict[str, Any]] = json.loads((EXAMPLES / "deadlines.json").read_text(encoding="utf-8"))
COORDINATOR_PUBLISHES = {"nenets", "kursky"}


@dataclass
class Region:
    """A town of clients: it knows the contract, and moves the clock."""

    settings: Settings
    http: httpx.AsyncClient
    clock: ManualClock

    def url(self, service: str, path: str) -> str:
        return f"{self.settings.url(service)}{path}"

    def auth(self, authority: str, role: str, agency: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {token.make(self.settings, [role], [authority], agency)}"}

    async def detect(self, case: dict[str, Any], name: str) -> str:
        body = {
            "authority": case["authority"],
            "source": {"network": "vk", "external_id": name, "url": "https://vk.example/1"},
            "author": {"name": "Житель"},
            "text": "Нет света",
            "detected_at": case["facts"][0]["at"],
        }
        answer = await self.http.post(
            self.url("intake", "/v1/detections"), json=body, headers=self.auth(case["authority"], "monitor")
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["message_id"])

    async def do(
        self, authority: str, message: str, command: str, agency: str | None = None, **data: Any
    ) -> dict[str, Any]:
        answer = await self.http.post(
            self.url("workflow", f"/v1/messages/{message}/commands"),
            json={"type": command, "data": data},
            headers=self.auth(authority, "executor" if agency else "coordinator", agency),
        )
        assert answer.status_code == 200, (authority, command, answer.text)
        return dict(answer.json())

    async def get(self, service: str, authority: str, path: str, role: str = "coordinator") -> Any:
        answer = await self.http.get(self.url(service, path), headers=self.auth(authority, role))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def deadlines(self, authority: str, message: str, sequence: int) -> list[dict[str, Any]]:
        found = await self.get("sla", authority, f"/v1/messages/{message}/deadlines?at_least={sequence}")
        return list(found["items"])


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    tasks: list[asyncio.Task[None]] = []
    try:
        async with httpx.AsyncClient() as http, asyncio.timeout(90):
            # One after the other: alembic's context is one for a process.
            for name, run in SERVICES.items():
                tasks.append(asyncio.create_task(run(settings, settings.http_port(name))))
                while not await _is_ready(http, f"{settings.url(name)}/readyz"):
                    if tasks[-1].done():
                        tasks[-1].result()
                    await asyncio.sleep(0.1)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _is_ready(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).status_code == 200
    except httpx.HTTPError:
        return False


@pytest_asyncio.fixture(loop_scope="session")
async def region(
    kafka: str, database: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Region]:
    clock = ManualClock(BEGINNING)
    settings = load_settings(
        kafka=kafka,
        postgres=database,
        prefix=prefix,
        data=tmp_path,
        port_base=free_port_base(),
        partitions=2,
        clock="simulated",
        log_level="error",
    )
    await bootstrap(settings, "simulated", BEGINNING)

    @asynccontextmanager
    async def one_clock(*_: object) -> AsyncIterator[ManualClock]:
        yield clock

    # All services see a move of time at once: what is proved here is what they say, not how fast they hear of it.
    monkeypatch.setattr(installation, "open_clock", one_clock)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(settings))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        yield Region(settings, http, clock)


@dataclass
class Walk:
    """One example on its way."""

    case: dict[str, Any]
    number: int
    agency: str = ""
    message: str = ""
    draft: str = ""
    sequence: int = 0
    steps: list[tuple[datetime, str]] = field(default_factory=list)

    async def step(self, region: Region, milestone: str) -> None:
        authority = self.case["authority"]
        publisher = None if authority in COORDINATOR_PUBLISHES else self.agency
        match milestone:
            case "received":
                self.message = await region.detect(self.case, f"example-{self.number}")
            case "issued":
                await self._do(region, "triage", **await self._triage(region))
                await self._do(region, "route", assignments=[{"agency": self.agency}])
            case "submitted":
                done = await self._do(region, "submit_draft", self.agency, kind="interim", text="Работы начаты")
                self.draft = next(one["data"]["draft_id"] for one in done["events"] if "draft_id" in one["data"])
            case "sent_back":
                await self._do(region, "send_back_draft", draft_id=self.draft, comments="Когда?")
            case "approved":
                await self._do(region, "approve_draft", draft_id=self.draft)
            case "published_interim":
                about = {"draft_id": self.draft, "url": "https://vk.example/2"}
                await self._do(region, "report_publication", publisher, **about)

    async def _do(self, region: Region, command: str, agency: str | None = None, **data: Any) -> dict[str, Any]:
        if not self.sequence:
            seen = f"/v1/messages/{self.message}?at_least=1"
            await region.get("workflow", self.case["authority"], seen)
        done = await region.do(self.case["authority"], self.message, command, agency, **data)
        self.sequence = done["sequence"]
        return done

    async def _triage(self, region: Region) -> dict[str, Any]:
        """The decision as each region makes it."""
        reduced, authority = self.case["reduced"], self.case["authority"]
        law = await region.get("workflow", authority, f"/v1/authorities/{authority}")
        found: dict[str, Any] = {"topics": ["дороги"], "location": "центр", "importance": "ordinary"}
        if authority in {"kbr", "buryatia"}:
            return found | {"reduced": reduced}
        if authority == "kemerovo":
            return found | {"importance": "high" if reduced else "ordinary"}
        if authority == "nenets" and reduced:
            return found | {"topics": [law["topic_list"]["topics"][0]]}
        return found


def walks() -> Iterator[Walk]:
    for number, case in enumerate(CASES):
        walk = Walk(case, number)
        walk.steps = [(datetime.fromisoformat(fact["at"]), fact["milestone"]) for fact in case["facts"]]
        yield walk


async def test_every_worked_example_walked_on_the_log_is_due_to_the_second(region: Region) -> None:
    everyone = list(walks())
    for walk in everyone:
        law = await region.get("workflow", walk.case["authority"], f"/v1/authorities/{walk.case['authority']}")
        walk.agency = law["agencies"][0]["id"]
    steps = sorted(
        ((at, walk.number, milestone) for walk in everyone for at, milestone in walk.steps), key=lambda one: one[:2]
    )
    for at, number, milestone in steps:
        region.clock.set(max(at, region.clock.now()))
        await everyone[number].step(region, milestone)

    for walk in everyone:
        items = await region.deadlines(walk.case["authority"], walk.message, walk.sequence)
        latest = {one["rule"]: one for one in items}
        live = {rule: one for rule, one in latest.items() if rule != "draft" or one["state"] != "cancelled"}
        assert {rule: one["due_at"] for rule, one in live.items()} == walk.case["expect"], walk.case
        assert all(one["explanation"] for one in items)

    region.clock.advance(timedelta(days=60))
    await _until_breached(region, everyone)
    log = await read(region.settings.kafka, region.settings.prefix, ["events", "deadlines", "dead-letters"])
    assert log.of("dead-letters") == []
    faults = [*gapless(log), *deadlines_final(log)]
    assert not faults, "\n".join(faults)


async def _until_breached(region: Region, everyone: list[Walk]) -> None:
    """Every final draft is overdue by now, and nobody but the ticks can tell."""
    async with asyncio.timeout(60):
        for walk in everyone:
            while True:
                items = await region.deadlines(walk.case["authority"], walk.message, walk.sequence)
                if {one["rule"]: one["state"] for one in items}["final_draft"] == "breached":
                    break
                await asyncio.sleep(0.1)
