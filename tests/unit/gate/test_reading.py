"""Reading a state: at once, or when it has come as far as was asked; another version's is folded anew and left as it is."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import cast

import pytest
from pydantic import BaseModel

from schemas.envelope import Envelope
from services.runtime import reading
from services.runtime.decider import Decider
from services.runtime.gate import StoredWaiter
from services.runtime.memory_store import MemoryStore
from services.runtime.problems import ProblemError
from services.runtime.reading import StateReader
from services.runtime.store import Kept, Stored

KEY = "counter/a"


class Counter(BaseModel):
    number: int


class Counting:
    """As much of a decider as a reader asks for."""

    source, state_version = "inbox", 2

    def decode(self, key: str, body: bytes) -> BaseModel:
        return Counter.model_validate_json(body)

    def evolve(self, key: str, state: BaseModel | None, topic: str, event: Envelope) -> BaseModel:
        return Counter(number=1 if state is None else cast(Counter, state).number + 1)


class Tables:
    """One partition, and who reads it."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.waiter = StoredWaiter("postgresql://nowhere/none", "any", "inbox")
        self.reader = StateReader(
            self.store, cast(Decider, Counting()), self.waiter, 1, Counter, lambda one: one.number, "Счёт пока"
        )

    def write(self, number: int, key: str = KEY, version: int = 2) -> None:
        self.store.partitions[0].states[key] = Stored(version, Counter(number=number).model_dump_json().encode())

    def told(self, offset: int) -> None:
        self.waiter._notified(None, 0, "any_stored", f"0:{offset}")


@pytest.fixture
async def tables() -> Tables:
    made = Tables()
    await made.store.claim(0, "me")
    made.write(3)
    return made


async def test_without_a_wish_the_state_is_told_as_it_stands(tables: Tables) -> None:
    assert await tables.reader.awaited(0, [KEY], None) == Counter(number=3)
    assert await tables.reader.awaited(0, ["counter/nobody"], None) is None


async def test_who_waits_is_answered_by_the_save_that_brings_the_state_so_far(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LOOK_SECONDS", 60.0)
    monkeypatch.setattr(reading, "AT_LEAST_SECONDS", 60.0)
    asked = asyncio.create_task(tables.reader.awaited(0, [KEY], 5))
    for offset, number in enumerate((4, 5), start=1):
        await asyncio.sleep(0)
        assert not asked.done()
        tables.write(number)
        tables.told(offset)
    assert await asyncio.wait_for(asked, 5) == Counter(number=5)


async def test_a_state_that_does_not_come_so_far_in_time_is_told_with_where_it_stands(
    tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "AT_LEAST_SECONDS", 0.0)
    with pytest.raises(ProblemError) as late:
        await tables.reader.awaited(0, [KEY], 9)
    assert (late.value.problem.status, late.value.problem.detail) == (504, "Счёт пока 3, а не 9.")


async def test_another_versions_state_is_folded_anew_and_left_as_it_is(tables: Tables) -> None:
    tables.write(7, version=1)
    at = datetime(2026, 11, 16, tzinfo=UTC)
    event = Envelope(id="1", source="/t", type="t", time=at).to_bytes()
    for number in range(2):
        row = Kept(KEY, "events", number, number, 0, at, event)
        tables.store.partitions[0].kept[KEY, "events", number] = row
    before = tables.store.partitions[0].states[KEY]
    assert await tables.reader.awaited(0, [KEY], None) == Counter(number=2)
    assert tables.store.partitions[0].states[KEY] is before


async def test_the_world_is_decoded_once_for_each_of_its_bodies(tables: Tables) -> None:
    tables.write(1, "world/a")
    tables.write(1, "world/b")
    assert tables.reader.remembered("world/a") is None
    first = await tables.reader.world()
    assert set(first) == {"world/a", "world/b"}
    assert (await tables.reader.world("world/a"))["world/a"] is first["world/a"] is tables.reader.remembered("world/a")
    tables.write(2, "world/a")
    assert await tables.reader.world("world/a") == {"world/a": Counter(number=2)}
