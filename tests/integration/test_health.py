"""Health tells the truth: each service on a broker and a database of its own, which the test takes away."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from schemas.detections import Detection
from schemas.envelope import Actor, Envelope
from schemas.inbox import DETECTION
from services.cli.clock import move
from services.runtime.clock import SimulatedClock
from services.runtime.decider import Due, Input, Output, States
from services.runtime.embedded import EmbeddedKafka, EmbeddedPostgres
from services.runtime.installation import open_log
from services.runtime.kafka_producer import KafkaSession
from services.runtime.log import Outgoing, Position
from services.sla import __main__ as sla
from services.sla import ticks
from services.sla.decider import Sla
from tests.conftest import free_port
from tests.contract.rig import until
from tests.integration.partner import ALL, Partner, installation, write

MONDAY = datetime(2026, 11, 16, 6, tzinfo=UTC)
LAG_LIMIT = 20


class House:
    def __init__(self, partner: Partner, broker: EmbeddedKafka, server: EmbeddedPostgres) -> None:
        self.partner = partner
        self.broker = broker
        self.server = server
        self._posts = 0

    async def ready(self, service: str) -> httpx.Response:
        return await self.partner.http.get(f"{self.partner.settings.url(service)}/readyz")

    async def told(self, check: str, services: Sequence[str] = ALL, *, ok: bool = False) -> dict[str, str]:
        """Wait until each of the services tells so of this check, and is red where it is; the words that they have for it."""
        words: dict[str, str] = {}
        for service in services:

            async def seen(service: str = service) -> bool:
                response = await self.ready(service)
                body = response.json()
                assert (response.status_code == 200) is (body["status"] == "ready")
                assert (body["status"] == "ready") is all(one["ok"] for one in body["checks"].values())
                found = body["checks"].get(check)
                if found is None or found["ok"] is not ok:
                    return False
                words[service] = found["detail"]
                return True

            await until(seen, f"{service} tells {check}: {ok}")
        return words

    async def all_ready(self) -> None:
        for service in ALL:

            async def green(service: str = service) -> bool:
                return (await self.ready(service)).status_code == 200

            await until(green, f"{service} is ready")

    async def metrics(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """All services run in one process here, so any of them tells all."""
        response = await self.partner.http.get(f"{self.partner.settings.url('sla')}/metrics")
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(response.text):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found

    async def posts(self, number: int) -> list[str]:
        self._posts += number
        return [await self.partner.detect(f"health-{self._posts - one}") for one in range(number)]

    @asynccontextmanager
    async def unwritable(self, *services: str) -> AsyncIterator[None]:
        """Their positions cannot be moved, as when PostgreSQL is too slow for what comes in."""
        connection = await asyncpg.connect(self.partner.settings.postgres.replace("+asyncpg", ""))
        try:
            async with connection.transaction():
                for service in services:
                    await connection.execute(f"LOCK TABLE {service}.positions IN SHARE MODE")
                yield
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    broker = EmbeddedKafka(tmp_path_factory.mktemp("kafka"), free_port(), free_port())
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), free_port())
    await broker.start()
    await server.start()
    data = tmp_path_factory.mktemp("otklik")
    chosen = {"partitions": 1, "lag_limit": LAG_LIMIT, "log_level": "error"}
    dsn = server.dsn("postgres")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sla, "COUNT_EVERY_S", 0.5)
        async with installation(broker.bootstrap, dsn, data, services=ALL, now=MONDAY, **chosen) as partner:
            yield House(partner, broker, server)
    await broker.stop()
    await server.stop()


async def test_whoever_is_ready_has_nothing_unread_and_says_which_time_it_has_reached(house: House) -> None:
    await house.posts(2)
    await move(house.partner.settings, timedelta(minutes=1))
    for service in ALL:

        async def idle(service: str = service) -> bool:
            body = (await house.ready(service)).json()
            # Marks of transactions are no records: whoever has read all lags by nothing.
            return bool(body["status"] == "ready" and body["lag"] == 0)

        await until(idle, f"{service} is ready and idle")
        body = (await house.ready(service)).json()
        assert {"member", "kafka", "postgres", "lag", "progress"} <= set(body["checks"])
        if service != "intake":
            assert datetime.fromisoformat(body["reached"]) == MONDAY + timedelta(minutes=1)


async def test_what_is_declared_is_fed(house: House) -> None:
    settings = house.partner.settings
    await house.posts(1)
    await write(settings, "detections", b"rubbish")
    await write(settings, "detections", _detection("fed"))
    await move(settings, timedelta(hours=3))

    def total(name: str, **labels: str) -> float:
        return sum(value for have, value in found.get(name, []) if labels.items() <= have.items())

    async def fed() -> bool:
        nonlocal found
        found = await house.metrics()
        return (
            all(total("otklik_records_total", service=one, kind="read") > 0 for one in ALL)
            and all(total("otklik_batch_seconds_count", service=one) > 0 for one in ALL)
            and all(total("otklik_batch_records_sum", service=one) > 0 for one in ALL)
            and all(total("otklik_transactions_total", service=one) > 0 for one in ALL)
            and all(total("otklik_partition_running", service=one) >= 1 for one in ALL)
            and total("otklik_said_total", service="sla", type="otklik.deadline.breached.v1") > 0
            and total("otklik_said_total", service="workflow", topic="events") > 0
            and total("otklik_dead_letters_total", service="intake", reason="not-a-cloudevent") > 0
            and total("otklik_sla_deadlines_open") > 0
            and total("otklik_reached_timestamp_seconds", service="sla") >= (MONDAY + timedelta(hours=3)).timestamp()
        )

    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    await until(fed, "all metrics are fed")
    assert {have["service"] for have, _ in found["otklik_lag_records"]} >= set(ALL)


async def test_time_that_stands_while_something_is_open_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "STANDS", timedelta(seconds=1))
    await house.posts(1)
    await move(house.partner.settings, timedelta(minutes=1))
    await house.told("time", ["sla"], ok=True)
    # Without workflow nobody tells `reached`, however often sla ticks.
    await house.partner.services.stop("workflow")
    async with open_log(house.partner.settings) as log:
        clock = SimulatedClock(log)
        await clock.start()
        await clock.advance(timedelta(hours=1))
        await clock.stop()
    words = await house.told("time", ["sla"])
    assert "партиция 0" in words["sla"]
    await house.partner.services.start("workflow")
    await house.told("time", ["sla"], ok=True)


async def test_whoever_lags_is_not_ready(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house.unwritable("sla", "reporting"):
        await house.posts(LAG_LIMIT + 5)
        words = await house.told("lag", ["sla", "reporting"])
        assert all(int(word) > LAG_LIMIT for word in words.values())
        async with house.unwritable("workflow"):
            await house.posts(LAG_LIMIT + 5)
            await house.told("lag", ["workflow"])
    held, commit = asyncio.Event(), KafkaSession.commit

    async def slow(self: KafkaSession, outgoing: Sequence[Outgoing], consumed: int | None) -> list[Position]:
        if self._source.topic == "detections":
            await held.wait()
        return await commit(self, outgoing, consumed)

    monkeypatch.setattr(KafkaSession, "commit", slow)
    for number in range(LAG_LIMIT + 5):
        await write(house.partner.settings, "detections", _detection(f"lag-{number}"))
    await house.told("lag", ["intake"])
    held.set()
    await house.all_ready()


async def test_a_database_that_is_gone_is_named_by_every_service(house: House) -> None:
    await house.server.kill()
    words = await house.told("postgres")
    assert all("не отвечает" in word for word in words.values())
    await house.server.start()
    await house.all_ready()


async def test_a_broker_that_hangs_is_named_by_every_service(house: House) -> None:
    assert house.broker.pid is not None
    os.kill(house.broker.pid, signal.SIGSTOP)
    try:
        words = await house.told("kafka")
    finally:
        os.kill(house.broker.pid, signal.SIGCONT)
    assert all("не отвечает" in word for word in words.values())
    await house.all_ready()


async def test_a_message_in_quarantine_is_told_and_counted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    decide = Sla.decide

    def sick(self: Sla, states: States, given: Input, due: Due | None) -> Sequence[Output]:
        if given.envelope.subject == message:
            raise ArithmeticError("as this version does")
        return decide(self, states, given, due)

    message = str(uuid.uuid5(uuid.UUID("26ba15cf-27a3-5393-90f6-7450e2dac5a5"), "kbr/vk/sick"))
    monkeypatch.setattr(Sla, "decide", sick)
    assert await house.partner.detect("sick") == message
    words = await house.told("quarantine 0", ["sla"])
    assert message in words["sla"]
    found = await house.metrics()
    assert [value for have, value in found["otklik_quarantined"] if have["service"] == "sla"] == [1.0]


def _detection(name: str) -> bytes:
    said: dict[str, Any] = {
        "authority": "kbr",
        "source": {"network": "ok", "external_id": name, "url": "https://ok.example/1"},
        "author": {"name": "Житель"},
        "text": "Яма на дороге",
    }
    return Envelope(
        id=str(uuid.uuid4()),
        source="/monitor",
        type=DETECTION,
        time=MONDAY,
        authority="kbr",
        actor=Actor(sub="monitor", roles=("monitor",), authorities=("kbr",)),
        data=Detection.model_validate(said).model_dump(mode="json", exclude_none=True),
    ).to_bytes()
