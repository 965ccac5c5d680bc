"""A gate: what passed token and shape is appended, and its answer waits until the record's outcome is stored.

The wait is by the position of the record: whoever has an outcome reads at least the state that it left. PostgreSQL
notifies once a batch; a slow look at the positions is the net below, for notifications that were lost with a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import asyncpg
import structlog

from schemas.outcomes import Fault
from services.runtime import problems
from services.runtime.appender import Overloaded
from services.runtime.log import LogError, Outgoing, Position

LOOK_SECONDS = 0.5
"""How often the net looks, while somebody waits."""
RECONNECT_SECONDS = 0.5

_log = structlog.get_logger("gate")

T = TypeVar("T")


class Appending(Protocol):
    """What a gate asks of the runtime's appender."""

    async def append(self, outgoing: Outgoing) -> Position:
        """Stored by all in-sync replicas when this returns; raises `Overloaded`, `LogError` (unknown)."""

    async def append_all(self, outgoing: Sequence[Outgoing]) -> list[Position | LogError]:
        """Raises `Overloaded` at once and then has taken nothing; else takes all, in this order, before it waits."""


async def put(appender: Appending, outgoing: Outgoing, command_id: str | None = None) -> Position:
    """Append one record. Raises ProblemError 503: nothing was taken, or its fate is unknown; a repeat under the same id
    does no harm either way."""
    return await guarded(appender.append(outgoing), command_id)


async def guarded(appending: Awaitable[T], command_id: str | None = None) -> T:
    """What an append says; raises ProblemError 503 instead of the log's own errors."""
    try:
        return await appending
    except Overloaded as error:
        raise problems.unavailable(error.retry_after, command_id=command_id) from None
    except LogError as error:
        _log.warning("append failed", error=str(error))
        raise problems.unavailable(1, command_id=command_id) from None


class StoredWaiter:
    """Knows how far the decider of `schema` has stored each partition of its `source`, in this process or another.

    To be used as `async with`; `dsn` is that of the settings."""

    def __init__(self, dsn: str, schema: str, source: str) -> None:
        self._dsn = dsn.replace("postgresql+asyncpg://", "postgresql://")
        self._schema = schema
        self._source = source
        self._positions: dict[int, int] = {}
        self._furthest: dict[int, int] = {}
        self._waiting: dict[int, list[tuple[int, asyncio.Future[None]]]] = defaultdict(list)
        self._changes: dict[int, asyncio.Future[None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def reached(self, position: Position, seconds: float) -> bool:
        """Whether the record at `position` is stored, waiting up to `seconds` for it."""
        if self._positions.get(position.partition, 0) > position.offset:
            return True
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (position.offset, stored)
        self._waiting[position.partition].append(entry)
        try:
            await asyncio.wait({stored}, timeout=seconds)
            return stored.done()
        finally:
            with contextlib.suppress(ValueError):
                self._waiting[position.partition].remove(entry)

    def furthest(self, partition: int) -> int:
        """Up to where this process has ever known the partition to be stored. Tables that stand before it were dropped, or
        restored from an older copy, and are being folded anew: what is not there yet may well exist."""
        return self._furthest.get(partition, 0)

    def next_change(self, partition: int) -> asyncio.Future[None]:
        """Done when something is stored in the partition after this call. Ask for it before looking, then wait."""
        change = self._changes.get(partition)
        if change is None or change.done():
            change = self._changes[partition] = asyncio.get_running_loop().create_future()
        return change

    async def _listen(self) -> None:
        while True:
            connection: asyncpg.Connection[Any] | None = None
            try:
                connection = await asyncpg.connect(self._dsn, timeout=5)
                await connection.add_listener(f"{self._schema}_stored", self._notified)
                while True:
                    if any(self._waiting.values()) or not self._positions:
                        await self._look(connection)
                    elif connection.is_closed():
                        break
                    await asyncio.sleep(LOOK_SECONDS)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
                _log.warning("waiting for outcomes without notifications", error=str(error))
            finally:
                if connection is not None:
                    connection.terminate()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _look(self, connection: asyncpg.Connection[Any]) -> None:
        rows = await connection.fetch(
            f'SELECT partition, (offsets->>$1)::bigint AS next FROM "{self._schema}".positions', self._source, timeout=5
        )
        for row in rows:
            if row["next"] is not None:
                self._stored(row["partition"], row["next"])

    def _notified(self, _connection: object, _process: int, _channel: str, payload: object) -> None:
        partition, _, position = str(payload).partition(":")
        self._stored(int(partition), int(position))

    def _stored(self, partition: int, position: int) -> None:
        moved = self._positions.get(partition) != position
        self._positions[partition] = position
        self._furthest[partition] = max(position, self.furthest(partition))
        for offset, waiting in self._waiting[partition]:
            if offset < position and not waiting.done():
                waiting.set_result(None)
        change = self._changes.get(partition)
        if moved and change is not None and not change.done():
            change.set_result(None)


def unstorable(value: Any, within: Sequence[int | str] = ()) -> list[Fault]:
    """Faults of a JSON value that no shape forbids and no table can hold: the character U+0000 in a text or a name."""
    match value:
        case str():
            return [Fault(pointer=problems.pointer(within), detail="символ U+0000 недопустим")] if "\0" in value else []
        case dict():
            found = [fault for name, part in value.items() for fault in unstorable(part, (*within, name))]
            names = [name for name in value if "\0" in name]
            return found + [Fault(pointer=problems.pointer(within), detail="символ U+0000 недопустим")] * bool(names)
        case list() | tuple():
            return [fault for number, part in enumerate(value) for fault in unstorable(part, (*within, number))]
    return []
