"""One replica of a service: the real runner and ticker in a process of their own, with the log and the store as it sees them.

Around every call there is a point at which the process may be killed or paused, or the call fail with its effect unknown.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from services.runtime.appender import Appender
from services.runtime.decider import Decider
from services.runtime.decider_loop import DeciderRunner
from services.runtime.health import Health
from services.runtime.log import LogError, Record, Session, TopicPartition, Writer
from services.runtime.memory_log import MemoryLog
from services.runtime.memory_store import MemoryStore
from services.runtime.store import AgendaEntry, Changes, Held, Kept, Place, Quarantined, Stored, StoreError
from services.runtime.transaction import Limits
from services.sla.ticks import Ticker, agenda_of
from tests.simulation.group import Group, SimMember
from tests.simulation.loop import PROCESS, Process, SimLoop

LOG_POINTS = ("session.before", "session.after", "commit.before", "commit.appended", "commit.sent", "commit.after")
STORE_POINTS = ("claim.after", "save.before", "save.after")
POINTS = (*LOG_POINTS, *STORE_POINTS, "send", "read", "load", "append.before", "append.after")


class Faults:
    """What is to happen to one process at which point."""

    def __init__(self, process: Process, tell: Callable[[str], None]) -> None:
        self._process = process
        self._tell = tell
        self._armed: dict[str, list[tuple[int, Callable[[], None], str]]] = defaultdict(list)

    def arm(self, point: str, nth: int, happen: Callable[[], None], what: str) -> None:
        """`happen` the `nth` time that the point is passed from now on."""
        self._armed[point].append((nth, happen, what))

    def clear(self) -> None:
        self._armed.clear()

    def strike(self, point: str) -> None:
        if point not in self._armed:
            return
        due = [one for one in self._armed[point] if one[0] <= 1]
        self._armed[point] = [(nth - 1, happen, what) for nth, happen, what in self._armed[point] if nth > 1]
        for _, happen, what in due:
            self._tell(f"{self._process.name}: {what} at {point}")
            happen()

    def fail(self, point: str) -> Callable[[], None]:
        """What makes a call at this point fail: Kafka's or PostgreSQL's error, by the point."""
        error = StoreError if point.startswith(("claim", "save", "load")) else LogError

        def happen() -> None:
            raise error(f"as planned at {point}")

        return happen


def strike(point: str) -> None:
    """The in-memory log's hook: whoever is at this point now."""
    process = PROCESS.get()
    if isinstance(process, ReplicaProcess):
        process.faults.strike(point)


class ReplicaProcess(Process):
    def __init__(self, loop: SimLoop, name: str, tell: Callable[[str], None]) -> None:
        super().__init__(loop, name)
        self.faults = Faults(self, tell)
        self.clock: ReplicaClock | None = None


class SimLog:
    """The log as one process sees it."""

    def __init__(self, memory: MemoryLog, process: ReplicaProcess, group: Group) -> None:
        self._memory = memory
        self._process = process
        self._group = group
        self.members: list[SimMember] = []

    async def session(self, service: str, source: TopicPartition, *, per_topic: bool = False) -> Session:
        await asyncio.sleep(0)
        return await self._memory.session(service, source, per_topic=per_topic)

    async def committed(self, service: str, source: TopicPartition) -> int | None:
        await asyncio.sleep(0)
        return await self._memory.committed(service, source)

    def member(self, service: str, topics: Sequence[str] = (), pattern: str | None = None) -> SimMember:
        member = SimMember(self._memory, service, tuple(topics), self._group, self._process.name)
        self.members.append(member)
        return member

    async def writer(self, transactional: str | None = None) -> Writer:
        return await self._memory.writer(transactional)

    def read(self, start: TopicPartition, offset: int, end: int) -> AsyncGenerator[list[Record], None]:
        return self._memory.read(start, offset, end)

    def follow(self, starts: Mapping[TopicPartition, int]) -> AsyncGenerator[list[Record], None]:
        return self._memory.follow(starts)

    async def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        await asyncio.sleep(0)
        return await self._memory.ends(partitions)

    async def written(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return await self._memory.written(partitions)

    async def beginnings(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        await asyncio.sleep(0)
        return await self._memory.beginnings(partitions)

    async def partitions(self, topic: str) -> int:
        return await self._memory.partitions(topic)

    async def identity(self, topics: Sequence[str]) -> dict[str, str]:
        return await self._memory.identity(topics)

    async def close(self) -> None:
        """Nothing to let go."""


class SimStore:
    """The store as one process sees it: each call goes there, does its work at once, and comes back."""

    def __init__(self, memory: MemoryStore, process: ReplicaProcess, tell: Callable[[str], None]) -> None:
        self.memory = memory
        self._process = process
        self._tell = tell

    async def _point(self, name: str) -> None:
        self._process.faults.strike(name)
        await asyncio.sleep(0)

    async def claim(self, partition: int, owner: str) -> Place:
        await asyncio.sleep(0)
        place = await self.memory.claim(partition, owner)
        self._tell(f"{self._process.name} has claimed partition {partition}")
        await self._point("claim.after")
        return place

    async def wipe(self, partition: int, owner: str) -> Place:
        await asyncio.sleep(0)
        return await self.memory.wipe(partition, owner)

    async def states(self, partition: int, keys: Sequence[str], held: Held | None = None) -> dict[str, Stored]:
        await self._point("load")
        return await self.memory.states(partition, keys, held)

    async def world(self, partition: int, held: Held | None = None) -> dict[str, Stored]:
        await self._point("load")
        return await self.memory.world(partition, held)

    async def kept(self, partition: int, keys: Sequence[str], held: Held | None = None) -> dict[str, list[Kept]]:
        await self._point("load")
        return await self.memory.kept(partition, keys, held)

    async def agenda(
        self,
        partition: int,
        name: str,
        until: datetime | None,
        after: tuple[datetime, str, str] | None,
        limit: int,
        held: Held | None = None,
    ) -> list[AgendaEntry]:
        await self._point("load")
        return await self.memory.agenda(partition, name, until, after, limit, held)

    async def quarantined(self, partition: int, held: Held | None = None) -> list[Quarantined]:
        await self._point("load")
        return await self.memory.quarantined(partition, held)

    async def parked(self, partition: int, key: str, held: Held | None = None) -> list[Kept]:
        await self._point("load")
        return await self.memory.parked(partition, key, held)

    async def next_at(self, partition: int, names: Sequence[str]) -> datetime | None:
        await self._point("load")
        return await self.memory.next_at(partition, names)

    async def place(self, partition: int) -> Place | None:
        await asyncio.sleep(0)
        return await self.memory.place(partition)

    async def save(self, changes: Changes) -> None:
        await self._point("save.before")
        await self.memory.save(changes)
        self._tell(f"{self._process.name} has stored partition {changes.partition} up to {dict(changes.new.offsets)}")
        await self._point("save.after")


class ReplicaClock:
    """What this machine believes the time to be: `skew` beside the broker's."""

    simulated = False

    def __init__(self, true_time: Callable[[], datetime]) -> None:
        self._true_time = true_time
        self.skew = timedelta(0)

    def now(self) -> datetime:
        return self._true_time() + self.skew

    async def wait_until(self, instant: datetime, wake_s: float) -> None:
        await asyncio.sleep(max(0.0, min(wake_s, (instant - self.now()).total_seconds())))


class Replica:
    """Started in its own process; `errors` is what ended it, if anything did."""

    def __init__(
        self,
        process: ReplicaProcess,
        decider: Decider,
        log: SimLog,
        store: SimStore,
        clock: ReplicaClock,
        shared: frozenset[str],
        limits: Limits,
    ) -> None:
        self.process = process
        self.decider = decider
        self.log = log
        self.clock = process.clock = clock
        self.errors: list[str] = []
        self.leaving = False
        self.runner: DeciderRunner | None = None
        process.spawn(self._run(store, shared, limits))

    async def _run(self, store: SimStore, shared: frozenset[str], limits: Limits) -> None:
        health, claims = Health(asyncio.get_running_loop().time), itertools.count()
        self.runner = DeciderRunner(
            self.decider,
            self.log,
            store,
            shared=shared,
            code_version="1",
            health=health,
            limits=limits,
            owner=lambda: f"{self.process.name}/{next(claims)}",
            unrecoverable=self._hung,
        )
        running = [self.process.spawn(self.runner.run())]
        if self.decider.remembers_source:
            running.append(self.process.spawn(self._tick(store, health)))
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            if task.done() and (error := task.exception()) is not None:
                self.errors.append(repr(error))

    async def _tick(self, store: SimStore, health: Health) -> None:
        appender = Appender(self.log, self.clock)
        await appender.start()

        def owned() -> dict[int, datetime | None]:
            return {int(name): one.at for name, one in health.partitions.items() if one.state == "running"}

        await Ticker(agenda_of(store), appender, self.clock, owned).run()

    def _hung(self, why: str) -> None:
        self.errors.append(why)
        self.process.kill()

    def stop(self) -> None:
        """Leave in order; the process ends when that is done."""
        self.leaving = True
        self.process.spawn(self._stop())

    async def _stop(self) -> None:
        if self.runner is not None:
            await self.runner.stop()
        self.process.kill()

    def gone(self) -> None:
        """The process is dead: its connections are closed."""
        for member in self.log.members:
            member.vanish()

    @property
    def stopped(self) -> list[str]:
        """Partitions that stand still until somebody mends them."""
        found = self.runner.health.partitions.values() if self.runner is not None else ()
        return [
            f"{self.process.name}, partition {one.partition}: {one.detail}" for one in found if one.state == "stopped"
        ]
