"""The log on Apache Kafka, by aiokafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence

import aiokafka.errors as kafka_errors
from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.client import AIOKafkaClient, CoordinationType

from services.runtime.kafka_client import REQUEST_TIMEOUT_S, KafkaSettings, bounded, log_errors
from services.runtime.kafka_consumer import KafkaMember, follow, read, stop_consumer
from services.runtime.kafka_producer import KafkaSession, KafkaWriter, make_producer
from services.runtime.kafka_wire import UNSTABLE_OFFSET_COMMIT, StableOffsetRequest, TopicIdsRequest
from services.runtime.log import LogError, Record, TopicPartition

RETRY_S = 0.05


class KafkaLog:
    """A cluster, seen by one installation. To be closed."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self._asking: dict[str, AIOKafkaConsumer] = {}
        self._starting = asyncio.Lock()

    async def session(self, service: str, source: TopicPartition, *, per_topic: bool = False) -> KafkaSession:
        prefix = self.settings.prefix
        name = f"{service}-{source.topic}" if per_topic else service
        transactional_id = f"{prefix}-{name}-{source.partition}"
        producer = await make_producer(self.settings, transactional_id)
        return KafkaSession(self.settings, f"{prefix}-{service}", source, producer, self._committed)

    async def committed(self, service: str, source: TopicPartition) -> int | None:
        return await self._committed(f"{self.settings.prefix}-{service}", source)

    def member(self, service: str, topics: Sequence[str] = (), pattern: str | None = None) -> KafkaMember:
        return KafkaMember(self.settings, service, topics, pattern)

    async def writer(self, transactional: str | None = None) -> KafkaWriter:
        name = None if transactional is None else f"{self.settings.prefix}-{transactional}"
        return KafkaWriter(self.settings, await make_producer(self.settings, name), transactional is not None)

    def read(self, start: TopicPartition, offset: int, end: int) -> AsyncGenerator[list[Record], None]:
        return read(self.settings, start, offset, end)

    def follow(self, starts: Mapping[TopicPartition, int]) -> AsyncGenerator[list[Record], None]:
        return follow(self.settings, starts)

    async def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return await self._ends(partitions, "read_committed")

    async def written(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return await self._ends(partitions, "read_uncommitted")

    async def _ends(self, partitions: Sequence[TopicPartition], isolation: str) -> dict[TopicPartition, int]:
        # aiokafka asks with the consumer's isolation level: committed, these are the last stable offsets.
        consumer = await self._asker(isolation)
        places = self._places(partitions)
        found = await bounded(consumer.end_offsets(list(places)), REQUEST_TIMEOUT_S, "asking for ends")
        return {places[place]: offset for place, offset in found.items()}

    async def beginnings(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        consumer = await self._asker()
        places = self._places(partitions)
        found = await bounded(consumer.beginning_offsets(list(places)), REQUEST_TIMEOUT_S, "asking for beginnings")
        return {places[place]: offset for place, offset in found.items()}

    async def partitions(self, topic: str) -> int:
        _, topics = await self._metadata([topic])
        return topics[topic][1]

    async def identity(self, topics: Sequence[str]) -> dict[str, str]:
        cluster, found = await self._metadata(topics)
        return {"cluster": cluster} | {topic: found[topic][0] for topic in topics}

    async def close(self) -> None:
        asking, self._asking = self._asking, {}
        for consumer in asking.values():
            await stop_consumer(consumer)

    def _places(self, partitions: Sequence[TopicPartition]) -> dict[KafkaPartition, TopicPartition]:
        return {KafkaPartition(self.settings.full(at.topic), at.partition): at for at in partitions}

    async def _asker(self, isolation: str = "read_committed") -> AIOKafkaConsumer:
        """A client without a group, which only asks."""
        async with self._starting:
            if isolation not in self._asking:
                consumer = AIOKafkaConsumer(
                    **self.settings.client(), group_id=None, isolation_level=isolation, enable_auto_commit=False
                )
                try:
                    await bounded(consumer.start(), 3 * REQUEST_TIMEOUT_S, "reaching Kafka")
                except BaseException:
                    await stop_consumer(consumer)
                    raise
                self._asking[isolation] = consumer
            return self._asking[isolation]

    async def _client(self) -> AIOKafkaClient:
        return (await self._asker())._client

    async def _metadata(self, topics: Sequence[str]) -> tuple[str, dict[str, tuple[str, int]]]:
        """The cluster's id, and of each topic its id and number of partitions."""
        client = await self._client()
        async with log_errors("asking for topics"):
            full = [self.settings.full(topic) for topic in topics]
            node = client.get_random_node()
            answer = await asyncio.wait_for(client.send(node, TopicIdsRequest(full)), REQUEST_TIMEOUT_S)
        found: dict[str, tuple[str, int]] = {}
        for error_code, name, topic_id, _, partitions, *_ in answer.topics:
            if error_code:
                raise LogError(f"topic {name}: {kafka_errors.for_code(error_code).__name__}")
            found[self.settings.short(name)] = (topic_id.hex, len(partitions))
        return answer.cluster_id, found

    async def _committed(self, group: str, source: TopicPartition) -> int | None:
        """The settled committed offset: the broker answers with an error while a transaction that moves it is open."""
        client = await self._client()
        request = StableOffsetRequest(group, self.settings.full(source.topic), source.partition)
        deadline = asyncio.get_running_loop().time() + 3 * REQUEST_TIMEOUT_S
        while True:
            async with log_errors(f"asking for the offset of {group}"):
                try:
                    node = await client.coordinator_lookup(CoordinationType.GROUP, group)
                    answer = await asyncio.wait_for(client.send(node, request), REQUEST_TIMEOUT_S)
                    code, offset = answer.error_code, -1
                    # A coordinator that is still loading answers with its error alone.
                    for _, partitions, _ in answer.topics:
                        ((_, offset, _, _, its_code, _),) = partitions
                        code = code or its_code
                    if not answer.topics and code == 0:
                        raise LogError(f"offset of {group}: an answer about nothing")
                except kafka_errors.KafkaError as error:
                    if not error.retriable or asyncio.get_running_loop().time() > deadline:
                        raise
                    code = error.errno
            if code == 0:
                return None if offset < 0 else int(offset)
            if code != UNSTABLE_OFFSET_COMMIT and not kafka_errors.for_code(code).retriable:
                raise LogError(f"offset of {group}: {kafka_errors.for_code(code).__name__}")
            if asyncio.get_running_loop().time() > deadline:
                raise LogError(f"offset of {group}: not settled, last code {code}")
            # Nothing tells when the coordinator is ready: ask again.
            await asyncio.sleep(RETRY_S)
