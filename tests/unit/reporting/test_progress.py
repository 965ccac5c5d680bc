"""How far the house has come, as reporting tells it: with sla behind, its words on their way, and a partition not begun."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas import topics
from services.reporting.progress import SLA, Progress
from services.reporting.projections.fold import Told
from services.reporting.store import apply
from services.runtime.log import Outgoing, TopicPartition
from services.runtime.memory_log import MemoryLog
from tests.unit.reporting.given import Log, Message, at

LATE = at("16.11 12:00")


class House:
    """A log of two partitions, an sla that has read so much of it, and tables into which so much is folded."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.log = MemoryLog({topics.EVENTS: 2, topics.DEADLINES: 2}, lambda: LATE)
        self.parts = (Log(0), Log(1))
        self.progress = Progress(self.log, engine, 2)
        self._engine = engine
        self._written = [0, 0]

    async def write(self) -> None:
        """What the parts tell more, in their order."""
        writer = await self.log.writer()
        for number, part in enumerate(self.parts):
            told = part.told[self._written[number] :]
            self._written[number] = len(part.told)
            for one in told:
                await writer.append([Outgoing(one.topic, None, one.envelope.to_bytes(), {}, number)])

    async def sla_reads(self, number: int, offset: int) -> None:
        session = await self.log.session(SLA, TopicPartition(topics.EVENTS, number))
        await session.commit([], offset)

    async def fold(self, number: int, told: Sequence[Told]) -> None:
        offsets = {
            topic: max((one.offset + 1 for one in told if one.topic == topic), default=0)
            for topic in (topics.EVENTS, topics.DEADLINES)
        }
        async with self._engine.begin() as connection:
            await apply(connection, told)
            await connection.execute(
                text(
                    "INSERT INTO reporting.positions (partition, owner, serial, offsets) "
                    "VALUES (:partition, 'x', 1, CAST(:offsets AS jsonb)) "
                    "ON CONFLICT (partition) DO UPDATE SET offsets = excluded.offsets"
                ),
                {"partition": number, "offsets": json.dumps(offsets)},
            )

    async def reached(self) -> datetime | None:
        return await self.progress.reached()


@pytest.fixture
def house(engine: AsyncEngine) -> House:
    return House(engine)


async def test_an_instant_is_reached_when_every_partition_has_reached_it(house: House) -> None:
    first, second = house.parts
    first.reached(at("16.11 12:00"))
    await house.write()
    await house.sla_reads(0, 1)
    await house.fold(0, first.told)
    assert await house.reached() is None
    second.reached(at("16.11 11:00"))
    await house.write()
    await house.sla_reads(1, 1)
    await house.fold(1, second.told)
    assert await house.reached() == at("16.11 11:00")


async def test_nothing_is_reached_that_sla_has_not_read(house: House) -> None:
    first, second = house.parts
    for part in house.parts:
        part.reached(at("16.11 10:00"))
    Message(first, 1, "16.11 10:10")
    for part in house.parts:
        part.reached(at("16.11 11:00"))
    await house.write()
    await house.fold(0, first.told)
    await house.fold(1, second.told)
    assert await house.reached() is None
    await house.sla_reads(1, 2)
    for offset, instant in ((1, "16.11 10:00"), (2, "16.11 10:10"), (3, "16.11 11:00")):
        await house.sla_reads(0, offset)
        assert await house.reached() == at(instant)


async def test_nothing_is_reached_of_which_sla_has_said_more_than_is_folded(house: House) -> None:
    first, second = house.parts
    one = Message(first, 1, "16.11 10:10")
    one.deadline("set", "16.11 10:10", "route", "16.11 10:40")
    for part in house.parts:
        part.reached(at("16.11 11:00"))
    one.deadline("breached", "16.11 11:00", "route", "16.11 10:40")
    await house.write()
    await house.sla_reads(0, 2)
    await house.sla_reads(1, 1)
    await house.fold(1, second.told)
    await house.fold(0, first.told[:-1])
    assert await house.reached() == at("16.11 10:10")
    await house.fold(0, first.told)
    assert await house.reached() == at("16.11 11:00")
