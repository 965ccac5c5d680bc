"""Running a decider: a member of its group, and one task for each partition that it is given."""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Callable
from contextlib import suppress

from services.runtime.assignment import Parts, open_partition
from services.runtime.dead_letters import described
from services.runtime.decider import Decider
from services.runtime.health import Health, PartitionHealth
from services.runtime.log import Fenced, Log, LogError, Member, Session, TopicPartition
from services.runtime.partition import PartitionWorker
from services.runtime.states import PartitionStopped
from services.runtime.store import DeciderStore, OwnershipLost, StoreError
from services.runtime.tasks import Watchdog, end_task
from services.runtime.transaction import Limits

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 0.1
TAKEN_OVER_RETRY_S = 1.0
"""After another one took the partition: time to learn from the group that it is not ours, before taking it back."""
LAST_RETRY_S = 10.0
MEASURE_EVERY_S = 2.0
FINISH_S = 5.0
"""How long a rebalance or a shutdown waits for the batch in hand, before it aborts it."""


class DeciderRunner:
    """Runs `decider` until `stop`. `shared` are the topics that share the source's number of partitions.

    `unrecoverable` is called when a partition hangs and will not be cancelled: it ends the process, and a supervisor
    starts it anew. `owner` names one claim of a partition, never the same twice.
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
        version = f"{code_version}/{decider.state_version}"
        self.parts = Parts(decider, log, store, shared, version, limits or Limits())
        self.health = health or Health(asyncio.get_running_loop().time)
        self._owner = owner
        self._member: Member | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._leaving: dict[int, asyncio.Event] = {}
        self._stopping = asyncio.Event()
        self._watchdog = Watchdog(self.health, self._task_of, self._restart, unrecoverable)

    def _task_of(self, name: str) -> asyncio.Task[None] | None:
        return self._tasks.get(int(name))

    def _restart(self, name: str) -> None:
        leaving = self._leaving.get(int(name))
        if leaving is not None and not leaving.is_set():
            self._start(int(name), leaving)

    def _start(self, number: int, leaving: asyncio.Event) -> None:
        self._leaving[number] = leaving
        self._tasks[number] = asyncio.create_task(
            self._partition(number, leaving), name=f"{self.parts.decider.name}-{number}"
        )

    async def run(self) -> None:
        """Be one of the service's replicas until `stop`; errors of Kafka and PostgreSQL are retried for ever."""
        watching = asyncio.create_task(self._watchdog.run())
        measuring = asyncio.create_task(self._measure())
        delay = FIRST_RETRY_S
        try:
            while not self._stopping.is_set():
                try:
                    await self._check_partitions()
                    self._member = self.parts.log.member(self.parts.decider.name, [self.parts.decider.source])
                    self.health.member = "running"
                    delay = FIRST_RETRY_S
                    await self._member.run(self)
                except LogError as error:
                    self.health.member = f"no member of its group: {error}"
                    logger.warning("%s: %s", self.parts.decider.name, error)
                    await self._pause(delay, self._stopping)
                    delay = min(2 * delay, LAST_RETRY_S)
        finally:
            self.health.member = "stopped"
            await end_task(watching)
            await end_task(measuring)
            await self.revoked(frozenset())

    async def stop(self) -> None:
        """Finish the batches in hand and leave; `run` returns then. Bounded."""
        self._stopping.set()
        await self.revoked(frozenset())
        if self._member is not None:
            await self._member.stop()

    async def _measure(self) -> None:
        """Ask now and then where the source ends, so that health knows the lag."""
        while not self._stopping.is_set():
            await self._pause(MEASURE_EVERY_S, self._stopping)
            logs = [TopicPartition(self.parts.decider.source, number) for number in self._tasks]
            try:
                ends = await self.parts.log.ends(logs) if logs else {}
            except LogError as error:
                logger.info("cannot measure the lag: %s", error)
                continue
            for at, end in ends.items():
                if at.partition in self._tasks:
                    self.health.of(str(at.partition)).end_offset = end

    async def _check_partitions(self) -> None:
        """Unequal counts would send a message's records to different worlds: refuse to start."""
        counts = {topic: await self.parts.log.partitions(topic) for topic in self.parts.topics}
        if len(set(counts.values())) != 1:
            self.health.member = f"partition counts differ: {counts}"
            raise PartitionStopped(self.health.member)

    # The group's listener.

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        await self.revoked(frozenset())
        if self._stopping.is_set():
            return
        for number in sorted(at.partition for at in partitions):
            self._start(number, asyncio.Event())

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        tasks, self._tasks = self._tasks, {}
        for leaving in self._leaving.values():
            leaving.set()
        self._leaving = {}
        if tasks:
            # What is in hand is finished; what takes too long is cancelled, which ends its session.
            await asyncio.wait(tasks.values(), timeout=FINISH_S)
            await asyncio.gather(*(end_task(task) for task in tasks.values()))
        for number in tasks:
            self.health.gone(str(number))

    # One partition.

    async def _partition(self, number: int, leaving: asyncio.Event) -> None:
        health = self.health.of(str(number))
        delay = FIRST_RETRY_S
        while not leaving.is_set():
            try:
                await self._work(number, leaving, health)
            except PartitionStopped as error:
                health.state, health.detail, health.busy = "stopped", str(error), False
                logger.error("%s %d stopped: %s", self.parts.decider.name, number, error)
                await leaving.wait()
                return
            except (LogError, StoreError) as error:
                logger.warning("%s %d: %s", self.parts.decider.name, number, error)
                failure: Exception = error
            except Exception as error:
                # A fault of the runtime itself: nothing is skipped, all is taken up anew, and health says so.
                logger.exception("%s %d", self.parts.decider.name, number)
                failure = error
            else:
                return
            if health.state == "running":
                delay = FIRST_RETRY_S
            health.state, health.detail, health.busy = "waiting", described(failure), False
            health.errors += 1
            taken = isinstance(failure, Fenced | OwnershipLost)
            await self._pause(max(delay, TAKEN_OVER_RETRY_S) if taken else delay, leaving)
            delay = min(2 * delay, LAST_RETRY_S)

    async def _work(self, number: int, leaving: asyncio.Event, health: PartitionHealth) -> None:
        """Take the partition over and work it until it is taken away, or an error: then all of this again."""
        member = self._member
        if member is None:
            raise LogError("not a member of the group")
        health.state = "opening"
        self.health.moved(str(number), busy=True)
        source = TopicPartition(self.parts.decider.source, number)
        session: Session | None = None
        worker: PartitionWorker | None = None
        try:
            session = await self.parts.log.session(self.parts.decider.name, source)
            health.owner = self._owner()
            worker = await open_partition(self.parts, member, session, number, health.owner)
            health.state, health.detail = "running", ""
            await self._turns(worker, leaving, health)
        finally:
            if worker is not None and worker.feed is not None:
                worker.feed.close()
            if session is not None:
                await session.close()

    async def _turns(self, worker: PartitionWorker, leaving: asyncio.Event, health: PartitionHealth) -> None:
        name = str(worker.partition)
        left = asyncio.create_task(leaving.wait())
        try:
            while not leaving.is_set():
                self._tell(worker, health)
                self.health.moved(name, busy=False)
                taking = asyncio.create_task(worker.take())
                try:
                    await asyncio.wait({taking, left}, return_when=asyncio.FIRST_COMPLETED)
                    if leaving.is_set():
                        return
                finally:
                    if not taking.done():
                        taking.cancel()
                        with suppress(asyncio.CancelledError):
                            await taking
                records = taking.result()
                self.health.moved(name, busy=True)
                await worker.handle(records)
                health.records += len(records)
        finally:
            await end_task(left)

    def _tell(self, worker: PartitionWorker, health: PartitionHealth) -> None:
        health.next_offset, health.at = worker.next_offset, worker.at
        health.end_offset = max(health.end_offset, worker.next_offset)
        health.quarantined = frozenset(worker.quarantined)

    async def _pause(self, seconds: float, unless: asyncio.Event) -> None:
        """Back off, but notice at once when there is nothing to wait for any more."""
        with suppress(TimeoutError):
            await asyncio.wait_for(unless.wait(), seconds * random.uniform(0.5, 1.0))
