"""What the runtime promises to every decider, on the log and the store in memory and on the real ones."""

import asyncio

import pytest

from services.runtime.headers import Cause
from services.runtime.log import Fenced, Outgoing, TopicPartition
from tests.contract.counter import Counter, CounterDecider, EchoDecider, envelope
from tests.contract.rig import START, Crash, Rig, until


async def test_a_command_has_its_events_and_one_outcome(rig: Rig) -> None:
    decider = CounterDecider()
    await rig.run(decider)
    await rig.send("add", n=2)
    await rig.send("add", n=3)
    await rig.send("add", n=-9)
    await rig.settled(decider)
    assert [event.type for event in await rig.events("outcomes")] == ["accepted", "accepted", "refused"]
    assert [event.sequence for event in await rig.events()] == [1, 2]
    assert await rig.state(decider, "message/a") == Counter(count=5, sequence=2)


@pytest.mark.parametrize(
    "point", ["session.after", "commit.before", "commit.appended", "commit.after", "save.before", "save.after"]
)
async def test_every_command_takes_effect_once_though_the_process_dies(rig: Rig, point: str) -> None:
    decider = CounterDecider()
    rig.faults.arm(point, Crash())
    first = await rig.run(decider)
    await rig.send("add", identity="one", n=1)
    await rig.send("note", text="once")
    await first.died()
    await rig.send("add", identity="two", n=1)
    await rig.run(decider)
    await rig.settled(decider)
    assert rig.faults.struck == [point]
    assert [(event.type, event.sequence) for event in await rig.events()] == [
        ("added", 1),
        ("noted", None),
        ("added", 2),
    ]
    assert [event.causationid for event in await rig.events("outcomes")] == ["one", "two"]
    assert await rig.state(decider, "message/a") == Counter(count=2, sequence=2)
    assert (await rig.state(decider, "world/notes")).noted == ("once",)
