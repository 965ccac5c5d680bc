"""The log in memory: the semantics of the real one, deterministic, with points at which it can be made to fail.

Transactions leave markers that take an offset; an open one holds up readers; a session is fenced by the next of its id;
a lost reply leaves what was asked done. So whatever is tried here stands for what Kafka does.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.runtime.feed import Feed
from services.runtime.log import (
    MAX_RECORD_BYTES_OUT,
    Fenced,
    Listener,
    LogError,
    Outgoing,
    OutOfRange,
    Position,
    Record,
    TopicPartition,
)
from services.runtime.partitioner import partition_of

Fault = Callable[[str], None]


@dataclass(slots=True)
class _Transaction:
    """`committed` None: still open."""

    committed: bool | None = None
    touched: set[TopicPartition] = field(default_factory=set)


@dataclass(slots=True)
class _Entry:
    """`record` None: a marker."""

    record: Record | None
    transaction: _Transaction | None = None


@dataclass(slots=True)
class _Reader:
    feed: Feed
    positions: dict[TopicPartition, int]
    paused: bool = False


class MemoryLog:
    """`topics`: partitions of each. `create_time`: topics whose records bear the stamp they are given.

    `now` is the broker's clock. `fault` is called with the name of each point at which a process may die or a reply be
    lost, and raises what is to happen there: `session.after`, `commit.before`, `commit.appended`, `commit.after`,
    `append.before`, `append.after`, `read`."""

    def __init__(
        self,
        topics: Mapping[str, int],
        now: Callable[[], datetime],
        create_time: frozenset[str] = frozenset(),
        fault: Fault = lambda point: None,
        cluster: str = "memory",
    ) -> None:
        self.topics = dict(topics)
        self.now = now
        self.create_time = create_time
        self.fault = fault
        self.cluster = cluster
        self._made: dict[str, int] = defaultdict(int)
        self._logs: dict[TopicPartition, list[_Entry]] = defaultdict(list)
        self._begins: dict[TopicPartition, int] = defaultdict(int)
        self._epochs: dict[str, int] = defaultdict(int)
        self._open: dict[str, _Transaction] = {}
        self._offsets: dict[tuple[str, TopicPartition], int] = {}
        self._groups: dict[str, list[MemoryMember]] = defaultdict(list)
        self._readers: list[_Reader] = []
        self._changed = asyncio.Event()

    # What tests do to it.

    def recreate(self, *topics: str) -> None:
        """Make topics anew (all of them: another cluster): nothing in them, other ids, and no committed offsets."""
        chosen = topics or tuple(self.topics)
        for topic in chosen:
            self._made[topic] += 1
        for place in [place for place in self._logs if place.topic in chosen]:
            del self._logs[place]
        self._offsets = {name: offset for name, offset in self._offsets.items() if name[1].topic not in chosen}

    def expire_offsets(self) -> None:
        """Forget what every group committed, as an idle week does."""
        self._offsets.clear()

    def drop_before(self, place: TopicPartition, offset: int) -> None:
        """What retention does."""
        self._begins[place] = offset

    def records(self, topic: str, partition: int) -> list[Record]:
        """All committed records, for looking at."""
        place = TopicPartition(topic, partition)
        return self._visible(place, self._begins[place], self._stable(place))

    # The port.

    async def session(self, service: str, source: TopicPartition, *, per_topic: bool = False) -> MemorySession:
        name = f"{service}-{source.topic}-{source.partition}" if per_topic else f"{service}-{source.partition}"
        self._take_over(name)
        await self._step("session.after")
        return MemorySession(self, service, source, name, self._epochs[name])

    async def committed(self, service: str, source: TopicPartition) -> int | None:
        return self._offsets.get((service, source))

    def member(self, service: str, topics: Sequence[str] = (), pattern: str | None = None) -> MemoryMember:
        chosen = tuple(topics)
        if pattern is not None:
            chosen = tuple(sorted(topic for topic in self.topics if re.fullmatch(pattern, topic)))
        return MemoryMember(self, service, chosen)

    async def writer(self, transactional: str | None = None) -> MemoryWriter:
        if transactional is not None:
            self._take_over(transactional)
        return MemoryWriter(self, transactional, self._epochs[transactional] if transactional else 0)

    async def read(self, start: TopicPartition, offset: int, end: int) -> AsyncGenerator[list[Record], None]:
        await self._step("read")
        if offset < self._begins[start]:
            raise OutOfRange(f"{start} begins at {self._begins[start]}")
        records = self._visible(start, offset, min(end, self._stable(start)))
        for first in range(0, len(records), 100):
            yield records[first : first + 100]

    async def follow(self, starts: Mapping[TopicPartition, int]) -> AsyncGenerator[list[Record], None]:
        positions = dict(starts)
        while True:
            changed = self._changed
            found = [record for place in positions for record in self._advance(place, positions)]
            if found:
                yield found
            else:
                await changed.wait()

    async def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: self._stable(place) for place in partitions}

    async def written(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: len(self._logs[place]) for place in partitions}

    async def beginnings(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: self._begins[place] for place in partitions}

    async def partitions(self, topic: str) -> int:
        if topic not in self.topics:
            raise LogError(f"no topic {topic}")
        return self.topics[topic]

    async def identity(self, topics: Sequence[str]) -> dict[str, str]:
        ids = {
            topic: hashlib.sha256(f"{self.cluster}/{topic}/{self._made[topic]}".encode()).hexdigest()[:32]
            for topic in topics
        }
        return {"cluster": self.cluster} | ids

    async def close(self) -> None:
        """Nothing to let go."""

    # Inside.

    async def _step(self, point: str) -> None:
        """A point where something may happen: a fault, and another task's turn."""
        self.fault(point)
        await asyncio.sleep(0)

    def _take_over(self, name: str) -> None:
        self._epochs[name] += 1
        earlier = self._open.pop(name, None)
        if earlier is not None:
            self._end(earlier, committed=False)

    def _check(self, name: str, epoch: int) -> None:
        if self._epochs[name] != epoch:
            raise Fenced(f"{name}: epoch {epoch} is over, {self._epochs[name]} is on")

    def _write(self, record: Outgoing, transaction: _Transaction | None) -> Position:
        if record.topic not in self.topics:
            raise LogError(f"no topic {record.topic}")
        if record.size() > MAX_RECORD_BYTES_OUT:
            raise LogError(f"a record of {record.size()} bytes is too large")
        partition = record.partition
        if partition is None:
            partition = partition_of(record.key, self.topics[record.topic])
        place = TopicPartition(record.topic, partition)
        stamp = self.now()
        if record.topic in self.create_time and record.stamp is not None:
            stamp = record.stamp
        log = self._logs[place]
        offset = len(log)
        kept = Record(record.topic, partition, offset, record.key, record.value, dict(record.headers), stamp)
        log.append(_Entry(kept, transaction))
        if transaction is not None:
            transaction.touched.add(place)
        return Position(record.topic, partition, offset, stamp)

    def _end(self, transaction: _Transaction, *, committed: bool) -> None:
        transaction.committed = committed
        for place in sorted(transaction.touched):
            self._logs[place].append(_Entry(None))
        self._tell()

    def _stable(self, place: TopicPartition) -> int:
        log = self._logs[place]
        for offset, entry in enumerate(log):
            if entry.transaction is not None and entry.transaction.committed is None:
                return offset
        return len(log)

    def _visible(self, place: TopicPartition, start: int, end: int) -> list[Record]:
        return [
            entry.record
            for entry in self._logs[place][start:end]
            if entry.record is not None and (entry.transaction is None or entry.transaction.committed)
        ]

    def _advance(self, place: TopicPartition, positions: dict[TopicPartition, int]) -> list[Record]:
        end = self._stable(place)
        records = self._visible(place, positions[place], end)
        positions[place] = max(end, positions[place])
        return records

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
        for reader in list(self._readers):
            self._pump(reader)

    def _pump(self, reader: _Reader) -> None:
        for place in sorted(reader.positions):
            if reader.positions[place] < self._begins[place]:
                reader.feed.fail(OutOfRange(f"{place} begins at {self._begins[place]}"))
            elif not reader.paused:
                records = self._advance(place, reader.positions)
                if records:
                    reader.feed.put(records)

    async def _rebalance(self, group: str, members: list[MemoryMember]) -> None:
        for member in self._groups[group]:
            await member._revoke()
        self._groups[group] = members
        for topic in sorted({topic for member in members for topic in member.topics}):
            readers = [member for member in members if topic in member.topics]
            for partition in range(self.topics[topic]):
                readers[partition * len(readers) // self.topics[topic]].owned.add(TopicPartition(topic, partition))
        for member in members:
            await member._assign()


class MemorySession:
    """The fenced writer of one partition of one service."""

    def __init__(self, log: MemoryLog, service: str, source: TopicPartition, name: str, epoch: int) -> None:
        self._log = log
        self._service = service
        self._source = source
        self._name = name
        self._epoch = epoch
        self._ended = False

    async def commit(self, outgoing: Sequence[Outgoing], consumed: int | None) -> list[Position]:
        if self._ended:
            raise LogError("this session has ended")
        self._ended = True
        log = self._log
        await log._step("commit.before")
        log._check(self._name, self._epoch)
        transaction = log._open[self._name] = _Transaction()
        positions = [log._write(record, transaction) for record in outgoing]
        await log._step("commit.appended")
        log._check(self._name, self._epoch)
        del log._open[self._name]
        if consumed is not None:
            log._offsets[self._service, self._source] = consumed
        log._end(transaction, committed=True)
        await log._step("commit.after")
        self._ended = False
        return positions

    async def committed(self) -> int | None:
        return self._log._offsets.get((self._service, self._source))

    async def close(self) -> None:
        self._ended = True
        transaction = self._log._open.get(self._name)
        if transaction is not None and self._log._epochs[self._name] == self._epoch:
            del self._log._open[self._name]
            self._log._end(transaction, committed=False)


class MemoryWriter:
    def __init__(self, log: MemoryLog, name: str | None, epoch: int) -> None:
        self._log = log
        self._name = name
        self._epoch = epoch

    async def append(self, outgoing: Sequence[Outgoing]) -> list[Position | LogError]:
        log = self._log
        await log._step("append.before")
        if self._name is None:
            results: list[Position | LogError] = [log._write(record, None) for record in outgoing]
            log._tell()
        else:
            log._check(self._name, self._epoch)
            transaction = _Transaction()
            results = [log._write(record, transaction) for record in outgoing]
            log._end(transaction, committed=True)
        await log._step("append.after")
        return results

    async def close(self) -> None:
        """Nothing to let go."""


class MemoryMember:
    def __init__(self, log: MemoryLog, service: str, topics: Sequence[str]) -> None:
        self._log = log
        self._service = service
        self.topics = tuple(topics)
        self.owned: set[TopicPartition] = set()
        self._readers: list[_Reader] = []
        self._listener: Listener | None = None
        self._stopping = asyncio.Event()

    async def run(self, listener: Listener) -> None:
        self._listener = listener
        group = self._log._groups[self._service]
        await self._log._rebalance(self._service, [*group, self])
        try:
            await self._stopping.wait()
        finally:
            rest = [member for member in self._log._groups[self._service] if member is not self]
            await self._log._rebalance(self._service, rest)

    async def stop(self) -> None:
        self._stopping.set()

    def vanish(self) -> None:
        """Die without a word, as SIGKILL does; the next rebalance hands its partitions on."""
        self._listener = None

    async def _revoke(self) -> None:
        owned, self.owned = frozenset(self.owned), set()
        for reader in self._readers:
            reader.feed.fail(LogError("the group is being rebalanced"))
            if reader in self._log._readers:
                self._log._readers.remove(reader)
        self._readers = []
        if self._listener is not None:
            await self._listener.revoked(owned)

    async def _assign(self) -> None:
        if self._listener is not None:
            await self._listener.assigned(frozenset(self.owned))

    def positions(self) -> Mapping[TopicPartition, int]:
        return {place: offset for reader in self._readers for place, offset in reader.positions.items()}

    def feed(self, starts: Mapping[TopicPartition, int]) -> Feed:
        if not set(starts) <= self.owned:
            raise LogError(f"{sorted(starts)} are not ours any more")

        def pause() -> None:
            reader.paused = True

        def resume() -> None:
            reader.paused = False
            self._log._pump(reader)

        def closed() -> None:
            if reader in self._log._readers:
                self._log._readers.remove(reader)

        feed = Feed(pause, resume, closed)
        reader = _Reader(feed, dict(starts))
        self._readers.append(reader)
        self._log._readers.append(reader)
        self._log._pump(reader)
        return feed
