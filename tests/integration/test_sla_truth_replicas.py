"""Replicas change hands, tables are dropped, newer code takes over: what was said is said once, and stays. On real Kafka and
PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

import tests.contract.rig
from schemas import topics
from schemas.envelope import Envelope
from schemas.ids import message_id
from services.cli import token
from services.runtime import group_runner
from services.runtime.database import create_engine
from services.runtime.gate import StoredWaiter
from services.runtime.http import always_ready
from services.runtime.kafka_admin import Wanted, ensure_topics
from services.runtime.kafka_client import KafkaSettings
from services.runtime.kafka_log import KafkaLog
from services.runtime.log import LogError, Outgoing
from services.runtime.partitioner import partition_of
from services.runtime.settings import load_settings
from services.runtime.tokens import ensure_local_key
from services.runtime.transaction import Limits
from services.sla import duties
from services.sla.api import make_app
from services.sla.decider import Sla
from services.sla.law import Law
from services.sla.store import Reader
from services.sla.terms import Circumstances, Term, Unknown, term
from tests.contract.rig import Crash, Rig, Running, until
from tests.integration.test_sla_firing import LATE, envelope, reached
from tests.integration.truth import NINE, STAMPED, Town, breaches, ends, minutes, open_town, town
from tests.unit.sla import happenings as h
from tests.unit.sla.given import World
from tests.unit.sla.law import LONG_AGO, amendments

__all__ = ["open_town", "town"]

PARTITIONS = 2
MESSAGES = 3_334
"""Three deadlines each: ten thousand and two."""


# (f) Two replicas change hands while ten thousand fire.


@pytest_asyncio.fixture(loop_scope="session")
async def rig(kafka: str, database: str, prefix: str) -> AsyncIterator[Rig]:
    settings = KafkaSettings(kafka, prefix)
    await ensure_topics(settings, [Wanted(name, PARTITIONS, 1, STAMPED) for name in ("events", "deadlines")])
    made = Rig(KafkaLog(settings), "real", PARTITIONS, create_engine(database, "test"))
    yield made
    await made.close()


async def write(rig: Rig, *given: tuple[int, Envelope]) -> None:
    """What workflow would have written to these partitions of `events`."""
    writer = await rig.log.inner.writer()
    try:
        written = await writer.append(
            [
                Outgoing("events", (one.subject or "clock").encode(), one.to_bytes(), {}, number, one.time)
                for number, one in given
            ]
        )
    finally:
        await writer.close()
    assert not [one for one in written if isinstance(one, LogError)]


async def said(rig: Rig) -> list[Envelope]:
    return [one for number in range(PARTITIONS) for one in await rig.events("deadlines", number)]


async def spoken(rig: Rig) -> int:
    """How much there is on `deadlines`, by and large: markers of transactions count too."""
    return sum([await ends(rig, "deadlines", number) for number in range(PARTITIONS)])


def holds(replica: Running) -> int:
    return sum(one.state == "running" for one in replica.health.partitions.values())


async def test_two_replicas_change_hands_while_ten_thousand_deadlines_fire_and_each_is_breached_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One joins, one leaves in order, one dies between Kafka and PostgreSQL: each while a `reached` is still firing."""
    # Explaining ten thousand deadlines is half of the work, and proves nothing here.
    monkeypatch.setattr(duties, "explain", lambda law, found: ())
    monkeypatch.setattr(tests.contract.rig, "PATIENCE_S", 120.0)
    # Nobody is given the time to finish what is firing: it is cut, and another one goes on with it.
    monkeypatch.setattr(group_runner, "FINISH_S", 0.05)
    world, limits = World(), Limits(outputs_max=200)
    law = [envelope(one, LONG_AGO, f"amended-{one.number}") for one in amendments("kbr")]
    await write(rig, *((number, one) for number in range(PARTITIONS) for one in law))
    subjects = [message_id("kbr", "vk", f"-1_{number}") for number in range(MESSAGES)]
    begun = [envelope(h.registered(world, "2026-11-16 09:00"), NINE, "", one, 1) for one in subjects]
    await write(rig, *((partition_of((one.subject or "").encode(), PARTITIONS), one) for one in begun))
    first = await rig.run(Sla(PARTITIONS), limits=limits)
    for number in range(PARTITIONS):
        await rig.settled(Sla(PARTITIONS), number)

    async def fire(until_at: datetime) -> None:
        """Time goes on, and some of what is due has fired."""
        before = await spoken(rig)
        await write(rig, *((number, reached(until_at)) for number in range(PARTITIONS)))

        async def some() -> bool:
            # Who asks too often takes the time from those who fire.
            await asyncio.sleep(0.02)
            return await spoken(rig) > before

        await until(some, f"something fires by {until_at}")

    await fire(NINE + minutes(31))
    second = await rig.run(Sla(PARTITIONS), limits=limits)

    async def shared() -> bool:
        return holds(first) == holds(second) == 1

    await until(shared, "each replica has a partition")
    await fire(NINE + timedelta(hours=8, minutes=59))
    await first.stop()

    async def alone() -> bool:
        return holds(second) == PARTITIONS

    await until(alone, "the second has both partitions")
    rig.faults.arm("commit.after", Crash(), nth=3)
    await fire(LATE)
    await second.died()
    rig.faults.clear()
    assert len(await rig.read("deadlines", 0)) + len(await rig.read("deadlines", 1)) < 7 * MESSAGES, "nothing is left"
    await rig.run(Sla(PARTITIONS), limits=limits)
    for number in range(PARTITIONS):
        await rig.settled(Sla(PARTITIONS), number)
    found = await said(rig)
    # On the second day the answers are near, and of each is warned once.
    told = {"set": 3 * MESSAGES, "approaching": MESSAGES, "breached": 3 * MESSAGES}
    assert Counter(one.type.split(".")[2] for one in found) == told
    assert set(breaches(found).values()) == {1}


# (g) The tables of sla are dropped in between.


class Api:
    """What a client of sla is answered, from whatever tables there are."""

    def __init__(self, town: Town, folder: Path) -> None:
        self._town = town
        self._settings = load_settings(data=folder, log_level="error")
        assert self._settings.local_key is not None
        ensure_local_key(self._settings.local_key)

    async def deadlines(self, *messages: str) -> list[Any]:
        store = (await self._town.rig.store(self._town.sla)).inner
        waiter = StoredWaiter("postgresql://nowhere/none", "sla", topics.EVENTS)
        reader = Reader(store, self._town.sla, waiter, 1)
        app = make_app(self._settings, lambda: reader, always_ready)
        bearer = {"Authorization": f"Bearer {token.make(self._settings, ['coordinator'], ['kbr'], None)}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sla") as http:
            answers = [await http.get(f"/v1/messages/{one}/deadlines", headers=bearer) for one in messages]
        assert [one.status_code for one in answers] == [200] * len(messages)
        return [one.json() for one in answers]


async def values(town: Town) -> list[bytes]:
    return [one.value or b"" for one in await town.rig.read("deadlines")]


async def drop_tables(town: Town) -> None:
    """The whole schema goes; an empty one stands in its place."""
    assert town.rig.engine is not None
    async with town.rig.engine.begin() as connection:
        await connection.execute(text('DROP SCHEMA "sla" CASCADE'))
    del town.rig.stores["sla"]


async def test_the_tables_of_sla_are_dropped_in_between_and_nothing_is_said_twice(town: Town, tmp_path: Path) -> None:
    """Before the drop one is met, one breached, one open; while the tables are gone, it becomes due."""
    api = Api(town, tmp_path)
    await town.wake("workflow", "sla")
    met, breached = [await town.detect(name, NINE) for name in ("met", "breached")]
    await town.dismiss(met, NINE + minutes(10))
    town.set_clock(NINE + minutes(31))
    await town.until_told(breached, "route", "set", "breached")
    young = await town.detect("young", NINE + minutes(31))
    await town.settled()
    everyone = (met, breached, young)
    before, log = await api.deadlines(*everyone), await values(town)

    await town.sleep("sla")
    await drop_tables(town)
    await town.wake("sla")
    await town.settled()
    assert await api.deadlines(*everyone) == before
    assert await values(town) == log

    await town.sleep("sla")
    await drop_tables(town)
    town.set_clock(NINE + minutes(62))
    await town.wake("sla")
    await town.until_told(young, "route", "set", "breached")
    await town.settled()
    assert (await values(town))[: len(log)] == log
    assert (await api.deadlines(*everyone))[:2] == before[:2]
    await town.must_be_true()


# (h) Newer code would judge differently.


class Newer(Sla):
    """The next release: its states have another shape, so all of them are folded anew."""

    state_version = Sla.state_version + 1


def ten_minutes_more(law: Law, rule: str, starts_at: datetime, circumstances: Circumstances) -> Term | Unknown | None:
    """A reading that somebody has changed his mind on."""
    found = term(law, rule, starts_at, circumstances)
    return replace(found, due_at=found.due_at + minutes(10)) if isinstance(found, Term) else found


async def test_newer_code_that_would_judge_differently_leaves_what_was_said_and_moves_only_what_is_open(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Api(town, tmp_path)
    await town.wake("workflow", "sla")
    met, breached = [await town.detect(name, NINE) for name in ("met", "breached")]
    still_open = await town.detect("open", NINE + minutes(21))
    await town.dismiss(met, NINE + minutes(30))
    town.set_clock(NINE + minutes(31))
    await town.until_told(breached, "route", "set", "breached")
    await town.settled()
    everyone = (met, breached, still_open)
    before, log = await api.deadlines(*everyone), await values(town)
    await town.sleep("sla")

    monkeypatch.setattr(duties, "term", ten_minutes_more)
    await town.wake("sla", decider=Newer(1), version="2")
    young = await town.detect("young", NINE + minutes(32))
    await town.settled()
    assert await api.deadlines(*everyone) == before, "newer code says nothing of what it was not asked about"
    (fresh,) = await api.deadlines(young)
    assert {one["rule"]: one["due_at"] for one in fresh["items"]}["route"] == "2026-11-16T10:12:00+03:00"

    # What was said to be due at 9:51 is due at 9:51, whatever the newer code would have said.
    town.set_clock(NINE + minutes(51) + timedelta(seconds=1))
    await town.until_told(still_open, "route", "set", "breached")
    # A decree makes it look at what is open; what is closed stays.
    await town.amend("calendar_day", {"date": "2026-11-17", "kind": "off"}, NINE + minutes(52), "decree")
    await town.until_told(breached, "answer", "set", "moved")
    await town.settled()
    assert (await values(town))[: len(log)] == log
    assert (await api.deadlines(met)) == before[:1]
    assert await town.told(breached, "route") == ["set", "breached"]
    assert await town.told(still_open, "route") == ["set", "breached"]
    moved = [one for one in await town.rig.events("deadlines") if one.type == "otklik.deadline.moved.v1"]
    assert {
        one.data["previous_due_at"] for one in moved if one.subject == breached and one.data["rule"] == "answer"
    } == {"2026-11-17T10:00:00+03:00"}
    await town.must_be_true()
