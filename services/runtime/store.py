"""The port to what a decider's runtime keeps of a partition: a fold of the log, which may be dropped at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from pydantic import BaseModel

from schemas.envelope import Envelope
from services.runtime.decider import Agenda
from services.runtime.headers import Cause, Cursor
from services.runtime.log import Position

OF_SOURCE = 2**31 - 1
"""`index` of an input among what it caused: it is folded after everything that was said because of it."""


class StoreError(Exception):
    """The store could not be reached or did not answer: what was asked may or may not have happened."""


class OwnershipLost(StoreError):
    """Another one has claimed the partition: nothing was stored."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a partition is folded. `offsets`: of each own topic and of the source, the next record to fold.

    `at`: the partition's event time. `cursor`: how far the input at the source's offset has come already.
    `identity`: ids of the cluster and the topics that the offsets belong to. `serial` counts what was stored."""

    serial: int = 0
    identity: Mapping[str, str] | None = None
    offsets: Mapping[str, int] = field(default_factory=dict)
    at: datetime | None = None
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A partition as its owner left it. Whoever decides by what it reads says so: tables may be dropped, restored or taken
    over at any moment, and a message that is merely not there yet must not be taken for unknown."""

    owner: str
    serial: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A state as stored."""

    version: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """An event that a key remembers: in the order of (`source`, `index`, `offset`) they make its state.

    `source` is the offset of the input that caused it (below zero: an input of an earlier log)."""

    key: str
    topic: str
    offset: int
    source: int
    index: int
    at: datetime
    body: bytes

    def order(self) -> tuple[int, int, int]:
        return self.source, self.index, self.offset


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A key whose record could not be folded. `version` is that of the code that failed."""

    key: str
    topic: str
    offset: int
    reason: str
    detail: str
    version: str


@dataclass(frozen=True, slots=True)
class Said:
    """A record of an own topic: its event, where it stands, and what caused it."""

    envelope: Envelope
    position: Position
    cause: Cause | None


@dataclass(frozen=True, slots=True)
class AgendaEntry:
    """An agenda entry with the key of its state."""

    entry: Agenda
    key: str

    def order(self) -> tuple[datetime, str, str]:
        return self.entry.at, self.entry.item, self.key


@dataclass(slots=True)
class Changes:
    """What one save stores, all or nothing.

    `states` and `said` are what a service's derived tables are made from: new states (None: removed), and every
    record of an own topic since the save before. Folding the log anew brings the same in other pieces.
    """

    partition: int
    owner: str
    old: Place
    new: Place
    version: int
    states: dict[str, BaseModel | None] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    agenda: dict[str, tuple[Agenda, ...]] = field(default_factory=dict)
    kept: list[Kept] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    parked: list[Kept] = field(default_factory=list)
    released: list[str] = field(default_factory=list)

    @property
    def stored_place(self) -> Place:
        return replace(self.new, serial=self.old.serial + 1)


class DeciderStore(Protocol):
    """Everything raises `StoreError` when the store does not answer.

    Reads with `held` look at the partition's position in the same statement, and raise `OwnershipLost` where it is not as
    its owner left it; without, they are for those who only look."""

    async def claim(self, partition: int, owner: str) -> Place:
        """Take the partition over: from now on no earlier owner stores anything. Returns what is stored."""

    async def wipe(self, partition: int, owner: str) -> Place:
        """Forget all of the partition but its owner; raises `OwnershipLost`."""

    async def states(self, partition: int, keys: Sequence[str], held: Held | None = None) -> dict[str, Stored]: ...

    async def world(self, partition: int, held: Held | None = None) -> dict[str, Stored]:
        """The states whose keys begin with `world/`."""

    async def kept(self, partition: int, keys: Sequence[str], held: Held | None = None) -> dict[str, list[Kept]]:
        """What the keys remember, in order."""

    async def agenda(
        self,
        partition: int,
        name: str,
        until: datetime | None,
        after: tuple[datetime, str, str] | None,
        limit: int,
        held: Held | None = None,
    ) -> list[AgendaEntry]:
        """Entries up to `until` (inclusive) and beyond `after` (exclusive) in the order of (`at`, `item`, key)."""

    async def quarantined(self, partition: int, held: Held | None = None) -> list[Quarantined]: ...

    async def parked(self, partition: int, key: str, held: Held | None = None) -> list[Kept]: ...

    async def save(self, changes: Changes) -> None:
        """Store, and move the position from `old` to `new`; raises `OwnershipLost`, and then nothing is stored."""

    async def next_at(self, partition: int, names: Sequence[str]) -> datetime | None:
        """When the next agenda entry of one of these names falls due."""

    async def place(self, partition: int) -> Place | None:
        """What is stored of a partition, whoever owns it (for tickers, waiters and health)."""
