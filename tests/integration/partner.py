"""Services in this process on real Kafka and PostgreSQL, and a partner who knows the contract."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition

from services.cli import token
from services.cli.bootstrap import bootstrap
from services.intake.__main__ import run as run_intake
from services.reporting.__main__ import run as run_reporting
from services.runtime.installation import open_log
from services.runtime.log import Outgoing, Record, TopicPartition
from services.runtime.settings import Settings, load_settings
from services.sla.__main__ import run as run_sla
from services.workflow.__main__ import run as run_workflow
from tests.ports import free_port_base

GATES = ("intake", "workflow")
ALL = ("intake", "workflow", "sla", "reporting")
_RUN = {"intake": run_intake, "workflow": run_workflow, "sla": run_sla, "reporting": run_reporting}


class Services:
    """Those that run in this process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, *services: str) -> None:
        """Returns when they are ready. One after the other: alembic's context is one for a process."""
        async with httpx.AsyncClient() as http, asyncio.timeout(60):
            for service in services:
                port = self.settings.http_port(service)
                self._tasks[service] = asyncio.create_task(_RUN[service](self.settings, port))
                while not await _ready(http, self.settings.url(service)):
                    for task in self._tasks.values():
                        if task.done():
                            task.result()
                    await asyncio.sleep(0.1)

    async def stop(self, *services: str) -> None:
        stopped = [self._tasks.pop(service) for service in services or tuple(reversed(self._tasks))]
        for task in stopped:
            task.cancel()
        await asyncio.gather(*stopped, return_exceptions=True)


@asynccontextmanager
async def running(settings: Settings, services: Sequence[str] = GATES) -> AsyncIterator[Services]:
    """Services in this process, ready."""
    opened = Services(settings)
    try:
        await opened.start(*services)
        yield opened
    finally:
        await opened.stop()


async def _ready(http: httpx.AsyncClient, url: str) -> bool:
    try:
        ready = (await http.get(f"{url}/readyz")).json()
    except httpx.HTTPError:
        return False
    # Here intake comes up before workflow has folded the law, so it may be without any for a while.
    return bool(ready["status"] == "ready")


class Partner:
    """What a partner would write from the contract."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient, services: Services) -> None:
        self.settings = settings
        self.http = http
        self.services = services

    def auth(self, role: str, agency: str | None = None, authority: str = "kbr", sub: str = "") -> dict[str, str]:
        made = token.make(self.settings, [role], [authority], agency, sub=sub)
        return {"Authorization": f"Bearer {made}"}

    async def detect(self, external_id: str, **more: Any) -> str:
        body = {
            "authority": "kbr",
            "source": {"network": "vk", "external_id": external_id, "url": "https://vk.example/1"},
            "author": {"name": "Житель"},
            "text": "Яма на дороге",
        } | more
        response = await self.http.post(
            f"{self.settings.url('intake')}/v1/detections", json=body, headers=self.auth("monitor")
        )
        assert response.status_code == 202, response.text
        return str(response.json()["message_id"])

    async def get(self, path: str, role: str = "coordinator", agency: str | None = None) -> httpx.Response:
        return await self.http.get(f"{self.settings.url('workflow')}{path}", headers=self.auth(role, agency))

    async def command(
        self, subject: str, command: str, by: str | None = None, key: str | None = None, **data: Any
    ) -> httpx.Response:
        headers = self.auth("executor" if by else "coordinator", by)
        return await self.http.post(
            f"{self.settings.url('workflow')}/v1/messages/{subject}/commands",
            json={"type": command, "data": data},
            headers=headers | ({"Idempotency-Key": key} if key else {}),
        )

    async def done(self, subject: str, command: str, by: str | None = None, **data: Any) -> dict[str, Any]:
        response = await self.command(subject, command, by, **data)
        assert response.status_code == 200, response.text
        return dict(response.json())


def new(outcome: dict[str, Any], field: str) -> str:
    return next(str(event["data"][field]) for event in outcome["events"] if field in event["data"])


TRIAGE: dict[str, Any] = {"topics": ["roads"], "location": "Нальчик", "importance": "ordinary", "reduced": False}


@asynccontextmanager
async def fresh_database(postgres: str) -> AsyncIterator[str]:
    """The address of a database of its own."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(postgres.replace("+asyncpg", ""))
    try:
        await admin.execute(f'create database "{name}"')
    finally:
        await admin.close()
    yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
    # Another connection: the server may have been away meanwhile.
    admin = await asyncpg.connect(postgres.replace("+asyncpg", ""))
    try:
        await admin.execute(f'drop database "{name}" with (force)')
    finally:
        await admin.close()


@asynccontextmanager
async def installation(
    kafka: str,
    postgres: str,
    data: Path,
    services: Sequence[str] = GATES,
    now: datetime | None = None,
    **chosen: Any,
) -> AsyncIterator[Partner]:
    """An installation of two partitions, and its partner; with `now` on the simulated clock."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(fresh_database(postgres))
        usual: dict[str, Any] = {
            "kafka": kafka,
            "postgres": database,
            "prefix": f"t-{uuid.uuid4().hex[:12]}",
            "data": data,
            "port_base": free_port_base(),
            "partitions": 2,
            "log_level": "warning",
            "clock": "real" if now is None else "simulated",
        }
        settings = load_settings(**usual | chosen)
        await bootstrap(settings, settings.clock, now)
        opened = await stack.enter_async_context(running(settings, services))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        yield Partner(settings, http, opened)


async def records(settings: Settings, topic: str, partitions: int = 1) -> list[Record]:
    """All that stands on a topic, once every transaction that was open on it is decided: the broker answers the end of one
    before its markers let others read it."""
    places = [TopicPartition(topic, number) for number in range(partitions)]
    async with open_log(settings) as log, asyncio.timeout(20):
        written = await _written(settings, topic, partitions)
        while any(end < written[place] for place, end in (await log.ends(places)).items()):
            await asyncio.sleep(0.02)
        found = []
        for place in places:
            async for some in log.read(place, 0, written[place]):
                found += some
        return found


async def _written(settings: Settings, topic: str, partitions: int) -> dict[TopicPartition, int]:
    """Where the partitions end, with what is not decided yet."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, isolation_level="read_uncommitted")
    await consumer.start()
    try:
        ends = await consumer.end_offsets([KafkaPartition(f"{settings.prefix}.{topic}", n) for n in range(partitions)])
        return {TopicPartition(topic, at.partition): end for at, end in ends.items()}
    finally:
        await consumer.stop()


async def eventually(
    settings: Settings, topic: str, wanted: Callable[[Record], bool], partitions: int = 1, seconds: float = 20
) -> Record:
    """The first record of the topic that is wanted, in time."""
    async with asyncio.timeout(seconds):
        while True:
            for record in await records(settings, topic, partitions):
                if wanted(record):
                    return record
            await asyncio.sleep(0.2)


async def write(settings: Settings, topic: str, value: bytes, key: bytes | None = None) -> None:
    """As a partner's own producer would."""
    async with open_log(settings) as log:
        writer = await log.writer()
        await writer.append([Outgoing(topic, key, value, {})])
        await writer.close()
