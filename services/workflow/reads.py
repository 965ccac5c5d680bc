"""Reading what the decider has stored: a message as it stands, its events, the law in force."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import BaseModel

from regulations.directory import Directory
from schemas.envelope import Envelope
from services.runtime import problems
from services.runtime.decider import Decider
from services.runtime.gate import StoredWaiter
from services.runtime.partitioner import partition_of
from services.runtime.states import fold
from services.runtime.store import DeciderStore, Stored
from services.workflow.state import Message

AT_LEAST_SECONDS = 5.0
LOOK_SECONDS = 0.5


class MessageReader:
    """States as stored by whichever replica owns the partition. Raises `StoreError` when PostgreSQL does not answer."""

    def __init__(self, store: DeciderStore, decider: Decider, waiter: StoredWaiter, partitions: int) -> None:
        self._store = store
        self._decider = decider
        self._waiter = waiter
        self._partitions = partitions
        # A directory is large and changes rarely: it is decoded once for each of its bodies.
        self._known: dict[str, tuple[bytes | None, BaseModel | None]] = {}

    async def message(self, message_id: str, at_least: int | None) -> Message | None:
        """The message; with `at_least`, waits up to 5 s for that sequence. Raises ProblemError 504 when the message is
        there and has not come that far, and 503 when it is not there and the tables are being folded anew."""
        partition = partition_of(message_id.encode(), self._partitions)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + AT_LEAST_SECONDS
        while True:
            change = self._waiter.next_change(partition)
            found = (await self.messages([(partition, message_id)])).get(message_id)
            if found is not None and found.sequence >= (at_least or 0):
                return found
            if at_least is None:
                break
            left = deadline - loop.time()
            if left <= 0:
                break
            await asyncio.wait({change}, timeout=min(left, LOOK_SECONDS))
        if found is None:
            await self._stands(partition)
            # Between the two looks the tables may have come to stand where they stood.
            return (await self.messages([(partition, message_id)])).get(message_id)
        raise problems.not_in_time(None, f"Сообщение пока в состоянии {found.sequence}, а не {at_least}.")

    async def _stands(self, partition: int) -> None:
        """Raises ProblemError 503 while the tables stand before what was stored once: a message that is not there may exist."""
        place = await self._store.place(partition)
        stored = place.offsets.get(self._decider.source, 0) if place is not None else 0
        if stored < self._waiter.furthest(partition):
            raise problems.unavailable(1, "Таблицы собираются заново из журнала: повторите позже.")

    async def messages(self, wanted: Sequence[tuple[int, str]]) -> dict[str, Message]:
        """Messages by id; `wanted` are partitions and ids."""
        by_partition: dict[int, list[str]] = {}
        for partition, message_id in wanted:
            by_partition.setdefault(partition, []).append(f"message/{message_id}")
        found: dict[str, Message] = {}
        for partition, keys in by_partition.items():
            for key, stored in (await self._store.states(partition, keys)).items():
                state = await self._decoded(partition, key, stored)
                if isinstance(state, Message):
                    found[state.message_id] = state
        return found

    async def history(self, message_id: str) -> list[Envelope]:
        """Every event of the message, in order."""
        partition = partition_of(message_id.encode(), self._partitions)
        key = f"message/{message_id}"
        kept = (await self._store.kept(partition, [key]))[key]
        events = {envelope.sequence: envelope for envelope in (Envelope.from_bytes(one.body) for one in kept)}
        return [events[sequence] for sequence in sorted(events, key=lambda sequence: sequence or 0)]

    async def directories(self) -> dict[str, Directory]:
        """The authorities in force, as the first partition has folded them."""
        found = {}
        for key, stored in (await self._store.world(0)).items():
            if self._known.get(key, (None, None))[0] != stored.body:
                self._known[key] = (stored.body, await self._decoded(0, key, stored))
            state = self._known[key][1]
            if isinstance(state, Directory) and state.in_force:
                found[state.id] = state
        return found

    async def law_of(self, message: Message) -> Directory:
        """The law by which the message is shown. Raises ProblemError 503 while it is not stored here yet."""
        key = f"world/authority/{message.authority}"
        known = self._known.get(key, (None, None))[1]
        if not isinstance(known, Directory) or known.number < message.law or not known.in_force:
            known = (await self.directories()).get(message.authority)
        if known is None:
            raise problems.unavailable(1, "Право этого органа ещё не прочитано из журнала.")
        return known

    async def _decoded(self, partition: int, key: str, stored: Stored) -> BaseModel | None:
        if stored.version == self._decider.state_version:
            return self._decider.decode(key, stored.body)
        # Another version's state stays until it is touched: a reader folds it anew and stores nothing.
        kept = await self._store.kept(partition, [key])
        return fold(self._decider, key, kept[key])
