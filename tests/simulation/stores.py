"""The in-memory log and store, made quick, and copied from one world into another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import fields, replace
from typing import Any

from services.runtime.log import Fenced, LogError, Outgoing, Position, TopicPartition
from services.runtime.memory_log import MemoryLog, MemorySession, _Transaction
from services.runtime.memory_store import MemoryStore


class QuickSession(MemorySession):
    """A session whose sends may fail one by one (the point `send`), and whose request to end a transaction is on its way for
    a while: a process that dies then has committed, though nobody hears of it, unless the next session comes first."""

    def __init__(self, log: QuickLog, service: str, source: TopicPartition, name: str, epoch: int) -> None:
        super().__init__(log, service, source, name, epoch)
        self._quick = log
        self._asked: asyncio.Future[None] | None = None

    async def commit(self, outgoing: Sequence[Outgoing], consumed: int | None) -> list[Position]:
        if self._ended:
            raise LogError("this session has ended")
        self._ended = True
        log = self._quick
        for _ in outgoing:
            log.fault("send")
        await log._step("commit.before")
        log._check(self._name, self._epoch)
        transaction = log._open[self._name] = _Transaction()
        positions = [log._write(record, transaction) for record in outgoing]
        await log._step("commit.appended")
        loop = asyncio.get_running_loop()
        asked = self._asked = loop.create_future()
        loop.call_later(log.delay(), self._end, transaction, consumed, asked, context=Context())
        await log._step("commit.sent")
        await asked
        await log._step("commit.after")
        self._ended = False
        return positions

    def _end(self, transaction: _Transaction, consumed: int | None, asked: asyncio.Future[None]) -> None:
        log = self._quick
        if log._open.get(self._name) is not transaction:
            log.told(
                f"{self._name}: a transaction of epoch {self._epoch} is not committed, it was fenced or ended before"
            )
            if not asked.done():
                asked.set_exception(Fenced(f"{self._name}: epoch {self._epoch} is over"))
            return
        del log._open[self._name]
        if consumed is not None:
            log._offsets[self._service, self._source] = consumed
        log._end(transaction, committed=True)
        told = f", and all of {self._source.topic} before {consumed} is done" if consumed is not None else ""
        log.told(f"{self._name}: a transaction of epoch {self._epoch} is committed{told}")
        if not asked.done():
            asked.set_result(None)

    async def close(self) -> None:
        if self._asked is None or self._asked.done():
            await super().close()


class QuickLog(MemoryLog):
    """Remembers up to where each partition is stable: what is decided once stays so.

    `delay`: how long, in seconds, the broker takes for its part of a transaction. `told`: what happens is told there."""

    delay: Callable[[], float] = staticmethod(lambda: 0.0)
    told: Callable[[str], None] = staticmethod(lambda what: None)

    async def session(self, service: str, source: TopicPartition, *, per_topic: bool = False) -> QuickSession:
        await self._step("session.before")
        if (seconds := self.delay()) > 0:
            await asyncio.sleep(seconds)
        made = await super().session(service, source, per_topic=per_topic)
        return QuickSession(self, service, source, made._name, made._epoch)

    def _stable(self, place: TopicPartition) -> int:
        known: dict[TopicPartition, int] = self.__dict__.setdefault("_known", {})
        log, offset = self._logs[place], known.get(place, 0)
        while offset < len(log):
            transaction = log[offset].transaction
            if transaction is not None and transaction.committed is None:
                break
            offset += 1
        known[place] = offset
        return offset


def copied_log(source: MemoryLog, target: MemoryLog) -> None:
    """Everything that stands on the source, onto a target that is empty; records are shared, as they never change."""
    target._logs.update({place: list(entries) for place, entries in source._logs.items()})
    target._offsets.update(source._offsets)
    target._epochs.update(source._epochs)


def copied_store(source: MemoryStore, target: MemoryStore) -> None:
    for number, kept in source.partitions.items():
        values = {one.name: getattr(kept, one.name) for one in fields(kept)}
        copies: dict[str, Any] = {name: dict(value) for name, value in values.items() if isinstance(value, dict)}
        target.partitions[number] = replace(kept, **copies)
