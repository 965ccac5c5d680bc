"""The nemesis: what befalls services, brokers and PostgreSQL, by a seed that repeats the run."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable

import asyncpg
import psutil

from tests.chaos import tables
from tests.chaos.clocks import Clocks
from tests.chaos.cluster import Cluster
from tests.e2e.installation import Installation

SERVICES = ("intake", "workflow", "sla", "reporting")
PARTS = (*SERVICES, "kafka", "postgres")
SHORT, LONG = (0.5, 12.0), (12.0, 40.0)
"""Seconds of a pause; the long ones are for services alone: a database that sleeps so long only stops the run."""
STEPS_S = (-3600, 3600, -600, 600, -30, 30)
DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

ALWAYS = {"kill": 5.0, "pause": 5.0, "clock": 1.5}
TABLES = {"drop_tables": 3.0, "restore": 3.0}
LEADERS = {"kill_leader": 2.0, "pause_leader": 2.0}


def processes(installation: Installation, name: str) -> list[psutil.Process]:
    """The processes of a part of this installation: `workflow`, … (every replica), `kafka`, `postgres` (its postmaster)."""
    marks: dict[str, Callable[[list[str]], bool]] = {
        "kafka": lambda line: (
            any("kafka.Kafka" in word for word in line) and str(installation.folder) in " ".join(line)
        ),
        "postgres": lambda line: (
            line[0].endswith("bin/postgres") and any(word.startswith(str(installation.folder)) for word in line)
        ),
    }
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            if not line:
                continue
            if name in marks:
                if marks[name](line):
                    found.append(process)
            elif (f"services.{name}" in line or line[-4:-2] == ["serve", name]) and process.environ().get(
                "OTKLIK_PORT_BASE"
            ) == str(installation.base):
                found.append(process)
    return found


class Nemesis:
    """One fault after another, with a breath between; every pause and every wrong clock is ended before `run` returns.

    `tables`: PostgreSQL's content is dropped and restored too. `cluster`: leaders are looked for, where there are several
    brokers. `done` counts what was done."""

    def __init__(
        self, installation: Installation, seed: int, clocks: Clocks, *, tables: bool, cluster: Cluster | None = None
    ) -> None:
        self._installation = installation
        self._dice = random.Random(seed)
        self._clocks = clocks
        self._cluster = cluster
        self._weights = dict(ALWAYS)
        if not clocks.available:
            del self._weights["clock"]
        if tables:
            self._weights |= TABLES
        if cluster is not None:
            self._weights |= LEADERS
        self.done: Counter[str] = Counter()

    async def run(self, seconds: float, breath: tuple[float, float] = (2, 8)) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        if "restore" in self._weights:
            await self._databases(lambda: tables.copy(self._installation), "copy postgres")
        while loop.time() < end:
            await asyncio.sleep(self._dice.uniform(*breath))
            fault = self._dice.choices(list(self._weights), list(self._weights.values()))[0]
            act: Callable[[], Awaitable[None]] = getattr(self, fault)
            await act()

    async def each_once(self, done: Callable[[], float]) -> None:
        """SIGKILL of every part, one after the other, spread over the work: of every replica, the broker, PostgreSQL.
        `done`: which share of the work is."""
        for number, part in enumerate(PARTS, 1):
            while done() < number / (len(PARTS) + 1):
                await asyncio.sleep(0.2)
            for victim in processes(self._installation, part):
                self._kill(part, victim)

    # One fault each, by its name.

    async def kill(self) -> None:
        if found := self._victim(PARTS):
            self._kill(*found)

    async def pause(self) -> None:
        if found := self._victim(PARTS):
            longest = SHORT if found[0] in ("kafka", "postgres") or self._dice.random() < 0.7 else LONG
            await self._pause(*found, self._dice.uniform(*longest))

    async def clock(self) -> None:
        """The clock of a broker or a service is stepped while it runs, and after a while it is right again."""
        part = "kafka" if self._dice.random() < 0.5 else self._dice.choice(SERVICES)
        if (found := self._victim((part,))) is None:
            return
        victim, seconds = found[1], self._dice.choice(STEPS_S)
        self.done[f"clock {part}"] += 1
        self._clocks.step(victim.pid, seconds)
        try:
            await asyncio.sleep(self._dice.uniform(2, 15))
        finally:
            self._clocks.right(victim.pid)

    async def drop_tables(self) -> None:
        """Under the running replicas; one of them is killed, as whoever starts makes the tables."""
        service = self._dice.choice(SERVICES)
        await self._databases(lambda: tables.drop(self._installation, service), f"drop {service}")
        if found := self._victim((service,)):
            self._kill(*found)

    async def restore(self) -> None:
        """PostgreSQL comes back from an older copy; sometimes a newer copy is taken."""
        if self._dice.random() < 0.3:
            await self._databases(lambda: tables.copy(self._installation), "copy postgres")
        elif await self._databases(lambda: tables.copied(self._installation), None):
            await self._databases(lambda: tables.restore(self._installation), "restore postgres")

    async def kill_leader(self) -> None:
        if victim := await self._leader():
            self._kill("leader", victim)

    async def pause_leader(self) -> None:
        if victim := await self._leader():
            await self._pause("leader", victim, self._dice.uniform(*SHORT))

    # How it is done.

    def _victim(self, parts: tuple[str, ...]) -> tuple[str, psutil.Process] | None:
        part = self._dice.choice(parts)
        victims = processes(self._installation, part)
        return (part, self._dice.choice(victims)) if victims else None

    async def _leader(self) -> psutil.Process | None:
        assert self._cluster is not None
        topic = self._dice.choice(("inbox", "events", "outcomes", "deadlines"))
        pid = await self._cluster.leader(f"otklik.{topic}", self._dice.randrange(4))
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(pid) if pid is not None else None
        return None

    async def _databases(self, do: Callable[[], Awaitable[object]], told: str | None) -> object:
        """Whatever it is, PostgreSQL may be down just then; what could not be done is not counted."""
        try:
            done = await do()
        except DATABASE_ERRORS:
            return None
        if told is not None:
            self.done[told] += 1
        return done

    def _kill(self, part: str, victim: psutil.Process) -> None:
        self.done[f"kill {part}"] += 1
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()

    async def _pause(self, part: str, victim: psutil.Process, seconds: float) -> None:
        self.done[f"pause {part}"] += 1
        family: list[psutil.Process] = [victim]
        with contextlib.suppress(psutil.NoSuchProcess):
            if part == "postgres":
                family += victim.children(recursive=True)
        try:
            _signal(family, signal.SIGSTOP)
            await asyncio.sleep(seconds)
        finally:
            _signal(family, signal.SIGCONT)


def _signal(family: list[psutil.Process], number: signal.Signals) -> None:
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.send_signal(number)
