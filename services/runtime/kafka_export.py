"""Copying a log off Kafka, while everything goes on, as if the services had all stopped at one point of their inputs.

A service writes to several topics at once, and topics are read one after the other: what is read later may hold what an
earlier one lacks. So the copy is cut by causes: of each service it is noted how far it had come (downstream first), and
what it said because of later inputs is left out; those inputs are in the copy, and are judged again by whoever restores it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition

from services.runtime import archive
from services.runtime.archive import Committed, Kept, Manifest, Part, PartWriter
from services.runtime.headers import Cause
from services.runtime.kafka_client import REQUEST_TIMEOUT_S, KafkaSettings, bounded, log_errors
from services.runtime.kafka_consumer import stop_consumer
from services.runtime.kafka_log import KafkaLog
from services.runtime.log import LogError, TopicPartition

POLL_MS = 200
STALL_POLLS = 300
"""A minute without anything new: longer than any open transaction of ours lasts."""

Progress = Callable[[int, int], None]
"""How far, of how much (offsets, holes and all)."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A service and the topics that it consumes."""

    service: str
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Cut:
    """How far the services had come. `ids`: of the topics."""

    committed: tuple[Committed, ...]
    ids: Mapping[str, str]
    next: Mapping[tuple[str, int], int]

    def keeps(self, record: Kept) -> bool:
        """Not what was said because of an input that had not been consumed yet."""
        cause = Cause.from_headers({name: value for name, value in record.headers if value is not None})
        if cause is None or cause.log != self.ids.get(cause.topic):
            return True
        limit = self.next.get((cause.topic, cause.partition))
        return limit is None or cause.offset < limit


async def export(
    log: KafkaLog,
    folder: Path,
    topics: Mapping[str, int],
    readers: Sequence[Reader],
    version: str,
    now: datetime,
    progress: Progress,
    *,
    simulated: bool,
) -> Manifest:
    """Copy `topics` (partitions by name) into an empty folder. `readers` in the order downstream first.

    Raises `LogError`, `ArchiveError`; the folder then has no manifest, and is no copy."""
    archive.begin(folder)
    identity = await log.identity(sorted(topics))
    cut = await _cut(log, topics, readers, identity)
    asking = _consumer(log.settings, "read_uncommitted")
    reading = _consumer(log.settings, "read_committed")
    places = [TopicPartition(topic, number) for topic in sorted(topics) for number in range(topics[topic])]
    try:
        for consumer in (asking, reading):
            await bounded(consumer.start(), 3 * REQUEST_TIMEOUT_S, "reaching Kafka")
        ends, beginnings = await _bounds(log.settings, asking, places)
        total, done = sum(ends[place] - beginnings[place] for place in places), 0
        parts: list[Part] = []
        for place in places:
            with PartWriter(folder, place.topic, place.partition, beginnings[place], ends[place]) as writer:
                async with aclosing(_read(log.settings, reading, place, beginnings[place], ends[place])) as pieces:
                    async for records, at in pieces:
                        for record in records:
                            if cut.keeps(record):
                                writer.write(record)
                        progress(done + at - beginnings[place], total)
            parts.append(writer.part())
            done += ends[place] - beginnings[place]
            progress(done, total)
    finally:
        await stop_consumer(asking)
        await stop_consumer(reading)
    manifest = Manifest(
        version=version,
        made_at=now.isoformat(timespec="seconds"),
        prefix=log.settings.prefix,
        cluster=identity["cluster"],
        simulated=simulated,
        topics={topic: identity[topic] for topic in sorted(topics)},
        committed=cut.committed,
        parts=tuple(parts),
    )
    archive.finish(folder, manifest)
    return manifest


async def _cut(
    log: KafkaLog, topics: Mapping[str, int], readers: Sequence[Reader], identity: Mapping[str, str]
) -> _Cut:
    """One service after the other, so that what a later one has consumed holds all that caused what an earlier one has."""
    committed: list[Committed] = []
    for reader in readers:
        for topic in reader.topics:
            for number in range(topics[topic]):
                offset = await log.committed(reader.service, TopicPartition(topic, number))
                if offset is not None:
                    committed.append(Committed(service=reader.service, topic=topic, partition=number, offset=offset))
    return _Cut(tuple(committed), identity, {(one.topic, one.partition): one.offset for one in committed})


def _consumer(settings: KafkaSettings, isolation: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **settings.client(),
        group_id=None,
        auto_offset_reset="none",
        isolation_level=isolation,
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )


async def _bounds(
    settings: KafkaSettings, asking: AIOKafkaConsumer, places: Sequence[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """Where the partitions end, open transactions and all, and where they begin. A service's committed offset may be
    seen before the mark of its transaction is: the end must not stop in between."""
    full = {KafkaPartition(settings.full(place.topic), place.partition): place for place in places}
    ends = await bounded(asking.end_offsets(list(full)), REQUEST_TIMEOUT_S, "asking for ends")
    begins = await bounded(asking.beginning_offsets(list(full)), REQUEST_TIMEOUT_S, "asking for beginnings")
    return (
        {full[place]: offset for place, offset in ends.items()},
        {full[place]: offset for place, offset in begins.items()},
    )


async def _read(
    settings: KafkaSettings, consumer: AIOKafkaConsumer, place: TopicPartition, beginning: int, end: int
) -> AsyncGenerator[tuple[list[Kept], int], None]:
    """The committed records of a partition up to its end, and how far they come; nothing of them is interpreted."""
    if beginning >= end:
        return
    partition = KafkaPartition(settings.full(place.topic), place.partition)
    consumer.assign([partition])
    consumer.seek(partition, beginning)
    at, idle = beginning, 0
    while at < end:
        async with log_errors(f"reading {place.topic}/{place.partition}"):
            fetched: dict[Any, list[Any]] = await consumer.getmany(timeout_ms=POLL_MS)
            position = await consumer.position(partition)
        idle = 0 if position > at else idle + 1
        if idle > STALL_POLLS:
            raise LogError(f"no progress in {place.topic}/{place.partition} at {at}: is a transaction left open?")
        at = position
        records = [
            Kept(raw.offset, raw.timestamp, raw.key, raw.value, tuple(raw.headers))
            for raw in fetched.get(partition, ())
            if raw.offset < end
        ]
        yield records, min(at, end)
