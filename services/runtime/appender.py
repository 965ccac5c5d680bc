"""The gates' writer: what concurrent callers bring is appended in groups, by one task."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from services.runtime.clock import Clock
from services.runtime.log import Log, LogError, Outgoing, Position, Writer
from services.runtime.tasks import end_task

logger = logging.getLogger(__name__)

GROUP_RECORDS = 2000
GROUP_BYTES = 4 * 1024 * 1024
FIRST_RETRY_S = 0.05
LAST_RETRY_S = 2.0


class Overloaded(Exception):
    """The log does not take more now. `retry_after` is in seconds."""

    def __init__(self, retry_after: int = 1) -> None:
        super().__init__("the log does not take more now")
        self.retry_after = retry_after


Results = list[Position | LogError]


@dataclass(slots=True)
class _Wanted:
    """What one caller brought: one future for all of it, as a future for each record would cost more than its writing."""

    outgoing: Sequence[Outgoing]
    size: int
    done: asyncio.Future[Results]


class Appender:
    """Appends with an idempotent producer and `acks=all`; a group is whatever came while the one before was on its way.

    An error leaves it unknown whether the record was stored: the caller may try again, as ids make a repeat harmless.
    With a simulated `clock` the records bear its time as their CreateTime.
    """

    def __init__(
        self, log: Log, clock: Clock | None = None, max_records: int = 10_000, max_bytes: int = 64 * 1024 * 1024
    ) -> None:
        self._log = log
        self._clock = clock
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._queue: deque[_Wanted] = deque()
        self._in_hand: list[_Wanted] = []
        self._records = 0
        self._bytes = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._writer: Writer | None = None
        self.failing: str | None = None
        """Why the log could not be written to, last time; None while it can."""

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="appender")

    async def stop(self, seconds: float = 5.0) -> None:
        """Write what was taken, in bounded time; what is left then fails."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._drained(), seconds)
        if self._task is not None:
            await end_task(self._task)
        self._fail_queued(LogError("запись остановлена"))
        await self._drop_writer()

    async def _drained(self) -> None:
        # Also what is on its way: it may be stored already, and its caller would be told that nobody knows.
        pending = [wanted.done for wanted in (*self._in_hand, *self._queue)]
        if pending:
            await asyncio.wait(pending)

    async def append(self, outgoing: Outgoing) -> Position:
        """Where the record stands, once all in-sync replicas have it. Raises `Overloaded`, `LogError` (unknown)."""
        (position,) = await self.append_all([outgoing])
        if isinstance(position, LogError):
            raise position
        return position

    async def append_all(self, outgoing: Sequence[Outgoing]) -> Results:
        """Each record's position or error. All are taken or none; those of one partition are written in order."""
        size = sum(record.size() for record in outgoing)
        if self._queue and (self._records + len(outgoing) > self._max_records or self._bytes + size > self._max_bytes):
            raise Overloaded
        wanted = _Wanted(self._stamped(outgoing), size, asyncio.get_running_loop().create_future())
        self._queue.append(wanted)
        self._records += len(outgoing)
        self._bytes += size
        self._wake.set()
        return await wanted.done

    def _stamped(self, outgoing: Sequence[Outgoing]) -> Sequence[Outgoing]:
        if self._clock is None or not self._clock.simulated:
            return outgoing
        now = self._clock.now()
        return [record if record.stamp is not None else replace(record, stamp=now) for record in outgoing]

    async def _run(self) -> None:
        delay = FIRST_RETRY_S
        while True:
            await self._wake.wait()
            try:
                if self._writer is None:
                    self._writer = await self._log.writer()
            except LogError as error:
                # Nobody is kept waiting for a log that cannot be reached: the callers answer 503.
                self.failing = str(error)
                self._fail_queued(error)
                await asyncio.sleep(delay)
                delay = min(2 * delay, LAST_RETRY_S)
                continue
            group = self._in_hand = self._take()
            if not group:
                continue
            outgoing = [record for wanted in group for record in wanted.outgoing]
            try:
                results = await self._writer.append(outgoing)
            except LogError as error:
                results = [error] * len(outgoing)
            except BaseException:
                self._fail(group, LogError("запись остановлена: неизвестно, сделано ли"))
                raise
            failed = next((result for result in results if isinstance(result, LogError)), None)
            self._tell(group, results)
            self.failing = None if failed is None else str(failed)
            delay = FIRST_RETRY_S
            if failed is not None:
                logger.warning("appending failed: %s", failed)
                await self._drop_writer()

    def _take(self) -> list[_Wanted]:
        """What is written next: whole, as it was brought, and at least one."""
        group: list[_Wanted] = []
        records = size = 0
        while self._queue:
            wanted = self._queue[0]
            records += len(wanted.outgoing)
            size += wanted.size
            if group and (records > GROUP_RECORDS or size > GROUP_BYTES):
                break
            group.append(self._queue.popleft())
            self._records -= len(wanted.outgoing)
            self._bytes -= wanted.size
        if not self._queue:
            self._wake.clear()
        return [wanted for wanted in group if not wanted.done.cancelled()]

    def _tell(self, group: Sequence[_Wanted], results: Results) -> None:
        first = 0
        for wanted in group:
            following = first + len(wanted.outgoing)
            if not wanted.done.done():
                wanted.done.set_result(results[first:following])
            first = following

    def _fail(self, group: Iterable[_Wanted], error: LogError) -> None:
        for wanted in group:
            if not wanted.done.done():
                wanted.done.set_result([error] * len(wanted.outgoing))

    def _fail_queued(self, error: LogError) -> None:
        self._fail(self._queue, error)
        self._queue.clear()
        self._records = self._bytes = 0
        self._wake.clear()

    async def _drop_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()
