"""Bugs that were planted: each is a small change of the real runtime or of a decider, such as a careful hand might make.

A bug that no seed finds would mean that the simulation looks away just there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from unittest.mock import patch

from pydantic import BaseModel

from services.runtime.decider import Decider, Due, Input, Output, Scope, States
from services.runtime.deciding import Judge, Prepared, Spoken
from services.runtime.folding import Folder
from services.runtime.headers import Cursor
from services.runtime.log import LogError, Outgoing, Position, Record, TopicPartition
from services.runtime.memory_store import MemoryStore, _Partition
from services.runtime.states import States as PartitionStates
from services.runtime.store import Changes, Held
from services.runtime.transaction import Transactions
from services.workflow.decider import WorkflowDecider
from tests.simulation.deciders import NextWorkflow, SimSla, SimWorkflow
from tests.simulation.loop import PROCESS
from tests.simulation.plan import USUAL, Profile
from tests.simulation.replica import ReplicaProcess
from tests.simulation.stores import QuickLog, QuickSession
from tests.simulation.world import PARTITIONS, Parts

WEATHER: Mapping[str, float] = {**USUAL, "turns": 60, "leap": 5, "wait": 5}


@dataclass(frozen=True)
class Bug:
    """`kinds`: the invariants of which it must break one. `profile`: a weather in which it does not take long."""

    parts: Callable[[], Parts]
    kinds: frozenset[str]
    profile: Profile = field(default_factory=lambda: Profile(WEATHER))


def _patched(target: Any, name: str, new: Any) -> Callable[[], AbstractContextManager[object]]:
    return lambda: patch.object(target, name, new)


def _profile(
    *,
    outputs_max: int = 100,
    batch_max: int = 100,
    lossy: float = 0.1,
    slow: float = 0.1,
    points: tuple[str, ...] = (),
    **weights: float,
) -> Profile:
    return Profile({**WEATHER, **weights}, lossy, slow, batch_max, outputs_max, points=points)


# Fencing and claims.


class UnfencedLog(QuickLog):
    """The transactional id bears something new each time, so it fences nobody."""

    async def session(self, service: str, source: TopicPartition, *, per_topic: bool = False) -> QuickSession:
        name = f"{service}-{source.partition}-{len(self._epochs)}"
        await self._step("session.before")
        await self._step("session.after")
        return QuickSession(self, service, source, name, self._epochs[name])


class UnclaimedStore(MemoryStore):
    """`UPDATE … WHERE partition = p`, and no word of the owner or the old position."""

    async def save(self, changes: Changes) -> None:
        stored = self._of(changes.partition)
        owner = stored.owner
        stored.owner, stored.place = changes.owner, replace(stored.place, serial=changes.old.serial)
        await super().save(changes)
        stored.owner = owner


class TrustingStore(MemoryStore):
    """States are loaded without asking whether what they were folded to is still there."""

    def _read(self, partition: int, held: Held | None) -> _Partition:
        return self._of(partition)


class EarlyOffsetLog(QuickLog):
    """The committed offset is the one that was read when the partition was assigned, before any fencing."""

    async def session(self, service: str, source: TopicPartition, *, per_topic: bool = False) -> QuickSession:
        known: dict[object, int | None] = self.__dict__.setdefault("_early", {})
        early = known.setdefault(asyncio.current_task(), self._offsets.get((service, source)))
        made = await super().session(service, source, per_topic=per_topic)

        async def committed() -> int | None:
            return early

        made.committed = committed  # type: ignore[method-assign]
        return made


class EarlyEndLog(QuickLog):
    """The ends of the own topics are read before the fencing: what a zombie has just said is not folded."""

    async def session(self, service: str, source: TopicPartition, *, per_topic: bool = False) -> QuickSession:
        known: dict[object, dict[TopicPartition, int]] = self.__dict__.setdefault("_early", {})
        known[asyncio.current_task()] = await super().ends(
            [TopicPartition(one, source.partition) for one in self.topics]
        )
        return await super().session(service, source, per_topic=per_topic)

    async def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        early = self.__dict__.get("_early", {}).get(asyncio.current_task(), {})
        return {place: early.get(place, end) for place, end in (await super().ends(partitions)).items()}


# Transactions.


class HopefulSession(QuickSession):
    """Sends are not awaited: one that failed is taken as written, and the rest is committed."""

    async def commit(self, outgoing: Sequence[Outgoing], consumed: int | None) -> list[Position]:
        sent: list[Outgoing] = []
        for record in outgoing:
            with suppress(LogError):
                self._log.fault("send")
                sent.append(record)
        with patch.object(self._log, "fault", _without_send(self._log.fault)):
            written = iter(await super().commit(sent, consumed))
        hoped = Position("nowhere", 0, 0, self._log.now())
        return [next(written) if record in sent else hoped for record in outgoing]


def _without_send(fault: Callable[[str], None]) -> Callable[[str], None]:
    return lambda point: None if point == "send" else fault(point)


class HopefulLog(QuickLog):
    async def session(self, service: str, source: TopicPartition, *, per_topic: bool = False) -> QuickSession:
        made = await super().session(service, source, per_topic=per_topic)
        return HopefulSession(self, service, source, made._name, made._epoch)


class _Later:
    """A session that keeps what it is asked to commit, and guesses where it would stand."""

    def __init__(self, real: QuickSession) -> None:
        self.asked: tuple[Sequence[Outgoing], int | None] | None = None
        self._real = real

    async def commit(self, outgoing: Sequence[Outgoing], consumed: int | None) -> list[Position]:
        self.asked = (outgoing, consumed)
        log, now = self._real._log, self._real._log.now()
        ends = {place: len(entries) for place, entries in log._logs.items()}
        guessed: list[Position] = []
        for record in outgoing:
            place = TopicPartition(record.topic, record.partition or 0)
            guessed.append(Position(*place, ends.get(place, 0), now))
            ends[place] = ends.get(place, 0) + 1
        return guessed


_flush = Transactions.flush


async def _store_first(self: Transactions, next_offset: int, at: datetime | None, unfinished: Cursor | None) -> None:
    real: Any = self._session
    later: Any = _Later(real)
    self._session = later
    try:
        await _flush(self, next_offset, at, unfinished)
    finally:
        self._session = real
    if later.asked is not None:
        await real.commit(*later.asked)


async def _done_with_the_first_chunk(
    self: Transactions, next_offset: int, at: datetime | None, unfinished: Cursor | None
) -> None:
    await _flush(self, next_offset if unfinished is None else unfinished.offset + 1, at, None)


_speak = Transactions.speak


def _letter_at_once(self: Transactions, spoken: Spoken) -> None:
    """A dead letter is sent by a producer of its own, without waiting for the transaction."""
    if spoken.outgoing.topic != "dead-letters":
        _speak(self, spoken)
        return
    session: Any = self._session
    headers = {**spoken.outgoing.headers, **replace(spoken.cause, more=None).to_headers()}
    session._log._write(replace(spoken.outgoing, headers=headers), None)
    session._log._tell()


# What is folded.

_fold_keys = Folder._fold_keys


def _not_folding(topic: str) -> Callable[[], AbstractContextManager[object]]:
    async def fold_keys(self: Folder, record: Record, *args: Any, **more: Any) -> None:
        if record.topic != topic:
            await _fold_keys(self, record, *args, **more)

    return _patched(Folder, "_fold_keys", fold_keys)


class ForgottenVersion(NextWorkflow):
    """`evolve` has changed, and nobody thought of the version."""

    @property
    def state_version(self) -> int:
        return WorkflowDecider().state_version


def _from_the_table(self: PartitionStates, keys: Any, over: Any = None) -> Mapping[str, BaseModel]:
    """The decider is shown what is stored, though the batch has said more since."""
    shown = dict(_view(self, keys, over))
    for key in keys:
        if key in self.changed and (stored := self._cache.get(key)) is not None:
            shown[key] = stored
    return shown


_view = PartitionStates.view


# Time.


def _stamps_as_they_come(self: Judge, records: Sequence[Record], at: datetime | None) -> list[Prepared]:
    return [self._prepare(record, record.stamp) for record in records]


class RememberingSla(SimSla):
    """It remembers the summaries that it asked for, though what was decided may have to be decided again."""

    def __init__(self, partitions: int) -> None:
        super().__init__(partitions)
        self._told: set[str] = set()

    def decide(self, states: States, given: Input, due: Due | None) -> Sequence[Output]:
        said = [one for one in super().decide(states, given, due) if one.envelope.id not in self._told]
        self._told |= {one.envelope.id for one in said if one.envelope.data["rule"] == "summary"}
        return said


class WallClockSla(SimSla):
    """Deadlines fire when this machine's clock says so, at every `reached`."""

    def scope(self, given: Input) -> Scope:
        return super().scope(_at_the_wall_clock(given))

    def decide(self, states: States, given: Input, due: Due | None) -> Sequence[Output]:
        return super().decide(states, _at_the_wall_clock(given), due)


def _at_the_wall_clock(given: Input) -> Input:
    process = PROCESS.get()
    if given.envelope.type != "otklik.clock.reached.v1" or not isinstance(process, ReplicaProcess):
        return given
    assert process.clock is not None
    data = {"at": process.clock.now().isoformat()}
    return replace(given, envelope=given.envelope.model_copy(update={"data": data}))


def _releases(workflow: Callable[[], Decider] = NextWorkflow, sla: Callable[[], Decider] | None = None) -> Parts:
    return Parts(releases={"workflow": (SimWorkflow, workflow), "sla": (sla or (lambda: SimSla(PARTITIONS)),)})


FOLD, ONCE, GAPLESS, EFFECT, FINAL = "state is the fold", "said once", "gapless", "one outcome", "deadlines final"
LETTERS, TIME, SETTLES, CODE = "dead letters", "told of time", "settles", "no fault of the code"
AGAIN, SUMMARY = "decided again", "summary asked for"

BUGS: dict[str, Bug] = {
    "no-fencing": Bug(
        lambda: Parts(log=UnfencedLog),
        frozenset({ONCE, GAPLESS, EFFECT, CODE}),
        _profile(pause_at=12, pause=4, points=("commit.before", "commit.appended", "save.before")),
    ),
    "futures-not-awaited": Bug(
        lambda: Parts(log=HopefulLog), frozenset({ONCE, GAPLESS, EFFECT, TIME, FOLD}), _profile(fail_at=12)
    ),
    "store-before-commit": Bug(
        lambda: Parts(planted=_patched(Transactions, "flush", _store_first)),
        frozenset({FOLD, EFFECT, ONCE, GAPLESS, SETTLES}),
        _profile(kill_at=6, fail_at=6),
    ),
    "position-without-claim": Bug(
        lambda: Parts(memory_store=UnclaimedStore),
        frozenset({FOLD}),
        _profile(pause_at=8, kill=0, kill_at=0, fail_at=0, batch_max=1, points=("save.before",)),
    ),
    "loaded-without-the-position": Bug(
        lambda: Parts(memory_store=TrustingStore),
        frozenset({EFFECT, GAPLESS, ONCE, FOLD, FINAL}),
        _profile(drop_tables=12),
    ),
    "repeats-in-memory-only": Bug(
        lambda: Parts(planted=_not_folding("outcomes")),
        frozenset({EFFECT, FOLD}),
        _profile(kill_at=8, lossy=0.4, repeat=15),
    ),
    "deadlines-by-the-wall-clock": Bug(
        lambda: _releases(sla=lambda: WallClockSla(PARTITIONS)), frozenset({FINAL}), _profile(skew=8, leap=10)
    ),
    "told-remembered-by-the-decider": Bug(
        lambda: _releases(sla=lambda: RememberingSla(PARTITIONS)), frozenset({SUMMARY})
    ),
    "only-facts-folded": Bug(
        lambda: Parts(planted=_not_folding("deadlines")), frozenset({FINAL, FOLD}), _profile(kill_at=8)
    ),
    "dead-letter-outside-the-transaction": Bug(
        lambda: Parts(planted=_patched(Transactions, "speak", _letter_at_once)),
        frozenset({LETTERS, ONCE}),
        _profile(rubbish=20, fail_at=8, kill_at=8),
    ),
    "state-version-not-raised": Bug(lambda: _releases(ForgottenVersion), frozenset({FOLD}), _profile(deploy=4)),
    "offset-read-before-fencing": Bug(
        lambda: Parts(log=EarlyOffsetLog),
        frozenset({LETTERS, ONCE}),
        _profile(rubbish=60, fail_at=15, batch_max=1, points=("commit.after", "save.before")),
    ),
    "end-read-before-fencing": Bug(
        lambda: Parts(log=EarlyEndLog),
        frozenset({ONCE, GAPLESS, EFFECT, FOLD, CODE}),
        _profile(pause_at=15, kill_at=5, slow=0.5, points=("commit.before", "commit.sent")),
    ),
    "sequence-from-the-table": Bug(
        lambda: Parts(planted=_patched(PartitionStates, "view", _from_the_table)), frozenset({GAPLESS, CODE, LETTERS})
    ),
    "sweep-done-with-its-first-chunk": Bug(
        lambda: Parts(planted=_patched(Transactions, "flush", _done_with_the_first_chunk)),
        frozenset({FINAL, AGAIN}),
        _profile(outputs_max=1, kill_at=10, leap=10, points=("commit.after", "save.before", "save.after")),
    ),
    "event-time-backwards": Bug(
        lambda: Parts(planted=_patched(Judge, "prepare", _stamps_as_they_come)),
        frozenset({GAPLESS}),
        _profile(broker_back=4),
    ),
}
"""By the name under which the test has to catch them."""
