"""A message that is not in the tables is unknown only while the tables stand where they once stood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from schemas import topics
from services.runtime.gate import StoredWaiter
from services.runtime.memory_store import MemoryStore
from services.runtime.problems import ProblemError
from services.sla.decider import Sla
from services.sla.store import Reader
from services.workflow.decider import WorkflowDecider
from services.workflow.reads import MessageReader

UNKNOWN = "d964e7a7-eb02-55b4-ba6c-aa87ea22cb31"
READERS: dict[str, Callable[[MemoryStore, StoredWaiter], Any]] = {
    topics.INBOX: lambda store, waiter: MessageReader(store, WorkflowDecider(), waiter, 1),
    topics.EVENTS: lambda store, waiter: Reader(store, Sla(1), waiter, 1),
}
"""Workflow's and sla's, by what they have read."""


class Tables:
    """Of one partition, and what a process was told of them."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.store = MemoryStore()
        self.waiter = StoredWaiter("postgresql://nowhere/none", "any", source)
        self.reader = READERS[source](self.store, self.waiter)

    async def stand(self, offset: int) -> None:
        """The partition is stored up to there, and that was told."""
        await self.store.claim(0, "me")
        kept = self.store.partitions[0]
        kept.place = replace(kept.place, offsets={self.source: offset})
        self.waiter._notified(None, 0, "any_stored", f"0:{offset}")


@pytest.fixture(params=READERS)
async def tables(request: pytest.FixtureRequest) -> Tables:
    made = Tables(request.param)
    await made.stand(7)
    return made


async def test_a_message_that_nobody_detected_is_unknown(tables: Tables) -> None:
    assert await tables.reader.message(UNKNOWN, None) is None


async def test_no_message_is_called_unknown_while_dropped_tables_are_folded_anew(tables: Tables) -> None:
    tables.store.partitions.clear()
    with pytest.raises(ProblemError) as dropped:
        await tables.reader.message(UNKNOWN, None)
    assert dropped.value.problem.status == 503 and dropped.value.headers["Retry-After"] == "1"
    await tables.stand(3)
    with pytest.raises(ProblemError):
        await tables.reader.message(UNKNOWN, None)
    await tables.stand(7)
    assert await tables.reader.message(UNKNOWN, None) is None
