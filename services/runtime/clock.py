"""What time it is, for whoever stands at the edge: deciders never ask."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from services.runtime.log import Log, LogError, Outgoing, TopicPartition, Writer
from services.runtime.tasks import end_task

logger = logging.getLogger(__name__)

TOPIC = "clock"
RETRY_S = 0.5
LOOK_BACK = 1000
"""How many records from its end the clock's topic is read for the largest time: who sets the clock sets it on, so that
only several who do so at once can leave a smaller one behind a larger. A running clock is moved every second."""


class Clock(Protocol):
    @property
    def simulated(self) -> bool:
        """Whether records are to bear this clock's time, as the broker's is another."""

    def now(self) -> datetime:
        """Aware, UTC."""

    async def wait_until(self, instant: datetime, wake_s: float) -> None:
        """Return when the instant has come, or after `wake_s` real seconds, whichever is first."""


class RealClock:
    simulated = False

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def wait_until(self, instant: datetime, wake_s: float) -> None:
        await asyncio.sleep(max(0.0, min(wake_s, (instant - self.now()).total_seconds())))


async def _until(clock: Clock, changed: Callable[[], asyncio.Event], instant: datetime, wake_s: float) -> None:
    """Wait for the clock to be moved to the instant, up to `wake_s` real seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wake_s
    while loop.time() < deadline:
        moved = changed()
        with suppress(ClockNotSet):
            if clock.now() >= instant:
                return
        with suppress(TimeoutError):
            await asyncio.wait_for(moved.wait(), deadline - loop.time())


class ClockNotSet(LogError):
    """The simulated clock was never set."""


class ManualClock:
    """For tests: time moves when told, and never back."""

    simulated = True

    def __init__(self, now: datetime) -> None:
        self._now = now.astimezone(UTC)
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return self._now

    def set(self, instant: datetime) -> None:
        if instant < self._now:
            raise ValueError(f"time does not run back from {self._now} to {instant}")
        self._now = instant.astimezone(UTC)
        self._moved.set()
        self._moved = asyncio.Event()

    def advance(self, by: timedelta) -> None:
        self.set(self._now + by)

    async def wait_until(self, instant: datetime, wake_s: float) -> None:
        await _until(self, lambda: self._moved, instant, wake_s)


class SimulatedClock:
    """The time that stands on `<prefix>.clock`: the largest there. `set` and `advance` append to it."""

    simulated = True

    def __init__(self, log: Log) -> None:
        self._log = log
        self._now: datetime | None = None
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._writer: Writer | None = None
        self._next = 0

    async def start(self) -> None:
        """Read what stands there. Raises `LogError` when the log cannot be reached; the time may not be set yet."""
        place = TopicPartition(TOPIC, 0)
        beginning = (await self._log.beginnings([place]))[place]
        end = (await self._log.ends([place]))[place]
        async for records in self._log.read(place, max(beginning, end - LOOK_BACK), end):
            for record in records:
                self._take(record.value)
        self._next = end
        self._task = asyncio.create_task(self._follow(), name="clock")

    async def stop(self) -> None:
        if self._task is not None:
            await end_task(self._task)
        await self._close_writer()

    async def _close_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()

    async def _follow(self) -> None:
        while True:
            try:
                async for records in self._log.follow({TopicPartition(TOPIC, 0): self._next}):
                    for record in records:
                        self._take(record.value)
                        self._next = record.offset + 1
            except LogError as error:
                logger.warning("following the clock: %s", error)
                await asyncio.sleep(RETRY_S)

    def _take(self, value: bytes | None) -> None:
        try:
            now = datetime.fromisoformat(json.loads(value or b"")["now"])
            if now.tzinfo is None:
                raise ValueError(now)
        except (ValueError, KeyError, TypeError):
            logger.error("not a time on the clock: %r", (value or b"")[:100])
            return
        if self._now is None or now > self._now:
            self._now = now.astimezone(UTC)
            self._changed.set()
            self._changed = asyncio.Event()

    def now(self) -> datetime:
        if self._now is None:
            raise ClockNotSet("the simulated clock was never set: `otklik clock set <instant>`")
        return self._now

    async def set(self, instant: datetime) -> datetime:
        """Append the instant; time that would run back stays where it is. Returns the time now."""
        if self._now is not None and instant <= self._now:
            return self._now
        value = json.dumps({"now": instant.astimezone(UTC).isoformat()}).encode()
        if self._writer is None:
            self._writer = await self._log.writer()
        try:
            (written,) = await self._writer.append([Outgoing(TOPIC, b"now", value, {}, 0)])
            if isinstance(written, LogError):
                raise written
        except LogError:
            # After any error of a producer: a new one.
            await self._close_writer()
            raise
        self._take(value)
        return self.now()

    async def advance(self, by: timedelta) -> datetime:
        return await self.set(self.now() + by)

    async def wait_until(self, instant: datetime, wake_s: float) -> None:
        await _until(self, lambda: self._changed, instant, wake_s)
