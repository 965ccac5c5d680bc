"""Which agenda entries a sweep comes to, in order, while the states that they stand in change under it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from datetime import datetime
from heapq import heapify, heappop, heappush

from services.runtime.decider import Agenda, Sweep
from services.runtime.states import States
from services.runtime.store import AgendaEntry, DeciderStore

PAGE = 500

Place = tuple[datetime, str, str]


class Sweeping:
    """One sweep of one input.

    What is stored knows nothing of states that have changed since, so entries of changed states are taken from the
    states themselves: an entry that an earlier one brought or moved is met in its order, one that it removed is not.
    Whatever the pages and transactions, the same entries come in the same order.
    """

    def __init__(self, store: DeciderStore, states: States, partition: int, sweep: Sweep, after: Place | None) -> None:
        self._store = store
        self._states = states
        self._partition = partition
        self._sweep = sweep
        self._after = after
        self._dirty: set[str] = set()
        self._heap: list[tuple[Place, Agenda]] = []
        self._bound: Place | None = None

    async def entries(self) -> AsyncGenerator[AgendaEntry, None]:
        """After each entry, say `changed` with the keys that it changed, before asking for the next."""
        while True:
            page = await self._store.agenda(
                self._partition, self._sweep.name, self._sweep.until, self._after, PAGE, self._states.held
            )
            self._bound = page[-1].order() if len(page) == PAGE else None
            await self._states.ensure(one.key for one in page)
            self._dirty = set(self._states.changed)
            self._heap = [(one.order(), one.entry) for one in page if one.key not in self._dirty]
            heapify(self._heap)
            self._push(self._dirty)
            while self._heap:
                order, entry = heappop(self._heap)
                if (self._after is not None and order <= self._after) or not await self._stands(order[2], entry):
                    continue
                self._after = order
                yield AgendaEntry(entry, order[2])
            if self._bound is None:
                return
            self._after = self._bound

    def changed(self, keys: Iterable[str]) -> None:
        fresh = set(keys)
        self._dirty |= fresh
        self._push(fresh)

    def _push(self, keys: Iterable[str]) -> None:
        for key in keys:
            for entry in self._states.agenda_of(key):
                order = (entry.at, entry.item, key)
                if entry.name == self._sweep.name and self._within(order):
                    heappush(self._heap, (order, entry))

    def _within(self, order: Place) -> bool:
        return (
            (self._sweep.until is None or order[0] <= self._sweep.until)
            and (self._after is None or order > self._after)
            and (self._bound is None or order <= self._bound)
        )

    async def _stands(self, key: str, entry: Agenda) -> bool:
        if key not in self._dirty:
            return True
        await self._states.ensure([key])
        return entry in tuple(self._states.agenda_of(key))
