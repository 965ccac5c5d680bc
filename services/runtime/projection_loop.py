"""Running a projection: rows, and the positions of the topics that they come from, in one PostgreSQL transaction."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.runtime import postgres_positions as positions
from services.runtime import telemetry
from services.runtime.dead_letters import described
from services.runtime.decider import UnknownEvent
from services.runtime.group_runner import GroupRunner, Units
from services.runtime.health import Health, PartitionHealth
from services.runtime.log import Log, LogError, Record, TopicPartition
from services.runtime.postgres_positions import reading, transaction
from services.runtime.states import PartitionStopped
from services.runtime.store import OwnershipLost, Place, StoreError
from services.runtime.transaction import Limits


class Projection(Protocol):
    """What a service makes of the log: SQL, and nothing but a function of the records."""

    @property
    def name(self) -> str:
        """The service's: of its group and its schema (which has the table `positions`)."""

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics that share one number of partitions; a partition's records of each come in order."""

    async def apply(self, connection: AsyncConnection, partition: int, records: Sequence[Record]) -> None:
        """Write what the records mean, in the transaction that moves the positions. Raises `UnknownEvent`."""

    async def wipe(self, connection: AsyncConnection, partition: int) -> None:
        """Forget all that came from this partition: it is folded anew."""


class ProjectionRunner(GroupRunner):
    """Runs a projection. Its group only shares the partitions out; the positions stand beside the rows."""

    def __init__(
        self,
        projection: Projection,
        log: Log,
        engine: AsyncEngine,
        *,
        health: Health | None = None,
        limits: Limits | None = None,
        owner: Callable[[], str] = lambda: uuid.uuid4().hex,
        unrecoverable: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(projection.name, log, projection.topics, None, health, unrecoverable)
        self.projection = projection
        self._engine = engine
        self._limits = limits or Limits()
        self._owner = owner

    def units(self, partitions: frozenset[TopicPartition]) -> Units:
        numbers = {at.partition for at in partitions}
        return {str(number): frozenset(at for at in partitions if at.partition == number) for number in numbers}

    async def check(self) -> None:
        await self.alike(self.projection.topics)

    async def work(self, unit: str, leaving: asyncio.Event, health: PartitionHealth) -> None:
        number, owner = int(unit), self._owner()
        if self.member is None:
            raise LogError("копия не состоит в группе")
        health.owner = owner
        place = await self._open(number, owner)
        feed = self.member.feed({TopicPartition(topic, number): place.offsets[topic] for topic in place.offsets})
        health.state, health.detail = "running", ""
        try:
            while True:
                health.next_offset, health.at = sum(place.offsets.values()), place.at
                health.end_offset = max(health.end_offset, health.next_offset)
                records = await self.take(unit, feed, leaving, self._limits, partial(self._check_stands, number, place))
                if records is None:
                    return
                with self.batch(unit, records):
                    place = await self._apply(number, owner, place, records)
                telemetry.transactions_total.labels(self.service).inc()
        finally:
            feed.close()

    async def _check_stands(self, number: int, place: Place) -> None:
        """As deciders do: rows may be dropped, or restored from an older copy, while nothing comes in."""
        async with reading(self._engine, f"looking at {self.service} {number}") as connection:
            found = await positions.look(connection, self.service, number)
        if found is None or found.serial != place.serial:
            raise OwnershipLost(f"{self.service} {number}: записанного в таблицы больше нет")

    async def _open(self, number: int, owner: str) -> Place:
        """Claim the partition, and see whether the rows are of this log."""
        topics, service = self.projection.topics, self.service
        identity = await self.log.identity(topics)
        logs = [TopicPartition(topic, number) for topic in topics]
        ends, beginnings = await self.log.ends(logs), await self.log.beginnings(logs)
        async with transaction(self._engine, f"claiming {service} {number}") as connection:
            place = await positions.claim(connection, service, number, owner)
            beyond = any(place.offsets.get(at.topic, 0) > end for at, end in ends.items())
            foreign = place.identity is not None and (dict(place.identity) != identity or beyond)
            if foreign:
                # Another cluster, a topic made anew, or a log that has lost its end: all of it again.
                await self.projection.wipe(connection, number)
            fresh = foreign or place.identity is None
            offsets = {at.topic: beginnings[at] if fresh else place.offsets.get(at.topic, 0) for at in logs}
            new = Place(place.serial, identity, offsets, None if fresh else place.at)
            await positions.move(connection, service, number, owner, place, new)
        for at in logs:
            if offsets[at.topic] < beginnings[at]:
                raise PartitionStopped(f"{at.topic}/{number}: что стояло до {beginnings[at]}, удалено непрочитанным")
        return replace(new, serial=place.serial + 1)

    async def _apply(self, number: int, owner: str, place: Place, records: Sequence[Record]) -> Place:
        offsets = dict(place.offsets)
        at = place.at
        fresh = [record for record in records if record.offset >= offsets[record.topic]]
        for record in fresh:
            offsets[record.topic] = record.offset + 1
            at = record.stamp if at is None else max(at, record.stamp)
        new = replace(place, offsets=offsets, at=at)
        async with transaction(self._engine, f"storing {self.service} {number}") as connection:
            await positions.move(connection, self.service, number, owner, place, new)
            try:
                await self.projection.apply(connection, number, fresh)
            except UnknownEvent as error:
                raise PartitionStopped(f"{self.projection.topics} {number}: {described(error)}") from error
            for topic in self.projection.topics:
                if offsets[topic] != place.offsets[topic]:
                    await positions.notify(connection, self.service, f"{topic}/{number}", offsets[topic])
        return replace(new, serial=place.serial + 1)


__all__ = ["Projection", "ProjectionRunner", "StoreError"]
