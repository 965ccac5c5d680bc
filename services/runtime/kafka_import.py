"""Laying an archive out on a cluster that has nothing of the installation: every record at the offset that it had.

All partitions go forward together, so that one transaction serves a step of each. The only thing that is changed in a
record is the header that names the id of the topic that its cause stands in: that topic is another one now, with the
same records at the same offsets, so what the header says stays true. `docs/decisions/0009-…` tells why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import OffsetAndMetadata

from services.runtime import archive
from services.runtime.archive import ArchiveError, Committed, Kept, Manifest, Part
from services.runtime.headers import SOURCE, SOURCE_LOG
from services.runtime.kafka_admin import administering
from services.runtime.kafka_client import REQUEST_TIMEOUT_S, KafkaSettings, bounded, discard_producer, log_errors
from services.runtime.kafka_consumer import stop_consumer
from services.runtime.kafka_producer import make_producer
from services.runtime.layout import How, Step, steps
from services.runtime.log import LogError

SETTLE_S = 20.0
ASK_S = 0.005
CREATE_TIME = 0
"""Kafka's word for a record that keeps its stamp."""
TRANSACTIONAL_ID = "import"

Progress = Callable[[int, int], None]


class _Partition:
    """A partition on its way: its next step, and where the log stands by what was written."""

    def __init__(self, settings: KafkaSettings, folder: Path, part: Part, renamed: Mapping[bytes, bytes]) -> None:
        self.part = part
        self.place = KafkaPartition(settings.full(part.topic), part.partition)
        self._steps = steps(archive.records(folder, part), part.beginning, part.end)
        self._renamed = renamed
        self.end = 0
        self.marked = False
        """Whether the last thing written is a mark, which the broker may still be writing."""
        self.gone = part.beginning
        self.stamp = 0
        self.step: Step | None = None

    def advance(self) -> bool:
        self.step = next(self._steps, None)
        return self.step is not None

    def lines(self, step: Step) -> list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]]:
        """What the step writes: stamp, key, value, headers."""
        if not step.records:
            return [(self.stamp, None, b"", [])] * step.fillers
        self.stamp = max(self.stamp, step.records[-1].stamp)
        return [(one.stamp, one.key, one.value, self._headers(one)) for one in step.records]

    def _headers(self, record: Kept) -> list[tuple[str, bytes | None]]:
        names = dict(record.headers)
        topic = (names.get(SOURCE) or b"").rpartition(b"/")[0].rpartition(b"/")[0]
        old = names.get(SOURCE_LOG)
        new = None if old is None else self._renamed.get(topic + b" " + old)
        if new is None:
            return list(record.headers)
        return [(name, new if name == SOURCE_LOG else value) for name, value in record.headers]

    def done(self, step: Step) -> None:
        self.end, self.marked = step.end, step.how is not How.PLAIN
        if step.fillers and step.how is not How.ABORTED:
            self.gone = max(self.gone, step.offset + step.fillers)


@dataclass(slots=True)
class _Writers:
    settings: KafkaSettings
    plain: AIOKafkaProducer
    transactional: AIOKafkaProducer
    asking: AIOKafkaConsumer
    total: int
    progress: Progress
    written: int = field(default=0)

    async def round(self, partitions: Sequence[_Partition]) -> None:
        """One step of each."""
        by_how: dict[How, list[_Partition]] = {how: [] for how in How}
        for one in partitions:
            if one.step is not None:
                by_how[one.step.how].append(one)
        if plain := by_how[How.PLAIN]:
            # A mark is written by the broker in its own time; a transaction waits for it, a plain producer would not.
            await self.settled([one for one in plain if one.marked])
            async with log_errors("writing"):
                await self._write(self.plain, plain)
        for how in (How.COMMITTED, How.ABORTED):
            if by_how[how]:
                async with log_errors("a transaction"):
                    await bounded(self._transaction(by_how[how], how), 6 * REQUEST_TIMEOUT_S, "a transaction")
        for one in partitions:
            if one.step is not None:
                one.done(one.step)
        self.progress(self.written, self.total)

    async def _transaction(self, partitions: Sequence[_Partition], how: How) -> None:
        await self.transactional.begin_transaction()
        await self._write(self.transactional, partitions)
        if how is How.COMMITTED:
            await self.transactional.commit_transaction()
        else:
            await self.transactional.abort_transaction()

    async def _write(self, producer: AIOKafkaProducer, partitions: Sequence[_Partition]) -> None:
        await asyncio.gather(*(self._write_one(producer, one) for one in partitions))

    async def _write_one(self, producer: AIOKafkaProducer, one: _Partition) -> None:
        step = one.step
        if step is None:
            return
        expected, builder, count = step.offset, producer.create_batch(), 0
        for stamp, key, value, headers in one.lines(step):
            added = builder.append(timestamp=stamp, key=key, value=value, headers=headers)
            if added is None:
                expected = await self._send(producer, one, builder, expected, count)
                builder, count = producer.create_batch(), 0
                builder.append(timestamp=stamp, key=key, value=value, headers=headers)
            count += 1
        await self._send(producer, one, builder, expected, count)
        self.written += len(step.records)

    async def _send(self, producer: AIOKafkaProducer, one: _Partition, builder: Any, expected: int, count: int) -> int:
        builder.close()
        written = await (await producer.send_batch(builder, one.place.topic, partition=one.place.partition))
        if written.offset != expected:
            raise LogError(
                f"{one.place.topic}/{one.place.partition}: written at {written.offset}, and not at {expected}: "
                "somebody else writes here"
            )
        if written.timestamp_type != CREATE_TIME:
            raise LogError(
                f"{one.place.topic}/{one.place.partition}: the broker put its own stamps on what was restored; begin again"
            )
        return expected + count

    async def settled(self, partitions: Sequence[_Partition]) -> None:
        """Wait until the partitions end where they have to."""
        if not partitions:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLE_S
        while True:
            ends = await bounded(
                self.asking.end_offsets([one.place for one in partitions]), REQUEST_TIMEOUT_S, "asking for ends"
            )
            wrong = [one for one in partitions if ends[one.place] != one.end]
            if not wrong:
                return
            if loop.time() > deadline or any(ends[one.place] > one.end for one in wrong):
                told = ", ".join(
                    f"{one.place.topic}/{one.place.partition} {ends[one.place]}≠{one.end}" for one in wrong
                )
                raise LogError(f"the log does not end where it has to: {told}")
            await asyncio.sleep(ASK_S)


async def lay_out(
    settings: KafkaSettings, folder: Path, manifest: Manifest, ids: Mapping[str, str], progress: Progress
) -> None:
    """Write everything to topics that are there and empty; `ids` are the topics' own. Raises `LogError`, `ArchiveError`:
    then the topics hold a part, and are to be deleted."""
    renamed = {f"{topic} {old}".encode(): ids[topic].encode() for topic, old in manifest.topics.items()}
    partitions = [_Partition(settings, folder, part, renamed) for part in manifest.parts]
    plain = transactional = None
    asking = _asking(settings)
    try:
        await bounded(asking.start(), 3 * REQUEST_TIMEOUT_S, "reaching Kafka")
        plain = await make_producer(settings, None)
        transactional = await make_producer(settings, f"{settings.prefix}-{TRANSACTIONAL_ID}")
        writers = _Writers(settings, plain, transactional, asking, manifest.records, progress)
        going = partitions
        while going := [one for one in going if one.advance()]:
            await writers.round(going)
        await writers.settled(partitions)
        for one in partitions:
            if one.end != one.part.end:
                raise ArchiveError(f"{one.part.file}: кончается на {one.end}, а не на {one.part.end}")
    finally:
        await stop_consumer(asking)
        for producer in (plain, transactional):
            if producer is not None:
                await discard_producer(producer, may_abort=True)
    await _forget(settings, {one.place: one.gone for one in partitions if one.gone})


def _asking(settings: KafkaSettings) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **settings.client(), group_id=None, isolation_level="read_uncommitted", enable_auto_commit=False
    )


async def _forget(settings: KafkaSettings, beginnings: Mapping[KafkaPartition, int]) -> None:
    """Let logs begin where they began: what retention had taken is not there again as filler."""
    if not beginnings:
        return
    async with administering(settings) as admin:
        await admin.delete_records({place: RecordsToDelete(offset) for place, offset in beginnings.items()})


async def commit(settings: KafkaSettings, committed: Sequence[Committed]) -> None:
    """Let the services' groups, of which nobody is a member, stand where they stood."""
    for service in sorted({one.service for one in committed}):
        offsets = {
            KafkaPartition(settings.full(one.topic), one.partition): OffsetAndMetadata(one.offset, "")
            for one in committed
            if one.service == service
        }
        consumer = AIOKafkaConsumer(
            **settings.client(), group_id=f"{settings.prefix}-{service}", enable_auto_commit=False
        )
        try:
            await bounded(consumer.start(), 3 * REQUEST_TIMEOUT_S, "reaching Kafka")
            consumer.assign(list(offsets))
            await bounded(consumer.commit(offsets), REQUEST_TIMEOUT_S, f"placing the group of {service}")
        finally:
            await stop_consumer(consumer)
