"""Taking a partition over: fence, claim, catch up. Only then is it read.

The order is the whole point. A producer first: what an earlier owner had in hand is ended, one way or the other, and
nothing of it can be written any more. The claim next: its store can no longer succeed. Only now are the committed
offset and the ends of the own topics final, and what lies between the stored position and them is folded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from services.runtime.decider import Decider
from services.runtime.deciding import Judge
from services.runtime.folding import Folder
from services.runtime.log import Log, Member, Session, TopicPartition
from services.runtime.partition import PartitionWorker
from services.runtime.releasing import release
from services.runtime.states import PartitionStopped, States
from services.runtime.store import DeciderStore, Held, OwnershipLost, Place, Quarantined
from services.runtime.transaction import Limits, Transactions


@dataclass(frozen=True, slots=True)
class Parts:
    """What a partition is worked with. `shared`: topics that share the source's number of partitions.

    `code_version`: quarantined keys are tried again by any other version."""

    decider: Decider
    log: Log
    store: DeciderStore
    shared: frozenset[str]
    code_version: str
    limits: Limits

    @property
    def topics(self) -> tuple[str, ...]:
        """The logs that positions are of."""
        return (self.decider.source, *self.decider.said)


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """A partition folded up to the ends of its logs. `told`: whether anything tells how much of the source was read."""

    place: Place
    told: bool
    states: States
    quarantine: Sequence[Quarantined]
    quarantined: set[str]
    beginning: int


async def catch_up(
    parts: Parts,
    partition: int,
    owner: str,
    committed: Callable[[], Awaitable[int | None]],
    until: Mapping[str, int] | None = None,
) -> CaughtUp:
    """Claim the store's partition, and fold what is on the log already; `until`: of the own topics, and no further.

    Raises `LogError`, `StoreError`, `PartitionStopped`."""
    decider, log, store = parts.decider, parts.log, parts.store
    place = await store.claim(partition, owner)
    identity = await log.identity(parts.topics)
    logs = [TopicPartition(topic, partition) for topic in parts.topics]
    ends = {at.topic: end for at, end in (await log.ends(logs)).items()}
    beginnings = {at.topic: beginning for at, beginning in (await log.beginnings(logs)).items()}
    beyond = [topic for topic, offset in place.offsets.items() if offset > ends.get(topic, offset)]
    if place.identity is not None and (dict(place.identity) != identity or beyond):
        # Not the log that this was folded from: another cluster, a topic made anew, or one that has lost its end.
        place = await store.wipe(partition, owner)
    source = decider.source
    offsets = {topic: max(place.offsets.get(topic, 0), beginnings[topic]) for topic in decider.said}
    offsets[source] = place.offsets.get(source, 0)
    place = replace(place, identity=identity, offsets=offsets)
    read = await committed()
    held = Held(owner, place.serial)
    quarantine = await store.quarantined(partition, held)
    quarantined = {row.key for row in quarantine}
    states = States(decider, store, partition, held, quarantined)
    await states.open()
    if decider.remembers_source and offsets[source] < beginnings[source]:
        raise PartitionStopped(f"{source}/{partition} начинается с {beginnings[source]}: факты до этого места утрачены")
    folder = Folder(
        decider, log, store, states, quarantined, partition, owner, place, identity[source], parts.code_version
    )
    place, told = await folder.run(ends | dict(until or {}), read)
    return CaughtUp(place, told, states, quarantine, quarantined, beginnings[source])


async def open_partition(parts: Parts, member: Member, session: Session, partition: int, owner: str) -> PartitionWorker:
    """A worker that is about to read. The session is new: the partition is fenced already.

    Raises `LogError` and `StoreError` (try again from the fencing on), `PartitionStopped`."""
    decider, store = parts.decider, parts.store
    source = decider.source
    caught = await catch_up(parts, partition, owner, session.committed)
    states, quarantined = caught.states, caught.quarantined
    identity = caught.place.identity or {}
    place = _checked(caught.place, source, partition, caught.beginning, caught.told)
    judge = Judge(decider, states, quarantined, partition, identity[source], parts.shared)
    transactions = Transactions(
        decider, store, session, states, quarantined, partition, owner, place, parts.limits, parts.code_version
    )
    worker = PartitionWorker(
        decider, store, states, judge, transactions, quarantined, partition, parts.code_version, parts.limits
    )
    for row in caught.quarantine:
        if row.version != parts.code_version:
            await release(decider, store, states, judge, transactions, row, parts.code_version)
    worker.feed = member.feed({TopicPartition(source, partition): worker.next_offset})
    return worker


def _checked(place: Place, source: str, partition: int, beginning: int, told: bool) -> Place:
    """Refuse to go on where records would be skipped unseen."""
    resume = place.offsets[source]
    if resume < beginning:
        why = "не прочитано вовремя" if told else "сколько из этого прочитано, неизвестно"
        raise PartitionStopped(f"{source}/{partition}: что стояло до {beginning}, уже удалено, и {why}")
    return place


__all__ = ["OwnershipLost", "Parts", "open_partition"]
