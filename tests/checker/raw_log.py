"""Reads topics whole, read_committed, as plain dictionaries."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Raw:
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: dict[str, bytes]
    stamp: datetime

    @cached_property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.value))

    @property
    def place(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass
class RawLog:
    """Records by the topic's name without the prefix, in the order of (partition, offset)."""

    topics: dict[str, list[Raw]] = field(default_factory=dict)

    def of(self, topic: str) -> list[Raw]:
        return self.topics.get(topic, [])

    def json(self, topic: str) -> list[tuple[Raw, dict[str, Any]]]:
        return [(raw, raw.json) for raw in self.of(topic)]


async def read(bootstrap: str, prefix: str, topics: list[str]) -> RawLog:
    """Everything readable of the topics by now; call it when the writers are idle. Names end at the prefix."""
    log = RawLog()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=8 << 20,
    )
    await consumer.start()
    try:
        for topic in topics:
            name = f"{prefix}.{topic}"
            numbers = await _partitions(bootstrap, name)
            partitions = [TopicPartition(name, number) for number in sorted(numbers)]
            records: list[Raw] = []
            if partitions:
                consumer.assign(partitions)
                ends = await consumer.end_offsets(partitions)
                await consumer.seek_to_beginning(*partitions)
                starts = await consumer.beginning_offsets(partitions)
                pending = {tp for tp in partitions if ends[tp] > starts[tp]}
                patience = time.monotonic() + PATIENCE_S
                while pending:
                    assert time.monotonic() < patience, f"{sorted(pending)} cannot be read to their ends {ends}"
                    got = await consumer.getmany(*pending, timeout_ms=200)
                    for tp, found in got.items():
                        for one in found:
                            stamp = datetime.fromtimestamp(one.timestamp / 1000, UTC)
                            records.append(
                                Raw(topic, tp.partition, one.offset, one.key, one.value, dict(one.headers), stamp)
                            )
                    # Control records are never delivered, but the position passes them: it does reach the last stable offset.
                    pending = {tp for tp in pending if await consumer.position(tp) < ends[tp]}
            log.topics[topic] = sorted(records, key=lambda raw: (raw.partition, raw.offset))
    finally:
        await consumer.stop()
    return log


async def _partitions(bootstrap: str, name: str) -> list[int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        described = await admin.describe_topics([name])
        return [part["partition"] for part in described[0]["partitions"]]
    finally:
        await admin.close()


async def put(bootstrap: str, topic: str, value: bytes, *, key: bytes | None = None) -> None:
    """Write raw bytes as a partner (or a vandal) would."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=8 << 20)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key=key)
    finally:
        await producer.stop()
