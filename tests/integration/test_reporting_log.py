"""Reporting in the whole house, on real Kafka and PostgreSQL, by the simulated clock: what it tells is the fold of the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest_asyncio
from rich.console import Console

from services.cli import token
from services.cli.bootstrap import bootstrap
from services.cli.clock import move
from services.cli.rebuild import run as rebuild
from services.intake.__main__ import run as run_intake
from services.reporting.__main__ import run as run_reporting
from services.runtime.settings import Settings, load_settings
from services.sla.__main__ import run as run_sla
from services.workflow.__main__ import run as run_workflow
from tests.ports import free_port_base

MONDAY = datetime.fromisoformat("2026-11-16T09:00:00+03:00")
SERVICES: dict[str, Callable[[Settings, int], Awaitable[None]]] = {
    "intake": run_intake, "workflow": run_workflow, "sla": run_sla, "reporting": run_reporting,
}  # fmt: skip


@dataclass
class House:
    """All four services in this process, and a client who knows the contract."""

    settings: Settings
    http: httpx.AsyncClient
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def start(self, service: str) -> None:
        """Until it is ready. One after the other: alembic's context is one for a process."""
        running = asyncio.ensure_future(SERVICES[service](self.settings, self.settings.http_port(service)))
        self.tasks[service] = running
        async with asyncio.timeout(90):
            while not await self._ready(service):
                if running.done():
                    running.result()
                await asyncio.sleep(0.1)

    async def stop(self, service: str) -> None:
        task = self.tasks.pop(service)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _ready(self, service: str) -> bool:
        try:
            return (await self.http.get(f"{self.settings.url(service)}/readyz")).status_code == 200
        except httpx.HTTPError:
            return False

    def auth(self, role: str, agency: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {token.make(self.settings, [role], ['kbr'], agency)}"}

    async def detect(self, external_id: str) -> str:
        body = {
            "authority": "kbr",
            "source": {"network": "vk", "external_id": external_id, "url": "https://vk.example/1"},
            "author": {"name": "Житель"},
            "text": f"Яма на дороге {external_id}",
        }
        answer = await self.http.post(
            f"{self.settings.url('intake')}/v1/detections", json=body, headers=self.auth("monitor")
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["message_id"])

    async def do(self, message: str, command: str, agency: str | None = None, **data: Any) -> dict[str, Any]:
        answer = await self.http.post(
            f"{self.settings.url('workflow')}/v1/messages/{message}/commands",
            json={"type": command, "data": data},
            headers=self.auth("executor" if agency else "coordinator", agency),
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def ask(self, path: str, role: str = "coordinator", agency: str | None = None) -> httpx.Response:
        return await self.http.get(f"{self.settings.url('reporting')}{path}", headers=self.auth(role, agency))

    async def told(self) -> list[Any]:
        """All that reporting tells of the authority."""
        paths = (
            "/v1/register",
            "/v1/summaries/kbr/2026-11",
            "/v1/ratings/kbr/2026-Q4",
            "/v1/dynamics/kbr",
            "/v1/accounts/kbr",
        )
        return [(await self.ask(path)).json() for path in paths]


@pytest_asyncio.fixture(loop_scope="session")
async def house(kafka: str, database: str, prefix: str, tmp_path: Path) -> AsyncIterator[House]:
    settings = load_settings(
        kafka=kafka, postgres=database, prefix=prefix, data=tmp_path, port_base=free_port_base(),
        partitions=2, clock="simulated", log_level="error",
    )  # fmt: skip
    await bootstrap(settings, "simulated", MONDAY)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        opened = House(settings, http)
        for service in SERVICES:
            await opened.start(service)
        try:
            yield opened
        finally:
            for service in list(reversed(opened.tasks)):
                await opened.stop(service)


async def walked(house: House) -> tuple[str, str]:
    """Two messages: one answered in time, one of which nobody takes care."""
    answered, forgotten = await house.detect("-1_1"), await house.detect("-1_2")
    await seen(house, answered, 1)
    triage = {"topics": ["roads"], "location": "Нальчик", "importance": "ordinary", "reduced": False}
    await house.do(answered, "triage", **triage)
    await house.do(answered, "route", assignments=[{"agency": "mintrans"}])
    draft = await house.do(answered, "submit_draft", "mintrans", kind="answer", text="Заделаем до пятницы")
    about = {"draft_id": draft["events"][0]["data"]["draft_id"]}
    await house.do(answered, "approve_draft", quality=5, **about)
    await house.do(answered, "report_publication", "mintrans", url="https://vk.example/answer", **about)
    return answered, forgotten


async def seen(house: House, message: str, sequence: int) -> None:
    url = f"{house.settings.url('workflow')}/v1/messages/{message}?at_least={sequence}"
    assert (await house.http.get(url, headers=house.auth("coordinator"))).status_code == 200


async def test_what_happens_in_the_house_stands_in_the_reports_when_the_clock_has_moved(house: House) -> None:
    answered, forgotten = await walked(house)
    evening = datetime.fromisoformat("2026-11-17T18:00:00+03:00")
    await move(house.settings, evening)

    ready = (await house.http.get(f"{house.settings.url('reporting')}/readyz")).json()
    assert ready["status"] == "ready"
    assert datetime.fromisoformat(ready["reached"]) >= evening

    rows = {row["message_id"]: row for row in (await house.ask("/v1/register?authority=kbr")).json()["items"]}
    assert (rows[answered]["status"], rows[answered]["deadlines_breached"]) == ("answered", 0)
    assert rows[answered]["answer_url"] == "https://vk.example/answer"
    # Nobody routed it in half an hour, drafted or answered it in a working day: three breaches, each exactly once.
    assert (rows[forgotten]["status"], rows[forgotten]["deadlines_breached"]) == ("registered", 3)

    overdue = (await house.ask("/v1/overdue/kbr")).json()["items"]
    assert {(one["message_id"], one["rule"]) for one in overdue if one["overdue"]} == {
        (forgotten, rule) for rule in ("route", "draft", "answer")
    }
    summary = (await house.ask("/v1/summaries/kbr/2026-11")).json()
    assert (summary["received"], summary["answered"], summary["quality"]["mean_score"]) == (2, 1, 5.0)
    kept = {(term["rule"], term.get("agency")): (term["met"], term["breached"]) for term in summary["terms"]}
    assert kept["answer", "mintrans"] == (1, 0)
    assert kept["answer", None] == (0, 1)


async def test_the_register_of_a_past_instant_is_told_once_it_is_over(house: House) -> None:
    answered, _ = await walked(house)
    later = await house.ask("/v1/register?as_of=2026-11-16T12:00:00%2B03:00")
    assert (later.status_code, later.json()["type"]) == (409, "urn:otklik:problem:not-reached")
    await move(house.settings, datetime.fromisoformat("2026-11-16T12:00:00+03:00"))
    noon = await house.ask("/v1/register?as_of=2026-11-16T12:00:00%2B03:00")
    assert {row["deadlines_breached"] for row in noon.json()["items"]} == {0, 1}
    await move(house.settings, datetime.fromisoformat("2026-11-20T12:00:00+03:00"))
    assert (await house.ask("/v1/register?as_of=2026-11-16T12:00:00%2B03:00")).json() == noon.json()
    own = await house.ask("/v1/register", "executor", "mintrans")
    assert [row["message_id"] for row in own.json()["items"]] == [answered]


async def test_an_instant_is_not_over_before_sla_has_come_so_far(house: House) -> None:
    noon = datetime.fromisoformat("2026-11-16T12:00:00+03:00")
    asked = "/v1/register?as_of=2026-11-16T12:00:00%2B03:00"
    await house.stop("sla")
    await seen(house, await house.detect("-1_3"), 1)
    moving = asyncio.ensure_future(move(house.settings, noon))
    async with asyncio.timeout(60):
        while not await folded(house, noon):
            await asyncio.sleep(0.05)
    early = await house.ask(asked)
    assert (early.status_code, early.json()["type"]) == (409, "urn:otklik:problem:not-reached")
    assert not await reached(house, noon)
    assert (await house.ask("/v1/register")).json()["items"][0]["deadlines_breached"] == 0
    await house.start("sla")
    await moving
    answer = await house.ask(asked)
    assert [row["deadlines_breached"] for row in answer.json()["items"]] == [1]


async def folded(house: House, instant: datetime) -> bool:
    """Whether reporting has folded `reached` of that instant in every partition of `events`."""
    admin = await asyncpg.connect(house.settings.postgres.replace("+asyncpg", ""))
    try:
        count = "select count(*) from reporting.reached where topic = 'events' and reached_at >= $1"
        return bool(await admin.fetchval(count, instant) == house.settings.partitions)
    finally:
        await admin.close()


async def test_tables_that_were_dropped_are_folded_again_to_the_row(house: House) -> None:
    await walked(house)
    instant = datetime.fromisoformat("2026-11-17T18:00:00+03:00")
    await move(house.settings, instant)
    before = await house.told()
    await house.stop("reporting")
    admin = await asyncpg.connect(house.settings.postgres.replace("+asyncpg", ""))
    try:
        await admin.execute("drop schema reporting cascade")
    finally:
        await admin.close()
    await house.start("reporting")
    async with asyncio.timeout(60):
        while True:
            if await reached(house, instant):
                break
            await asyncio.sleep(0.1)
    assert await house.told() == before


async def test_tables_rebuilt_beside_the_old_ones_take_their_place_while_people_read(house: House) -> None:
    answered, forgotten = await walked(house)
    await move(house.settings, datetime.fromisoformat("2026-11-17T18:00:00+03:00"))
    before = await house.told()
    reading = asyncio.ensure_future(reads(house))
    await rebuild(house.settings, "reporting", Console(quiet=True))
    await asyncio.sleep(1)
    reading.cancel()
    assert reading.cancelled() or not reading.done(), "a read failed while the tables were switched over"
    assert await house.told() == before
    # The service goes on in the new tables.
    await house.do(forgotten, "dismiss", ground="no_response_needed")
    await move(house.settings, datetime.fromisoformat("2026-11-17T18:05:00+03:00"))
    rows = {row["message_id"]: row["status"] for row in (await house.ask("/v1/register")).json()["items"]}
    assert rows == {answered: "answered", forgotten: "dismissed"}


async def reads(house: House) -> None:
    """Ask without a pause; every answer must be whole."""
    while True:
        answer = await house.ask("/v1/register")
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["items"]) == 2


async def reached(house: House, instant: datetime) -> bool:
    at = (await house.http.get(f"{house.settings.url('reporting')}/readyz")).json()["reached"]
    return at is not None and datetime.fromisoformat(at) >= instant
