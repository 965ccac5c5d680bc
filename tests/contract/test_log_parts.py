"""What gates, relays and tools do with either log."""

import asyncio
import re
from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.partitioner import murmur2

from services.runtime.appender import GROUP_RECORDS, Appender, Overloaded
from services.runtime.broadcast import Broadcast, broadcast
from services.runtime.clock import ClockNotSet, ManualClock, SimulatedClock
from services.runtime.decider import Unreadable
from services.runtime.feed import Feed
from services.runtime.headers import REASON, Cause
from services.runtime.kafka_client import KafkaSettings, discard_producer
from services.runtime.kafka_consumer import KafkaMember
from services.runtime.log import Log, LogError, Outgoing, Position, Record, TopicPartition
from services.runtime.partitioner import partition_of
from services.runtime.relay import Relay
from tests.contract.rig import START, Crash, Rig, until


async def test_concurrent_callers_get_the_position_of_their_own_record(rig: Rig) -> None:
    appender = Appender(rig.log.inner)
    await appender.start()
    positions = await asyncio.gather(
        *(appender.append(Outgoing("inbox", b"k", str(number).encode(), {}, number % 2)) for number in range(300))
    )
    await appender.stop()
    values = {(r.partition, r.offset): r.value for p in (0, 1) for r in await rig.read("inbox", p)}
    assert [values[one.partition, one.offset] for one in positions] == [str(number).encode() for number in range(300)]


async def test_a_queue_that_is_full_says_so_at_once(rig: Rig) -> None:
    appender = Appender(rig.log.inner, max_records=2)
    first = asyncio.create_task(appender.append_all([Outgoing("inbox", b"k", b"1", {}, 0)] * 2))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await appender.append(Outgoing("inbox", b"k", b"3", {}, 0))
    await appender.start()
    assert len(await first) == 2
    await appender.stop()


async def test_an_unknown_fate_is_an_error_for_its_caller_only(rig: Rig) -> None:
    appender = Appender(rig.log.inner)
    await appender.start()
    good = Outgoing("inbox", b"k", b"good", {}, 0)
    bad = Outgoing("inbox", b"k", b"x" * 5_000_000, {}, 1)
    with pytest.raises(LogError):
        await appender.append(bad)
    assert (await appender.append(good)).offset == 0
    await appender.stop()


class Held:
    """A log whose writer waits for a word before it appends, or is not to be had."""

    def __init__(self, inner: Log) -> None:
        self._inner = inner
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.away = False
        self.attempts = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def writer(self, name: str | None = None) -> Any:
        self.attempts += 1
        if self.away:
            raise LogError("away")
        writer = await self._inner.writer(name)

        async def append(outgoing: Sequence[Outgoing]) -> list[Position | LogError]:
            self.begun.set()
            await self.go.wait()
            return await writer.append(outgoing)

        return SimpleNamespace(append=append, close=writer.close)


async def test_what_is_on_its_way_when_it_stops_is_told_as_it_ends(rig: Rig) -> None:
    log = Held(rig.log.inner)
    appender = Appender(cast("Log", log))
    await appender.start()
    asked = asyncio.create_task(appender.append(Outgoing("inbox", b"k", b"v", {}, 0)))
    await log.begun.wait()
    stopping = asyncio.create_task(appender.stop())
    await asyncio.sleep(0)
    log.go.set()
    assert (await asked).offset == 0
    await stopping


async def test_nobody_waits_in_the_queue_for_a_log_that_is_away(rig: Rig) -> None:
    log = Held(rig.log.inner)
    log.away = True
    appender = Appender(cast("Log", log))
    many = [Outgoing("inbox", b"k", b"v", {}, 0)] * GROUP_RECORDS
    asked = [asyncio.create_task(appender.append_all(many)) for _ in range(4)]
    await asyncio.sleep(0)
    await appender.start()
    found = [result for results in await asyncio.gather(*asked) for result in results]
    assert len(found) == 4 * GROUP_RECORDS and all(isinstance(result, LogError) for result in found)
    assert log.attempts == 1
    await appender.stop()


async def test_where_a_member_stands_can_be_asked_while_a_topic_that_fits_its_pattern_is_new() -> None:
    """The measuring of health asks every two seconds, also between the new topic and the group's next generation."""
    member = KafkaMember(KafkaSettings("nowhere:9092", "p"), "doors", (), r"commands\..*")
    one = KafkaPartition("p.commands.a.b", 0)
    known = SubscriptionState()
    known.subscribe_pattern(re.compile(r"^p\.commands\."))
    member._consumer = SimpleNamespace(_subscription=known)
    assert member.positions() == {}
    known.subscribe_from_pattern({one.topic})
    known.assign_from_subscribed({one})
    known.seek(one, 7)
    member._feeds[one] = Feed(lambda: None, lambda: None, lambda: None)
    assert member.positions() == {TopicPartition("commands.a.b", 0): 7}
    known.subscribe_from_pattern({one.topic, "p.commands.a.c"})
    assert member.positions() == {}


async def test_keys_go_where_kafkas_own_clients_put_them(rig: Rig) -> None:
    # Known values of org.apache.kafka.common.utils.Utils.murmur2, as its own tests have them.
    assert [partition_of(key, 1 << 31) for key in (b"21", b"foobar", b"")] == [
        -973932308 & 0x7FFFFFFF,
        -790332482 & 0x7FFFFFFF,
        275646681,
    ]
    keys = [bytes(range(250, 250 - length, -1)) for length in range(41)]
    assert [partition_of(key, 1 << 31) for key in keys] == [murmur2(key) & 0x7FFFFFFF for key in keys]
    appender = Appender(rig.log.inner)
    await appender.start()
    position = await appender.append(Outgoing("inbox", b"foobar", b"", {}))
    await appender.stop()
    assert position.partition == partition_of(b"foobar", rig.partitions)


async def test_a_broadcast_stands_in_every_partition_in_one_order(rig: Rig) -> None:
    values = [Broadcast(b"law", str(number).encode()) for number in range(3)]
    positions = await broadcast(rig.log.inner, "inbox", values)
    assert [[one.partition for one in of_value] for of_value in positions] == [[0, 1]] * 3
    for partition in range(2):
        assert [record.value for record in await rig.read("inbox", partition)] == [b"0", b"1", b"2"]


async def test_records_of_a_simulated_installation_bear_its_time(rig: Rig) -> None:
    clock = ManualClock(START + timedelta(days=40))
    appender = Appender(rig.log.inner, clock)
    await appender.start()
    position = await appender.append(Outgoing("inbox", b"k", b"v", {}, 0))
    await appender.stop()
    (record,) = await rig.read("inbox")
    assert position.stamp == record.stamp == clock.now()


async def test_the_simulated_clock_is_one_for_all_and_never_runs_back(rig: Rig) -> None:
    here, there = SimulatedClock(rig.log.inner), SimulatedClock(rig.log.inner)
    await here.start()
    await there.start()
    with pytest.raises(ClockNotSet):
        here.now()
    await here.set(START)
    await there.wait_until(START, 10)
    assert there.now() == START
    assert await there.advance(timedelta(days=1)) == START + timedelta(days=1)
    assert await here.set(START) >= START
    await here.wait_until(START + timedelta(days=1), 10)
    assert here.now() == START + timedelta(days=1)
    late = SimulatedClock(rig.log.inner)
    await late.start()
    assert late.now() == START + timedelta(days=1)
    for clock in (here, there, late):
        await clock.stop()


def shaped(record: Record) -> Sequence[Outgoing]:
    if record.value == b"bad":
        raise Unreadable("not-ours", "bad")
    if record.value == b"worse":
        raise ZeroDivisionError
    return [Outgoing("inbox", b"k", b"shaped " + (record.value or b""), {}, 0)]


@pytest.mark.parametrize("point", [None, "session.after", "commit.before", "commit.appended", "commit.after"])
async def test_a_relay_passes_everything_on_exactly_once(rig: Rig, point: str | None) -> None:
    if point is not None:
        rig.faults.arm(point, LogError("lost"))
    relay = Relay("relay", rig.log, shaped, topics=["outcomes"])
    task = asyncio.create_task(relay.run())
    for number, value in enumerate((b"one", b"bad", b"two", b"worse", b"three")):
        await rig.write("outcomes", b"x", value, partition=number % 2)

    async def done() -> bool:
        return len(await rig.read("inbox")) + len(await rig.read("dead-letters")) >= 5

    await until(done, "all are passed on")
    await relay.stop()
    await asyncio.wait_for(task, 20)
    passed = await rig.read("inbox")
    assert sorted(record.value or b"" for record in passed) == [b"shaped one", b"shaped three", b"shaped two"]
    assert sorted(letter.headers[REASON] for letter in await rig.read("dead-letters")) == [b"failed", b"not-ours"]
    assert all(Cause.from_headers(record.headers) is not None for record in passed)
    again = Relay("relay", rig.log, shaped, pattern="out.*")
    task = asyncio.create_task(again.run())
    await rig.write("outcomes", b"x", b"four")

    async def more() -> bool:
        return len(await rig.read("inbox")) >= 4

    await until(more, "the next is passed on")
    await again.stop()
    await asyncio.wait_for(task, 20)
    assert [record.value for record in (await rig.read("inbox"))[3:]] == [b"shaped four"]


async def test_reading_ends_behind_markers_and_aborted_records(rig: Rig) -> None:
    place = TopicPartition("events", 0)
    dying = await rig.log.session("counter", TopicPartition("inbox", 0))
    await dying.commit([Outgoing("events", b"a", b"kept", {}, 0)], None)
    rig.faults.arm("commit.appended", Crash())
    with pytest.raises(Crash):
        await dying.commit([Outgoing("events", b"a", b"aborted", {}, 0)], None)
    assert ((await rig.log.inner.ends([place]))[place], (await rig.log.inner.written([place]))[place]) == (2, 3)
    await dying.close()
    heir = await rig.log.inner.session("counter", TopicPartition("inbox", 0))
    end = (await rig.log.inner.ends([place]))[place]
    assert end == 4
    found = [record async for records in rig.log.inner.read(place, 0, end) for record in records]
    assert [record.value for record in found] == [b"kept"]
    assert [records async for records in rig.log.inner.read(place, end, end)] == []
    await heir.close()


async def test_followers_see_what_is_committed_from_where_they_are_told(rig: Rig) -> None:
    for number in range(3):
        await rig.write("inbox", b"k", str(number).encode())
    found: list[bytes | None] = []
    async for records in rig.log.inner.follow({TopicPartition("inbox", 0): 1}):
        found += [record.value for record in records]
        if len(found) == 2:
            await rig.write("inbox", b"k", b"3")
        if len(found) == 3:
            break
    assert found == [b"1", b"2", b"3"]


async def test_a_producer_whose_giver_up_is_cancelled_is_ended_all_the_same() -> None:
    aborting = asyncio.Event()
    done: list[str] = []

    async def hangs() -> None:
        aborting.set()
        await asyncio.Event().wait()

    async def stop() -> None:
        done.append("stopped")

    async def close() -> None:
        done.append("closed")

    sender = asyncio.create_task(asyncio.Event().wait())
    producer = SimpleNamespace(
        _txn_manager=SimpleNamespace(is_in_transaction=lambda: True), _sender=SimpleNamespace(sender_task=sender),
        client=SimpleNamespace(close=close), abort_transaction=hangs, stop=stop,
    )  # fmt: skip
    giving_up = asyncio.create_task(discard_producer(producer, may_abort=True))
    await aborting.wait()
    giving_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await giving_up
    assert done == ["stopped", "closed"]
    assert sender.cancelled()
