"""Whether what lay on the inbox when this process started has been worked, here or by another replica.

Before that a first client would be told that there are no authorities. It is asked once: later lag is lag, not coldness.
"""

from __future__ import annotations

import asyncio

import structlog

from schemas import topics
from services.runtime.gate import StoredWaiter
from services.runtime.health import Check
from services.runtime.log import Log, LogError, Position, TopicPartition

PATIENCE_SECONDS = 60.0
"""After that the service is as ready as it gets: one partition that stands still must not shut the others' door."""
RETRY_SECONDS = 0.5
_TAIL_RECORDS = 1000

_log = structlog.get_logger("warm")


class Warm:
    """`run` never returns; `check` is a line of `/readyz`."""

    def __init__(self, log: Log, waiter: StoredWaiter, partitions: int) -> None:
        self._log = log
        self._waiter = waiter
        self._places = [TopicPartition(topics.INBOX, number) for number in range(partitions)]
        self._done = False

    def check(self) -> Check:
        return Check(ok=self._done, detail="" if self._done else "читает то, что было во входящих при запуске")

    async def run(self) -> None:
        while not self._done:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    for position in await self._last():
                        await self._waiter.reached(position, PATIENCE_SECONDS)
            except TimeoutError:
                _log.warning("not everything on the inbox was worked in time")
            except LogError as error:
                _log.warning("asking what is on the inbox", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._done = True
        await asyncio.Event().wait()

    async def _last(self) -> list[Position]:
        """The last record of each partition; what lies behind it are marks of transactions."""
        found: list[Position] = []
        ends = await self._log.ends(self._places)
        beginnings = await self._log.beginnings(self._places)
        for place, end in ends.items():
            last: Position | None = None
            async for records in self._log.read(place, max(beginnings[place], end - _TAIL_RECORDS), end):
                for record in records:
                    last = Position(record.topic, record.partition, record.offset, record.stamp)
            if last is not None:
                found.append(last)
        return found
