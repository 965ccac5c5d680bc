"""Writing to Kafka: the fenced session of a partition, and the idempotent appender."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import aiokafka.producer.sender as aiokafka_sender
from aiokafka import AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from services.runtime.kafka_client import REQUEST_TIMEOUT_S, KafkaSettings, bounded, discard_producer, log_errors
from services.runtime.log import (
    MAX_RECORD_BYTES_OUT,
    Fenced,
    LogError,
    Outgoing,
    Position,
    TopicPartition,
)
from services.runtime.partitioner import partition_of

BATCH_BYTES = 512 * 1024
"""A batch must fit into a topic's `max.message.bytes`; a larger record travels alone in its batch."""

# aiokafka sleeps this long whenever a transaction begins before the broker has written the markers of the one before:
# 20 ms, which is most of a small transaction's time. A guard test notices when the name goes.
aiokafka_sender.BACKOFF_OVERRIDE = 0.001

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_millis(millis: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=millis)


def to_millis(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(milliseconds=1)


@dataclass(slots=True)
class _Batch:
    """A batch on its way: which of the outgoing records it holds, and the stamps that they were given."""

    builder: Any
    numbers: list[int]
    stamps: list[int]


async def make_producer(settings: KafkaSettings, transactional_id: str | None) -> AIOKafkaProducer:
    """A started producer; with a transactional id, every earlier one of that id is fenced when this returns."""
    arguments = settings.client()
    if transactional_id is not None:
        # A transaction of offsets alone meets the markers of the one before, and waits as long as this.
        arguments["retry_backoff_ms"] = 20
    producer = AIOKafkaProducer(
        **arguments,
        acks="all",
        enable_idempotence=True,
        transactional_id=transactional_id,
        transaction_timeout_ms=int(settings.transaction_timeout_s * 1000),
        max_batch_size=BATCH_BYTES,
        max_request_size=MAX_RECORD_BYTES_OUT,
        linger_ms=0,
    )
    try:
        await bounded(producer.start(), 3 * REQUEST_TIMEOUT_S, f"starting a producer {transactional_id or ''}")
    except BaseException:
        await discard_producer(producer, may_abort=False)
        raise
    return producer


async def _send(
    producer: AIOKafkaProducer, settings: KafkaSettings, outgoing: Sequence[Outgoing]
) -> list[Position | LogError]:
    """Write records in batches, one partition's in their order, and await every one of them."""
    counts: dict[str, int] = {}
    for topic in {record.topic for record in outgoing if record.partition is None}:
        counts[topic] = len(await producer.partitions_for(settings.full(topic)))
    by_partition: dict[tuple[str, int], list[int]] = defaultdict(list)
    for number, record in enumerate(outgoing):
        partition = record.partition
        if partition is None:
            partition = partition_of(record.key, counts[record.topic])
        by_partition[record.topic, partition].append(number)
    results: list[Position | LogError] = [LogError("запись не отправлена")] * len(outgoing)
    await asyncio.gather(
        *(
            _send_partition(producer, settings.full(topic), topic, partition, outgoing, numbers, results)
            for (topic, partition), numbers in by_partition.items()
        )
    )
    return results


async def _send_partition(
    producer: AIOKafkaProducer,
    topic: str,
    short: str,
    partition: int,
    outgoing: Sequence[Outgoing],
    numbers: list[int],
    results: list[Position | LogError],
) -> None:
    for batch in _batches(producer, outgoing, numbers):
        try:
            written = await (await producer.send_batch(batch.builder, topic, partition=partition))
        except (KafkaError, TimeoutError, OSError, AssertionError) as error:
            failure: LogError = LogError(f"запись в {topic}/{partition}: {type(error).__name__} {error}")
            if type(error).__name__ == "ProducerFenced":
                failure = Fenced(str(failure))
            for number in batch.numbers:
                results[number] = failure
            # What comes after in this partition must not be written before what failed.
            return
        if written.offset < 0:
            # The broker knew the batch already (a duplicate sequence) and cannot say where it stands.
            for number in batch.numbers:
                results[number] = LogError(f"записано в {topic}/{partition}, смещение неизвестно")
            continue
        if written.timestamp is None or written.timestamp < 0:
            stamps = [from_millis(stamp) for stamp in batch.stamps]
        else:
            stamps = [from_millis(written.timestamp)] * len(batch.stamps)
        for offset, (number, stamp) in enumerate(zip(batch.numbers, stamps, strict=True), written.offset):
            results[number] = Position(short, partition, offset, stamp)


def _batches(producer: AIOKafkaProducer, outgoing: Sequence[Outgoing], numbers: list[int]) -> list[_Batch]:
    batches: list[_Batch] = []
    current: _Batch | None = None
    for number in numbers:
        record = outgoing[number]
        stamp = None if record.stamp is None else to_millis(record.stamp)
        headers = list(record.headers.items())
        added = None
        if current is not None:
            added = current.builder.append(timestamp=stamp, key=record.key, value=record.value, headers=headers)
        if current is None or added is None:
            current = _Batch(producer.create_batch(), [], [])
            batches.append(current)
            added = current.builder.append(timestamp=stamp, key=record.key, value=record.value, headers=headers)
            if added is None:
                raise LogError(f"запись в {record.size()} байт не помещается в пачку")
        current.numbers.append(number)
        current.stamps.append(added.timestamp)
    for batch in batches:
        batch.builder.close()
    return batches


class KafkaSession:
    """The fenced writer of one partition of one service. Of no use after any error, time-out or cancellation."""

    def __init__(
        self,
        settings: KafkaSettings,
        group: str,
        source: TopicPartition,
        producer: AIOKafkaProducer,
        committed: Callable[[str, TopicPartition], Awaitable[int | None]],
    ) -> None:
        self._settings = settings
        self._group = group
        self._source = source
        self._producer: AIOKafkaProducer | None = producer
        self._fetch_committed = committed
        self._commit_begun = False

    async def commit(self, outgoing: Sequence[Outgoing], consumed: int | None) -> list[Position]:
        if self._producer is None:
            raise LogError("сеанс записи кончился")
        try:
            return await bounded(
                self._commit(self._producer, outgoing, consumed),
                self._settings.transaction_timeout_s + REQUEST_TIMEOUT_S,
                f"a transaction of {self._group} {self._source.partition}",
            )
        except BaseException:
            # Cancellation too: a cancelled commit goes on in the background, so its fate is unknown.
            await self.close()
            raise

    async def _commit(
        self, producer: AIOKafkaProducer, outgoing: Sequence[Outgoing], consumed: int | None
    ) -> list[Position]:
        async with log_errors("a transaction"):
            await producer.begin_transaction()
            results = await _send(producer, self._settings, outgoing)
            positions: list[Position] = []
            for result in results:
                # A failed send does not fail aiokafka's commit: only these results tell.
                if isinstance(result, LogError):
                    raise result
                positions.append(result)
            if consumed is not None:
                # Not side by side with the records: while the coordinator adds the group, the brokers' check whether a
                # partition is in the transaction fails (seen as NotEnoughReplicas), and aiokafka tries again later.
                source = KafkaPartition(self._settings.full(self._source.topic), self._source.partition)
                offsets = {source: OffsetAndMetadata(consumed, "")}
                await producer.send_offsets_to_transaction(offsets, self._group)
            self._commit_begun = True
            await producer.commit_transaction()
            self._commit_begun = False
        return positions

    async def committed(self) -> int | None:
        return await self._fetch_committed(self._group, self._source)

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await discard_producer(producer, may_abort=not self._commit_begun)


class KafkaWriter:
    """An appender; with a transactional id, all of one `append` is one transaction."""

    def __init__(self, settings: KafkaSettings, producer: AIOKafkaProducer, transactional: bool) -> None:
        self._settings = settings
        self._producer: AIOKafkaProducer | None = producer
        self._transactional = transactional
        self._commit_begun = False

    async def append(self, outgoing: Sequence[Outgoing]) -> list[Position | LogError]:
        producer = self._producer
        if producer is None:
            raise LogError("сеанс записи кончился")
        seconds = self._settings.transaction_timeout_s + REQUEST_TIMEOUT_S
        try:
            return await bounded(self._append(producer, outgoing), seconds, "appending")
        except BaseException:
            await self.close()
            raise

    async def _append(self, producer: AIOKafkaProducer, outgoing: Sequence[Outgoing]) -> list[Position | LogError]:
        if self._transactional:
            await producer.begin_transaction()
        results = await _send(producer, self._settings, outgoing)
        if self._transactional:
            for result in results:
                if isinstance(result, LogError):
                    raise result
            self._commit_begun = True
            await producer.commit_transaction()
            self._commit_begun = False
        return results

    async def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await discard_producer(producer, may_abort=self._transactional and not self._commit_begun)
