"""Running a decider: each partition is taken over, caught up, and worked batch by batch."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

from services.runtime import telemetry
from services.runtime.assignment import Parts, open_partition
from services.runtime.decider import Decider
from services.runtime.group_runner import GroupRunner, Units
from services.runtime.health import Health, PartitionHealth
from services.runtime.log import Log, LogError, TopicPartition
from services.runtime.partition import PartitionWorker
from services.runtime.store import DeciderStore
from services.runtime.transaction import Limits


class DeciderRunner(GroupRunner):
    """Runs `decider`. `shared` are the topics that share the source's number of partitions.

    `owner` names one claim of a partition, and never two. `code_version` is the package's: keys that an earlier version
    could not fold are tried again by another.
    """

    def __init__(
        self,
        decider: Decider,
        log: Log,
        store: DeciderStore,
        *,
        shared: frozenset[str],
        code_version: str,
        health: Health | None = None,
        limits: Limits | None = None,
        owner: Callable[[], str] = lambda: uuid.uuid4().hex,
        unrecoverable: Callable[[str], None] | None = None,
    ) -> None:
        lacking = {decider.source, *decider.said} - shared
        if lacking:
            raise ValueError(f"{sorted(lacking)} must have the partitions of {decider.source}")
        super().__init__(decider.name, log, [decider.source], None, health, unrecoverable)
        version = f"{code_version}/{decider.state_version}"
        self.parts = Parts(decider, log, store, shared, version, limits or Limits())
        self._owner = owner

    def units(self, partitions: frozenset[TopicPartition]) -> Units:
        return {str(at.partition): frozenset({at}) for at in partitions}

    async def check(self) -> None:
        """Unequal counts would send one message's records to different worlds."""
        await self.alike(self.parts.topics)

    async def work(self, unit: str, leaving: asyncio.Event, health: PartitionHealth) -> None:
        member, number = self.member, int(unit)
        if member is None:
            raise LogError("копия не состоит в группе")
        worker: PartitionWorker | None = None
        session = await self.log.session(self.service, TopicPartition(self.parts.decider.source, number))
        try:
            health.owner = self._owner()
            worker = await open_partition(self.parts, member, session, number, health.owner)
            if worker.feed is None:
                raise LogError("читать неоткуда")
            health.state, health.detail = "running", ""
            limits = self.parts.limits
            while True:
                self._tell(worker, health)
                records = await self.take(unit, worker.feed, leaving, limits, worker.check_stands)
                if records is None:
                    return
                before = worker.place.serial
                with self.batch(unit, records):
                    await worker.handle(records)
                telemetry.transactions_total.labels(self.service).inc(worker.place.serial - before)
                self._count(worker)
        finally:
            if worker is not None and worker.feed is not None:
                worker.feed.close()
            await session.close()

    def _count(self, worker: PartitionWorker) -> None:
        """What the batch has said; only now, as all of it is on the log."""
        for (topic, kind), number in worker.said.items():
            telemetry.said_total.labels(self.service, topic, kind).inc(number)
        for reason, number in worker.letters.items():
            telemetry.dead_letters_total.labels(self.service, reason).inc(number)
        worker.said.clear()
        worker.letters.clear()

    def _tell(self, worker: PartitionWorker, health: PartitionHealth) -> None:
        health.next_offset, health.at = worker.next_offset, worker.at
        health.end_offset = max(health.end_offset, worker.next_offset)
        health.quarantined = frozenset(worker.quarantined)
