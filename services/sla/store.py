"""Reading what the decider has stored: a message's deadlines, the laws in force, what waits for a calendar year.

There is no table of our own beside the runtime's: a message's deadlines are its state, and what is due is its agenda.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from regulations.directory import Directory
from schemas import topics
from services.runtime.gate import StoredWaiter
from services.runtime.postgres_positions import transaction
from services.runtime.postgres_store import PostgresStore
from services.runtime.reading import StateReader
from services.runtime.store import DeciderStore
from services.sla.decider import DUE, WAITING, Sla
from services.sla.state import AUTHORITY, MESSAGE, PERIOD, Subject

SCHEMA = "sla"


def make_store(engine: AsyncEngine, schema: str = SCHEMA) -> PostgresStore:
    """The runtime's tables, in the service's schema or in one beside it."""
    return PostgresStore(engine, schema, topics.EVENTS)


class Reader:
    """Deadlines and the law, as any replica has stored them. Raises `StoreError` when PostgreSQL does not answer."""

    def __init__(self, store: DeciderStore, decider: Sla, waiter: StoredWaiter, partitions: int) -> None:
        standing = "Сроки пока посчитаны по состоянию"
        self._states = StateReader(store, decider, waiter, partitions, Subject, _sequence, standing)

    async def message(self, message_id: str, at_least: int | None) -> Subject | None:
        """The facts and deadlines of a message, or of the report of a period by its `period_id`; with `at_least`, waits up to
        5 s until that sequence is folded. Raises ProblemError 504 when the message is there and has not come that far, and
        503 when it is not there and the tables are being folded anew."""
        # No id is both a message's and a period's.
        keys = [MESSAGE + message_id, PERIOD + message_id]
        return await self._states.awaited(self._states.partition(message_id), keys, at_least)

    async def directory(self, authority: str) -> Directory | None:
        """The authority's law in force, as the first partition has folded it; None where there is none."""
        state = (await self._states.world(AUTHORITY + authority)).get(AUTHORITY + authority)
        return state if isinstance(state, Directory) and state.in_force else None


def _sequence(subject: Subject) -> int:
    return subject.sequence if subject.facts is None else subject.facts.sequence


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
