"""The gate's way back: the outcome of a command, handed over by the replica that stored it, or asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from schemas import topics
from schemas.envelope import Actor, Envelope
from schemas.outcomes import ACCEPTED
from services.runtime.clock import ManualClock
from services.runtime.gate import StoredWaiter
from services.runtime.headers import Cause
from services.runtime.log import LogError, Outgoing, Position
from services.runtime.store import Changes, Place, Said
from services.workflow.gate import CommandGate
from services.workflow.shapes import Shaped
from services.workflow.store import StoredOutcome, WorkflowReads

NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
AT = Position(topics.INBOX, 1, 7, NOW)
COMMAND = Shaped("reopen", {"reason": "по ошибке"})
ACTOR = Actor(sub="k", roles=("coordinator",), authorities=("kbr",))


class Appended:
    """Everything is stored at once, and at one place."""

    async def append(self, outgoing: Outgoing) -> Position:
        return AT

    async def append_all(self, outgoing: Sequence[Outgoing]) -> list[Position | LogError]:
        return [AT for _ in outgoing]


class Asked:
    """PostgreSQL, as it answers one question."""

    def __init__(self) -> None:
        self.times = 0

    async def outcome_at(self, position: Position) -> StoredOutcome | None:
        self.times += 1
        return StoredOutcome("c", "m", "k", True, told("asked"))


def told(name: str) -> dict[str, Any]:
    return {"command_id": name, "command": "reopen", "sequence": 3, "events": []}


def saved(source: int) -> Changes:
    """A save in which the command at `source` of the inbox got its outcome."""
    outcome = Envelope(id="o", source="/test", type=ACCEPTED, time=NOW, data=told("handed") | {"fingerprint": "f"})
    cause = Cause(topics.INBOX, AT.partition, source, "log", 1, NOW)
    said = Said(outcome, Position(topics.OUTCOMES, AT.partition, 40, NOW), cause)
    new = Place(offsets={topics.INBOX: AT.offset + 1})
    return Changes(AT.partition, "me", Place(), new, 1, said=[said])


def stored(waiter: StoredWaiter) -> None:
    """PostgreSQL's word that the command's record is stored."""
    waiter._notified(None, 0, "workflow_stored", f"{AT.partition}:{AT.offset + 1}")


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def waiter() -> StoredWaiter:
    """It listens to nobody: only the test tells it anything."""
    return StoredWaiter("postgresql://nowhere", "workflow", topics.INBOX)


@pytest.fixture
def gate(asked: Asked, waiter: StoredWaiter) -> CommandGate:
    return CommandGate(Appended(), waiter, cast(WorkflowReads, asked), ManualClock(NOW), seconds=5.0)


async def test_an_outcome_that_this_replica_has_stored_is_answered_without_asking(
    gate: CommandGate, waiter: StoredWaiter, asked: Asked
) -> None:
    answer = asyncio.create_task(gate.submit("m", COMMAND, ACTOR))
    await asyncio.sleep(0)
    gate.hand_over(saved(AT.offset))
    await asyncio.sleep(0)
    assert not answer.done(), "it is not stored yet"
    stored(waiter)
    assert (await answer).command_id == "handed" and not asked.times


async def test_an_outcome_that_another_replica_has_stored_is_asked_for(
    gate: CommandGate, waiter: StoredWaiter, asked: Asked
) -> None:
    answer = asyncio.create_task(gate.submit("m", COMMAND, ACTOR))
    await asyncio.sleep(0)
    stored(waiter)
    assert (await answer).command_id == "asked" and asked.times == 1


async def test_the_outcome_of_another_command_is_nobodys(gate: CommandGate, waiter: StoredWaiter, asked: Asked) -> None:
    answer = asyncio.create_task(gate.submit("m", COMMAND, ACTOR))
    await asyncio.sleep(0)
    gate.hand_over(saved(AT.offset - 1))
    stored(waiter)
    assert (await answer).command_id == "asked" and asked.times == 1
