"""Which partition a key belongs to: murmur2, exactly as Kafka's own clients have it."""

from __future__ import annotations

from aiokafka.partitioner import murmur2


def partition_of(key: bytes | None, count: int) -> int:
    """The partition of a key among `count`. A record without a key goes by nothing, so it goes to the first one:
    a random choice would make a replay differ."""
    if key is None:
        return 0
    return int((murmur2(key) & 0x7FFFFFFF) % count)
