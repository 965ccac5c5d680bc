"""Which partition a key belongs to: murmur2, exactly as Kafka's own clients have it."""

from __future__ import annotations

from struct import unpack_from

_SEED, _MIX, _WORD = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF


def partition_of(key: bytes | None, count: int) -> int:
    """The partition of a key among `count`. A record without a key goes by nothing, so it goes to the first one:
    a random choice would make a replay differ."""
    if key is None:
        return 0
    return (murmur2(key) & 0x7FFFFFFF) % count


def murmur2(key: bytes) -> int:
    """The hash of `org.apache.kafka.common.utils.Utils`, word by word: aiokafka's goes byte by byte, and takes four times as
    long as all else that is done to write a record."""
    length = len(key)
    hashed = _SEED ^ length
    for word in unpack_from(f"<{length >> 2}I", key):
        word = word * _MIX & _WORD
        hashed = (hashed * _MIX & _WORD) ^ ((word ^ word >> 24) * _MIX & _WORD)
    if rest := length & 3:
        hashed = (hashed ^ int.from_bytes(key[-rest:], "little")) * _MIX & _WORD
    hashed = (hashed ^ hashed >> 13) * _MIX & _WORD
    return hashed ^ hashed >> 15
