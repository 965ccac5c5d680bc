"""How far reporting has come, of both topics: the instant up to which its tables tell all that the log holds."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas import topics
from services.reporting import tables
from services.runtime.log import Log, TopicPartition
from services.runtime.postgres_positions import reading


class Progress:
    """Asks the log where `deadlines` ends, and the tables how far they are folded.

    A partition's `events` say which time it is; but a breach that sla has put on `deadlines` may still be on its way here.
    So the time of a partition whose `deadlines` are not folded to their end is that of the last one folded."""

    def __init__(self, log: Log, engine: AsyncEngine, partitions: int) -> None:
        self._log = log
        self._engine = engine
        self._partitions = partitions
        self._empty: dict[TopicPartition, tuple[int, int]] = {}

    async def reached(self) -> datetime | None:
        """The smallest over the partitions; None while one has none. Raises `LogError`, `StoreError` when one of the two cannot be reached."""
        places = [TopicPartition(topics.DEADLINES, number) for number in range(self._partitions)]
        # The ends first: what was on the log then is what must have been folded now.
        ends = await self._log.ends(places)
        async with reading(self._engine, "looking at the progress") as connection:
            positions = await _positions(connection)
            times = await _times(connection)
        instants: list[datetime] = []
        for place in places:
            at = times.get((topics.EVENTS, place.partition), (None, None))[0]
            if not await self.folded(place, positions.get(place.partition, 0), ends[place]):
                behind = times.get((topics.DEADLINES, place.partition), (None, None))[1]
                at = None if at is None or behind is None else min(at, behind)
            if at is None:
                return None
            instants.append(at)
        return min(instants)

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


async def _positions(connection: AsyncConnection) -> dict[int, int]:
    rows = await connection.execute(text(f'SELECT partition, offsets FROM "{tables.SCHEMA}".positions'))
    return {row.partition: int(row.offsets.get(topics.DEADLINES, 0)) for row in rows}


async def _times(connection: AsyncConnection) -> dict[tuple[str, int], tuple[datetime | None, datetime | None]]:
    table = tables.reached
    rows = await connection.execute(select(table.c.topic, table.c.partition, table.c.reached_at, table.c.event_at))
    return {(row.topic, row.partition): (row.reached_at, row.event_at) for row in rows}
