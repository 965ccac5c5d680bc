"""Folding what is on the log already into the store, at assignment: a decider never says again what it has said.

Several logs are folded as one, in the order in which their records came to be: everything that was said because of an
input, then (where the source is remembered) the input itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass, replace

from pydantic import ValidationError

from schemas.envelope import Envelope
from services.runtime import telemetry
from services.runtime.dead_letters import FAILED, described
from services.runtime.decider import WORLD, Decider, UnknownEvent
from services.runtime.headers import Cause
from services.runtime.log import Log, LogError, Position, Record, TopicPartition
from services.runtime.states import PartitionStopped, States, fold
from services.runtime.store import OF_SOURCE, Changes, DeciderStore, Kept, Place, Quarantined, Said

PIECE = 500
FOREIGN = -(1 << 62)
"""Records that an input of another log caused are ordered before all others, by their own offsets."""


@dataclass(slots=True)
class _Head:
    """The next record of a log, with its place in the order of all."""

    record: Record
    envelope: Envelope
    cause: Cause | None
    source: int
    index: int

    def order(self) -> tuple[int, int, str, int]:
        return self.source, self.index, self.record.topic, self.record.offset


class Folder:
    """Folds one partition from a stored place on. `quarantined` is the worker's, and grows here too."""

    def __init__(
        self,
        decider: Decider,
        log: Log,
        store: DeciderStore,
        states: States,
        quarantined: set[str],
        partition: int,
        owner: str,
        place: Place,
        source_log: str,
        code_version: str,
    ) -> None:
        self._decider = decider
        self._log = log
        self._store = store
        self._states = states
        self._quarantined = quarantined
        self._partition = partition
        self._owner = owner
        self._source_log = source_log
        self._code_version = code_version
        self._place = place
        self._offsets = dict(place.offsets)
        self._at = place.at
        self._cursor = place.cursor
        self._progress = (
            (place.offsets[decider.source], 0) if place.cursor is None else (place.cursor.offset, place.cursor.index)
        )
        self._late: set[str] = set()
        self._changes = self._fresh()
        self._pieces = 0
        self._facts = 0
        self._source: int | None = None
        self._facts_read: AsyncGenerator[list[Record], None]
        self._ahead: deque[tuple[Record, Envelope]] = deque()

    def _fresh(self) -> Changes:
        return Changes(self._partition, self._owner, self._place, self._place, self._decider.state_version)

    async def run(self, ends: Mapping[str, int], committed: int | None) -> tuple[Place, bool]:
        """Fold to the `ends` of the own topics, and the remembered source up to where it was consumed.

        Returns the place reached (its source offset is where to go on), and whether anything at all tells where that
        is: a committed offset, what was said, or what is stored."""
        source = self._decider.source
        async with AsyncExitStack() as opened:
            # One reading for the whole fold: each is a consumer of its own, and most inputs say something.
            facts = self._log.read(TopicPartition(source, self._partition), self._offsets[source], ends[source])
            self._facts_read = await opened.enter_async_context(aclosing(facts))
            streams = [
                await opened.enter_async_context(aclosing(self._records(topic, ends[topic])))
                for topic in self._decider.said
            ]
            told = await self._fold_streams(streams) or committed is not None
            resume = max(self._progress[0], committed or 0)
            if resume > ends[source]:
                raise LogError(
                    f"{source}/{self._partition} кончается на {ends[source]}, раньше прочитанного ({resume})"
                )
            if self._cursor is not None and resume > self._cursor.offset:
                self._cursor = None
            await self._fold_source(resume)
        self._offsets[source] = resume
        self._offsets |= {topic: max(ends[topic], self._offsets[topic]) for topic in self._decider.said}
        await self._save()
        return self._place, told

    async def _fold_streams(self, streams: Sequence[AsyncGenerator[_Head, None]]) -> bool:
        """Fold the own topics, and the remembered source between them. Whether they or the place tell anything."""
        heads = [head for stream in streams if (head := await anext(stream, None)) is not None]
        by_topic = dict(zip(self._decider.said, streams, strict=True))
        told = bool(heads) or self._offsets[self._decider.source] > 0
        while heads:
            head = min(heads, key=_Head.order)
            heads.remove(head)
            await self._fold_source(head.source)
            if head.source != self._source:
                # Between two inputs, so that what is stored never holds half of what an input said at once.
                await self._save_if_much()
                self._source = head.source
            await self._fold_said(head)
            following = await anext(by_topic[head.record.topic], None)
            if following is not None:
                heads.append(following)
        return told

    async def _records(self, topic: str, end: int) -> AsyncGenerator[_Head, None]:
        place = TopicPartition(topic, self._partition)
        async with aclosing(self._log.read(place, self._offsets[topic], end)) as pieces:
            async for records in pieces:
                for record, envelope in zip(records, await self._parsed(records), strict=True):
                    cause = Cause.from_headers(record.headers)
                    if cause is None or cause.log != self._source_log:
                        yield _Head(record, envelope, cause, FOREIGN + record.offset, 0)
                    else:
                        yield _Head(record, envelope, cause, cause.offset, cause.index)

    async def _fold_said(self, head: _Head) -> None:
        record, envelope, cause = head.record, head.envelope, head.cause
        at = record.stamp if cause is None else cause.at
        self._at = at if self._at is None else max(self._at, at)
        row = Kept("", record.topic, record.offset, head.source, head.index, at, record.value or b"")
        late = self._decider.remembers_source and 0 <= head.source < self._offsets[self._decider.source]
        await self._fold_keys(record, envelope, row, late=late)
        self._changes.said.append(
            Said(envelope, Position(record.topic, record.partition, record.offset, record.stamp), cause)
        )
        self._offsets[record.topic] = record.offset + 1
        self._pieces += 1
        if cause is not None and head.source >= 0 and not late:
            if cause.more is not None:
                self._cursor = cause.more
                self._progress = (cause.offset, cause.index + 1)
                await self._save_if_much()
            elif (cause.offset + 1, 0) > self._progress:
                # The last transaction of an input: whatever else it says stands in the same one.
                self._finished(cause.offset)

    def _finished(self, offset: int) -> None:
        self._cursor = None
        self._progress = (offset + 1, 0)
        if not self._decider.remembers_source:
            self._offsets[self._decider.source] = offset + 1

    async def _fold_source(self, until: int) -> None:
        """Fold the inputs before `until` that are not folded yet, where the source is remembered."""
        decider = self._decider
        start = self._offsets[decider.source]
        if not decider.remembers_source or until <= start:
            return
        while (fact := await self._next_fact(until)) is not None:
            await self._fold_fact(*fact)
        self._offsets[decider.source] = until

    async def _next_fact(self, until: int) -> tuple[Record, Envelope] | None:
        """The next record of the source, if it stands before `until`; what was read further waits for its turn."""
        if not self._ahead and (records := await anext(self._facts_read, None)) is not None:
            self._ahead.extend(zip(records, await self._parsed(records), strict=True))
        return self._ahead.popleft() if self._ahead and self._ahead[0][0].offset < until else None

    async def _fold_fact(self, record: Record, envelope: Envelope) -> None:
        self._at = record.stamp if self._at is None else max(self._at, record.stamp)
        row = Kept("", record.topic, record.offset, record.offset, OF_SOURCE, self._at, record.value or b"")
        await self._fold_keys(record, envelope, row, late=False)
        self._offsets[self._decider.source] = record.offset + 1
        self._pieces += 1
        self._facts += 1
        await self._save_if_much()

    async def _parsed(self, records: Sequence[Record]) -> list[Envelope]:
        """The records' envelopes; the states that they change are loaded, in one query for all."""
        parsed: list[Envelope] = []
        for record in records:
            try:
                parsed.append(Envelope.from_bytes(record.value or b""))
            except ValidationError as error:
                place = f"{record.topic}/{record.partition}/{record.offset}"
                raise PartitionStopped(f"{place} нашего же журнала: не CloudEvent") from error
        keys: set[str] = set()
        for record, envelope in zip(records, parsed, strict=True):
            with suppress(Exception):  # What cannot tell its keys is told when its turn comes.
                keys.update(self._decider.keys_of(record.topic, envelope))
        await self._states.ensure(keys)
        return parsed

    async def _fold_keys(self, record: Record, envelope: Envelope, row: Kept, *, late: bool) -> None:
        decider = self._decider
        place = f"{record.topic}/{record.partition}/{record.offset}"
        try:
            keys = tuple(decider.keys_of(record.topic, envelope))
        except Exception as error:
            raise PartitionStopped(f"{place}: {described(error)}") from error
        await self._states.ensure(keys)
        for key in keys:
            if key not in self._quarantined:
                try:
                    state = decider.evolve(key, self._states.get(key), record.topic, envelope)
                    self._states.put(key, state, *self._states.rendered(key, state))
                except UnknownEvent as error:
                    raise PartitionStopped(f"{place}: {error}") from error
                except MemoryError:
                    raise
                except Exception as error:
                    # Architecture.md, "Dead letters": a record of our own log that raises quarantines its message.
                    if key.startswith(WORLD):
                        raise PartitionStopped(f"{place} касается всей партиции: {described(error)}") from error
                    self._quarantined.add(key)
                    self._changes.quarantined.append(
                        Quarantined(key, record.topic, record.offset, FAILED, described(error), self._code_version)
                    )
            if key in self._quarantined:
                self._changes.parked.append(replace(row, key=key))
            elif decider.remembered(key):
                self._changes.kept.append(replace(row, key=key))
                if late:
                    self._late.add(key)

    async def _save_if_much(self) -> None:
        if self._pieces >= PIECE:
            await self._save()

    async def _save(self) -> None:
        changes, states = self._changes, self._states
        await self._refold_late()
        changes.states, changes.bodies, changes.agenda = dict(states.changed), dict(states.bodies), dict(states.agenda)
        changes.quarantined += states.drained(self._code_version)
        cursor = self._cursor if self._cursor and self._cursor.offset == self._offsets[self._decider.source] else None
        changes.new = replace(self._place, offsets=dict(self._offsets), at=self._at, cursor=cursor)
        self._pieces = 0
        if changes.new == self._place and not changes.states and not changes.quarantined:
            return
        await self._store.save(changes)
        folded = len(changes.said) + self._facts
        telemetry.records_total.labels(self._decider.name, self._decider.source, "folded").inc(folded)
        self._facts = 0
        self._place = changes.stored_place
        states.saved(self._place)
        self._changes = self._fresh()

    async def _refold_late(self) -> None:
        """A key that was released from quarantine had its inputs decided after their neighbours: its records stand
        later on the log than their causes, so its state is made again from what it remembers, in the order of causes —
        before anything of them is stored, as nobody would know of it afterwards."""
        late, self._late = sorted(self._late), set()
        if not late:
            return
        stored = await self._store.kept(self._partition, late, self._states.held)
        for key in late:
            events = {(row.topic, row.offset): row for row in stored[key]}
            events |= {(row.topic, row.offset): row for row in self._changes.kept if row.key == key}
            try:
                state = fold(self._decider, key, sorted(events.values(), key=Kept.order))
                self._states.put(key, state, *self._states.rendered(key, state))
            except UnknownEvent as error:
                raise PartitionStopped(f"{key}: {error}") from error
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - as for every record of our own log
                self._quarantined.add(key)
                bad = Quarantined(key, "", -1, FAILED, described(error), self._code_version)
                self._changes.quarantined.append(bad)
