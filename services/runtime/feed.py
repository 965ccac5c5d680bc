"""A bounded queue between a consumer and the task of one partition."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.runtime.log import LogError, Record

HIGH_BYTES = 8 * 1024 * 1024
HIGH_RECORDS = 4000


class Feed:
    """Records of one or several partitions in the order of each, for one task.

    Above the high mark it asks to be paused, below half of it to be resumed, so one slow task holds up no other's
    fetches and no queue grows without bound (what one fetch brings on top is bounded by the fetch's size).
    """

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None], closed: Callable[[], None]) -> None:
        self._pause = pause
        self._resume = resume
        self._on_close = closed
        self._records: deque[Record] = deque()
        self._bytes = 0
        self._paused = False
        self._closed = False
        self._error: LogError | None = None
        self._ready = asyncio.Event()

    def put(self, records: list[Record]) -> None:
        """Called by the consumer with what it fetched."""
        if self._closed:
            return
        self._records.extend(records)
        self._bytes += sum(record.size() for record in records)
        self._ready.set()
        if not self._paused and (self._bytes > HIGH_BYTES or len(self._records) > HIGH_RECORDS):
            self._paused = True
            self._pause()

    def fail(self, error: LogError) -> None:
        """Called by the consumer: nothing comes any more; `take` raises this."""
        self._error = error
        self._ready.set()

    async def take(self, limit: int, max_bytes: int) -> list[Record]:
        """Wait for a record, then take all that are there, up to `limit` and (beyond the first) `max_bytes`."""
        while not self._records:
            if self._error is not None:
                raise self._error
            self._ready.clear()
            await self._ready.wait()
        taken: list[Record] = []
        size = 0
        while self._records and len(taken) < limit:
            size += self._records[0].size()
            if taken and size > max_bytes:
                break
            record = self._records.popleft()
            self._bytes -= record.size()
            taken.append(record)
        if self._paused and self._bytes < HIGH_BYTES // 2 and len(self._records) < HIGH_RECORDS // 2:
            self._paused = False
            self._resume()
        return taken

    def close(self) -> None:
        """Called by the task: nothing more is wanted."""
        if not self._closed:
            self._closed = True
            self._records.clear()
            self._on_close()
