"""Reading what a decider has stored, from any replica: one state that somebody may wait for, many at once, the world.

A reader changes nothing: what another version of the decider has stored, it folds anew and leaves as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from pydantic import BaseModel

from services.runtime import problems
from services.runtime.decider import Decider
from services.runtime.gate import StoredWaiter, check_whole
from services.runtime.partitioner import partition_of
from services.runtime.states import fold
from services.runtime.store import DeciderStore, Kept, Stored

AT_LEAST_SECONDS = 5.0
LOOK_SECONDS = 0.5

S = TypeVar("S", bound=BaseModel)


class StateReader(Generic[S]):
    """States of the kind `kind`, as stored by whichever replica owns the partition. `sequence`: how far a state has come, 0
    where nothing of it is known; `standing`: Russian words before that number. Raises `StoreError` when PostgreSQL does not
    answer."""

    def __init__(
        self,
        store: DeciderStore,
        decider: Decider,
        waiter: StoredWaiter,
        partitions: int,
        kind: type[S],
        sequence: Callable[[S], int],
        standing: str,
    ) -> None:
        self._store = store
        self._decider = decider
        self._waiter = waiter
        self._partitions = partitions
        self._kind = kind
        self._sequence = sequence
        self._standing = standing
        # A state of the world is large and changes rarely: it is decoded once for each of its bodies.
        self._worlds: dict[str, tuple[bytes, BaseModel | None]] = {}

    def partition(self, name: str) -> int:
        """Where what is said of that name stands."""
        return partition_of(name.encode(), self._partitions)

    async def awaited(self, partition: int, keys: Sequence[str], at_least: int | None) -> S | None:
        """The state under one of the keys, of which at most one has any; with `at_least`, waits up to 5 s for that sequence.
        Raises ProblemError 504 when it is there and has not come that far, and 503 when it is not there and the tables are
        being folded anew."""
        loop = asyncio.get_running_loop()
        until = loop.time() + AT_LEAST_SECONDS
        while True:
            change = self._waiter.next_change(partition)
            found, sequence = await self._look(partition, keys)
            if sequence >= (at_least or 1):
                return found
            left = until - loop.time()
            if at_least is None or left <= 0:
                break
            await asyncio.wait({change}, timeout=min(left, LOOK_SECONDS))
        if not sequence:
            await check_whole(self._store, self._waiter, self._decider.source, partition)
            # Between the two looks the tables may have come to stand where they stood.
            found, sequence = await self._look(partition, keys)
        if found is not None and at_least is not None and sequence < at_least:
            raise problems.not_in_time(None, f"{self._standing} {sequence}, а не {at_least}.")
        return found

    async def _look(self, partition: int, keys: Sequence[str]) -> tuple[S | None, int]:
        found = next(iter((await self.states(partition, keys)).values()), None)
        return found, 0 if found is None else self._sequence(found)

    async def states(self, partition: int, keys: Sequence[str]) -> dict[str, S]:
        """Those of the states that are there, by key."""
        found = {}
        for key, stored in (await self._store.states(partition, keys)).items():
            state = await self._decoded(partition, key, stored)
            if isinstance(state, self._kind):
                found[key] = state
        return found

    async def kept(self, partition: int, key: str) -> Sequence[Kept]:
        """What the key remembers, in order."""
        return (await self._store.kept(partition, [key]))[key]

    async def world(self, *keys: str) -> dict[str, BaseModel]:
        """States of the world, as the first partition has folded them; all of them where no key is named."""
        found = {}
        stored = await (self._store.states(0, keys) if keys else self._store.world(0))
        for key, one in stored.items():
            if key not in self._worlds or self._worlds[key][0] != one.body:
                self._worlds[key] = (one.body, await self._decoded(0, key, one))
            state = self._worlds[key][1]
            if state is not None:
                found[key] = state
        return found

    def remembered(self, key: str) -> BaseModel | None:
        """A state of the world as it was last read here."""
        return self._worlds[key][1] if key in self._worlds else None

    async def _decoded(self, partition: int, key: str, stored: Stored) -> BaseModel | None:
        if stored.version == self._decider.state_version:
            return self._decider.decode(key, stored.body)
        # Another version's state stays until it is touched.
        return fold(self._decider, key, await self.kept(partition, key))
