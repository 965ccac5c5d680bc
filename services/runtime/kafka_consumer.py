"""Reading from Kafka: a member of a group, and readers without one."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from services.runtime.feed import Feed
from services.runtime.kafka_client import CLOSE_TIMEOUT_S, REQUEST_TIMEOUT_S, KafkaSettings, bounded, log_errors
from services.runtime.kafka_producer import from_millis
from services.runtime.log import Listener, LogError, OutOfRange, Record, TopicPartition

logger = logging.getLogger(__name__)

POLL_RECORDS = 2000
POLL_S = 0.2
FETCH_WAIT_MS = 100
"""A partition that is resumed waits for the fetch in flight: no longer than this."""
STALL_S = 30.0
"""How long a reader that should move may stand still before it is dropped."""
FIRST_IDLE_S = 60.0
"""A member that has no partition for so long joins anew (then after twice the time …): some never rejoin."""


def _consumer(settings: KafkaSettings, **more: Any) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **settings.client(),
        auto_offset_reset="none",
        isolation_level="read_committed",
        enable_auto_commit=False,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=2 * 1024 * 1024,
        fetch_max_bytes=16 * 1024 * 1024,
        **more,
    )


def _record(settings: KafkaSettings, raw: ConsumerRecord) -> Record:
    headers = {name: value or b"" for name, value in raw.headers}
    topic = settings.short(raw.topic)
    return Record(topic, raw.partition, raw.offset, raw.key, raw.value, headers, from_millis(raw.timestamp))


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """aiokafka's `stop()` can hang; what is left of it is cancelled and its connections closed."""
    try:
        await asyncio.wait_for(consumer.stop(), CLOSE_TIMEOUT_S)
    except (KafkaError, TimeoutError, OSError, AssertionError) as error:
        logger.warning("a consumer did not stop by itself: %r", error)
        await cut_consumer(consumer)


async def cut_consumer(consumer: AIOKafkaConsumer) -> None:
    """Take a consumer apart without its consent: no task of it may go on, or it would stay a member of the group."""
    coordinator, fetcher = consumer._coordinator, consumer._fetcher
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task")
    tasks = [getattr(coordinator, name, None) for name in names] + [getattr(fetcher, "_fetch_task", None)]
    alive = {task for task in tasks if task is not None and not task.done()}
    for task in alive:
        task.cancel()
    if alive:
        await asyncio.wait(alive, timeout=CLOSE_TIMEOUT_S)
    await bounded(consumer._client.close(), CLOSE_TIMEOUT_S, "closing a consumer's connections")


class KafkaMember(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is not typed
    """A member of a consumer group. Offsets are not its business: sessions commit them, and `feed` says where to read.

    Partitions stay paused, with a position that means nothing, until `feed` seeks and resumes them: so aiokafka's own
    notion of committed offsets (read at the join, possibly older than the fencing) is never used.
    """

    def __init__(self, settings: KafkaSettings, service: str, topics: Sequence[str], pattern: str | None) -> None:
        self._settings = settings
        self._service = service
        self._topics = tuple(settings.full(topic) for topic in topics)
        self._pattern = None if pattern is None else f"^{re.escape(settings.prefix)}\\.{pattern}$"
        self._consumer: AIOKafkaConsumer | None = None
        self._listener: Listener | None = None
        self._feeds: dict[KafkaPartition, Feed] = {}
        self._stopping = asyncio.Event()
        self._idle_limit_s = FIRST_IDLE_S

    async def run(self, listener: Listener) -> None:
        self._listener = listener
        while not self._stopping.is_set():
            consumer = _consumer(
                self._settings,
                group_id=f"{self._settings.prefix}-{self._service}",
                session_timeout_ms=int(self._settings.session_timeout_s * 1000),
                heartbeat_interval_ms=int(self._settings.heartbeat_s * 1000),
                # The loop below polls all the time; a stuck partition is the watchdog's business, not the group's.
                max_poll_interval_ms=600_000,
                rebalance_timeout_ms=15_000,
                partition_assignment_strategy=(RangePartitionAssignor,),
            )
            self._consumer = consumer
            try:
                if self._pattern is not None:
                    consumer.subscribe(pattern=self._pattern, listener=self)
                else:
                    consumer.subscribe(topics=list(self._topics), listener=self)
                await bounded(consumer.start(), 3 * REQUEST_TIMEOUT_S, f"joining the group of {self._service}")
                async with log_errors(f"reading as {self._service}"):
                    await self._poll(consumer)
            finally:
                self._fail_all(LogError("копия вышла из группы"))
                # Whoever works on a partition finishes before the group learns that we leave.
                await listener.revoked(frozenset())
                await stop_consumer(consumer)
                self._consumer = None

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        loop = asyncio.get_running_loop()
        busy_at = loop.time()
        while not self._stopping.is_set():
            try:
                fetched = await self._fetched(consumer)
            except NoOffsetForPartitionError:
                continue  # A partition that `feed` has not placed yet.
            except OffsetOutOfRangeError as error:
                for partition, offset in error.args[0].items():
                    await self._fail(partition, OutOfRange(f"{partition.topic}/{partition.partition} has no {offset}"))
                continue
            for partition, raw in fetched.items():
                feed = self._feeds.get(partition)
                if feed is not None:
                    feed.put([_record(self._settings, one) for one in raw])
            if consumer.assignment():
                busy_at, self._idle_limit_s = loop.time(), FIRST_IDLE_S
            elif loop.time() - busy_at > self._idle_limit_s:
                logger.warning("%s has no partition for %.0f s: joining anew", self._service, self._idle_limit_s)
                self._idle_limit_s = min(2 * self._idle_limit_s, 1920.0)
                return

    async def _fetched(self, consumer: AIOKafkaConsumer) -> dict[KafkaPartition, list[ConsumerRecord]]:
        """What was fetched; nothing when it is time to stop. During a rebalance aiokafka waits without a limit here."""
        fetching = asyncio.create_task(consumer.getmany(timeout_ms=int(POLL_S * 1000), max_records=POLL_RECORDS))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({fetching, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return fetching.result() if fetching.done() else {}
        finally:
            for task in (fetching, stopping):
                if not task.done():
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task

    async def stop(self) -> None:
        self._stopping.set()

    def positions(self) -> dict[TopicPartition, int]:
        consumer = self._consumer
        if consumer is None:
            return {}
        # aiokafka's own `position()` waits where there is none yet.
        subscription = consumer._subscription.subscription
        assigned = None if subscription is None else subscription.assignment
        if assigned is None:
            # A topic that fits the pattern is new: until the group has handed out anew, nothing is assigned.
            return {}
        states = {place: assigned.state_value(place) for place in self._feeds if place in assigned.tps}
        return {
            TopicPartition(self._settings.short(place.topic), place.partition): state.position
            for place, state in states.items()
            if state is not None and state.has_valid_position
        }

    def feed(self, starts: Mapping[TopicPartition, int]) -> Feed:
        consumer = self._consumer
        if consumer is None:
            raise LogError("копия сейчас не состоит в группе")
        partitions = {KafkaPartition(self._settings.full(at.topic), at.partition): starts[at] for at in starts}
        if not set(partitions) <= consumer.assignment():
            raise LogError(f"{sorted(starts)}: партиции уже не наши")

        def pause() -> None:
            still = [partition for partition in partitions if self._feeds.get(partition) is feed]
            if still and set(still) <= consumer.assignment():
                consumer.pause(*still)

        def resume() -> None:
            still = [partition for partition in partitions if self._feeds.get(partition) is feed]
            if still and set(still) <= consumer.assignment():
                consumer.resume(*still)

        def closed() -> None:
            pause()
            for partition in partitions:
                if self._feeds.get(partition) is feed:
                    del self._feeds[partition]

        feed = Feed(pause, resume, closed)
        try:
            for partition, offset in partitions.items():
                self._feeds[partition] = feed
                consumer.seek(partition, offset)
            consumer.resume(*partitions)
        except (IllegalStateError, KafkaError) as error:
            feed.close()
            raise LogError(f"placing {sorted(starts)}: {error}") from error
        return feed

    async def on_partitions_revoked(self, revoked: Sequence[KafkaPartition]) -> None:
        self._fail_all(LogError("группа делит партиции заново"))
        if self._listener is not None:
            await self._listener.revoked(self._short(revoked))

    async def on_partitions_assigned(self, assigned: Sequence[KafkaPartition]) -> None:
        consumer = self._consumer
        if consumer is None or self._listener is None:
            return
        if assigned:
            consumer.pause(*assigned)
            for partition in assigned:
                # Any valid position will do: without one, aiokafka looks for a committed offset again and again.
                consumer.seek(partition, 0)
        await self._listener.assigned(self._short(assigned))

    def _short(self, partitions: Sequence[KafkaPartition]) -> frozenset[TopicPartition]:
        return frozenset(TopicPartition(self._settings.short(one.topic), one.partition) for one in partitions)

    async def _fail(self, partition: KafkaPartition, error: LogError) -> None:
        feed = self._feeds.get(partition)
        if feed is not None:
            feed.fail(error)
            feed.close()

    def _fail_all(self, error: LogError) -> None:
        feeds = set(self._feeds.values())
        self._feeds.clear()
        for feed in feeds:
            feed.fail(error)


async def read(
    settings: KafkaSettings, start: TopicPartition, offset: int, end: int
) -> AsyncGenerator[list[Record], None]:
    """The committed records from `offset` to `end`. aiokafka's position moves past control batches and aborted
    records once they are fetched, and the last stable offset lies behind them, so the position does reach it."""
    if offset >= end:
        return
    async with aclosing(_tail(settings, {start: offset}, stall=True)) as pieces:
        async for records, position in pieces:
            inside = [record for record in records if record.offset < end]
            if inside:
                yield inside
            if position[start] >= end:
                return


async def follow(settings: KafkaSettings, starts: Mapping[TopicPartition, int]) -> AsyncGenerator[list[Record], None]:
    async with aclosing(_tail(settings, starts, stall=False)) as pieces:
        async for records, _ in pieces:
            if records:
                yield records


async def _tail(
    settings: KafkaSettings, starts: Mapping[TopicPartition, int], *, stall: bool
) -> AsyncGenerator[tuple[list[Record], dict[TopicPartition, int]], None]:
    consumer = _consumer(settings, group_id=None)
    places = {at: KafkaPartition(settings.full(at.topic), at.partition) for at in starts}
    loop = asyncio.get_running_loop()
    try:
        await bounded(consumer.start(), 3 * REQUEST_TIMEOUT_S, "starting a reader")
        consumer.assign(list(places.values()))
        for at, place in places.items():
            consumer.seek(place, starts[at])
        positions = dict(starts)
        moved_at = loop.time()
        while True:
            async with log_errors(f"reading {sorted(starts)}"):
                fetched = await consumer.getmany(timeout_ms=int(POLL_S * 1000), max_records=POLL_RECORDS)
                now = {at: await consumer.position(place) for at, place in places.items()}
            if now != positions:
                positions, moved_at = now, loop.time()
            elif stall and loop.time() - moved_at > STALL_S:
                raise LogError(f"нет продвижения с {positions} уже {STALL_S:.0f} с")
            handed_at = loop.time()
            yield [_record(settings, raw) for place in fetched.values() for raw in place], positions
            # Whoever reads may take its time; that is no standstill of the log.
            moved_at += loop.time() - handed_at
    finally:
        await stop_consumer(consumer)
