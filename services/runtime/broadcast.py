"""One value to every partition of a topic, in one Kafka transaction: what every world has to learn in the same order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.runtime.clock import Clock
from services.runtime.log import Log, LogError, Outgoing, Position


@dataclass(frozen=True, slots=True)
class Broadcast:
    key: bytes | None
    value: bytes
    headers: Mapping[str, bytes] = field(default_factory=dict)


async def broadcast(
    log: Log, topic: str, values: Sequence[Broadcast], *, name: str = "amendments", clock: Clock | None = None
) -> list[list[Position]]:
    """Write the values, in order, to every partition; all of it becomes visible, or none. Returns the positions of each
    value by partition.

    The transactional id `<prefix>-<name>` is one for the installation, so two broadcasts never interleave: the later one
    fences the earlier. Raises `LogError` with the outcome unknown; repeating it has to be harmless (values bear ids).
    """
    count = await log.partitions(topic)
    stamp = clock.now() if clock is not None and clock.simulated else None
    outgoing = [
        Outgoing(topic, value.key, value.value, value.headers, partition, stamp)
        for value in values
        for partition in range(count)
    ]
    writer = await log.writer(name)
    try:
        written = await writer.append(outgoing)
    finally:
        await writer.close()
    positions: list[Position] = []
    for result in written:
        if isinstance(result, LogError):
            raise result
        positions.append(result)
    return [positions[start : start + count] for start in range(0, len(positions), count)]
