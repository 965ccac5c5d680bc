"""The decider of sla: `events` in, `deadlines` out. Every method is pure; the time is the event's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from pydantic import BaseModel

from regulations import directory as law_in_force
from regulations.directory import Directory
from regulations.periods import Period
from schemas import events as e
from schemas import topics
from schemas.deadlines import PENDING, TYPES
from schemas.envelope import Envelope
from services.runtime.decider import Agenda, Due, Input, Output, Scope, States, Sweep, UnknownEvent
from services.sla import duties, facts, said
from services.sla.law import Law, Laws
from services.sla.said import Spoken, Waiting
from services.sla.speech import Speech
from services.sla.state import AUTHORITY, MESSAGE, PERIOD, PERIODS, Periods, Subject
from services.sla.state import decode as decode_state
from services.sla.state import encode as encode_state
from services.sla.summaries import Calendar, judge_period

DUE, WARN, OPEN, WAITING = "due", "warn", "open/", "pending/"
S = TypeVar("S", bound=BaseModel)
MOVES_DEADLINES = frozenset({"authority", "calendar_year", "calendar_day", "hours"})
"""Amendments after which an open deadline may be due at another instant; a new act judges only later messages."""


class Sla:
    """`partitions`: how many `events` has; a period belongs to the partition that its id falls to."""

    name = "sla"
    state_version = 3
    source = topics.EVENTS
    said = (topics.DEADLINES,)
    remembers_source = True

    def __init__(self, partitions: int) -> None:
        self._laws = Laws()
        self._periods = Calendar(partitions)
        self._amended: tuple[Directory | None, str, Directory] | None = None

    def scope(self, given: Input) -> Scope:
        event = given.envelope
        data = facts.read(event)
        match data:
            case e.Reached():
                return Scope((), (Sweep(DUE, data.at), Sweep(WARN, data.at)))
            case e.Amended() if data.kind in MOVES_DEADLINES:
                return Scope((), (Sweep(WAITING + _authority(event)), Sweep(OPEN + _authority(event))))
            case e.Amended():
                return Scope()
            case _:
                return Scope((_subject_key(event),))

    def decide(self, states: States, given: Input, due: Due | None) -> Sequence[Output]:
        event, data = given.envelope, facts.read(given.envelope)
        match data:
            case e.Reached():
                return self._summaries(states, given, data) if due is None else self._fire(states, event, data, due)
            case e.Amended():
                return () if due is None else self._retime(states, event, data, due)
            case e.PeriodEvent():
                period = _state(states, _subject_key(event), Subject) or Subject()
                if (event.sequence or 0) <= period.sequence:
                    return ()
                return judge_period(period.said, event, data, self._directory(states, event)).outputs
            case _:
                return self._message(states, event, data)

    def refuse(self, given: Input, reason: str, detail: str) -> Sequence[Output]:
        # `events` is our own log: what cannot be judged there is quarantined, and nobody waits for an answer.
        return ()

    def keys_of(self, topic: str, event: Envelope) -> Sequence[str]:
        if topic == topics.DEADLINES:
            if event.type not in TYPES and event.type != PENDING:
                raise UnknownEvent(f"тип события {event.type} этой версии неизвестен")
            period = (event.data.get("about") or {}).get("period")
            if period is None:
                return (MESSAGE + (event.subject or ""),)
            return (PERIOD + (event.subject or ""), PERIODS + _authority(event))
        data = facts.read(event)
        match data:
            case e.Reached():
                # Time is no state: it says something or it does not.
                return ()
            case e.Amended():
                return (AUTHORITY + _authority(event),)
            case e.PeriodEvent():
                return (_subject_key(event), PERIODS + _authority(event))
        return (_subject_key(event),)

    def evolve(self, key: str, state: BaseModel | None, topic: str, event: Envelope) -> BaseModel | None:
        if key.startswith(PERIODS):
            return _evolve_periods(state if isinstance(state, Periods) else Periods(), topic, event)
        if topic == topics.DEADLINES:
            subject = state if isinstance(state, Subject) else Subject()
            return subject.model_copy(update={"said": said.fold(subject.said, event)})
        data = facts.read(event)
        match data:
            case e.Amended():
                return self._evolved(state if isinstance(state, Directory) else None, event, data)
            case e.PeriodEvent():
                subject = state if isinstance(state, Subject) else Subject()
                return subject.model_copy(update={"sequence": max(subject.sequence, event.sequence or 0)})
        subject = state if isinstance(state, Subject) else Subject()
        return subject.model_copy(update={"facts": facts.fold(subject.facts, event)})

    def agenda(self, key: str, state: BaseModel) -> Iterable[Agenda]:
        if not isinstance(state, Subject) or state.said is None:
            return
        told = state.said
        for one in told.open():
            data = one.data
            yield Agenda(OPEN + told.authority, data.due_at, data.deadline_id)
            if data.window:
                continue
            yield Agenda(DUE, data.due_at, data.deadline_id)
            if data.warn_at is not None and not one.warned:
                yield Agenda(WARN, data.warn_at, data.deadline_id)
        for waiting in told.waiting.values():
            yield Agenda(WAITING + told.authority, waiting.data.starts_at, waiting.data.deadline_id)

    def encode(self, key: str, state: BaseModel) -> bytes:
        return encode_state(state)

    def decode(self, key: str, body: bytes) -> BaseModel:
        return decode_state(key, body)

    def remembered(self, key: str) -> bool:
        return True

    def _message(self, states: States, event: Envelope, data: e.EventData) -> Sequence[Output]:
        subject = _state(states, _subject_key(event), Subject) or Subject()
        if subject.facts is not None and (event.sequence or 0) <= subject.facts.sequence:
            return ()
        after = facts.fold(subject.facts, event)
        if after is None:
            return ()
        law = self._laws.of(self._directory(states, event), after.law, after.regulation)
        return duties.judge(subject.facts, after, subject.said, event, data, law).outputs

    def _fire(self, states: States, event: Envelope, reached: e.Reached, due: Due) -> Sequence[Output]:
        subject = _state(states, due.key, Subject)
        one = _spoken(subject, due)
        if one is None or one.state != "open" or one.data.window:
            return ()
        speech = Speech(subject.said if subject else None, event, _id_of(due.key), _of(subject))
        # Strictly past: an event that bears the very time of `reached` may still follow, and would be in time.
        if one.data.due_at < reached.at:
            speech.breach(one)
        elif due.entry.name == WARN and not one.warned and due.entry.at <= reached.at:
            speech.approach(one)
        return speech.outputs

    def _retime(self, states: States, event: Envelope, amended: e.Amended, due: Due) -> Sequence[Output]:
        """The amendment counts from here on, but the world is folded after the sweep: so it is applied here first."""
        subject = _state(states, due.key, Subject)
        if subject is None or subject.said is None:
            return ()
        waiting = subject.said.waiting.get(due.entry.item)
        one: Spoken | Waiting | None = waiting or _spoken(subject, due)
        if one is None or (isinstance(one, Spoken) and one.state != "open"):
            return ()
        known = _state(states, AUTHORITY + _authority(event), Directory)
        directory = self._evolved(known, event, amended)
        if subject.facts is not None:
            law = self._laws.of(directory, subject.facts.law, subject.facts.regulation)
        else:
            law = Law.of_period(directory, Period.parse(_period(one)))
        speech = Speech(subject.said, event, _id_of(due.key), subject.said.authority)
        duties.retime(speech, one, event.time, subject.facts, law, amended.reason)
        return speech.outputs

    def _summaries(self, states: States, given: Input, reached: e.Reached) -> Sequence[Output]:
        """`set` for every period that has ended and belongs to this partition."""
        outputs: list[Output] = []
        for key in sorted(states):
            directory = states[key]
            if isinstance(directory, Directory) and directory.laws:
                done = (_state(states, PERIODS + directory.id, Periods) or Periods()).done
                outputs += self._periods.ended(directory, done, given.partition, given.envelope, reached.at)
        return outputs

    def _directory(self, states: States, event: Envelope) -> Directory:
        directory = _state(states, AUTHORITY + _authority(event), Directory)
        if directory is None:
            raise ValueError(f"орган {event.authority}: закон ещё не поступил")
        return directory

    def _evolved(self, known: Directory | None, event: Envelope, amended: e.Amended) -> Directory:
        # A sweep asks for the same directory thousands of times.
        if self._amended is not None and self._amended[0] is known and self._amended[1] == event.id:
            return self._amended[2]
        directory = law_in_force.evolve(known, _authority(event), amended, event.time)
        self._amended = (known, event.id, directory)
        return directory


def _evolve_periods(known: Periods, topic: str, event: Envelope) -> Periods:
    if topic == topics.DEADLINES:
        begun = event.data.get("rule") == "summary"
        period = event.data["about"]["period"] if begun else None
    else:
        data = facts.read(event)
        period = data.period if isinstance(data, e.SummaryDelivered) else None
    if period is None or period in known.done:
        return known
    return Periods(done=(*known.done, period))


def _state(states: States, key: str, shape: type[S]) -> S | None:
    found = states.get(key)
    return found if isinstance(found, shape) else None


def _spoken(subject: Subject | None, due: Due) -> Spoken | None:
    return subject.said.deadlines.get(due.entry.item) if subject and subject.said else None


def _period(one: Spoken | Waiting) -> str:
    if one.data.about is None or one.data.about.period is None:
        raise ValueError(f"срок {one.data.deadline_id} ни сообщения, ни периода")
    return one.data.about.period


def _of(subject: Subject | None) -> str:
    return subject.said.authority if subject and subject.said else ""


def _id_of(key: str) -> str:
    return key.partition("/")[2]


def _authority(event: Envelope) -> str:
    if event.authority is None:
        raise ValueError(f"событие {event.id} без authority")
    return event.authority


def _subject_key(event: Envelope) -> str:
    if event.subject is None:
        raise ValueError(f"событие {event.id} без subject")
    return (PERIOD if event.type in e.PERIOD_EVENTS else MESSAGE) + event.subject
