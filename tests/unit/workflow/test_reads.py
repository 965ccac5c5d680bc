"""A message that is not in the tables is unknown only while the tables stand where they once stood."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas import topics
from services.runtime.gate import StoredWaiter
from services.runtime.memory_store import MemoryStore
from services.runtime.problems import ProblemError
from services.workflow.decider import WorkflowDecider
from services.workflow.reads import MessageReader

UNKNOWN = "d964e7a7-eb02-55b4-ba6c-aa87ea22cb31"


async def reader(stored: int) -> tuple[MessageReader, MemoryStore, StoredWaiter]:
    store = MemoryStore()
    waiter = StoredWaiter("postgresql://nowhere/none", "workflow", topics.INBOX)
    waiter._notified(None, 0, "workflow_stored", f"0:{stored}")
    await stand(store, stored)
    return MessageReader(store, WorkflowDecider(), waiter, partitions=1), store, waiter


async def stand(store: MemoryStore, offset: int) -> None:
    """The partition is stored up to there."""
    await store.claim(0, "me")
    kept = store.partitions[0]
    kept.place = replace(kept.place, offsets={topics.INBOX: offset})


async def test_a_message_that_nobody_detected_is_unknown() -> None:
    reads, _, _ = await reader(stored=7)
    assert await reads.message(UNKNOWN, None) is None


async def test_no_message_is_called_unknown_while_dropped_tables_are_folded_anew() -> None:
    reads, store, waiter = await reader(stored=7)
    store.partitions.clear()
    with pytest.raises(ProblemError) as dropped:
        await reads.message(UNKNOWN, None)
    assert dropped.value.problem.status == 503 and dropped.value.headers["Retry-After"] == "1"
    await stand(store, 3)
    waiter._notified(None, 0, "workflow_stored", "0:3")
    with pytest.raises(ProblemError):
        await reads.message(UNKNOWN, None)
    await stand(store, 7)
    assert await reads.message(UNKNOWN, None) is None
