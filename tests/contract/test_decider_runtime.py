"""What the runtime promises to every decider, on the log and the store in memory and on the real ones."""

import asyncio
from datetime import timedelta

import pytest

from services.runtime.headers import FIRST_APPENDED_AT, ORIGIN, REASON, Cause
from services.runtime.log import LogError, Outgoing, TopicPartition
from services.runtime.store import Changes, OwnershipLost, Place
from services.runtime.transaction import Limits
from tests.contract.counter import Counter, CounterDecider, EchoDecider
from tests.contract.rig import START, Crash, Rig, until

POINTS = ["session.after", "commit.before", "commit.appended", "commit.after", "save.before", "save.after"]


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


@pytest.mark.parametrize("point", POINTS)
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


@pytest.mark.parametrize("point", ["commit.before", "commit.appended", "commit.after", "save.before", "save.after"])
async def test_every_command_takes_effect_once_though_replies_are_lost(rig: Rig, point: str) -> None:
    decider = CounterDecider()
    rig.faults.arm(point, LogError("the reply is lost"))
    running = await rig.run(decider)
    for number in range(5):
        await rig.send("add", identity=f"c{number}", n=1)
    await rig.settled(decider)
    assert rig.faults.struck == [point]
    assert running.health.of("0").errors == 1
    assert [event.sequence for event in await rig.events()] == [1, 2, 3, 4, 5]
    assert [event.causationid for event in await rig.events("outcomes")] == [f"c{number}" for number in range(5)]


async def test_a_refused_command_repeated_after_a_crash_gets_its_first_outcome(rig: Rig) -> None:
    decider = CounterDecider()
    rig.faults.arm("save.before", Crash())
    first = await rig.run(decider)
    await rig.send("add", identity="refused", n=-1)
    await first.died()
    # It would be accepted now, were its outcome forgotten.
    await rig.send("add", identity="other", n=10)
    await rig.send("add", identity="refused", n=-1)
    await rig.run(decider)
    await rig.settled(decider)
    outcomes = [(event.causationid, event.type, event.data["repeated"]) for event in await rig.events("outcomes")]
    assert outcomes == [("refused", "refused", False), ("other", "accepted", False), ("refused", "refused", True)]


async def test_a_zombie_writes_nothing_after_it_was_fenced(rig: Rig) -> None:
    source = TopicPartition("inbox", 0)
    zombie = await rig.log.inner.session("counter", source)
    await zombie.commit([Outgoing("events", b"a", b"mine", {}, 0)], None)
    heir = await rig.log.inner.session("counter", source)
    with pytest.raises(LogError):
        await zombie.commit([Outgoing("events", b"a", b"too late", {}, 0)], 7)
    await heir.commit([Outgoing("events", b"a", b"the heir's", {}, 0)], 3)
    assert [record.value for record in await rig.read("events")] == [b"mine", b"the heir's"]
    assert await heir.committed() == 3
    await zombie.close()
    await heir.close()


async def test_an_open_transaction_of_a_dead_owner_is_ended_by_fencing(rig: Rig) -> None:
    decider = CounterDecider()
    rig.faults.arm("commit.appended", Crash())
    first = await rig.run(decider)
    await rig.send("add", n=1)
    await first.died()
    session = await rig.log.inner.session("counter", TopicPartition("inbox", 0))
    place = TopicPartition("events", 0)
    end = (await rig.log.inner.ends([place]))[place]
    # Its record and the marker that aborts it lie before the end, so nothing can come in before it any more.
    assert end == 2
    assert await rig.read("events") == []
    await session.close()


async def test_whoever_has_lost_a_partition_stores_nothing(rig: Rig) -> None:
    decider = CounterDecider()
    running = await rig.run(decider)
    await rig.send("add", n=1)
    await rig.settled(decider)
    store = await rig.store(decider)
    place = await store.inner.claim(0, "another")
    serial = place.serial
    rig.faults.arm("save.after", Crash())
    await rig.send("add", n=1)

    async def noticed() -> bool:
        return running.health.of("0").errors > 0 or bool(rig.faults.struck)

    await until(noticed, "the loss of the partition is noticed")
    assert "OwnershipLost" in running.health.of("0").detail or rig.faults.struck == []
    after = await store.inner.place(0)
    assert after is not None
    assert after.serial == serial
    # It takes the partition anew, and folds what it had said but not stored.
    rig.faults.clear()
    await rig.settled(decider)
    assert await rig.state(decider, "message/a") == Counter(count=2, sequence=2)


async def test_a_claim_ends_the_saves_of_every_earlier_owner(rig: Rig) -> None:
    store = (await rig.store(CounterDecider())).inner
    first = await store.claim(0, "first")
    await store.claim(0, "second")
    with pytest.raises(OwnershipLost):
        await store.save(Changes(0, "first", first, Place(offsets={"inbox": 5}), 1))
    with pytest.raises(OwnershipLost):
        await store.save(Changes(0, "second", Place(serial=9), Place(offsets={"inbox": 5}), 1))
    place = await store.place(0)
    assert place is not None
    assert place.offsets == {}


async def test_a_state_of_an_older_version_is_folded_anew_at_first_touch(rig: Rig) -> None:
    old = CounterDecider(state_version=1, step=1)
    first = await rig.run(old)
    await rig.send("add", n=2)
    await rig.send("note", text="law")
    await rig.settled(old)
    await first.stop()
    new = CounterDecider(state_version=2, step=10)
    await rig.run(new)
    await rig.send("add", n=1)
    await rig.settled(new)
    assert await rig.state(new, "message/a") == Counter(count=30, sequence=2, version=2)
    outcomes = await rig.events("outcomes")
    assert outcomes[-1].data["count"] == 21  # 20, as the new version reads the old events, and 1.


async def test_positions_of_another_log_are_not_believed(rig: Rig) -> None:
    decider = CounterDecider()
    first = await rig.run(decider)
    for _ in range(3):
        await rig.send("add", n=5)
    await rig.settled(decider)
    await first.stop()
    await rig.lose_the_log()
    await rig.send("add", n=1)
    await rig.send("add", subject="b", n=1)
    await rig.run(decider)
    await rig.settled(decider)
    assert [(event.subject, event.sequence) for event in await rig.events()] == [("a", 1), ("b", 1)]
    assert await rig.state(decider, "message/a") == Counter(count=1, sequence=1)


async def test_dropped_tables_are_folded_anew_to_the_row(rig: Rig) -> None:
    decider = CounterDecider()
    first = await rig.run(decider)
    for number in range(6):
        await rig.send("add", subject="ab"[number % 2], identity=f"c{number}", n=number - 2)
    await rig.send("note", text="law")
    await rig.send("set-ring", when=(START + timedelta(hours=1)).isoformat())
    await rig.settled(decider)
    await first.stop()
    store = await rig.store(decider)
    keys = ["message/a", "message/b", "world/notes", *(f"command/c{number}" for number in range(6))]
    before = await store.inner.states(0, keys), await store.inner.kept(0, keys)
    place = await store.inner.place(0)
    await rig.forget_tables(decider)
    second = await rig.run(decider)
    await rig.settled(decider)
    await second.stop()
    after = await store.inner.place(0)
    assert (await store.inner.states(0, keys), await store.inner.kept(0, keys)) == before
    assert after is not None
    assert place is not None
    assert after.offsets["inbox"] == place.offsets["inbox"]
    assert len(await store.inner.agenda(0, "ring", None, None, 10)) == 1


async def test_a_fold_reads_every_log_once_however_often_inputs_were_answered(rig: Rig) -> None:
    """A reading is a consumer of its own: one for every input would make a fold of thousands take minutes."""
    counter, echo = CounterDecider(), EchoDecider()
    await rig.run(counter)
    first = await rig.run(echo)
    for number in range(7):
        await rig.send("add", subject="ab"[number % 2], n=number)
    await rig.settled(counter)
    await rig.settled(echo)
    await first.stop()
    store = await rig.store(echo)
    keys = ["message/a", "message/b"]
    before = await store.inner.states(0, keys), await store.inner.kept(0, keys)
    assert len(await rig.events("deadlines")) == 7
    await rig.forget_tables(echo)
    rig.log.readings.clear()
    await rig.run(echo)
    await rig.settled(echo)
    assert (await store.inner.states(0, keys), await store.inner.kept(0, keys)) == before
    assert rig.log.readings.count(TopicPartition("events", 0)) == 1
    assert rig.log.readings.count(TopicPartition("deadlines", 0)) == 1


async def test_without_committed_offsets_the_own_log_tells_where_to_go_on(rig: Rig) -> None:
    decider = CounterDecider()
    first = await rig.run(decider)
    await rig.send("add", identity="one", n=1)
    await rig.send("add", identity="two", n=1)
    await rig.settled(decider)
    await first.stop()
    await rig.forget_tables(decider)
    await rig.lose_offsets(decider)
    await rig.send("add", identity="three", n=1)
    await rig.run(decider)
    await rig.settled(decider)
    assert [event.causationid for event in await rig.events("outcomes")] == ["one", "two", "three"]
    assert [event.sequence for event in await rig.events()] == [1, 2, 3]


async def test_an_input_that_makes_decide_raise_is_a_dead_letter_and_its_neighbours_live(rig: Rig) -> None:
    decider = CounterDecider()
    await rig.send("add", n=1)
    bad = await rig.send("explode", identity="bad")
    unknown = await rig.send("never-heard-of")
    await rig.send("add", n=1)
    await rig.run(decider)
    await rig.settled(decider)
    letters = await rig.read("dead-letters")
    assert [(letter.headers[REASON], letter.headers[ORIGIN]) for letter in letters] == [
        (b"failed", f"inbox/0/{bad}".encode()),
        (b"unknown-type", f"inbox/0/{unknown}".encode()),
    ]
    assert letters[0].value == (await rig.read("inbox"))[1].value
    assert FIRST_APPENDED_AT in letters[0].headers
    assert [event.type for event in await rig.events("outcomes")] == ["accepted", "refused", "refused", "accepted"]
    assert await rig.state(decider, "message/a") == Counter(count=2, sequence=2)


async def test_an_event_that_cannot_be_folded_is_never_said(rig: Rig) -> None:
    decider = CounterDecider()
    await rig.send("add", n=666)
    await rig.send("add", n=1)
    await rig.run(decider)
    await rig.settled(decider)
    assert [event.data["n"] for event in await rig.events()] == [1]
    assert [letter.headers[REASON] for letter in await rig.read("dead-letters")] == [b"failed"]


async def test_a_megabyte_of_garbage_is_a_dead_letter_byte_for_byte(rig: Rig) -> None:
    decider = CounterDecider()
    garbage = bytes(range(256)) * 4096
    await rig.write("inbox", b"\xff\x00", garbage)
    await rig.write("inbox", None, b"")
    await rig.send("add", n=1)
    await rig.run(decider)
    await rig.settled(decider)
    letters = await rig.read("dead-letters")
    assert [letter.value for letter in letters] == [garbage, b""]
    assert letters[0].key == b"\xff\x00"
    assert await rig.state(decider, "message/a") == Counter(count=1, sequence=1)


async def test_what_would_not_fit_on_its_topic_is_a_dead_letter(rig: Rig) -> None:
    decider = CounterDecider()
    await rig.send("talk", events=1, bytes=5_000_000)
    await rig.send("talk", events=6, bytes=1_000_000)
    await rig.run(decider)
    await rig.settled(decider)
    assert [event.sequence for event in await rig.events()] == [1, 2, 3, 4, 5, 6]
    assert [letter.headers[REASON] for letter in await rig.read("dead-letters")] == [b"too-large"]


async def test_event_time_never_runs_backwards(rig: Rig) -> None:
    decider = CounterDecider()
    late = START + timedelta(hours=2)
    first = await rig.run(decider)
    await rig.send("add", n=1, stamp=late)
    await rig.send("add", n=1, stamp=START)
    await rig.settled(decider)
    await first.stop()
    await rig.forget_tables(decider)
    await rig.run(decider)
    await rig.send("add", n=1, stamp=START + timedelta(hours=1))
    await rig.settled(decider)
    assert [event.time for event in await rig.events()] == [late, late, late]


async def test_two_replicas_share_the_partitions_and_hand_them_over(rig: Rig) -> None:
    decider = CounterDecider()
    first = await rig.run(decider)

    async def shared() -> bool:
        return all(len(one.health.partitions) == 1 and one.health.ready for one in (first, second))

    for number in range(10):
        await rig.send("add", partition=number % 2, identity=f"c{number}", n=1)
    second = await rig.run(decider)
    for number in range(10, 20):
        await rig.send("add", partition=number % 2, identity=f"c{number}", n=1)
    await until(shared, "each has one partition")
    await rig.settled(decider, 0)
    await rig.settled(decider, 1)
    await first.stop()
    for number in range(20, 30):
        await rig.send("add", partition=number % 2, identity=f"c{number}", n=1)
    for partition in range(2):
        await rig.settled(decider, partition)
        assert [event.sequence for event in await rig.events("events", partition)] == list(range(1, 16))
        outcomes = [event.causationid for event in await rig.events("outcomes", partition)]
        assert outcomes == [f"c{number}" for number in range(30) if number % 2 == partition]


async def test_every_record_tells_what_caused_it(rig: Rig) -> None:
    decider = CounterDecider()
    await rig.run(decider)
    offset = await rig.send("add", n=1)
    await rig.settled(decider)
    inbox = (await rig.log.inner.identity(["inbox"]))["inbox"]
    for topic, index in (("events", 0), ("outcomes", 1)):
        (record,) = await rig.read(topic)
        cause = Cause.from_headers(record.headers)
        assert cause is not None
        assert (cause.topic, cause.partition, cause.offset, cause.log, cause.index) == (
            "inbox",
            0,
            offset,
            inbox,
            index,
        )


async def test_large_batches_are_cut_into_transactions_without_loss(rig: Rig) -> None:
    decider = CounterDecider()
    for number in range(40):
        await rig.send("add", identity=f"c{number}", n=1)
    await rig.run(decider, limits=Limits(batch_max=16, outputs_max=5, bytes_max=100_000))
    await rig.settled(decider)
    assert [event.sequence for event in await rig.events()] == list(range(1, 41))
    assert [event.causationid for event in await rig.events("outcomes")] == [f"c{number}" for number in range(40)]


async def test_stop_finishes_the_batch_in_hand(rig: Rig) -> None:
    decider = CounterDecider()
    running = await rig.run(decider)
    await rig.send("add", n=1)
    await rig.settled(decider)
    await rig.send("add", n=1)
    await asyncio.wait_for(running.stop(), 15)
    await rig.run(decider)
    await rig.settled(decider)
    assert [event.sequence for event in await rig.events()] == [1, 2]
