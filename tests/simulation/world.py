"""The world of one plan: log, stores, two replicas of each service, clients – and what befalls them, step by step."""

from __future__ import annotations

import gc
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from unittest.mock import patch
from uuid import UUID

from schemas import inbox, topics
from schemas.envelope import Envelope
from services.runtime import assignment, folding, sweeping
from services.runtime.decider import Decider
from services.runtime.log import Outgoing, TopicPartition
from services.runtime.memory_store import MemoryStore
from services.runtime.states import States
from services.runtime.transaction import Limits
from tests.simulation import law, replica
from tests.simulation.clients import HEADERS, Clients
from tests.simulation.deciders import NextWorkflow, SimSla, SimWorkflow, envelope_of
from tests.simulation.group import Group
from tests.simulation.loop import Process, SimLoop
from tests.simulation.plan import Plan
from tests.simulation.replica import Replica, ReplicaClock, ReplicaProcess, SimLog, SimStore
from tests.simulation.stores import QuickLog, copied_log, copied_store

PARTITIONS = 2
REPLICAS = 2
SERVICES = ("workflow", "sla")
SOURCES = {"workflow": topics.INBOX, "sla": topics.EVENTS}


@dataclass
class Slot:
    """A place where a replica of a service runs, again and again. `release`: which version of the code, from 0."""

    service: str
    number: int
    release: int = 0
    replica: Replica | None = None
    starts: int = 0

    @property
    def name(self) -> str:
        return f"{self.service}-{self.number}"


@dataclass
class Parts:
    """What a world is made of: bugs are planted by putting something else here.

    `releases`: the deciders of each service, the oldest first. `planted`: in force until the checks begin."""

    releases: dict[str, tuple[Callable[[], Decider], ...]] = field(
        default_factory=lambda: {"workflow": (SimWorkflow, NextWorkflow), "sla": (lambda: SimSla(PARTITIONS),)}
    )
    log: type[QuickLog] = QuickLog
    memory_store: type[MemoryStore] = MemoryStore
    planted: Callable[[], AbstractContextManager[object]] = nullcontext


class _Errors(logging.Handler):
    """What the runtime itself calls a fault of the code."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.found.append(f"{record.getMessage()}: {record.exc_info[1]!r}")


class World:
    """`story`: what happens is told there, if it is given."""

    def __init__(self, plan: Plan, parts: Parts | None = None, story: list[str] | None = None) -> None:
        self.plan = plan
        self.parts = parts or Parts()
        self.dice = Random(plan.seed)
        self.loop = SimLoop()
        self.step = 0
        self.leapt = timedelta(0)
        self.broker_skew = timedelta(0)
        self.settling = False
        self.errors: list[str] = []
        self._told_errors = _Errors()
        self._story = story
        self.log: QuickLog = self.parts.log(law.topics(PARTITIONS), self.broker_now, fault=replica.strike)
        self.log.delay = self._delay
        self.log.told = self.tell
        self.stores: dict[str, MemoryStore] = {service: self.parts.memory_store() for service in SERVICES}
        self.slots = [Slot(service, number) for service in SERVICES for number in range(REPLICAS)]
        self.processes: list[Process] = []
        self.groups: dict[str, Group] = {}
        self.clients: Clients | None = None

    # Time.

    def true_now(self) -> datetime:
        return law.START + self.leapt + timedelta(seconds=round(self.loop.time(), 3))

    def broker_now(self) -> datetime:
        return self.true_now() + self.broker_skew

    def _delay(self) -> float:
        dice = self.loop.dice
        if self.settling or dice.random() >= self.plan.profile.slow:
            return 0.0
        return dice.choice((0.02, 0.5, 3.5, 5.0))

    # Its life.

    @contextmanager
    def alive(self) -> Iterator[World]:
        """The world from its first moment to its last; what it changed outside is put back."""
        handler, logger = self._told_errors, logging.getLogger("services")
        kept = (logger.propagate, logger.level, random.getstate())
        logger.propagate = False
        logger.setLevel(logging.ERROR)
        logger.addHandler(handler)
        random.seed(self.plan.seed)
        names = Random(self.plan.seed)
        limits = self.plan.profile
        try:
            with ExitStack() as stack:
                stack.enter_context(self.loop.running())
                stack.enter_context(
                    patch.object(inbox, "random_id", lambda: str(UUID(int=names.getrandbits(128), version=4)))
                )
                stack.enter_context(patch.object(Envelope, "from_bytes", staticmethod(envelope_of)))
                stack.enter_context(patch.object(folding, "PIECE", limits.piece))
                stack.enter_context(patch.object(sweeping, "PAGE", limits.page))
                stack.enter_context(patch.object(assignment, "States", partial(States, limit=limits.cached)))
                self._begin()
                try:
                    yield self
                finally:
                    self.loop.dispose(self.processes)
        finally:
            logger.removeHandler(handler)
            logger.propagate, logger.level = kept[0], kept[1]
            random.setstate(kept[2])

    def _begin(self) -> None:
        for service in SERVICES:
            self.groups[service] = Group(self.loop, SOURCES[service], PARTITIONS, self.dice, self.tell)
        client = self._process(Process(self.loop, "client"))
        self.clients = Clients(self.log, client, PARTITIONS, self.plan.profile.lossy, self.true_now, self.tell)
        beginning = None if self.plan.profile.cold else begun()
        if beginning is not None:
            copied_log(beginning.log, self.log)
            for service in SERVICES:
                copied_store(beginning.stores[service], self.stores[service])
        else:
            client.spawn(self._apply_the_law())
        for slot in self.slots:
            self.start(slot)

    async def _apply_the_law(self) -> None:
        writer = await self.log.writer("amendments")
        records = [
            Outgoing(topics.INBOX, (one.authority or "").encode(), one.to_bytes(), HEADERS, partition)
            for one in law.amendments()
            for partition in range(PARTITIONS)
        ]
        await writer.append(records)

    def _process(self, process: Process) -> Process:
        self.processes.append(process)
        return process

    def start(self, slot: Slot) -> None:
        """A new process in this slot, unless one runs there."""
        if slot.replica is not None and slot.replica.process.alive:
            return
        slot.starts += 1
        process = ReplicaProcess(self.loop, f"{slot.name}.{slot.starts}", self.tell)
        self._process(process)
        releases = self.parts.releases[slot.service]
        decider = releases[min(slot.release, len(releases) - 1)]()
        profile = self.plan.profile
        self.tell(f"{process.name} starts" + (f", release {slot.release}" if slot.release else ""))
        slot.replica = Replica(
            process,
            decider,
            SimLog(self.log, process, self.groups[slot.service]),
            SimStore(self.stores[slot.service], process, self.tell),
            ReplicaClock(self.true_now),
            topics.SHARED,
            Limits(profile.batch_max, profile.outputs_max),
        )

    def kill(self, slot: Slot) -> None:
        if slot.replica is not None and slot.replica.process.alive:
            self.tell(f"{slot.replica.process.name} is killed")
            slot.replica.process.kill()
            self.bury()

    def bury(self) -> None:
        """Whoever died since the last look is started again after a while."""
        for slot in self.slots:
            dead = slot.replica
            if dead is None or dead.process.alive:
                continue
            self.errors += dead.errors
            dead.gone()
            slot.replica = None
            self.loop.call_later(self.dice.uniform(0.2, 5.0), self.start, slot)

    def tell(self, what: str) -> None:
        if self._story is not None:
            when = self.broker_now().strftime("%d.%m %H:%M:%S.%f")[:-3]
            self._story.append(f"step {self.step:3} | {when} | {what}")

    # When faults have stopped.

    def behind(self) -> list[str]:
        """What is not worked off yet."""
        found: list[str] = []
        for service in SERVICES:
            for partition in range(PARTITIONS):
                place = self.stores[service].partitions.get(partition)
                source = SOURCES[service]
                records = self.log.records(source, partition)
                last = records[-1].offset if records else -1
                stored = place.place.offsets.get(source, 0) if place is not None else 0
                if stored <= last:
                    found.append(f"{service} has stored {source}/{partition} up to {stored}, it ends at {last}")
        return found

    def reached(self, instant: datetime) -> bool:
        """Whether every partition has heard of a time past the instant."""
        assert self.clients is not None
        self.clients.watcher.look()
        told = [self.clients.watcher.reached.get(partition) for partition in range(PARTITIONS)]
        return all(at is not None and datetime.fromisoformat(at) >= instant for at in told)

    def faults(self) -> list[str]:
        """What went wrong in a way that nothing from outside explains, and partitions that refuse to go on."""
        stopped = [why for slot in self.slots if slot.replica is not None for why in slot.replica.stopped]
        ended = [why for slot in self.slots if slot.replica is not None for why in slot.replica.errors]
        return [*self.errors, *self._told_errors.found, *self.loop.faults, *ended, *stopped]

    def place(self, service: str, partition: int) -> TopicPartition:
        return TopicPartition(SOURCES[service], partition)


_begun: list[World] = []


def begun() -> World:
    """A world in which the law has been applied and nothing else has happened; made once, by the real code."""
    if not _begun:
        from tests.simulation.plan import Profile

        world = World(Plan(0, Profile({}, cold=True), ()))
        with world.alive():
            for _ in range(200):
                world.loop.advance(0.1)
                if world.log.records(topics.INBOX, 0) and not world.behind():
                    break
            assert not world.behind(), world.behind()
        _begun.append(world)
        # The law, and all code, live as long as the process: no collection need look at them again.
        gc.collect()
        gc.freeze()
    return _begun[0]
