"""Sweeps over several transactions, keys that cannot be folded, and events that nobody knows."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from schemas.envelope import Envelope
from services.runtime.decider import Due, Input, Output, Scope, States
from services.runtime.decider_loop import DeciderRunner
from services.runtime.headers import MORE
from services.runtime.states import PartitionStopped
from services.runtime.transaction import Limits
from tests.contract.counter import CounterDecider, EchoDecider, envelope
from tests.contract.rig import START, Crash, Rig, until

SMALL = Limits(batch_max=4, outputs_max=3)


async def set_rings(rig: Rig, decider: CounterDecider, count: int = 10) -> None:
    for number in range(count):
        when = START + timedelta(minutes=count - number)
        await rig.send("set-ring", subject=f"s{number}", when=when.isoformat())
    await rig.settled(decider)


async def rung(rig: Rig) -> list[str | None]:
    return [event.subject for event in await rig.events() if event.type == "rang"]


async def test_a_sweep_meets_what_is_due_in_its_order(rig: Rig) -> None:
    decider = CounterDecider()
    await rig.run(decider, limits=SMALL)
    await set_rings(rig, decider)
    await rig.send("ring", until=(START + timedelta(minutes=4)).isoformat())
    await rig.settled(decider)
    assert await rung(rig) == ["s9", "s8", "s7", "s6"]
    await rig.send("ring")
    await rig.settled(decider)
    assert await rung(rig) == ["s9", "s8", "s7", "s6", "s5", "s4", "s3", "s2", "s1", "s0"]
    store = await rig.store(decider)
    assert await store.inner.next_at(0, ["ring"]) is None


@pytest.mark.parametrize("point", ["commit.before", "commit.appended", "commit.after", "save.before", "save.after"])
@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_a_sweep_that_dies_half_way_goes_on_where_it_was(rig: Rig, point: str, nth: int) -> None:
    decider = CounterDecider()
    first = await rig.run(decider, limits=SMALL)
    await set_rings(rig, decider)
    rig.faults.arm(point, Crash(), nth)
    asked = await rig.send("ring", identity="all")
    await first.died()
    again = CounterDecider()
    await rig.run(again, limits=SMALL)
    await rig.send("ring", identity="later")
    await rig.settled(again)
    assert await rung(rig) == [f"s{number}" for number in reversed(range(10))]
    noted = [event.data["text"] for event in await rig.events() if event.type == "noted"]
    assert noted == ["all", "later"]
    told = [record for record in await rig.read("events") if f"/{asked}".encode() in record.headers["otklik-source"]]
    assert [int(record.headers["otklik-index"]) for record in told if record.offset] == list(range(11))
    assert MORE in told[0].headers
    assert MORE not in told[-1].headers


async def test_a_sweep_goes_on_even_though_tables_and_offsets_are_lost(rig: Rig) -> None:
    decider = CounterDecider()
    first = await rig.run(decider, limits=SMALL)
    await set_rings(rig, decider)
    rig.faults.arm("save.before", Crash(), 2)
    await rig.send("ring", identity="all")
    await first.died()
    await rig.forget_tables(decider)
    await rig.lose_offsets(decider)
    await rig.run(CounterDecider(), limits=SMALL)
    await rig.settled(decider)
    assert await rung(rig) == [f"s{number}" for number in reversed(range(10))]
    assert [event.data["text"] for event in await rig.events() if event.type == "noted"] == ["all"]


async def test_what_a_sweep_brings_within_its_range_is_met_by_it(rig: Rig) -> None:
    class Snoozing(CounterDecider):
        """Every ring of `first` sets one of `second`, a little later."""

        def decide(self, states: States, given: Input, due: Due | None) -> Sequence[Output]:
            said = list(super().decide(states, given, due))
            if due is not None and due.key == "message/first":
                when = due.entry.at + timedelta(seconds=30)
                snoozed = envelope("ring-set", "second", f"second-{when}", given.at, when=when.isoformat())
                said.append(Output("events", "second", snoozed.model_copy(update={"sequence": when.minute * 10})))
            return said

    decider = Snoozing()
    await rig.run(decider, limits=SMALL)
    for minutes in (1, 2, 3):
        await rig.send("set-ring", subject="first", when=(START + timedelta(minutes=minutes)).isoformat())
    await rig.send("ring", until=(START + timedelta(minutes=3)).isoformat())
    await rig.settled(decider)
    assert await rung(rig) == ["first", "second", "first", "second", "first"]


# A decider that remembers its source.


async def hear(rig: Rig, subject: str, sequence: int, number: int, kind: str = "added") -> None:
    event = envelope(kind, subject, f"{subject}-{sequence}", START, n=number)
    await rig.write("events", subject.encode(), event.to_bytes())


async def echoed(rig: Rig) -> list[tuple[str | None, Any]]:
    return [(event.data["of"], event.data["before"]) for event in await rig.events("deadlines")]


@pytest.mark.parametrize("point", ["session.after", "commit.before", "commit.appended", "commit.after", "save.before"])
async def test_facts_are_folded_once_and_nothing_is_said_twice(rig: Rig, point: str) -> None:
    decider = EchoDecider()
    rig.faults.arm(point, Crash())
    first = await rig.run(decider)
    await hear(rig, "a", 1, 1)
    await first.died()
    await hear(rig, "a", 2, 1)
    second = await rig.run(decider)
    await rig.settled(decider)
    assert await echoed(rig) == [("a-1", 0), ("a-2", 1)]
    before = await rig.state(decider, "message/a")
    assert (before.heard, before.echoed) == (("a-1", "a-2"), 2)
    await second.stop()
    await rig.forget_tables(decider)
    await rig.run(decider)
    await rig.settled(decider)
    assert await rig.state(decider, "message/a") == before


async def test_a_poisonous_fact_quarantines_its_message_alone(rig: Rig) -> None:
    decider = EchoDecider()
    running = await rig.run(decider)
    await hear(rig, "a", 1, 1)
    await hear(rig, "a", 2, 13)
    await hear(rig, "a", 3, 1)
    await hear(rig, "b", 1, 1)
    await rig.settled(decider)
    assert await echoed(rig) == [("a-1", 0), ("b-1", 0)]
    store = await rig.store(decider)
    assert [row.key for row in await store.inner.quarantined(0)] == ["message/a"]
    assert len(await store.inner.parked(0, "message/a")) == 2

    async def told() -> bool:
        return not running.health.ready and "quarantine 0" in running.health.checks()

    await until(told, "health tells of the quarantine")


@pytest.mark.parametrize("crash", [None, "commit.after", "save.before"])
async def test_a_newer_version_takes_a_message_out_of_quarantine(rig: Rig, crash: str | None) -> None:
    sick = EchoDecider(poisonous=13)
    first = await rig.run(sick, code_version="1")
    for sequence, number in enumerate((1, 13, 2), start=1):
        await hear(rig, "a", sequence, number)
    await hear(rig, "b", 1, 1)
    await rig.settled(sick)
    await first.stop()
    again = await rig.run(sick, code_version="1")
    await hear(rig, "b", 2, 1)
    await rig.settled(sick)
    await again.stop()
    assert await echoed(rig) == [("a-1", 0), ("b-1", 0), ("b-2", 1)]
    healed = EchoDecider(poisonous=None)
    if crash is not None:
        rig.faults.arm(crash, Crash())
        dying = await rig.run(healed, code_version="2")
        await dying.died()
    second = await rig.run(healed, code_version="2")
    await hear(rig, "a", 4, 1)
    await rig.settled(healed)
    assert await echoed(rig) == [("a-1", 0), ("b-1", 0), ("b-2", 1), ("a-2", 1), ("a-3", 2), ("a-4", 3)]
    state = await rig.state(healed, "message/a")
    assert state.heard == ("a-1", "a-2", "a-3", "a-4")
    assert state.echoed == 4
    store = await rig.store(healed)
    assert await store.inner.quarantined(0) == []
    assert await store.inner.parked(0, "message/a") == []
    kept = [(row.topic, row.source) for row in (await store.inner.kept(0, ["message/a"]))["message/a"]]
    await second.stop()
    # Folded from the log by the healed code, it is the same.
    await rig.forget_tables(healed)
    await rig.run(healed, code_version="2")
    await rig.settled(healed)
    assert await rig.state(healed, "message/a") == state
    assert [(row.topic, row.source) for row in (await store.inner.kept(0, ["message/a"]))["message/a"]] == kept


async def test_deadlines_of_a_quarantined_message_do_not_fire(rig: Rig) -> None:
    class Poisoned(CounterDecider):
        """Its own event of `s1` cannot be folded by this version."""

        def evolve(self, key: str, state: Any, topic: str, event: Envelope) -> Any:
            if key == "message/s1" and event.type == "rang":
                raise AssertionError("never again")
            return super().evolve(key, state, topic, event)

    decider = Poisoned()
    await rig.run(decider)
    await set_rings(rig, decider, 3)
    await rig.send("ring")
    await rig.send("add", subject="s1", n=1)
    await rig.settled(decider)
    assert await rung(rig) == ["s2", "s0"]
    store = await rig.store(decider)
    assert [row.key for row in await store.inner.quarantined(0)] == ["message/s1"]
    assert [letter.headers["otklik-reason"] for letter in await rig.read("dead-letters")] == [b"quarantined"]


@pytest.mark.parametrize(
    ("kind", "while_catching_up"), [("of-the-future", True), ("of-the-future", False), ("unheard-of", False)]
)
async def test_an_event_nobody_knows_stops_the_partition_and_is_not_skipped(
    rig: Rig, kind: str, while_catching_up: bool
) -> None:
    decider = CounterDecider()
    running = await rig.run(decider)
    await rig.send("add", n=1)
    await rig.settled(decider)
    if while_catching_up:
        await running.stop()
        await hear(rig, "a", 9, 0, kind=kind)
        running = await rig.run(decider)
    else:
        echo = EchoDecider()
        await hear(rig, "a", 9, 0, kind=kind)
        running = await rig.run(echo)

    async def stopped() -> bool:
        return running.health.of("0").state == "stopped"

    await until(stopped, "the partition stops")
    assert kind in running.health.of("0").detail
    assert not running.health.ready


async def test_partition_counts_that_differ_refuse_to_start(rig: Rig) -> None:
    class Wide(EchoDecider):
        said = ("dead-letters",)

        def scope(self, given: Input) -> Scope:
            return Scope()

    runner = DeciderRunner(
        Wide(), rig.log, await rig.store(Wide()), shared=frozenset({"events", "dead-letters"}), code_version="1"
    )
    with pytest.raises(PartitionStopped, match="число партиций"):
        await runner.run()


async def test_what_retention_ate_unread_stops_the_partition(rig: Rig) -> None:
    decider = CounterDecider()
    for _ in range(3):
        await rig.send("add", n=1)
    await rig.drop_before("inbox", 2)
    running = await rig.run(decider)

    async def stopped() -> bool:
        return running.health.of("0").state == "stopped"

    await until(stopped, "the partition stops")
    assert "уже удалено" in running.health.of("0").detail
