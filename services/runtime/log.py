"""The port to the log: what the runtime asks of Kafka, and of the in-memory log that tests and simulation use.

Topics are named without the installation's prefix here. Nobody but an implementation of this port knows Kafka.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from services.runtime.feed import Feed

MAX_RECORD_BYTES_OUT = 4 * 1024 * 1024
"""What brokers and clients take: a record that came in may grow on its way out."""


class TopicPartition(NamedTuple):
    """A partition of a topic, the topic named without the prefix."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Record:
    """A record as read: committed, and at its place for ever. `stamp` is aware, UTC."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    stamp: datetime

    @property
    def at(self) -> TopicPartition:
        return TopicPartition(self.topic, self.partition)

    def size(self) -> int:
        """Bytes that it holds in memory, near enough to bound a queue."""
        return len(self.value or b"") + len(self.key or b"") + 200


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be written. `partition` None: by murmur2 of the key, as Kafka's own clients do.

    `stamp` is the record's CreateTime; a topic with LogAppendTime ignores it; None leaves it to the writer's clock.
    """

    topic: str
    key: bytes | None
    value: bytes
    headers: Mapping[str, bytes] = field(default_factory=dict)
    partition: int | None = None
    stamp: datetime | None = None

    def size(self) -> int:
        return len(self.value) + len(self.key or b"") + sum(len(k) + len(v) + 4 for k, v in self.headers.items()) + 70


class Position(NamedTuple):
    """Where a record was written, and the stamp that it bears there (aware, UTC)."""

    topic: str
    partition: int
    offset: int
    stamp: datetime


class LogError(Exception):
    """The log could not be reached, or did not answer: what was asked may or may not have happened.

    Whoever holds a session or a writer drops it and starts anew."""


class Fenced(LogError):
    """Another one has taken this transactional id over: what is in hand is not ours any more."""


class OutOfRange(LogError):
    """The offset asked for is not in the log."""


class Session(Protocol):
    """The one fenced writer of a partition of a service. Made for one task; of no use after its first error."""

    async def commit(self, outgoing: Sequence[Outgoing], consumed: int | None) -> list[Position]:
        """Write all of `outgoing` and, unless None, the offset of the next record to read, in one transaction.

        Returns the positions in the order of `outgoing`. Raises `LogError` with the outcome unknown, `Fenced`."""

    async def committed(self) -> int | None:
        """The offset of the next record to read, as committed now; None when the group has none."""

    async def close(self) -> None:
        """Let go, in bounded time, ending an open transaction if it can."""


class Writer(Protocol):
    """An appender: idempotent, and stored by all in-sync replicas before `append` returns. For one task at a time."""

    async def append(self, outgoing: Sequence[Outgoing]) -> list[Position | LogError]:
        """Write records; each has its position, or the error that leaves its fate unknown.

        A transactional writer writes all or nothing, and raises instead. After any error: a new writer."""

    async def close(self) -> None: ...


class Listener(Protocol):
    """Who is told what a member of a group is to read."""

    async def assigned(self, partitions: frozenset[TopicPartition]) -> None:
        """These are ours now, besides none: every rebalance takes all away first. Returns at once."""

    async def revoked(self, partitions: frozenset[TopicPartition]) -> None:
        """All that we had is about to be another's: finish or abort the batch in hand, in bounded time."""


class Member(Protocol):
    """A member of a consumer group, which reads only what is committed."""

    async def run(self, listener: Listener) -> None:
        """Be a member until `stop`; raises `LogError` when it cannot go on (then `revoked` has been called)."""

    async def stop(self) -> None:
        """Leave the group, in bounded time."""

    def positions(self) -> Mapping[TopicPartition, int]:
        """Of what is being read: how far it was fetched, behind marks of transactions too."""

    def feed(self, starts: Mapping[TopicPartition, int]) -> Feed:
        """Begin to read assigned partitions at these offsets, into one bounded queue. Raises `LogError` when one of
        them is not ours any more."""


class Log(Protocol):
    """A cluster, seen by one installation."""

    async def session(self, service: str, source: TopicPartition, *, per_topic: bool = False) -> Session:
        """Fence every earlier session of this service and partition (`per_topic`: of this topic too), and begin a new
        one: when it returns, no transaction of an earlier one is open."""

    async def committed(self, service: str, source: TopicPartition) -> int | None:
        """The service's committed offset; final only under a session."""

    def member(self, service: str, topics: Sequence[str] = (), pattern: str | None = None) -> Member:
        """A member of the service's group over these topics, or over those that match the pattern (unprefixed)."""

    async def writer(self, transactional: str | None = None) -> Writer: ...

    def read(self, start: TopicPartition, offset: int, end: int) -> AsyncGenerator[list[Record], None]:
        """The committed records from `offset` up to `end` (exclusive), in pieces; returns at the end."""

    def follow(self, starts: Mapping[TopicPartition, int]) -> AsyncGenerator[list[Record], None]:
        """Committed records from these offsets on, for ever, without a group."""

    async def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The last stable offsets: everything before is decided, and readable by `read`. What was committed a moment ago may
        lie behind them still, though its offset in the source is told already."""

    async def written(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Behind everything that was written, decided or not; `read` up to there waits for the decision."""

    async def beginnings(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]: ...

    async def partitions(self, topic: str) -> int:
        """How many partitions the topic has; raises `LogError` when there is no such topic."""

    async def identity(self, topics: Sequence[str]) -> dict[str, str]:
        """The cluster's id (under `cluster`) and the topics' ids: they differ when it is not the same log any more."""

    async def close(self) -> None: ...
