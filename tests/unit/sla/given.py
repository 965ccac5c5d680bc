"""Given–when–then for the decider of sla: a world of one partition, folded exactly as the runtime folds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel

from schemas import events as e
from schemas import topics
from schemas.deadlines import PENDING, TYPES
from schemas.envelope import Envelope
from schemas.ids import event_id, message_id
from services.runtime.decider import WORLD, Agenda, Due, Input, Output
from services.sla.decider import Sla
from services.sla.said import Said
from services.sla.state import MESSAGE, Subject
from tests.unit.sla.law import LONG_AGO, amendments

MESSAGE_ID = message_id("kbr", "vk", "-1_1")


def at(text: str) -> datetime:
    """`2026-11-16 09:00` in Moscow, unless it has an offset of its own."""
    return datetime.fromisoformat(text if "+" in text else f"{text}+03:00")


@dataclass
class World:
    """One partition: give it events, and ask what was said."""

    region: str = "kbr"
    years: tuple[int, ...] = (2023, 2024, 2025, 2026, 2027)
    decider: Sla = field(default_factory=lambda: Sla(1))
    states: dict[str, BaseModel] = field(default_factory=dict)
    log: list[Envelope] = field(default_factory=list)
    told: list[Envelope] = field(default_factory=list)
    copies: list[Output] = field(default_factory=list)
    offset: int = 0
    law: int = 0
    sequences: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in amendments(self.region, self.years):
            self.amend(one, LONG_AGO)
        self.told.clear()

    def amend(self, amended: e.Amended, when: datetime) -> Self:
        self.law = amended.number
        return self.read(_envelope(amended, when, f"amended-{amended.number}", None, None, self.region))

    def reached(self, when: str | datetime) -> Self:
        when = at(when) if isinstance(when, str) else when
        return self.read(_envelope(e.Reached(at=when), when, f"reached-{self.offset}", None, None, None))

    def event(self, data: e.EventData, when: str | datetime, subject: str = MESSAGE_ID) -> Self:
        when = at(when) if isinstance(when, str) else when
        sequence = self.sequences[subject] = self.sequences.get(subject, 0) + 1
        return self.read(_envelope(data, when, event_id(subject, sequence), subject, sequence, self.region))

    def read(self, envelope: Envelope) -> Self:
        """One record of `events`: decide, sweep, fold, in the order of the runtime."""
        envelope = Envelope.from_bytes(envelope.to_bytes())
        given = Input(envelope, envelope.time, 0, self.offset)
        self.offset += 1
        self.log.append(envelope)
        scope = self.decider.scope(given)
        self._say(given, None, scope.keys)
        for sweep in scope.sweeps:
            seen: set[tuple[datetime, str, str]] = set()
            while (due := self._next(sweep.name, sweep.until, seen)) is not None:
                seen.add((due.entry.at, due.entry.item, due.key))
                self._say(given, due, (due.key,))
        self._fold(self.decider.source, envelope)
        return self

    def said(self, since: int = 0) -> list[str]:
        """What was said, shortly: `set route/1`, `breached answer/1`, …"""
        return [
            f"{TYPES[one.type] if one.type != PENDING else 'pending'} {one.data['rule']}/{one.data['occurrence']}"
            for one in self.told[since:]
        ]

    def mark(self) -> int:
        return len(self.told)

    @property
    def spoken(self) -> Said:
        subject = self.states[MESSAGE + MESSAGE_ID]
        assert isinstance(subject, Subject)
        return subject.said or Said()

    def states_of(self) -> dict[str, str]:
        return {f"{one.data.rule}/{one.data.occurrence}": one.state for one in self.spoken.deadlines.values()}

    def due(self, rule: str, occurrence: int = 1) -> str:
        """When it is due, in the authority's own time: `16.11 09:30`."""
        return f"{self.one(rule, occurrence).due_at:%d.%m %H:%M}"

    def one(self, rule: str, occurrence: int = 1) -> Any:
        found = self.spoken.deadlines.values()
        return next(one.data for one in found if (one.data.rule, one.data.occurrence) == (rule, occurrence))

    def owed(self, rule: str, occurrence: int = 1) -> str:
        owed_by = self.one(rule, occurrence).owed_by
        return str(owed_by.agency or owed_by.role)

    def last(self, kind: str, rule: str) -> Envelope:
        wanted = f"otklik.deadline.{kind}.v1"
        return next(one for one in reversed(self.told) if one.type == wanted and one.data["rule"] == rule)

    def _next(self, name: str, until: datetime | None, seen: set[tuple[datetime, str, str]]) -> Due | None:
        entries = [
            (entry.at, entry.item, key)
            for key, state in self.states.items()
            for entry in self.decider.agenda(key, state)
            if entry.name == name and (until is None or entry.at <= until)
        ]
        last = max(seen, default=None)
        rest = sorted(entry for entry in entries if last is None or entry > last)
        return Due(rest[0][2], Agenda(name, rest[0][0], rest[0][1])) if rest else None

    def _say(self, given: Input, due: Due | None, keys: Sequence[str]) -> None:
        wanted = {key: state for key, state in self.states.items() if key.startswith(WORLD) or key in keys}
        for output in self.decider.decide(wanted, given, due):
            if output.topic == topics.DEADLINES:
                self.told.append(output.envelope)
                self._fold(output.topic, Envelope.from_bytes(output.envelope.to_bytes()))
            else:
                self.copies.append(output)

    def _fold(self, topic: str, envelope: Envelope) -> None:
        for key in self.decider.keys_of(topic, envelope):
            state = self.decider.evolve(key, self.states.get(key), topic, envelope)
            if state is None:
                self.states.pop(key, None)
                continue
            # Every state goes through its JSON, as it does between two batches.
            body = self.decider.encode(key, state)
            self.states[key] = self.decider.decode(key, body)
            assert self.decider.encode(key, self.states[key]) == body


def _envelope(
    data: e.EventData, when: datetime, name: str, subject: str | None, sequence: int | None, authority: str | None
) -> Envelope:
    return Envelope(
        id=name,
        source="/otklik/workflow",
        type=data.type,
        subject=subject,
        time=when,
        authority=authority,
        sequence=sequence,
        data=data.model_dump(mode="json", exclude_none=True),
    )
