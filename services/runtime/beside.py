"""Tables folded anew beside the live ones, and the switch by which they take their place, while the service works.

The fold beside reads the log as anybody may. Only for the last stretch is the service held up: no replica may claim a
partition, and each is fenced, so what is folded then is all that there is. In that moment the schemas change names. A
replica that was fenced takes its partitions over anew, as after any fault, and finds the new tables. Whoever reads sees
the old tables or the new ones, whole. `docs/decisions/0008-…` tells why.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.runtime import postgres_positions as positions
from services.runtime.assignment import Parts, catch_up
from services.runtime.decider import UnknownEvent
from services.runtime.log import Log, Session, TopicPartition
from services.runtime.migrate import SERVICES, upgrade
from services.runtime.postgres_positions import reading, transaction
from services.runtime.projection_loop import Projection
from services.runtime.states import PartitionStopped
from services.runtime.store import Place, StoreError

LOOK_S = 0.3
SPARE_S = 20.0
"""How long a session that has done its fencing may take to let go."""

Progress = Callable[[int, int], None]
Also = Callable[[AsyncConnection, str], Awaitable[None]]
"""Carries over, in the transaction of the switch, what is no fold of the log; given the schema beside."""


class Quarantine(Exception):
    """Something of the service is in quarantine: inputs that wait there undecided stand in its tables alone."""

    def __init__(self, count: int) -> None:
        super().__init__(str(count))
        self.count = count


async def _nothing(connection: AsyncConnection, beside: str) -> None:
    """A service all of whose tables are a fold of the log."""


def beside_of(service: str) -> str:
    """The schema in which the service's tables are folded anew."""
    return f"{service}_beside"


async def make_beside(engine: AsyncEngine, service: str) -> str:
    """Make the service's tables beside the live ones, empty; what an earlier rebuild has left there goes."""
    beside = beside_of(service)
    async with transaction(engine, "clearing the place beside") as connection:
        await connection.execute(text(f'DROP SCHEMA IF EXISTS "{beside}" CASCADE'))
    await upgrade(engine, beside, SERVICES / service / "migrations")
    return beside


async def rebuild_decider(
    live: str, beside: Parts, engine: AsyncEngine, partitions: int, progress: Progress, also: Also = _nothing
) -> None:
    """Fold a decider's log into the store of `beside`, and put its tables in the place of the schema `live`.

    Raises `LogError`, `StoreError`, `PartitionStopped`, `Quarantine`; the live tables then stay as they are."""
    owner = f"rebuild-{uuid.uuid4().hex}"
    schema = beside_of(live)
    name, source = beside.decider.name, beside.decider.source
    topics = beside.topics if beside.decider.remembers_source else beside.decider.said
    async with watched(engine, schema, beside.log, topics, partitions, progress):
        for number in range(partitions):
            await _refuse_quarantine(engine, live, number)
            read = await beside.log.committed(name, TopicPartition(source, number))
            await catch_up(beside, number, owner, _told(read))
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(transaction(engine, f"switching {live} over"))
        # From here on nobody claims and nobody stores; whoever reads goes on.
        await connection.execute(text(f'LOCK TABLE "{live}".positions IN EXCLUSIVE MODE'))
        sessions = await asyncio.gather(
            *(beside.log.session(name, TopicPartition(source, number)) for number in range(partitions))
        )
        stack.push_async_callback(_close, sessions)
        for number, session in enumerate(sessions):
            await _refuse_quarantine(engine, live, number)
            await catch_up(beside, number, owner, session.committed)
        await also(connection, schema)
        await _rename(connection, live)
    await _drop_old(engine, live)


async def fold_projection(
    projection: Projection,
    log: Log,
    engine: AsyncEngine,
    schema: str,
    partition: int,
    owner: str,
    until: Mapping[str, int] | None = None,
) -> None:
    """Fold a projection's topics of one partition into the tables of `schema` (to which `engine` translates), up to
    their ends, or `until`. Raises `LogError`, `StoreError`, `PartitionStopped`."""
    places = [TopicPartition(topic, partition) for topic in projection.topics]
    identity = await log.identity(projection.topics)
    ends = {at.topic: end for at, end in (await log.ends(places)).items()} | dict(until or {})
    beginnings = await log.beginnings(places)
    async with transaction(engine, f"claiming {schema} {partition}") as connection:
        place = await positions.claim(connection, schema, partition, owner)
    offsets = {at.topic: place.offsets.get(at.topic, beginnings[at]) for at in places}
    at = place.at
    for topic in projection.topics:
        async for records in log.read(TopicPartition(topic, partition), offsets[topic], ends[topic]):
            offsets[topic] = records[-1].offset + 1
            at = max(record.stamp for record in records) if at is None else max(at, *(one.stamp for one in records))
            new = Place(place.serial, identity, dict(offsets), at)
            async with transaction(engine, f"storing {schema} {partition}") as connection:
                await positions.move(connection, schema, partition, owner, place, new)
                try:
                    await projection.apply(connection, partition, records)
                except UnknownEvent as error:
                    raise PartitionStopped(f"{topic}/{partition}: {error}") from error
            place = Place(place.serial + 1, identity, dict(offsets), at)
    if dict(place.offsets) != offsets:
        new = Place(place.serial, identity, dict(offsets), at)
        async with transaction(engine, f"storing {schema} {partition}") as connection:
            await positions.move(connection, schema, partition, owner, place, new)


async def rebuild_projection(
    projection: Projection, log: Log, engine: AsyncEngine, beside: AsyncEngine, partitions: int, progress: Progress
) -> None:
    """Fold a projection anew, and switch over. Nothing is judged by its tables, so nobody has to be held up: a replica
    loses the positions with the old tables, and goes on from the new ones'. `beside` translates to the schema beside.

    Raises `LogError`, `StoreError`, `PartitionStopped`."""
    owner, live = f"rebuild-{uuid.uuid4().hex}", projection.name
    schema = beside_of(live)
    async with watched(engine, schema, log, projection.topics, partitions, progress):
        for number in range(partitions):
            await fold_projection(projection, log, beside, schema, number, owner)
    # What came while the others were folded: so that no report steps back at the switch by more than an instant.
    for number in range(partitions):
        await fold_projection(projection, log, beside, schema, number, owner)
    async with transaction(engine, f"switching {live} over") as connection:
        await _rename(connection, live)
    await _drop_old(engine, live)


def _told(offset: int | None) -> Callable[[], Awaitable[int | None]]:
    async def committed() -> int | None:
        return offset

    return committed


async def _refuse_quarantine(engine: AsyncEngine, live: str, partition: int) -> None:
    async with reading(engine, "looking at the quarantine") as connection:
        count = await connection.scalar(
            text(f'SELECT count(*) FROM "{live}".quarantine WHERE partition = :partition'), {"partition": partition}
        )
    if count:
        raise Quarantine(count)


async def _close(sessions: Sequence[Session]) -> None:
    await asyncio.wait({asyncio.ensure_future(session.close()) for session in sessions}, timeout=SPARE_S)


async def _rename(connection: AsyncConnection, live: str) -> None:
    await connection.execute(text(f'DROP SCHEMA IF EXISTS "{live}_old" CASCADE'))
    await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{live}"'))
    await connection.execute(text(f'ALTER SCHEMA "{live}" RENAME TO "{live}_old"'))
    await connection.execute(text(f'ALTER SCHEMA "{beside_of(live)}" RENAME TO "{live}"'))


async def _drop_old(engine: AsyncEngine, live: str) -> None:
    async with transaction(engine, "letting the old tables go") as connection:
        await connection.execute(text(f'DROP SCHEMA IF EXISTS "{live}_old" CASCADE'))


@asynccontextmanager
async def watched(
    engine: AsyncEngine, schema: str, log: Log, topics: Sequence[str], partitions: int, progress: Progress
) -> AsyncIterator[None]:
    """Tell, while the block runs, how far the positions of `schema` have come of what is on these topics now."""
    places = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
    ends, beginnings = await log.ends(places), await log.beginnings(places)
    total = sum(ends[place] - beginnings[place] for place in places)

    async def look() -> None:
        with suppress(StoreError):
            async with reading(engine, "looking at the positions") as connection:
                rows = await connection.execute(text(f'SELECT partition, offsets FROM "{schema}".positions'))
                found = {row.partition: row.offsets for row in rows}
            folded = sum(
                max(0, min(int(found.get(one.partition, {}).get(one.topic, 0)), ends[one]) - beginnings[one])
                for one in places
            )
            progress(folded, total)

    async def looking() -> None:
        while True:
            await look()
            await asyncio.sleep(LOOK_S)

    task = asyncio.create_task(looking())
    try:
        yield
        progress(total, total)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
