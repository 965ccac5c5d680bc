"""Folding: the same rows of any batching and any order of the two topics; nothing is counted twice."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting import tables
from services.reporting.access import Sight
from services.reporting.projections.fold import Told
from services.reporting.reports.law import Laws
from services.reporting.reports.register import Wanted, page
from services.reporting.store import apply, undecided_until, wipe
from services.runtime.decider import UnknownEvent
from tests.unit.reporting.given import Log, Message, at

KBR = Sight(("kbr",))


def a_busy_week() -> Log:
    log = Log()
    log.law()
    for number in range(6):
        one = Message(log, number, "16.11 09:00", text=f"=Почему не чистят снег? {number}")
        one.deadline("set", "16.11 09:00", "answer", "17.11 09:00")
        if number == 0:
            one.tell("dismissed", "16.11 09:10", ground="threat")
            continue
        one.triaged("16.11 09:10", ("Дороги", "Снег") if number % 2 else ("Дороги",))
        one.routed("16.11 09:20", "minstroy", "mintrans")
        one.deadline("moved", "16.11 09:20", "answer", "17.11 09:00", agency="minstroy")
        if number == 1:
            one.returned("16.11 09:30", "minstroy")
            continue
        one.draft("16.11 12:00", "first")
        one.sent_back("16.11 12:10", "first")
        one.draft("16.11 13:00", "second")
        one.approved("16.11 13:10", "second", quality=4)
        if number == 2:
            one.deadline("breached", "17.11 09:01", "answer", "17.11 09:00", agency="minstroy")
            one.published("17.11 10:00", "second")
            one.deadline("met-late", "17.11 10:00", "answer", "17.11 09:00", agency="minstroy")
            one.tell("breach-excused", "17.11 11:00", rule="answer", occurrence=1, reason="сбой сети")
            one.deadline("excused", "17.11 11:00", "answer", "17.11 09:00", agency="minstroy")
        else:
            one.published("16.11 14:00", "second")
            one.deadline("met", "16.11 14:00", "answer", "17.11 09:00", agency="minstroy")
    log.reached(at("18.11 09:00"))
    return log


async def fold_in(engine: AsyncEngine, batches: Sequence[Sequence[Told]]) -> None:
    for batch in batches:
        async with engine.begin() as connection:
            await apply(connection, batch)


async def all_rows(engine: AsyncEngine) -> dict[str, list[Any]]:
    async with engine.connect() as connection:
        return {
            name: sorted(map(repr, (await connection.execute(select(table)))))
            for name, table in tables.metadata.tables.items()
        }


async def emptied(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(f"truncate {', '.join(tables.metadata.tables)}"))


async def test_any_batching_gives_the_same_rows(engine: AsyncEngine) -> None:
    told = a_busy_week().told
    await fold_in(engine, [told])
    whole = await all_rows(engine)
    await emptied(engine)
    await fold_in(engine, [[one] for one in told])
    assert await all_rows(engine) == whole
    await emptied(engine)
    await fold_in(engine, [told[start : start + 7] for start in range(0, len(told), 7)])
    assert await all_rows(engine) == whole


async def test_either_topic_may_be_ahead_of_the_other(engine: AsyncEngine) -> None:
    told = a_busy_week().told
    await fold_in(engine, [told])
    whole = await all_rows(engine)
    events = [one for one in told if one.topic == "events"]
    deadlines = [one for one in told if one.topic == "deadlines"]
    for order in ([deadlines, events], [events, deadlines]):
        await emptied(engine)
        await fold_in(engine, order)
        assert await all_rows(engine) == whole


async def test_a_record_that_is_folded_again_changes_nothing(engine: AsyncEngine) -> None:
    told = a_busy_week().told
    await fold_in(engine, [told])
    whole = await all_rows(engine)
    random.Random(7).shuffle(again := [told[start:] for start in range(0, len(told), 5)])
    await fold_in(engine, again)
    assert await all_rows(engine) == whole


async def test_the_law_told_by_every_partition_counts_from_the_earliest(engine: AsyncEngine) -> None:
    early, late = Log(0), Log(1)
    late.law(since="01.10 09:05")
    early.law(since="01.10 09:00")
    for order in ((early, late), (late, early)):
        await emptied(engine)
        await fold_in(engine, [log.told for log in order])
        async with engine.connect() as connection:
            directory = await Laws().of(connection, "kbr")
            assert [note.time for note in directory.amendments] == [at("01.10 09:00")] * 2


async def test_a_partition_that_is_wiped_and_folded_again_gives_the_same_rows(engine: AsyncEngine) -> None:
    log, other = a_busy_week(), Log(1)
    Message(other, 99, "16.11 09:00").answered("16.11 09:10", "16.11 10:00")
    await fold_in(engine, [log.told, other.told])
    whole = await all_rows(engine)
    async with engine.begin() as connection:
        await wipe(connection, 0)
    async with engine.connect() as connection:
        rows, _ = await page(connection, Wanted(KBR), 100, None)
        assert len(rows) == 1
    await fold_in(engine, [log.told])
    assert await all_rows(engine) == whole


async def test_a_deadline_without_its_calendar_year_waits_and_is_then_set(engine: AsyncEngine) -> None:
    log = Log()
    one = Message(log, 1, "16.11 09:00")
    one.deadline("pending", "16.11 09:00", "answer", "17.11 09:00", year=2027, reason="нет календаря на 2027 год")
    await fold_in(engine, [log.told])
    states = select(tables.deadlines.c.state, tables.deadlines.c.due_at, tables.deadlines.c.reason)
    async with engine.connect() as connection:
        assert (await connection.execute(states)).one() == ("pending", None, "нет календаря на 2027 год")
    one.deadline("set", "16.11 10:00", "answer", "17.11 09:00")
    await fold_in(engine, [log.told])
    async with engine.connect() as connection:
        assert (await connection.execute(states)).one()[:2] == ("open", at("17.11 09:00"))


async def test_an_ignored_excuse_makes_no_deadline_and_changes_none(engine: AsyncEngine) -> None:
    log = Log()
    one = Message(log, 1, "16.11 09:00")
    one.deadline("set", "16.11 09:00", "route", "16.11 09:30")
    one.deadline("met", "16.11 09:10", "route", "16.11 09:30")
    one.deadline("pending", "16.11 09:00", "answer", "17.11 09:00", year=2027, reason="нет календаря на 2027 год")
    one.deadline("set", "16.11 09:00", "draft", "16.11 18:00")
    await fold_in(engine, [log.told])
    before = (await all_rows(engine))["reporting.deadlines"]
    for rule, occurrence in (("route", 1), ("answer", 1), ("draft", 1), ("answer", 2), ("publish", 3)):
        one.deadline("excuse-ignored", "16.11 09:20", rule, "16.11 09:20", occurrence=occurrence, reason="нет такого")
    await fold_in(engine, [log.told])
    assert (await all_rows(engine))["reporting.deadlines"] == before
    async with engine.connect() as connection:
        assert not await undecided_until(connection, ["kbr"], at("16.11 12:00"))


async def test_a_deadline_that_is_set_after_an_excuse_of_it_was_ignored_is_shown(engine: AsyncEngine) -> None:
    log = Log()
    one = Message(log, 1, "16.11 09:00")
    one.deadline("excuse-ignored", "16.11 09:20", "answer", "16.11 09:20", reason="нет такого")
    one.deadline("set", "16.11 09:30", "answer", "17.11 09:00")
    await fold_in(engine, [log.told])
    async with engine.connect() as connection:
        found = (await connection.execute(select(tables.deadlines.c.state, tables.deadlines.c.reason))).one()
    assert tuple(found) == ("open", None)


async def test_a_duty_that_is_due_at_the_very_instant_is_undecided_until_sla_has_spoken(engine: AsyncEngine) -> None:
    log = Log()
    one = Message(log, 1, "16.11 09:00")
    one.deadline("set", "16.11 09:00", "route", "16.11 09:30")
    await fold_in(engine, [log.told])
    async with engine.connect() as connection:
        assert await undecided_until(connection, ["kbr"], at("16.11 09:30"))
        assert not await undecided_until(connection, ["kbr"], at("16.11 09:29"))


async def test_an_unknown_event_stops_the_partition_and_stores_nothing(engine: AsyncEngine) -> None:
    log = Log()
    Message(log, 1, "16.11 09:00").tell("teleported", "16.11 09:10")
    with pytest.raises(UnknownEvent, match="teleported"):
        await fold_in(engine, [log.told])
    assert all(not rows for rows in (await all_rows(engine)).values())


async def test_a_gap_of_the_log_stops_the_partition(engine: AsyncEngine) -> None:
    log = Log()
    one = Message(log, 1, "16.11 09:00")
    one.triaged("16.11 09:10")
    one.routed("16.11 09:20", "minstroy")
    del log.told[1]
    with pytest.raises(ValueError, match="gap"):
        await fold_in(engine, [log.told])


async def test_the_register_tells_of_now_and_of_any_past_instant(engine: AsyncEngine) -> None:
    log = a_busy_week()
    await fold_in(engine, [log.told])
    late = log.told[-2].envelope.subject
    async with engine.connect() as connection:
        rows, following = await page(connection, Wanted(KBR), 100, None)
        assert following is None
        assert len(rows) == 6
        third = next(row for row in rows if row.deadlines_breached)
        assert third.status == "answered"
        assert third.answered_at == at("17.11 10:00")
        assert third.deadlines_excused == 1
        assert third.agencies == ("minstroy", "mintrans")
        assert late is not None
        before, _ = await page(connection, Wanted(KBR, as_of=at("16.11 12:30"), message_id=third.message_id), 100, None)
        assert (before[0].status, before[0].deadlines_breached, before[0].answered_at) == ("in_rework", 0, None)
        dawn, _ = await page(connection, Wanted(KBR, as_of=at("16.11 08:59")), 100, None)
        assert dawn == []


async def test_pages_of_the_register_join_into_the_whole(engine: AsyncEngine) -> None:
    await fold_in(engine, [a_busy_week().told])
    async with engine.connect() as connection:
        whole, _ = await page(connection, Wanted(KBR), 100, None)
        joined, after = await page(connection, Wanted(KBR), 4, None)
        assert after is not None
        rest, end = await page(connection, Wanted(KBR), 4, after)
        assert [*joined, *rest] == whole
        assert end is None


async def test_an_executor_sees_only_what_was_issued_to_its_agency(engine: AsyncEngine) -> None:
    log = a_busy_week()
    other = Message(log, 50, "16.11 10:00")
    other.triaged("16.11 10:10")
    other.routed("16.11 10:20", "minzdrav")
    await fold_in(engine, [log.told])
    async with engine.connect() as connection:
        rows, _ = await page(connection, Wanted(Sight(("kbr",), "minzdrav")), 100, None)
        assert [row.message_id for row in rows] == [other.id]
        rows, _ = await page(connection, Wanted(Sight(("kemerovo",))), 100, None)
        assert rows == []


async def test_an_edited_post_shows_its_new_words_and_the_past_its_old_ones(engine: AsyncEngine) -> None:
    log = Log()
    one = Message(log, 1, "16.11 09:00", text="Старое")
    edited = {
        "post": {"author": {"name": "Житель"}, "text": "Новое", "attachments": []},
        "url": "https://vk.example/new",
    }
    one.tell("post-edited", "16.11 10:00", edited_at=at("16.11 10:00").isoformat(), detection_id="d", **edited)
    await fold_in(engine, [log.told])
    async with engine.connect() as connection:
        now, _ = await page(connection, Wanted(KBR), 10, None)
        then, _ = await page(connection, Wanted(KBR, as_of=at("16.11 09:30")), 10, None)
        assert (now[0].text, then[0].text) == ("Новое", "Старое")
        stored = (await connection.execute(select(tables.story.c.data))).scalars().all()
        assert all("post" not in data for data in stored)
