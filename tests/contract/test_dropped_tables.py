"""Tables dropped under a running decider: nothing that is merely not there yet is taken for unknown."""

from datetime import timedelta

import pytest

from services.runtime import group_runner
from tests.contract.counter import Counter, CounterDecider
from tests.contract.rig import START, Rig, Running, until


async def test_tables_dropped_under_a_running_owner_make_no_message_unknown(rig: Rig) -> None:
    decider = CounterDecider()
    first = await rig.run(decider)
    await rig.send("add", n=5)
    await rig.send("set-ring", subject="b", when=(START + timedelta(minutes=1)).isoformat())
    await rig.settled(decider)
    await first.stop()
    # The second has nothing in memory, and finds nothing to fold: all it judges by has to be loaded.
    second = await rig.run(decider)
    await until(lambda: _works(second), "the second replica works")
    await rig.forget_tables(decider)
    await rig.send("add", identity="take", n=-3)
    await rig.settled(decider)
    assert (await rig.events("outcomes"))[-1].type == "accepted"
    assert await rig.state(decider, "message/a") == Counter(count=2, sequence=2)
    assert second.health.of("0").errors == 1


async def test_tables_dropped_under_a_running_owner_let_no_entry_of_the_agenda_pass_unseen(rig: Rig) -> None:
    decider = CounterDecider()
    first = await rig.run(decider)
    await rig.send("set-ring", when=(START + timedelta(minutes=1)).isoformat())
    await rig.settled(decider)
    await first.stop()
    second = await rig.run(decider)
    await until(lambda: _works(second), "the second replica works")
    await rig.forget_tables(decider)
    await rig.send("ring")
    await rig.settled(decider)
    assert [event.type for event in await rig.events()] == ["ring-set", "noted", "rang"]


async def test_tables_dropped_under_an_idle_owner_are_folded_anew_though_nothing_comes_in(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_runner, "LOOK_EVERY_S", 0.2)
    decider = CounterDecider()
    await rig.run(decider)
    await rig.send("add", n=1)
    await rig.settled(decider)
    await rig.forget_tables(decider)
    await rig.settled(decider)
    assert await rig.state(decider, "message/a") == Counter(count=1, sequence=1)


async def _works(running: Running) -> bool:
    return all(running.health.of(name).state == "running" for name in ("0", "1"))
