"""A tick's path from `reached` to `breached` with a million deadlines open against the same with a thousand; then fifty
thousand deadlines due in one second.

`python -m tests.bench.bench_breaches`. Two installations on one broker and one database server, each with sla as a process
of its own and a database of its own, one filled with a million open deadlines and one with a thousand. In turn each is given
a `reached` behind which one deadline is due; the time runs until its `breached` can be read by a read_committed reader.
The fifty thousand are due in the full installation, over all partitions; the bare loop writes the very records that sla
wrote, in transactions of the same size, one producer a partition.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import asyncpg

from schemas import events as e
from schemas import topics
from schemas.envelope import Envelope
from services.runtime import installation
from services.runtime.kafka_admin import Wanted, ensure_topics
from services.runtime.kafka_log import KafkaLog
from services.runtime.log import LogError, Outgoing, Record, TopicPartition
from services.runtime.settings import Settings
from services.runtime.transaction import Limits
from tests.bench import deadlines
from tests.bench.house import House, note
from tests.bench.ratio import Ratio, of_rounds, show
from tests.unit.sla.given import at
from tests.unit.sla.law import LONG_AGO, amendments

MANY, FEW, AT_ONCE = 1_000_000, 1_000, 50_000
ROUNDS, WARM_UP = 30, 5
AIM, AIM_AT_ONCE_S = 2.0, 30.0
PATIENCE_S, PATIENCE_AT_ONCE_S = 60.0, 100.0
PROBES_AT, BURST_AT, BULK_AT = at("2026-11-16 09:00"), at("2026-11-24 10:00"), at("2026-11-30 09:00")
A_ROUTE = timedelta(minutes=30)
"""Within which a message of this authority is routed: so the probes and the burst are due half an hour later."""
BREACHED = b"otklik.deadline.breached.v1"
BARE_TOPIC = "bench-breached"


def envelope(data: e.EventData, when: datetime, name: str, authority: str | None = None) -> Envelope:
    return Envelope(
        id=name,
        source="/otklik/workflow",
        type=data.type,
        time=when,
        authority=authority,
        data=data.model_dump(mode="json", exclude_none=True),
    )


class Watched:
    """One installation: its `events` are written here, its `deadlines` read."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.seen: dict[str, asyncio.Future[None]] = {}
        self.breached: list[Record] = []
        self._log = KafkaLog(installation.kafka_settings(settings))
        self._following: asyncio.Task[None] | None = None
        self._places = [TopicPartition(topics.DEADLINES, number) for number in range(settings.partitions)]

    async def open(self) -> None:
        self._writer = await self._log.writer()
        self._following = asyncio.create_task(self._follow(await self._log.ends(self._places)))

    async def close(self) -> None:
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
            await self._writer.close()
        await self._log.close()

    async def write(self, envelopes: Sequence[Envelope], partitions: Sequence[int]) -> None:
        """What workflow would have written to these partitions of `events`."""
        written = await self._writer.append(
            [
                Outgoing(topics.EVENTS, b"clock", one.to_bytes(), {}, partition, one.time)
                for partition in partitions
                for one in envelopes
            ]
        )
        assert not [one for one in written if isinstance(one, LogError)]

    async def law(self) -> None:
        """Bring the law on the log, and wait until sla has stored it in every partition."""
        amended = [envelope(one, LONG_AGO, f"amended-{one.number}", "kbr") for one in amendments("kbr")]
        await self.write(amended, range(self.settings.partitions))
        await asyncio.wait_for(self._stored(len(amended)), PATIENCE_S)

    async def fire(self, subject: str, reached: datetime) -> float:
        """Seconds from the append of a `reached` of partition 0 until the message's breach is read."""
        seen = self.seen[subject] = asyncio.get_running_loop().create_future()
        told = envelope(e.Reached(at=reached), reached, f"reached-{reached.isoformat()}")
        begun = time.perf_counter()
        await self.write([told], [0])
        await asyncio.wait_for(seen, PATIENCE_S)
        return time.perf_counter() - begun

    async def _stored(self, offset: int) -> None:
        connection = await asyncpg.connect(self.settings.postgres.replace("+asyncpg", ""))
        question = "SELECT count(*) FROM sla.positions WHERE (offsets->>'events')::bigint >= $1"
        while True:
            if await connection.fetchval(question, offset) == self.settings.partitions:
                break
            await asyncio.sleep(0.2)
        await connection.close()

    async def _follow(self, ends: dict[TopicPartition, int]) -> None:
        async for records in self._log.follow(ends):
            for record in records:
                if record.value is None or BREACHED not in record.value:
                    continue
                self.breached.append(record)
                if self.seen and (seen := self.seen.pop((record.key or b"").decode(), None)) is not None:
                    seen.set_result(None)


async def fill(one: Watched, count: int, burst: int) -> list[str]:
    """Store `count` open deadlines, those that will be due at once, and the probes; returns the probes' messages."""
    dsn, partitions = one.settings.postgres, one.settings.partitions
    bulk = deadlines.templates(BULK_AT, 120, timedelta(minutes=1))
    together = deadlines.templates(BURST_AT, 1, timedelta())
    probes = deadlines.templates(PROBES_AT, ROUNDS + WARM_UP, timedelta(minutes=1))
    subjects = list(deadlines.ids("p", len(probes), partitions, of=0))
    begun = time.perf_counter()
    async with deadlines.without_indexes(dsn):
        made = await deadlines.store(dsn, deadlines.ids("m", count // len(bulk[0].names) + 1, partitions), bulk)
        await deadlines.store(dsn, deadlines.ids("b", burst, partitions), together)
        await deadlines.store(dsn, subjects, probes)
    note(f"  {made} open deadlines stored in {time.perf_counter() - begun:.0f} s")
    return [subject for subject, _ in subjects]


async def one_by_one(full: Watched, full_probes: list[str], small: Watched, small_probes: list[str]) -> Ratio:
    rounds = []
    for number, (mine, theirs) in enumerate(zip(full_probes, small_probes, strict=True)):
        reached = PROBES_AT + A_ROUTE + timedelta(minutes=number, seconds=1)
        with_many, with_few = await full.fire(mine, reached), await small.fire(theirs, reached)
        if number >= WARM_UP:
            rounds.append((with_many * 1000, with_few * 1000))
    many_ms, few_ms, ratio = of_rounds(rounds)
    what = f"`reached` to `breached`, {MANY:,} open against {FEW:,}"
    return Ratio(what, f"{many_ms:.1f} ms", f"{few_ms:.1f} ms", ratio, f"under {AIM:.0f}", ratio < AIM)


async def all_at_once(full: Watched) -> Ratio:
    before = len(full.breached)
    reached = BURST_AT + A_ROUTE + timedelta(seconds=1)
    told = envelope(e.Reached(at=reached), reached, "reached-at-once")
    begun = time.perf_counter()
    await full.write([told], range(full.settings.partitions))
    while len(full.breached) - before < AT_ONCE and time.perf_counter() - begun < PATIENCE_AT_ONCE_S:
        await asyncio.sleep(0.01)
    taken_s = time.perf_counter() - begun
    fired = full.breached[before:]
    bare_s = await bare(full.settings, fired)
    return Ratio(
        f"{AT_ONCE:,} deadlines due in one second, against the same records in bare transactions",
        f"{len(fired):,} in {taken_s:.1f} s, {len(fired) / taken_s:.0f}/s",
        f"{bare_s:.1f} s, {len(fired) / bare_s:.0f}/s",
        bare_s / taken_s,
        f"all in {AIM_AT_ONCE_S:.0f} s",
        len(fired) >= AT_ONCE and taken_s < AIM_AT_ONCE_S,
    )


async def bare(settings: Settings, given: Sequence[Record]) -> float:
    """Seconds for the same records by transactions alone."""
    kafka = installation.kafka_settings(settings)
    await ensure_topics(kafka, [Wanted(BARE_TOPIC, settings.partitions, 1, {})])
    by_partition: dict[int, list[Outgoing]] = defaultdict(list)
    for one in given:
        outgoing = Outgoing(BARE_TOPIC, one.key or b"", one.value or b"", one.headers, one.partition)
        by_partition[one.partition].append(outgoing)
    log = KafkaLog(kafka)
    sessions = {number: await log.session("bench", TopicPartition(BARE_TOPIC, number)) for number in by_partition}
    size = Limits().outputs_max

    async def partition(number: int) -> None:
        mine = by_partition[number]
        for start in range(0, len(mine), size):
            await sessions[number].commit(mine[start : start + size], None)

    try:
        begun = time.perf_counter()
        await asyncio.gather(*(partition(number) for number in sessions))
        return time.perf_counter() - begun
    finally:
        for session in sessions.values():
            await session.close()
        await log.close()


async def measure() -> list[Ratio]:
    """In a house of its own."""
    async with House() as house:
        full = Watched(await house.annexe("bench-full", 10))
        small = Watched(await house.annexe("bench-small", 20))
        try:
            probes = []
            for one, count, burst in ((full, MANY, AT_ONCE), (small, FEW, 0)):
                await house.start("sla", one.settings)
                await one.open()
                await one.law()
                await house.stop(f"{one.settings.prefix}-sla")
                note(f"breaches: storing {count} open deadlines")
                probes.append(await fill(one, count, burst))
                await house.start("sla", one.settings)
            singles = await one_by_one(full, probes[0], small, probes[1])
            note(f"  {singles.ours} with {MANY}, {singles.bare} with {FEW}")
            return [singles, await all_at_once(full)]
        finally:
            await full.close()
            await small.close()


if __name__ == "__main__":
    show(asyncio.run(measure()))
