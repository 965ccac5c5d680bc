"""Being a member of a consumer group, with one task for each unit of work that the group hands out.

What deciders, projections and relays have in common: units come and go with rebalances, errors are retried with
back-off, a clear stop stays stopped, and a task that hangs is noticed.
"""

from __future__ import annotations

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from services.runtime import telemetry
from services.runtime.dead_letters import described
from services.runtime.feed import Feed
from services.runtime.health import JOINING, LEFT, MEMBER, Health, PartitionHealth
from services.runtime.log import Fenced, Log, LogError, Member, Record, TopicPartition
from services.runtime.states import PartitionStopped
from services.runtime.store import OwnershipLost, StoreError
from services.runtime.tasks import Watchdog, end_task
from services.runtime.transaction import Limits

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 0.1
TAKEN_OVER_RETRY_S = 1.0
"""After another one took the partition: time to learn from the group that it is not ours, before taking it back."""
LAST_RETRY_S = 10.0
MEASURE_EVERY_S = 2.0
LOOK_EVERY_S = 5.0
"""How often an idle unit looks whether what it has stored still stands: nobody else would notice before its next record."""
ANSWER_S = 5.0
"""A Kafka that takes longer to say where a log ends is as good as away."""
FINISH_S = 5.0
"""How long a rebalance or a shutdown waits for the batch in hand, before it aborts it."""

Units = Mapping[str, frozenset[TopicPartition]]


class GroupRunner(ABC):
    """Runs until `stop`. `unrecoverable` is called when a task hangs and will not be cancelled: it ends the process,
    and a supervisor starts it anew."""

    def __init__(
        self,
        service: str,
        log: Log,
        topics: Collection[str],
        pattern: str | None,
        health: Health | None,
        unrecoverable: Callable[[str], None] | None,
    ) -> None:
        self.service = service
        self.log = log
        self.health = health or Health(asyncio.get_running_loop().time)
        self.member: Member | None = None
        self._topics = tuple(topics)
        self._pattern = pattern
        self._units: dict[str, frozenset[TopicPartition]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leaving: dict[str, asyncio.Event] = {}
        self._stopping = asyncio.Event()
        self._watchdog = Watchdog(self.health, self._tasks.get, self._restart, unrecoverable)

    @abstractmethod
    def units(self, partitions: frozenset[TopicPartition]) -> Units:
        """What is worked by one task each, by name."""

    @abstractmethod
    async def check(self) -> None:
        """Whether the log is as it has to be; raises `PartitionStopped` when it can never be worked like this."""

    @abstractmethod
    async def work(self, unit: str, leaving: asyncio.Event, health: PartitionHealth) -> None:
        """Take the unit over and work it until `leaving`, or an error: then all of it again."""

    async def run(self) -> None:
        """Be one of the service's replicas until `stop`; errors of Kafka and PostgreSQL are retried for ever."""
        telemetry.watch(self.service, self.health)
        helpers = [asyncio.create_task(self._watchdog.run()), asyncio.create_task(self._measure())]
        delay = FIRST_RETRY_S
        try:
            while not self._stopping.is_set():
                try:
                    await self.check()
                    self.member = self.log.member(self.service, self._topics, self._pattern)
                    # A group by pattern may have no topic yet, and then hands nothing out.
                    self.health.member = JOINING if self._pattern is None else MEMBER
                    await self.member.run(self)
                    delay = FIRST_RETRY_S
                except LogError as error:
                    self.health.member = f"не в группе: {error}"
                    logger.warning("%s: %s", self.service, error)
                    await self._pause(delay, self._stopping)
                    delay = min(2 * delay, LAST_RETRY_S)
        except PartitionStopped as error:
            self.health.member = str(error)
            raise
        finally:
            if self._stopping.is_set():
                self.health.member = LEFT
            await asyncio.gather(*(end_task(helper) for helper in helpers))
            await self.revoked(frozenset())
            telemetry.unwatch(self.health)

    async def alike(self, topics: Sequence[str]) -> None:
        """Raises `PartitionStopped` where the topics have not one number of partitions."""
        counts = {topic: await self.log.partitions(topic) for topic in topics}
        if len(set(counts.values())) != 1:
            raise PartitionStopped(f"число партиций этих тем должно быть одно, а оно разное: {counts}")

    async def stop(self) -> None:
        """Finish what is in hand and leave; `run` returns then. Bounded."""
        self._stopping.set()
        await self.revoked(frozenset())
        if self.member is not None:
            await self.member.stop()

    # The group's listener.

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        await self.revoked(frozenset())
        self.health.member = MEMBER
        if not self._stopping.is_set():
            self._units = dict(self.units(partitions))
            for unit in sorted(self._units):
                self._start(unit, asyncio.Event())

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        tasks = dict(self._tasks)
        self._tasks.clear()
        for leaving in self._leaving.values():
            leaving.set()
        self._leaving.clear()
        self._units = {}
        if tasks:
            # What is in hand is finished; what takes too long is cancelled, which ends its session.
            await asyncio.wait(tasks.values(), timeout=FINISH_S)
            await asyncio.gather(*(end_task(task) for task in tasks.values()))
        for unit in tasks:
            if unit not in self._tasks:
                self.health.gone(unit)

    def _start(self, unit: str, leaving: asyncio.Event) -> None:
        self._leaving[unit] = leaving
        self._tasks[unit] = asyncio.create_task(self._unit(unit, leaving), name=f"{self.service} {unit}")

    def _restart(self, unit: str) -> None:
        leaving = self._leaving.get(unit)
        if leaving is not None and not leaving.is_set():
            self._start(unit, leaving)

    async def _unit(self, unit: str, leaving: asyncio.Event) -> None:
        health = self.health.of(unit)
        delay = FIRST_RETRY_S
        while not leaving.is_set():
            health.state = "opening"
            self.health.moved(unit, busy=True)
            try:
                await self.work(unit, leaving, health)
            except PartitionStopped as error:
                health.state, health.detail, health.busy = "stopped", str(error), False
                logger.error("%s %s stopped: %s", self.service, unit, error)
                await leaving.wait()
                return
            except (LogError, StoreError) as error:
                logger.warning("%s %s: %s", self.service, unit, error)
                failure: Exception = error
            except Exception as error:
                # A fault of the code itself: nothing is skipped, all is taken up anew, and health says so.
                logger.exception("%s %s", self.service, unit)
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

    async def take(
        self,
        unit: str,
        feed: Feed,
        leaving: asyncio.Event,
        limits: Limits,
        stands: Callable[[], Awaitable[None]] | None = None,
    ) -> list[Record] | None:
        """Wait for records, idle; None when it is time to leave. `stands` raises when what was stored is gone meanwhile."""
        self.health.moved(unit, busy=False)
        taking = asyncio.create_task(feed.take(limits.batch_max, limits.bytes_max))
        left = asyncio.create_task(leaving.wait())
        look_s = LOOK_EVERY_S if stands is not None else None
        try:
            while not (await asyncio.wait({taking, left}, timeout=look_s, return_when=asyncio.FIRST_COMPLETED))[0]:
                if stands is not None:
                    await stands()
        finally:
            for task in (taking, left):
                if not task.done():
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task
        if leaving.is_set():
            if taking.done() and not taking.cancelled():
                taking.exception()
            return None
        self.health.moved(unit, busy=True)
        return taking.result()

    @contextmanager
    def batch(self, unit: str, records: Sequence[Record]) -> Iterator[None]:
        """Around the work of one batch: when it is done, it is counted."""
        began = self.health.monotonic()
        yield
        topics = Counter(record.topic for record in records)
        telemetry.batch_worked(self.service, topics, self.health.monotonic() - began)
        self.health.of(unit).records += len(records)

    async def _measure(self) -> None:
        """Ask now and then where the logs end: health knows the lag by it, and whether Kafka answers at all."""
        while not self._stopping.is_set():
            await self._pause(MEASURE_EVERY_S, self._stopping)
            units = dict(self._units)
            logs = sorted({place for places in units.values() for place in places})
            try:
                async with asyncio.timeout(ANSWER_S):
                    ends = await self.log.ends(logs) if logs else {}
            except (LogError, TimeoutError) as error:
                self.health.unreachable = f"не отвечает: {described(error)}"
                logger.info("cannot measure the lag: %s", error)
                continue
            self.health.unreachable = ""
            fetched = {} if self.member is None else self.member.positions()
            for unit, places in units.items():
                if unit in self._units and ends:
                    at = sum(fetched.get(place, 0) for place in places) if set(places) <= set(fetched) else 0
                    self.health.measured(unit, sum(ends[place] for place in places), at)

    async def _pause(self, seconds: float, unless: asyncio.Event) -> None:
        """Back off, but notice at once when there is nothing to wait for any more."""
        with suppress(TimeoutError):
            await asyncio.wait_for(unless.wait(), seconds * random.uniform(0.5, 1.0))
