"""Ticks: a reason to look at the clock. This room and no other of sla reads one, and only to guess when to ask the log.

A tick breaches nothing by itself: the broker stamps it, workflow tells `reached`, and only that counts. So a wrong clock
here delays or repeats ticks, and never makes a false breach.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from schemas import topics
from schemas.envelope import CONTENT_TYPE
from schemas.inbox import Tick
from services.runtime.appender import Overloaded
from services.runtime.clock import Clock
from services.runtime.gate import Appending
from services.runtime.headers import CONTENT_TYPE_HEADER
from services.runtime.health import Check
from services.runtime.log import LogError, Outgoing
from services.runtime.store import StoreError
from services.sla.decider import DUE, WARN

logger = logging.getLogger(__name__)

AT_LEAST_EVERY = timedelta(minutes=1)
"""While anything is open, whatever our own clock thinks of what is due."""
WHEN_IDLE = timedelta(hours=1)
"""While nothing is open: the end of a report's period is told by `reached` too."""
STANDS = timedelta(minutes=4)
"""While anything is open a `reached` comes every minute: when several fail to, time stands still."""
LOOK_S = 1.0
"""How often, in real seconds, the agenda is looked at: the longest that a tick may come late."""
FIRST_REPEAT = timedelta(seconds=2)
"""When a tick has not come back as `reached`, or did not suffice, the next one waits twice as long, up to a minute."""
QUICK = timedelta(seconds=1)
"""A round trip to the log that is short enough to compare clocks by."""
KEY = b"clock"
SOURCE = "/otklik/sla"


class Agendas(Protocol):
    """What is asked of the store."""

    async def next_at(self, partition: int, names: list[str]) -> datetime | None: ...


@dataclass(slots=True)
class _Ticked:
    """Of one partition: when it was last ticked, by our clock, and how long until a repeat."""

    at: datetime
    due: datetime | None
    repeat: timedelta = FIRST_REPEAT


class Ticker:
    """Ticks the partitions that this replica owns; `owned` says which are, and which time each has reached. With a simulated
    clock only what is due is ticked, since `otklik clock` ticks at every move."""

    def __init__(
        self,
        agenda: Callable[[int], Awaitable[datetime | None]],
        appender: Appending,
        clock: Clock,
        owned: Callable[[], Mapping[int, datetime | None]],
    ) -> None:
        self._agenda = agenda
        self._appender = appender
        self._clock = clock
        self._owned = owned
        self._ticked: dict[int, _Ticked] = {}
        self._due: dict[int, datetime | None] = {}
        self._reached: dict[int, tuple[datetime | None, float]] = {}
        """Which time each partition has reached, and since when, by the clock that only goes forward."""
        self._ahead = timedelta(0)
        """How far the log's clock is ahead of ours, as the stamp of the last tick told."""

    async def run(self) -> None:
        """Until cancelled; errors of the log and of PostgreSQL are looked at again in a second."""
        while True:
            try:
                await self.look()
                wake_at = self._next_wake()
            except (LogError, StoreError, Overloaded) as error:
                logger.warning("ticks: %s", error)
                await asyncio.sleep(LOOK_S)
                continue
            await self._clock.wait_until(wake_at, LOOK_S)
            # A clock that stands still at what is due already would make this loop spin.
            await asyncio.sleep(0.02)

    async def look(self) -> int:
        """Tick every partition that needs it. Returns how many it were. Raises `LogError`, `StoreError`, `Overloaded`."""
        owned = self._owned()
        self._note(owned)
        self._ticked = {number: ticked for number, ticked in self._ticked.items() if number in owned}
        self._due = {number: await self._agenda(number) for number in sorted(owned)}
        wanted = {number: why for number, due_at in self._due.items() if (why := self._why(number, due_at)) is not None}
        for number, why in wanted.items():
            await self._tick(number, self._due[number], why)
        return len(wanted)

    def _note(self, owned: Mapping[int, datetime | None]) -> None:
        now = asyncio.get_running_loop().time()
        before = self._reached
        self._reached = {
            number: before[number] if number in before and before[number][0] == at else (at, now)
            for number, at in owned.items()
        }

    def standing(self) -> list[int]:
        """Partitions in which something is open and no `reached` has come for too long: nothing of them can be breached,
        whatever the clocks say."""
        limit = asyncio.get_running_loop().time() - STANDS.total_seconds()
        return [
            number
            for number, (at, since) in self._reached.items()
            if self._due.get(number) is not None and since < limit and (at is None or self.now() - at > STANDS)
        ]

    def checks(self) -> dict[str, Check]:
        """A line of `/readyz`."""
        standing = self.standing()
        detail = "; ".join(f"партиция {number}: с {self._reached[number][0] or 'начала'}" for number in standing)
        return {
            "time": Check(ok=not standing, detail=f"время стоит, а сроки открыты: {detail}" if standing else "идёт")
        }

    def now(self) -> datetime:
        """The time of the log, as far as we can tell."""
        return self._clock.now() + self._ahead

    def _why(self, number: int, due_at: datetime | None) -> str | None:
        """Why the partition is to be ticked now; None when it is not."""
        ticked, now = self._ticked.get(number), self.now()
        if ticked is not None and ticked.at > now:
            # Our clock was set back, or set right: a tick of a time that is still to come tells nothing.
            ticked = None
        if due_at is not None and due_at < now:
            # What is due still stands there: the tick is on its way, or was not enough.
            waits = ticked is not None and ticked.due == due_at and now < ticked.at + ticked.repeat
            return None if waits else f"срок или предупреждение {due_at.isoformat()}"
        every = AT_LEAST_EVERY if due_at is not None else WHEN_IDLE
        if self._clock.simulated or (ticked is not None and now < ticked.at + every):
            return None
        return "минута прошла, сроки открыты" if due_at is not None else "час прошёл: не кончился ли период отчёта"

    async def _tick(self, number: int, due_at: datetime | None, why: str) -> None:
        now = self._clock.now()
        tick = Tick(why=why).enveloped(SOURCE, now)
        headers = {CONTENT_TYPE_HEADER: CONTENT_TYPE}
        position = await self._appender.append(Outgoing(topics.INBOX, KEY, tick.to_bytes(), headers, number))
        # An append that hung, or a process that slept, says nothing of the difference between the clocks.
        if not self._clock.simulated and timedelta(0) <= self._clock.now() - now <= QUICK:
            self._ahead = position.stamp.astimezone(UTC) - now
        before = self._ticked.get(number)
        again = before is not None and before.due == due_at
        repeat = min(2 * before.repeat, AT_LEAST_EVERY) if before is not None and again else FIRST_REPEAT
        self._ticked[number] = _Ticked(self.now(), due_at, repeat)

    def _next_wake(self) -> datetime:
        """The next instant, on our own clock, at which something is due; at the latest in a minute."""
        now = self.now()
        ahead = [at for at in self._due.values() if at is not None and at >= now]
        return min((*ahead, now + AT_LEAST_EVERY)) - self._ahead + timedelta(milliseconds=1)


def agenda_of(store: Agendas) -> Callable[[int], Awaitable[datetime | None]]:
    """When the next deadline or warning of a partition is."""

    async def next_at(partition: int) -> datetime | None:
        return await store.next_at(partition, [DUE, WARN])

    return next_at
