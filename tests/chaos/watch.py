"""What somebody outside sees of the partitions and the processes: who works which, how long nobody did, and what was started anew.

Asked of `/readyz` of every replica, by the monotonic clock of this process, so that no wrong clock touches the figures.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import httpx

from tests.chaos.nemesis import PARTS, processes
from tests.e2e.installation import Installation

LOOK_EVERY_S, PATIENCE_S = 0.25, 1.5
COUNT_EVERY_S = 3.0
PARTITION = "partition "


@dataclass
class Seen:
    """`changes`: a partition that has another replica than before. `gaps`: seconds in which nobody worked a partition, and
    whose it is."""

    changes: int = 0
    gaps: list[tuple[float, str]] = field(default_factory=list)
    restarts: Counter[str] = field(default_factory=Counter)

    @property
    def longest_s(self) -> float:
        return max((seconds for seconds, _ in self.gaps), default=0.0)

    def failover(self) -> str:
        """The median and the longest gap, in seconds; they hold the detection of a loss too, and end with the opened partition."""
        if not self.gaps:
            return "—"
        longest, service = max(self.gaps)
        return f"{median(seconds for seconds, _ in self.gaps):.1f} / {longest:.1f} s ({service})"


class Watch:
    """`replicas`: of each service, the addresses of all that may work its partitions."""

    def __init__(self, installation: Installation, replicas: dict[str, list[str]]) -> None:
        self.seen = Seen()
        self._installation = installation
        self._replicas = replicas
        self._working: dict[tuple[str, str], str] = {}
        self._idle_since: dict[tuple[str, str], float] = {}
        self._pids: dict[str, set[int]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._count())
            async with httpx.AsyncClient(timeout=PATIENCE_S) as http:
                while True:
                    for service, bases in self._replicas.items():
                        told = await asyncio.gather(*(_running(http, base) for base in bases))
                        self._noted(service, dict(zip(bases, told, strict=True)))
                    await asyncio.sleep(LOOK_EVERY_S)

    def _noted(self, service: str, told: dict[str, set[str]]) -> None:
        now = asyncio.get_running_loop().time()
        working = {(service, partition): base for base, partitions in told.items() for partition in partitions}
        for place, base in working.items():
            if place in self._idle_since:
                self.seen.gaps.append((now - self._idle_since.pop(place), service))
            self.seen.changes += self._working.get(place, base) != base
            self._working[place] = base
        for place in self._working:
            if place[0] == service and place not in working:
                self._idle_since.setdefault(place, now)

    async def _count(self) -> None:
        while True:
            for part in PARTS:
                alive = {process.pid for process in await asyncio.to_thread(processes, self._installation, part)}
                known = self._pids.setdefault(part, set(alive))
                self.seen.restarts[part] += len(alive - known)
                known |= alive
            await asyncio.sleep(COUNT_EVERY_S)


async def _running(http: httpx.AsyncClient, base: str) -> set[str]:
    """The partitions that this replica works just now; none where it does not answer."""
    try:
        checks: dict[str, Any] = (await http.get(f"{base}/readyz")).json()["checks"]
    except (httpx.HTTPError, ValueError, KeyError):
        return set()
    return {name for name, check in checks.items() if name.startswith(PARTITION) and check["ok"]}
