"""Calling a decider: what goes in is prepared, what comes out is tried as a whole, and its errors are values here.

Nothing in this file waits but for states that have to be loaded, so every attempt can be made again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import BaseModel, ValidationError

from schemas.envelope import CONTENT_TYPE, Envelope
from services.runtime.dead_letters import FAILED, NOT_AN_EVENT, Problem, described
from services.runtime.decider import Agenda, Decider, Due, Input, Output, Scope, UnknownEvent, Unreadable
from services.runtime.headers import CONTENT_TYPE_HEADER, Cause, Cursor
from services.runtime.log import MAX_RECORD_BYTES_OUT, Outgoing, Record
from services.runtime.problems import words_of
from services.runtime.states import Needs, PartitionStopped, States

HEADER_ROOM = 16 * 1024
"""Bytes that the headers of an output, and its batch, may take of the largest record."""


@dataclass(slots=True)
class Prepared:
    """An input before it is decided. `keys`: those that the input itself changes, where the source is remembered."""

    record: Record
    at: datetime
    given: Input | None = None
    scope: Scope = field(default_factory=Scope)
    keys: tuple[str, ...] = ()
    problem: Problem | None = None

    def place(self) -> str:
        return f"{self.record.topic}/{self.record.partition}/{self.record.offset}"


@dataclass(slots=True)
class Spoken:
    """An output that is to be written; `envelope` and `keys` only on own topics, as they will be read. `parked`: those of
    the keys that were in quarantine when it was said, so that their states know nothing of it."""

    outgoing: Outgoing
    cause: Cause
    envelope: Envelope | None = None
    keys: tuple[str, ...] = ()
    parked: tuple[str, ...] = ()


@dataclass(slots=True)
class Trial:
    """What one call of `decide` brings, before it is accepted as a whole or not at all."""

    spoken: list[Spoken] = field(default_factory=list)
    states: dict[str, BaseModel | None] = field(default_factory=dict)
    rendered: dict[str, tuple[bytes | None, tuple[Agenda, ...]]] = field(default_factory=dict)


def problem_of(error: Exception) -> Problem:
    return Problem(error.reason, error.detail) if isinstance(error, Unreadable) else Problem(FAILED, described(error))


def check_text(texts: Iterable[str]) -> None:
    """Keys and items that PostgreSQL's text cannot hold would fail on every attempt to store them."""
    for text in texts:
        if "\x00" in text:
            raise Unreadable("bad-key", f"{text!r} не может быть ключом")


class Judge:
    """The decider of one partition, with its states at hand."""

    def __init__(
        self,
        decider: Decider,
        states: States,
        quarantined: set[str],
        partition: int,
        source_log: str,
        shared: frozenset[str],
    ) -> None:
        self._decider = decider
        self._states = states
        self._quarantined = quarantined
        self._partition = partition
        self._source_log = source_log
        self._shared = shared

    def prepare(self, records: Sequence[Record], at: datetime | None) -> list[Prepared]:
        """Parse the records and ask for their scopes. Event time never runs backwards: `at` is the largest so far."""
        prepared: list[Prepared] = []
        for record in records:
            at = record.stamp if at is None else max(at, record.stamp)
            prepared.append(self._prepare(record, at))
        return prepared

    def _prepare(self, record: Record, at: datetime) -> Prepared:
        decider = self._decider
        one = Prepared(record, at)
        try:
            envelope = Envelope.from_bytes(record.value or b"")
        except ValidationError as error:
            if decider.remembers_source:
                raise PartitionStopped(f"{one.place()} нашего же журнала: не CloudEvent") from error
            one.problem = Problem(NOT_AN_EVENT, words_of(error))
            return one
        given = one.given = Input(envelope, at, record.partition, record.offset, record.headers)
        try:
            if decider.remembers_source:
                keys = tuple(decider.keys_of(decider.source, envelope))
                check_text(keys)
                one.keys = keys
            scope = decider.scope(given)
            check_text(scope.keys)
            one.scope = scope
        except MemoryError:
            raise
        except Exception as error:  # Architecture.md, "Dead letters": whatever an input does, its neighbours live.
            if decider.remembers_source and isinstance(error, UnknownEvent):
                raise PartitionStopped(f"{one.place()}: {error}") from error
            one.problem = problem_of(error)
        return one

    async def judge(
        self, one: Prepared, given: Input, due: Due | None, cursor: Cursor | None, index: int
    ) -> Trial | Exception:
        """What the decider says, from number `index` on; or the error that it raised."""
        keys = one.scope.keys if due is None else (*one.scope.keys, due.key)
        while True:
            await self._states.ensure(keys)
            try:
                outputs = self._decider.decide(self._states.view(keys), given, due)
                return self._tried(one, outputs, cursor, index)
            except Needs as needs:
                keys = (*keys, *needs.keys)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - the caller decides what an error of the decider means
                return error

    async def refused(self, one: Prepared, given: Input, problem: Problem, index: int) -> Trial | Exception:
        """What the decider says besides the dead letter; or the error that it raised."""
        keys: tuple[str, ...] = ()
        while True:
            await self._states.ensure(keys)
            try:
                return self._tried(one, self._decider.refuse(given, problem.reason, problem.detail), None, index)
            except Needs as needs:
                keys = (*keys, *needs.keys)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - then the dead letter alone has to tell
                return error

    def _tried(self, one: Prepared, outputs: Sequence[Output], cursor: Cursor | None, index: int) -> Trial:
        trial = Trial()
        # Whichever of its records is read last, the number that follows is that of the whole entry: on other topics it
        # may have said more.
        following = index + len(outputs)
        more = Cursor(one.record.offset, following) if cursor is None else replace(cursor, index=following)
        for number, output in enumerate(outputs, index):
            self._say(trial, one, output, self.cause(one, number, more))
        for key, state in trial.states.items():
            trial.rendered[key] = self._states.rendered(key, state)
            check_text((key, *(entry.item for entry in trial.rendered[key][1])))
        return trial

    def _say(self, trial: Trial, one: Prepared, output: Output, cause: Cause) -> None:
        decider = self._decider
        value = output.envelope.to_bytes()
        if len(value) > MAX_RECORD_BYTES_OUT - HEADER_ROOM:
            raise Unreadable("too-large", f"получилась бы запись в {len(value)} байт в теме {output.topic}")
        partition = self._partition if output.topic in self._shared else None
        headers = {CONTENT_TYPE_HEADER: CONTENT_TYPE}
        outgoing = Outgoing(output.topic, output.key.encode(), value, headers, partition, stamp=one.at)
        spoken = Spoken(outgoing, cause)
        trial.spoken.append(spoken)
        if output.topic not in decider.said:
            return
        # Folded as it will be read: what JSON makes of a value is what every later fold sees.
        spoken.envelope = Envelope.from_bytes(value)
        spoken.keys = tuple(decider.keys_of(output.topic, spoken.envelope))
        check_text(spoken.keys)
        spoken.parked = tuple(key for key in spoken.keys if key in self._quarantined)
        for key in spoken.keys:
            if key not in spoken.parked:
                state = trial.states[key] if key in trial.states else self._states.get(key)
                trial.states[key] = decider.evolve(key, state, output.topic, spoken.envelope)

    def cause(self, one: Prepared, index: int, more: Cursor | None = None) -> Cause:
        record = one.record
        return Cause(record.topic, record.partition, record.offset, self._source_log, index, one.at, more)
