"""The nemesis: kills and pauses of services, of the broker and of PostgreSQL, by a seed that repeats the run."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections import Counter
from collections.abc import Callable

import psutil

from tests.e2e.installation import Installation

SERVICES = ("intake", "workflow", "sla", "reporting")


def processes(installation: Installation, name: str) -> list[psutil.Process]:
    """The processes of a part of this installation: `workflow`, … (every replica), `kafka`, `postgres` (its postmaster)."""
    marks: dict[str, Callable[[list[str]], bool]] = {
        "kafka": lambda line: (
            any("kafka.Kafka" in word for word in line) and str(installation.folder) in " ".join(line)
        ),
        "postgres": lambda line: "postgres" in line[0] and str(installation.folder) in " ".join(line),
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
    """One fault after another, with a breath between; every pause is ended before `run` returns."""

    def __init__(
        self, installation: Installation, seed: int, *, parts: tuple[str, ...] = (*SERVICES, "kafka", "postgres")
    ) -> None:
        self._installation = installation
        self._dice = random.Random(seed)
        self._parts = parts
        self.done: Counter[str] = Counter()

    async def run(self, seconds: float, breath: tuple[float, float] = (2, 8), longest_pause: float = 12) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            await asyncio.sleep(self._dice.uniform(*breath))
            part = self._dice.choice(self._parts)
            victims = processes(self._installation, part)
            if not victims:
                continue
            victim = self._dice.choice(victims)
            if self._dice.random() < 0.5:
                await self._kill(part, victim)
            else:
                await self._pause(part, victim, self._dice.uniform(0.5, longest_pause))

    async def _kill(self, part: str, victim: psutil.Process) -> None:
        self.done[f"kill {part}"] += 1
        with contextlib.suppress(psutil.NoSuchProcess):
            victim.kill()

    async def _pause(self, part: str, victim: psutil.Process, seconds: float) -> None:
        self.done[f"pause {part}"] += 1
        with contextlib.suppress(psutil.NoSuchProcess):
            family = [victim, *victim.children(recursive=True)] if part == "postgres" else [victim]
            for one in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(signal.SIGSTOP)
            try:
                await asyncio.sleep(seconds)
            finally:
                for one in family:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        one.send_signal(signal.SIGCONT)
