"""The log folded, and decided, once more by fresh workers: what is stored and what was said must be just that."""

from __future__ import annotations

from collections.abc import Iterable

from services.runtime.assignment import Parts, open_partition
from services.runtime.decider import Decider
from services.runtime.log import TopicPartition
from services.runtime.memory_log import MemoryLog, MemoryMember
from services.runtime.memory_store import MemoryStore
from services.runtime.partition import PartitionWorker
from services.runtime.states import fold
from services.runtime.store import Stored
from services.runtime.transaction import Limits
from tests.simulation.loop import Process
from tests.simulation.stores import QuickLog
from tests.simulation.world import PARTITIONS, SERVICES, SOURCES, World


def state_is_the_fold(world: World) -> Iterable[str]:
    """Invariant 3: the stores against those of fresh workers that have folded the whole log into nothing."""
    found: list[str] = []
    for service in SERVICES:
        decider = world.parts.releases[service][-1]()
        fresh = MemoryStore()
        for partition in range(PARTITIONS):
            try:
                world.loop.complete(_folded(world.log, decider, fresh, partition), _process(world))
                found += _differences(decider, world.stores[service], fresh, partition)
            except Exception as error:
                found.append(f"{service}, partition {partition}, cannot be folded: {error!r}")
    return found


def decided_again(world: World) -> Iterable[str]:
    """Invariant 6: from the same inputs, in one batch and without a fault, the same is said, to the byte."""
    found: list[str] = []
    for service in SERVICES:
        decider = world.parts.releases[service][-1]()
        log, store = QuickLog(world.log.topics, world.true_now), MemoryStore()
        for partition in range(PARTITIONS):
            source = TopicPartition(SOURCES[service], partition)
            log._logs[source] = list(world.log._logs[source])
            try:
                world.loop.complete(_decided(log, decider, store, partition), _process(world))
            except Exception as error:
                found.append(f"{service}, partition {partition}, cannot be decided again: {error!r}")
        said, again = _said(world.log, service), _said(log, service)
        for place in sorted(said.keys() | again.keys()):
            if said.get(place) != again.get(place):
                one, other = (_short(records.get(place, (None, None))[1]) for records in (said, again))
                found.append(f"{service} said {place}: {one}; decided again it is: {other}")
    return found


def _said(log: MemoryLog, service: str) -> dict[tuple[str, str, int], tuple[bytes | None, bytes | None]]:
    """Everything that a service said: by topic, cause, and number under its cause."""
    return {
        (topic, one.headers["otklik-source"].decode(), int(one.headers["otklik-index"])): (one.key, one.value)
        for topic, partitions in log.topics.items()
        for partition in range(partitions)
        for one in log.records(topic, partition)
        if one.headers.get("otklik-source", b"").startswith(f"{SOURCES[service]}/".encode())
    }


async def _decided(log: MemoryLog, decider: Decider, store: MemoryStore, partition: int) -> None:
    worker = await _opened(log, decider, store, partition)
    await worker.handle(log.records(SOURCES[decider.name], partition))


def _process(world: World) -> Process:
    process = Process(world.loop, "fresh")
    world.processes.append(process)
    return process


async def _folded(log: MemoryLog, decider: Decider, store: MemoryStore, partition: int) -> None:
    worker = await _opened(log, decider, store, partition)
    assert worker.feed is not None
    worker.feed.close()


async def _opened(log: MemoryLog, decider: Decider, store: MemoryStore, partition: int) -> PartitionWorker:
    source = TopicPartition(SOURCES[decider.name], partition)
    session = await log.session(decider.name, source)
    member = MemoryMember(log, decider.name, (source.topic,))
    member.owned = {source}
    shared = frozenset({"inbox", "events", "outcomes", "deadlines"})
    parts = Parts(decider, log, store, shared, "1", Limits())
    return await open_partition(parts, member, session, partition, "fresh")


def _differences(decider: Decider, kept: MemoryStore, fresh: MemoryStore, partition: int) -> Iterable[str]:
    name = f"{decider.name}, partition {partition}"
    one, other = kept.partitions.get(partition), fresh.partitions[partition]
    if one is None:
        yield f"{name}: nothing is stored"
        return
    states = {key: _present(decider, kept, partition, key, state) for key, state in one.states.items()}
    wanted = {key: state.body for key, state in other.states.items()}
    for key in sorted(states.keys() | wanted.keys()):
        if states.get(key) != wanted.get(key):
            yield f"{name}: {key} is stored as {_short(states.get(key))}, the log says {_short(wanted.get(key))}"
    agendas = {key: entries for key, entries in one.agenda.items() if entries}
    if agendas != {key: entries for key, entries in other.agenda.items() if entries}:
        yield f"{name}: the agenda is not that of the log"
    if one.kept != other.kept:
        yield f"{name}: the history is not that of the log: {sorted(one.kept.keys() ^ other.kept.keys())[:3]}"
    if one.quarantine or other.quarantine:
        yield f"{name}: in quarantine are {sorted(one.quarantine | other.quarantine)}"
    if (one.place.at, one.place.cursor) != (other.place.at, other.place.cursor):
        yield f"{name}: event time stands at {one.place.at}, by the log at {other.place.at}"


def _present(decider: Decider, store: MemoryStore, partition: int, key: str, state: Stored) -> bytes | None:
    """The state as the present release reads it: folded anew, where an earlier one stored it."""
    if state.version == decider.state_version or not decider.remembered(key):
        return state.body
    rows = sorted((row for row in store.partitions[partition].kept.values() if row.key == key), key=lambda r: r.order())
    folded = fold(decider, key, rows)
    return None if folded is None else decider.encode(key, folded)


def _short(body: bytes | None) -> str:
    return "nothing" if body is None else body.decode()[:300]
