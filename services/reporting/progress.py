"""How far reporting has come, of both topics and behind sla: the instant up to which its tables tell all that will be told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas import topics
from schemas.envelope import Envelope
from services.reporting import tables
from services.runtime.log import Log, LogError, TopicPartition
from services.runtime.postgres_positions import reading

SLA = "sla"
"""The group by whose offsets sla tells, in the transaction of what it says, how far it has read `events`."""
PATIENCE_S = 5.0
"""How long Kafka and PostgreSQL are waited for."""


class Progress:
    """Asks the log how far sla has read `events` and where `deadlines` ends, and the tables how far both are folded.

    A partition's `events` say which time it is; but sla may not have come so far, and what it has put on `deadlines` may
    still be on its way here. So the time of a partition is no later than that of the last event which sla has read; and
    where its `deadlines` are not folded to their end, than that of the last one folded."""

    def __init__(self, log: Log, engine: AsyncEngine, partitions: int) -> None:
        self._log = log
        self._engine = engine
        self._partitions = partitions
        self._empty: dict[TopicPartition, tuple[int, int]] = {}
        self._read_by_sla: dict[TopicPartition, tuple[int, datetime | None]] = {}

    async def reached(self) -> datetime | None:
        """The smallest over the partitions; None while one has none. Raises `LogError`, `StoreError` when one of the two cannot be reached."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._reached()
        except TimeoutError:
            raise LogError(f"нет ответа за {PATIENCE_S:.0f} с") from None

    async def _reached(self) -> datetime | None:
        events = [TopicPartition(topics.EVENTS, number) for number in range(self._partitions)]
        deadlines = [TopicPartition(topics.DEADLINES, number) for number in range(self._partitions)]
        before = await _standing(self._engine)
        # Sla next, then the ends: what it had said by then is what must have been folded after that. Its offset may be told
        # before its words can be read, so the ends are those of all that was written.
        read = await asyncio.gather(*(self._log.committed(SLA, place) for place in events))
        ends = await self._log.written(deadlines)
        after = await _standing(self._engine)
        instants: list[datetime] = []
        for number, offset in enumerate(read):
            if number not in before or number not in after:
                return None
            at = before[number].reached_at
            if (offset or 0) < before[number].events:
                at = _earlier(at, await self._time_of_sla(events[number], offset or 0))
            if not await self.folded(deadlines[number], after[number].deadlines, ends[deadlines[number]]):
                at = _earlier(at, after[number].said_at)
            if at is None:
                return None
            instants.append(at)
        return min(instants)

    async def _time_of_sla(self, place: TopicPartition, offset: int) -> datetime | None:
        """The time of the last event before the offset that sla has committed; None where nothing can be told: before
        its first event, and where one event takes it several transactions, so that a mark stands there."""
        known = self._read_by_sla.get(place)
        if known is not None and known[0] == offset:
            return known[1]
        at: datetime | None = None
        if offset > 0:
            async for records in self._log.read(place, offset - 1, offset):
                at = Envelope.from_bytes(records[-1].value or b"").time
        self._read_by_sla[place] = (offset, at)
        return at

    async def folded(self, place: TopicPartition, position: int, end: int) -> bool:
        """Whether no record stands between the position and the end. Marks of transactions take offsets too, so the
        numbers alone do not tell; what was once seen to be empty stays so."""
        if position >= end or self._empty.get(place) == (position, end):
            return True
        async for records in self._log.read(place, position, end):
            if records:
                return False
        self._empty[place] = (position, end)
        return True


@dataclass(frozen=True, slots=True)
class _Standing:
    """Of one partition: the next offset of either topic; its last `reached`; the cause's time of the last deadline event."""

    events: int
    deadlines: int
    reached_at: datetime | None
    said_at: datetime | None


async def _standing(engine: AsyncEngine) -> dict[int, _Standing]:
    """By partition; positions and times of one instant, as one query tells them."""
    query = text(
        "SELECT p.partition, p.offsets, e.reached_at, d.event_at AS said_at "
        f'FROM "{tables.SCHEMA}".positions p '
        f'LEFT JOIN "{tables.SCHEMA}".reached e ON e.partition = p.partition AND e.topic = :events '
        f'LEFT JOIN "{tables.SCHEMA}".reached d ON d.partition = p.partition AND d.topic = :deadlines'
    )
    async with reading(engine, "looking at the progress") as connection:
        rows = await connection.execute(query, {"events": topics.EVENTS, "deadlines": topics.DEADLINES})
    return {
        row.partition: _Standing(
            int(row.offsets.get(topics.EVENTS, 0)),
            int(row.offsets.get(topics.DEADLINES, 0)),
            row.reached_at,
            row.said_at,
        )
        for row in rows
    }


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """None is before all."""
    return None if one is None or other is None else min(one, other)
