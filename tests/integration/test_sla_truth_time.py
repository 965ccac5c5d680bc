"""No wrong clock, no late visibility, no order of arrival and no absence makes a false breach, and no true one is lost:
shown on real Kafka and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaProducer

from schemas.envelope import Envelope
from schemas.events import Reached
from tests.checker.invariants import CLOSED, deadlines_final
from tests.integration.truth import NINE, Open, Town, minutes, open_town, town
from tests.unit.sla.law import act_of

__all__ = ["open_town", "town"]

DUE = NINE + minutes(30)
SECOND = timedelta(seconds=1)


@asynccontextmanager
async def open_transaction(town: Town, topic: str, value: bytes, when: datetime) -> AsyncIterator[AIOKafkaProducer]:
    """Somebody else's transaction holds whoever reads the partition; the caller ends it, one way or the other."""
    producer = AIOKafkaProducer(
        bootstrap_servers=town.bootstrap, transactional_id=f"{town.prefix}-stranger", transaction_timeout_ms=60_000
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        stamp = int(when.timestamp() * 1000)
        await producer.send_and_wait(f"{town.prefix}.{topic}", value, key=b"clock", partition=0, timestamp_ms=stamp)
        yield producer
    finally:
        await producer.stop()


# (a) What becomes visible late.


async def test_a_routing_held_back_by_a_strangers_transaction_on_the_inbox_is_met_and_never_breached(
    town: Town,
) -> None:
    """The dismissal is stamped in time, stands behind an open transaction, and is read long after it was due."""
    await town.wake("workflow", "sla")
    message = await town.detect("held", NINE)
    await town.settled()
    assert await town.told(message, "route") == ["set"]
    tick = Envelope(id="stranger", source="/test", type="otklik.clock.tick.v1", time=NINE).to_bytes()
    async with open_transaction(town, "inbox", tick, NINE + SECOND) as stranger:
        await town.dismiss(message, DUE)
        town.set_clock(DUE + minutes(60))
        # Ticks of an hour later are on the log by now, and stand behind the same transaction.
        await asyncio.sleep(1.5)
        assert await town.told(message, "route") == ["set"]
        await stranger.commit_transaction()
    await town.until_told(message, "route", "set", "met")
    await town.settled()
    await town.must_be_true()


async def test_time_told_in_an_aborted_transaction_on_events_never_came(town: Town) -> None:
    """Sla reads what is committed: a `reached` far ahead that is taken back breaches nothing, nor does what waits behind it."""
    await town.wake("workflow", "sla")
    message = await town.detect("aborted", NINE)
    await town.settled()
    ahead = DUE + timedelta(hours=1)
    reached = Envelope(
        id="r", source="/test", type=Reached.type, time=ahead, data=Reached(at=ahead).model_dump(mode="json")
    )
    async with open_transaction(town, "events", reached.to_bytes(), ahead) as stranger:
        await town.dismiss(message, DUE)
        await town.rig.settled(town.workflow, readable=False)
        await asyncio.sleep(0.5)
        assert await town.told(message, "route") == ["set"]
        await stranger.abort_transaction()
    await town.until_told(message, "route", "set", "met")
    await town.must_be_true()


# (b) Sla's own clock.


class Wrong:
    """The machine's clock, and how wrong it is."""

    simulated = False

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> datetime:
        return datetime.now(UTC) + self._by

    async def wait_until(self, instant: datetime, wake_s: float) -> None:
        await asyncio.sleep(max(0.0, min(wake_s, (instant - self.now()).total_seconds())))


@pytest.mark.parametrize("hours", [1, -1], ids=["an_hour_ahead", "an_hour_behind"])
async def test_slas_clock_is_an_hour_wrong_and_only_what_is_late_by_the_brokers_clock_is_breached(
    open_town: Open, hours: int
) -> None:
    town = await open_town(Wrong(timedelta(hours=hours)))
    await town.wake("workflow", "sla")
    # Seconds, day and night, so that a test can wait for them.
    route = act_of("kbr")["rules"]["route"] | {"term": "PT4S", "clock": "plain"}
    await town.law(rules=act_of("kbr")["rules"] | {"route": route})
    await town.settled()
    good, bad = await town.detect("good", NINE), await town.detect("bad", NINE)
    await town.settled()
    began = asyncio.get_running_loop().time()
    await asyncio.sleep(1)
    assert (await town.told(good, "route"), await town.told(bad, "route")) == (["set"], ["set"])
    await town.dismiss(good, NINE)
    await town.until_told(bad, "route", "set", "breached")
    assert asyncio.get_running_loop().time() - began < 20, "a true breach has to come soon, though the clock is wrong"
    assert await town.told(good, "route") == ["set", "met"]
    await town.must_be_true()


# (c) Who comes first.


async def in_review(town: Town, name: str) -> tuple[str, str, int]:
    """A message whose draft was submitted at nine: `review` is due at 9:30. Its id, the draft's, the sequence."""
    message = await town.detect(name, NINE)
    await town.do("triage", message, NINE, topics=["дороги"], location="Нальчик", importance="ordinary", reduced=False)
    await town.do("route", message, NINE, assignments=[{"agency": town.agency}])
    await town.do("submit_draft", message, NINE, town.agency, kind="answer", text="Свет дали")
    await town.rig.settled(town.workflow)
    return message, await town.draft_id(message), len(await town.happened(message))


async def test_an_edit_overtaking_an_approval_is_judged_in_the_order_of_the_partition(town: Town) -> None:
    """Whoever approves what he has seen is refused when the post has changed before him, though his stamp is the smaller;
    he is not when the change comes behind him. Either way the review is judged by what the partition says."""
    await town.wake("workflow", "sla")
    overtaken, draft, seen = await in_review(town, "overtaken")
    first, other, count = await in_review(town, "first")
    edit, later_edit = (town.detection(name, "Света нет и сегодня", "edited") for name in ("overtaken", "first"))
    stale = town.command("approve_draft", overtaken, None, seen, draft_id=draft)
    fresh = town.command("approve_draft", first, None, count, draft_id=other)
    at_nine_twenty = NINE + minutes(20)
    await town.put_all(
        [
            (edit, at_nine_twenty),
            (stale, at_nine_twenty - SECOND),
            (fresh, at_nine_twenty),
            (later_edit, at_nine_twenty),
        ]
    )
    await town.settled()
    assert await town.outcome(stale.id) == "sequence-conflict"
    assert await town.outcome(fresh.id) == "accepted"
    assert (await town.happened(overtaken))[seen:] == ["post-edited"]
    assert (await town.happened(first))[count:] == ["draft-approved", "post-edited"]
    assert await town.told(first, "review") == ["set", "met"]
    # What was refused has fulfilled nothing: seen again and approved too late, it is breached, and then met late.
    await town.do("approve_draft", overtaken, DUE + SECOND, draft_id=draft)
    await town.until_told(overtaken, "review", "set", "breached", "met-late")
    await town.must_be_true()


# (d) A broker that stamps backwards.


async def test_a_broker_that_stamps_backwards_turns_no_time_back_and_breaches_nothing_falsely(town: Town) -> None:
    await town.wake("workflow", "sla")
    good, late = await town.detect("good", NINE), await town.detect("late", NINE)
    await town.tick(DUE - SECOND)
    # Another broker leads from here on, whose clock is three hours slow.
    await town.dismiss(good, NINE - timedelta(hours=3))
    await town.tick(NINE - timedelta(hours=3))
    await town.settled()
    assert (await town.told(good, "route"), await town.told(late, "route")) == (["set", "met"], ["set"])
    await town.tick(DUE + SECOND)
    await town.dismiss(late, DUE - minutes(5))
    young = await town.detect("young", NINE)
    await town.until_told(late, "route", "set", "breached", "met-late")
    await town.settled()
    assert await town.told(young, "route") == ["set"]
    times = [one.time for one in await town.rig.events("events") if one.time >= NINE]
    assert times == sorted(times) and times[-1] == DUE + SECOND
    await town.must_be_true()


# (e) Who is away when it is due.


@pytest.mark.parametrize("away", [("sla",), ("workflow",), ("workflow", "sla")], ids=["sla", "workflow", "both"])
async def test_services_away_across_the_due_instant_find_the_same_as_if_they_had_been_there(
    town: Town, away: tuple[str, ...]
) -> None:
    await town.wake("workflow", "sla")
    in_time, late, never = [await town.detect(name, NINE) for name in ("in-time", "late", "never")]
    await town.settled()
    await town.sleep(*away)
    await town.dismiss(in_time, DUE)
    town.set_clock(DUE + SECOND)
    if away == ("workflow",):
        # Sla alone sees by its clock that something is due, and asks for the time again and again.
        await asyncio.sleep(0.5)
    await town.dismiss(late, DUE + SECOND)
    town.set_clock(NINE + timedelta(hours=2))
    await town.wake(*away)
    await town.until_told(never, "route", "set", "breached")
    await town.until_told(late, "route", "set", "breached", "met-late")
    assert await town.told(in_time, "route") == ["set", "met"]
    await town.settled()
    await town.must_be_true()


# Nothing is left open behind the time.


async def test_whatever_was_due_before_the_last_reached_is_closed_and_the_checker_would_see_one_that_is_not(
    town: Town,
) -> None:
    """Met, breached, cancelled, excused and met late, all below the last `reached`: judged by the checker's own reader."""
    await town.wake("workflow", "sla")
    names = ("met", "breached", "excused", "late")
    met, breached, excused, late = [await town.detect(name, NINE) for name in names]
    await town.dismiss(met, DUE)
    town.set_clock(NINE + timedelta(days=30))
    await town.until_told(breached, "answer", "set", "breached")
    again = NINE + timedelta(days=30)
    await town.do("excuse_breach", excused, again, rule="route", occurrence=1, reason="сбой связи")
    await town.dismiss(late, again)
    await town.settled()
    assert await town.told(met, "answer") == ["set", "cancelled"]
    assert await town.told(excused, "route") == ["set", "breached", "excused"]
    assert await town.told(late, "route") == ["set", "breached", "met-late"]
    log = await town.log()
    assert deadlines_final(log) == []
    whole = log.topics["deadlines"]
    ends = [raw for raw in whole if raw.json["type"].split(".")[2] in ("breached", "met", "cancelled")]
    words = Counter(raw.json["data"]["deadline_id"] for raw in whole if raw.json["type"].split(".")[2] in CLOSED)
    only_words = [raw for raw in ends if words[raw.json["data"]["deadline_id"]] == 1]
    assert {raw.json["type"].split(".")[2] for raw in only_words} == {"breached", "met", "cancelled"}
    for lost in only_words:
        log.topics["deadlines"] = [raw for raw in whole if raw is not lost]
        assert deadlines_final(log), lost.json
