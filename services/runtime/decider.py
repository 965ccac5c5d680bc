"""What a decider is. The runtime drives any of them and knows no word of the domain.

A decider is a bundle of pure functions over *states* that are named by text keys, partition by partition.
Keys that begin with `world/` are the partition's own (the authorities in force): they are few, always loaded, and every
`decide` sees them. All other keys (`message/<id>`, `command/<id>`, `period/<id>`) are loaded when an input names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel

from schemas.envelope import Envelope

WORLD = "world/"

States = Mapping[str, BaseModel]
"""The states that were asked for, and the world; a key without a state is absent."""


@dataclass(frozen=True, slots=True)
class Input:
    """One record read from the log. `at` is the partition's event time: the largest stamp read so far, never backwards."""

    envelope: Envelope
    at: datetime
    partition: int
    offset: int
    headers: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Output:
    """A record to be written. `topic` is without the prefix. `partition` None: that of the input on the topics that share
    one number of partitions, else by the key."""

    topic: str
    key: str
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Agenda:
    """An entry of a state's agenda: found by `(name, at, item)`, never scanned. `at` is aware."""

    name: str
    at: datetime
    item: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """An input that concerns whatever stands on the agenda `name` up to `until` (None: all of it).

    The runtime hands the entries to `decide` one by one in the order of (`at`, `item`), over as many transactions as
    needed; the input's offset is committed with the last.
    """

    name: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What an input touches: states by key, then sweeps of the agenda in turn."""

    keys: tuple[str, ...] = ()
    sweeps: tuple[Sweep, ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """The entry of the agenda that a sweep is at; `key` names the state that it belongs to."""

    key: str
    entry: Agenda


class Unreadable(Exception):
    """An input from outside that is no input: it goes to the dead letters with this reason (a slug) and detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class UnknownEvent(Exception):
    """A record of our own log of a type that this version does not know: the partition stops with a clear word."""


class Decider(Protocol):
    """A table of pure functions: no clock, no I/O, no randomness, no file, no library that may change."""

    @property
    def name(self) -> str:
        """The service's name: of its consumer group, its transactional ids, its PostgreSQL schema."""

    @property
    def state_version(self) -> int:
        """To be raised whenever `evolve` or a state's shape changes; states of another version are folded anew."""

    @property
    def source(self) -> str:
        """The topic that is read, without the prefix."""

    @property
    def said(self) -> tuple[str, ...]:
        """The topics of its own that it folds: what was said is never recomputed."""

    @property
    def remembers_source(self) -> bool:
        """Whether the source itself is folded as facts (sla), besides what was said."""

    def scope(self, given: Input) -> Scope:
        """What the input touches; raises `Unreadable` on outside input that cannot be understood."""

    def decide(self, states: States, given: Input, due: Due | None) -> Sequence[Output]:
        """What is to be said. Called exactly once per input with `due` None, before its sweeps if there are any, and then
        once for every entry swept. `states` are those before the input; in a sweep, those before the entry, with the
        state of `due.key`.

        The order on which every fold relies: the outputs of the call without a due entry are evolved, then those of
        each entry in turn, and last, where the source is remembered, the input itself."""

    def refuse(self, given: Input, reason: str, detail: str) -> Sequence[Output]:
        """What is said besides the dead letter when `scope` or `decide` raised on a readable input (a command's refusal)."""

    def keys_of(self, topic: str, event: Envelope) -> Sequence[str]:
        """Keys of the states that a record of an own topic (or of the source, where remembered) changes."""

    def evolve(self, key: str, state: BaseModel | None, topic: str, event: Envelope) -> BaseModel | None:
        """The state after the event; skips what the state has already; None removes it.
        Raises `UnknownEvent` on a type that it does not know."""

    def agenda(self, key: str, state: BaseModel) -> Iterable[Agenda]:
        """The entries of the agenda that stand in this state."""

    def encode(self, key: str, state: BaseModel) -> bytes:
        """The state as canonical JSON."""

    def decode(self, key: str, body: bytes) -> BaseModel:
        """The state back from its JSON."""

    def remembered(self, key: str) -> bool:
        """Whether the events of this key are kept in the history, so that its state can be folded anew
        (`message/…`, `world/…`, `period/…`: yes)."""
