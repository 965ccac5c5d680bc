"""Workflow's gate: a command or an amendment is appended to the inbox, and its outcome waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import structlog

from schemas import topics
from schemas.commands import cloud_type
from schemas.envelope import CONTENT_TYPE, Actor, Envelope, schema_of
from schemas.inbox import Amendment
from schemas.outcomes import Accepted, Problem
from services.runtime import gate, problems, telemetry
from services.runtime.broadcast import Broadcast, broadcast
from services.runtime.clock import Clock
from services.runtime.gate import Appending, StoredWaiter
from services.runtime.log import Log, Outgoing, Position
from services.runtime.problems import ProblemError
from services.runtime.store import Changes
from services.workflow.shapes import Shaped
from services.workflow.store import StoredOutcome, WorkflowReads, outcomes_of, stored_outcome

SOURCE = "/otklik/workflow/gate"
HEADERS = {"content-type": CONTENT_TYPE}


class CommandGate:
    """`seconds`: how long an outcome is waited for."""

    def __init__(
        self, appender: Appending, waiter: StoredWaiter, reads: WorkflowReads, clock: Clock, seconds: float
    ) -> None:
        self._appender = appender
        self._waiter = waiter
        self._reads = reads
        self._clock = clock
        self._seconds = seconds
        self._in_hand: dict[str, str] = {}
        self._hoped: dict[tuple[int, int], StoredOutcome | None] = {}

    async def submit(self, subject: str, command: Shaped, actor: Actor) -> Accepted:
        """Append the command and wait. Raises ProblemError: what the decider refused, 409 for an id that was used in
        another partition, 503, 504."""
        command_id = str(command.command_id or uuid4())
        if command.command_id is not None:
            await self._check_reuse(command_id, subject)
        envelope = Envelope(
            id=command_id,
            source=SOURCE,
            type=cloud_type(command.name),
            subject=subject,
            time=self._clock.now(),
            dataschema=schema_of(cloud_type(command.name)),
            authority=command.data.get("authority"),
            actor=actor,
            data=command.body(),
        )
        outgoing = Outgoing(topics.INBOX, subject.encode(), envelope.to_bytes(), HEADERS)
        structlog.contextvars.bind_contextvars(command_id=command_id)
        began = time.monotonic()
        self._in_hand[command_id] = actor.sub
        try:
            position = await gate.put(self._appender, outgoing, command_id)
            outcome = await self._outcome(position, command_id, subject, actor)
        finally:
            self._in_hand.pop(command_id, None)
        telemetry.outcome_wait_seconds.labels("workflow").observe(time.monotonic() - began)
        return accepted(outcome)

    def hand_over(self, changes: Changes) -> None:
        """Called within the save of `changes`: whoever waits here for one of their outcomes need not read it back. The log
        has them already, so they are final; that they are stored is what the waiter tells."""
        if self._hoped:
            for source, envelope in outcomes_of(changes):
                if (changes.partition, source) in self._hoped:
                    self._hoped[changes.partition, source] = stored_outcome(envelope)

    def given_by(self, command_id: str) -> str | None:
        """Who gave a command that is being waited for just now, here."""
        return self._in_hand.get(command_id)

    async def _check_reuse(self, command_id: str, subject: str) -> None:
        # The decider of a partition guards its own; only here are the others seen.
        first = await self._reads.outcome_of(command_id)
        if first is not None and first.subject != subject:
            raise problems.conflict(
                "command-id-reused",
                "Этот command_id уже использован для другой команды, сообщения или отправителя.",
                command_id=command_id,
            )

    async def _outcome(self, position: Position, command_id: str, subject: str, actor: Actor) -> StoredOutcome:
        place = (position.partition, position.offset)
        self._hoped[place] = None
        try:
            if await self._waiter.reached(position, self._seconds):
                outcome = self._hoped[place] or await self._reads.outcome_at(position)
                if outcome is not None:
                    return outcome
        finally:
            del self._hoped[place]
        await self._reads.remember_pending(command_id, actor.sub, subject, position)
        raise problems.not_in_time(
            command_id, f"Команда записана, исход пока не известен: GET /v1/commands/{command_id}."
        )


class AmendmentGate:
    """Amendments go to every partition, and count where they are folded."""

    def __init__(self, log: Log, waiter: StoredWaiter, reads: WorkflowReads, clock: Clock, seconds: float) -> None:
        self._log = log
        self._waiter = waiter
        self._reads = reads
        self._clock = clock
        self._seconds = seconds
        self._one_at_a_time = asyncio.Lock()

    async def submit(self, authority: str, amendment: Amendment, amendment_id: str, actor: Actor) -> StoredOutcome:
        """Broadcast and wait until every partition has folded it. Raises ProblemError as the deciders refuse, 503, 504."""
        envelope = amendment.enveloped(amendment_id, SOURCE, authority, self._clock.now(), actor)
        said = Broadcast(authority.encode(), envelope.to_bytes(), HEADERS)
        # They share a transactional id: a second one at the same time would fence the first.
        async with self._one_at_a_time:
            (positions,) = await gate.guarded(
                broadcast(self._log, topics.INBOX, [said], clock=self._clock), amendment_id
            )
        outcomes = await self._outcomes(positions)
        if outcomes is None:
            await self._reads.remember_pending(amendment_id, actor.sub, authority, positions[0])
            raise problems.not_in_time(amendment_id, "Поправка записана, но ещё не во всех партициях свёрнута.")
        refused = next((outcome for outcome in outcomes if not outcome.accepted), None)
        if refused is not None:
            raise refusal(refused)
        return outcomes[0]

    async def _outcomes(self, positions: Sequence[Position]) -> list[StoredOutcome] | None:
        deadline = time.monotonic() + self._seconds
        found = []
        for position in sorted(positions, key=lambda position: position.partition):
            if not await self._waiter.reached(position, max(0.0, deadline - time.monotonic())):
                return None
            outcome = await self._reads.outcome_at(position)
            if outcome is None:
                return None
            found.append(outcome)
        return found


def accepted(outcome: StoredOutcome) -> Accepted:
    """The accepted command; raises ProblemError for a refused one."""
    if not outcome.accepted:
        raise refusal(outcome)
    return Accepted.model_validate(outcome.body)


def refusal(outcome: StoredOutcome) -> ProblemError:
    """The problem of a refused command, with its id."""
    told: dict[str, Any] = outcome.body["problem"]
    return ProblemError(Problem.model_validate(told | {"command_id": outcome.command_id}))
