"""Hundreds of deadlines fire at once while replicas die, tables are dropped and newer code takes over: each breach comes once,
none is false, none is missing. In memory and on real Kafka and PostgreSQL."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest

from schemas import events as e
from schemas.envelope import Envelope
from schemas.ids import event_id, message_id
from services.runtime.log import LogError, Outgoing
from services.runtime.partitioner import partition_of
from services.runtime.transaction import Limits
from services.sla.decider import Sla
from tests.contract.conftest import addresses, rig
from tests.contract.rig import Crash, Rig
from tests.unit.sla import happenings as h
from tests.unit.sla.given import World, at
from tests.unit.sla.law import LONG_AGO, amendments

__all__ = ["addresses", "rig"]

PARTITIONS = 2
MESSAGES = 120
PIECES = Limits(outputs_max=100)
"""Small transactions, so that a `reached` takes several."""
NINE = at("2026-11-16 09:00")
LATE = at("2026-11-18 12:00")


def names() -> list[str]:
    """Messages of the first partition."""
    found = (message_id("kbr", "vk", f"-1_{number}") for number in range(10 * MESSAGES))
    return [one for one in found if partition_of(one.encode(), PARTITIONS) == 0][:MESSAGES]


def envelope(
    data: e.EventData, when: datetime, name: str, subject: str | None = None, sequence: int | None = None
) -> Envelope:
    return Envelope(
        id=event_id(subject, sequence) if subject and sequence else name,
        source="/otklik/workflow",
        type=data.type,
        subject=subject,
        time=when,
        authority=None if isinstance(data, e.Reached) else "kbr",
        sequence=sequence,
        data=data.model_dump(mode="json", exclude_none=True),
    )


async def write(rig: Rig, *envelopes: Envelope) -> None:
    """What workflow would have written to `events` 0."""
    writer = await rig.log.inner.writer()
    try:
        written = await writer.append(
            [
                Outgoing("events", (one.subject or "clock").encode(), one.to_bytes(), {}, 0, one.time)
                for one in envelopes
            ]
        )
    finally:
        await writer.close()
    assert not [one for one in written if isinstance(one, LogError)]


def reached(when: datetime) -> Envelope:
    return envelope(e.Reached(at=when), when, f"reached-{when.isoformat()}")


async def registered(rig: Rig) -> list[str]:
    """A law, and messages registered at nine on a Monday."""
    await write(rig, *(envelope(one, LONG_AGO, f"amended-{one.number}") for one in amendments("kbr")))
    world = World()
    subjects = names()
    await write(rig, *(envelope(h.registered(world, "2026-11-16 09:00"), NINE, "", one, 1) for one in subjects))
    return subjects


async def breaches(rig: Rig) -> Counter[tuple[str, str]]:
    said = await rig.events("deadlines", 0)
    return Counter((str(one.subject), one.data["rule"]) for one in said if one.type == "otklik.deadline.breached.v1")


def everything(subjects: list[str]) -> Counter[tuple[str, str]]:
    return Counter((one, rule) for one in subjects for rule in ("route", "answer", "draft"))


@pytest.mark.parametrize("point", ["commit.before", "commit.appended", "commit.after", "save.before", "save.after"])
async def test_replicas_die_while_hundreds_fire_and_each_fires_once(rig: Rig, point: str) -> None:
    subjects = await registered(rig)
    first = await rig.run(Sla(PARTITIONS), limits=PIECES)
    await rig.settled(Sla(PARTITIONS))
    rig.faults.arm(point, Crash(), nth=1)
    rig.faults.arm(point, Crash(), nth=2)
    await write(rig, reached(LATE))
    await first.died()
    second = await rig.run(Sla(PARTITIONS), limits=PIECES)
    await second.died()
    rig.faults.clear()
    await rig.run(Sla(PARTITIONS), limits=PIECES)
    await rig.settled(Sla(PARTITIONS))
    assert await breaches(rig) == everything(subjects)


async def test_tables_dropped_in_between_are_folded_from_the_log_and_nothing_fires_twice(rig: Rig) -> None:
    subjects = await registered(rig)
    first = await rig.run(Sla(PARTITIONS), limits=PIECES)
    await rig.settled(Sla(PARTITIONS))
    rig.faults.arm("commit.after", Crash())
    await write(rig, reached(LATE))
    await first.died()
    await rig.forget_tables(Sla(PARTITIONS))
    rig.faults.clear()
    await rig.run(Sla(PARTITIONS), limits=PIECES)
    await rig.settled(Sla(PARTITIONS))
    assert await breaches(rig) == everything(subjects)
    state = await rig.state(Sla(PARTITIONS), f"message/{subjects[0]}")
    assert {one.state for one in state.said.deadlines.values()} == {"breached"}


async def test_both_down_across_the_due_instant_a_fulfilment_in_time_is_never_breached(rig: Rig) -> None:
    """Workflow wrote the routing in time; sla reads it days later, together with the `reached` behind it."""
    subjects = await registered(rig)
    in_time, late = subjects[0], subjects[1]
    await write(
        rig,
        envelope(h.dismissed(), NINE + timedelta(minutes=30), "", in_time, 2),
        envelope(h.dismissed(), NINE + timedelta(minutes=30, milliseconds=1), "", late, 2),
        reached(LATE),
    )
    await rig.run(Sla(PARTITIONS), limits=PIECES)
    await rig.settled(Sla(PARTITIONS))
    found = await breaches(rig)
    assert found[in_time, "route"] == 0 and found[late, "route"] == 1
    said = [one.type.split(".")[2] for one in await rig.events("deadlines", 0) if one.subject == late]
    assert said == ["set", "set", "set", "breached", "met-late", "cancelled", "cancelled"]


async def test_batching_changes_nothing_of_what_is_said(rig: Rig) -> None:
    """One record at a time says the same bytes as all at once."""
    subjects = await registered(rig)
    running = await rig.run(Sla(PARTITIONS), limits=PIECES)
    await rig.settled(Sla(PARTITIONS))
    for minute in range(0, 40, 5):
        await write(rig, reached(NINE + timedelta(minutes=minute)))
        await rig.settled(Sla(PARTITIONS))
    await running.stop()
    world = World()
    for subject in subjects:
        world.read(envelope(h.registered(world, "2026-11-16 09:00"), NINE, "", subject, 1))
    for minute in range(0, 40, 5):
        world.read(reached(NINE + timedelta(minutes=minute)))
    assert [one.to_bytes() for one in await rig.events("deadlines", 0)] == [one.to_bytes() for one in world.told]
