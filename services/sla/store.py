"""Reading what the decider has stored: a message's deadlines, the laws in force, what waits for a calendar year.

There is no table of our own beside the runtime's: a message's deadlines are its state, and what is due is its agenda.
"""

from __future__ import annotations

import asyncio

from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from regulations.directory import Directory
from schemas import topics
from services.runtime import problems
from services.runtime.gate import StoredWaiter, check_whole
from services.runtime.partitioner import partition_of
from services.runtime.postgres_positions import transaction
from services.runtime.postgres_store import PostgresStore
from services.runtime.states import fold
from services.runtime.store import DeciderStore, Stored
from services.sla.decider import DUE, WAITING, Sla
from services.sla.state import AUTHORITY, MESSAGE, PERIOD, Subject

AT_LEAST_SECONDS = 5.0
LOOK_SECONDS = 0.5
SCHEMA = "sla"


def make_store(engine: AsyncEngine, schema: str = SCHEMA) -> PostgresStore:
    """The runtime's tables, in the service's schema or in one beside it."""
    return PostgresStore(engine, schema, topics.EVENTS)


class Reader:
    """States as stored by whichever replica owns the partition. Raises `StoreError` when PostgreSQL does not answer."""

    def __init__(self, store: DeciderStore, decider: Sla, waiter: StoredWaiter | None, partitions: int) -> None:
        self._store = store
        self._decider = decider
        self._waiter = waiter
        self._partitions = partitions
        # A directory is large and changes rarely: it is decoded once for each of its bodies.
        self._known: dict[str, tuple[bytes, BaseModel | None]] = {}

    async def message(self, message_id: str, at_least: int | None) -> Subject | None:
        """The facts and deadlines of a message, or of the report of a period by its `period_id`; with `at_least`, waits up to
        5 s until that sequence is folded. Raises ProblemError 504 when the message is there and has not come that far, and
        503 when it is not there and the tables are being folded anew."""
        partition = partition_of(message_id.encode(), self._partitions)
        loop = asyncio.get_running_loop()
        until = loop.time() + AT_LEAST_SECONDS
        while True:
            change = self._waiter.next_change(partition) if self._waiter is not None else loop.create_future()
            found = await self._subject(partition, message_id)
            sequence = 0 if found is None else found.facts.sequence if found.facts is not None else found.sequence
            if sequence >= (at_least or 1):
                return found
            if at_least is None:
                break
            left = until - loop.time()
            if left <= 0:
                break
            await asyncio.wait({change}, timeout=min(left, LOOK_SECONDS))
        if not sequence:
            if self._waiter is not None:
                await check_whole(self._store, self._waiter, self._decider.source, partition)
            # Between the two looks the tables may have come to stand where they stood.
            found = await self._subject(partition, message_id)
            if found is None or at_least is None:
                return found
        raise problems.not_in_time(None, f"Сроки пока посчитаны по состоянию {sequence}, а не {at_least}.")

    async def directory(self, authority: str) -> Directory | None:
        """The authority's law in force, as the first partition has folded it; None where there is none."""
        stored = (await self._store.states(0, [AUTHORITY + authority])).get(AUTHORITY + authority)
        if stored is None:
            return None
        known = self._known.get(authority)
        if known is None or known[0] != stored.body:
            known = self._known[authority] = (stored.body, await self._decoded(0, AUTHORITY + authority, stored))
        state = known[1]
        return state if isinstance(state, Directory) and state.in_force else None

    async def _subject(self, partition: int, subject: str) -> Subject | None:
        # No id is both a message's and a period's.
        for key, stored in (await self._store.states(partition, [MESSAGE + subject, PERIOD + subject])).items():
            state = await self._decoded(partition, key, stored)
            if isinstance(state, Subject):
                return state
        return None

    async def _decoded(self, partition: int, key: str, stored: Stored) -> BaseModel | None:
        if stored.version == self._decider.state_version:
            return self._decider.decode(key, stored.body)
        # Another version's state stays until it is touched: a reader folds it anew and stores nothing.
        kept = await self._store.kept(partition, [key])
        return fold(self._decider, key, kept[key])


async def running_deadlines(engine: AsyncEngine) -> int:
    """How many deadlines are open and known by their instant, of all partitions. Raises `StoreError`."""
    async with transaction(engine, "counting what runs") as connection:
        rows = await connection.execute(text(f"SELECT count(*) FROM {SCHEMA}.agenda WHERE name = :due"), {"due": DUE})
        return int(rows.scalar_one())


async def waiting_for_a_year(engine: AsyncEngine) -> dict[str, int]:
    """How many deadlines wait for a calendar year, by authority. Raises `StoreError`."""
    async with transaction(engine, "counting what waits for a calendar year") as connection:
        rows = await connection.execute(
            text(
                f"SELECT name, count(*) AS waiting FROM {SCHEMA}.agenda "
                'WHERE name >= :low COLLATE "C" AND name < :high COLLATE "C" GROUP BY name ORDER BY name'
            ),
            {"low": WAITING, "high": f"{WAITING[:-1]}0"},
        )
        return {row.name.removeprefix(WAITING): row.waiting for row in rows}
