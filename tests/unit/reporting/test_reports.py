"""Summaries, ratings, dynamics, overdue: what is counted, when, and to whose account."""

from __future__ import annotations

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting.access import Sight
from services.reporting.reports import periods
from services.reporting.reports.dynamics import steps
from services.reporting.reports.law import Laws
from services.reporting.reports.overdue import number, owed
from services.reporting.reports.rating import Rating, rate
from services.reporting.reports.summary import Summary, summarize
from services.reporting.store import apply
from services.runtime.problems import ProblemError
from tests.unit.reporting.given import Log, Message, at

SECOND = "second-2027-1"

KBR = Sight(("kbr",))


async def summary_of(engine: AsyncEngine, log: Log, period: str = "2026-11") -> Summary:
    async with engine.begin() as connection:
        await apply(connection, log.told)
        return await summarize(connection, await Laws().of(connection, "kbr"), periods.parse(period))


async def rating_of(engine: AsyncEngine, log: Log, period: str = "2026-11") -> Rating:
    async with engine.begin() as connection:
        await apply(connection, log.told)
        return await rate(connection, await Laws().of(connection, "kbr"), periods.parse(period))


def a_log() -> Log:
    log = Log()
    log.law()
    return log


async def test_received_counts_by_detection_and_answered_by_the_answer(engine: AsyncEngine) -> None:
    log = a_log()
    Message(log, 1, "31.10 23:50", logged="01.11 00:10").answered("01.11 09:00", "01.11 12:00")
    Message(log, 2, "30.11 23:00").answered("30.11 23:10", "01.12 09:00")
    november = await summary_of(engine, log)
    assert (november.received, november.answered) == (1, 1)
    assert (november.previous.period, november.previous.received, november.previous.answered) == ("2026-10", 1, 0)


async def test_a_month_is_one_of_the_authoritys_own_zone(engine: AsyncEngine) -> None:
    log = Log()
    log.law(zone="Asia/Irkutsk")
    Message(log, 1, "31.10 19:30")
    november = await summary_of(engine, log)
    assert november.received == 1
    assert november.begins_at.isoformat() == "2026-11-01T00:00:00+08:00"


async def test_a_message_dismissed_twice_is_one_and_each_draft_sent_back_counts(engine: AsyncEngine) -> None:
    log = a_log()
    one = Message(log, 1, "16.11 09:00")
    one.tell("dismissed", "16.11 09:10", ground="threat")
    one.tell("reopened", "16.11 09:20", reason="ошибка")
    one.tell("dismissed", "16.11 09:30", ground="threat")
    two = Message(log, 2, "16.11 09:00")
    two.triaged("16.11 09:10")
    two.routed("16.11 09:20", "minstroy")
    for name in ("first", "second"):
        two.draft("16.11 10:00", name)
        two.sent_back("16.11 10:30", name)
    november = await summary_of(engine, log)
    assert (november.dismissed, november.sent_back, november.order["reopened"]) == (1, 2, 1)


async def test_terms_are_told_by_rule_and_by_who_owed_them(engine: AsyncEngine) -> None:
    log = a_log()
    one = Message(log, 1, "16.11 09:00")
    one.deadline("set", "16.11 09:00", "route", "16.11 09:30")
    one.deadline("met", "16.11 09:20", "route", "16.11 09:30")
    one.deadline("set", "16.11 09:00", "answer", "17.11 09:00")
    one.deadline("moved", "16.11 09:20", "answer", "17.11 09:00", agency="minstroy")
    one.deadline("approaching", "16.11 17:00", "answer", "17.11 09:00", agency="minstroy")
    one.deadline("breached", "17.11 09:01", "answer", "17.11 09:00", agency="minstroy")
    one.deadline("met-late", "17.11 10:00", "answer", "17.11 09:00", agency="minstroy")
    one.deadline("excused", "17.11 11:00", "answer", "17.11 09:00", agency="minstroy")
    one.deadline("set", "16.11 09:20", "return", "16.11 09:50", agency="minstroy", window=True)
    one.deadline("cancelled", "16.11 10:00", "return", "16.11 09:50", agency="minstroy", window=True)
    terms = (await summary_of(engine, log)).terms
    told = [(term.rule, term.agency, term.met, term.breached, term.met_late, term.excused) for term in terms]
    assert told == [("answer", "minstroy", 0, 1, 1, 1), ("route", None, 1, 0, 0, 0)]


async def test_a_breach_belongs_to_the_month_in_which_it_was_due(engine: AsyncEngine) -> None:
    log = a_log()
    one = Message(log, 1, "30.11 12:00")
    one.deadline("set", "30.11 12:00", "answer", "30.11 23:59", agency="minstroy")
    one.deadline("breached", "01.12 00:05", "answer", "30.11 23:59", agency="minstroy")
    one.deadline("met-late", "01.12 10:00", "answer", "30.11 23:59", agency="minstroy")
    november = await summary_of(engine, log)
    december = await summary_of(engine, log, "2026-12")
    assert [(term.breached, term.met_late) for term in november.terms] == [(1, 0)]
    assert [(term.breached, term.met_late) for term in december.terms] == [(0, 1)]


async def test_structure_is_by_topic_category_and_channel(engine: AsyncEngine) -> None:
    log = a_log()
    Message(log, 1, "16.11 09:00", network="ok").triaged("16.11 09:10", ("Дороги", "Снег"), importance="high")
    Message(log, 2, "16.11 09:00").triaged("16.11 09:10", ("Дороги",))
    Message(log, 3, "16.11 09:00")
    structure = (await summary_of(engine, log)).structure
    assert [(one.name, one.received) for one in structure["topic"]] == [("Дороги", 2), ("Снег", 1)]
    assert [(one.name, one.received) for one in structure["category"]] == [("", 1), ("high", 1), ("ordinary", 1)]
    assert [(one.name, one.received) for one in structure["channel"]] == [("vk", 2), ("ok", 1)]


async def test_what_was_triaged_anew_after_the_month_does_not_change_it(engine: AsyncEngine) -> None:
    log = a_log()
    one = Message(log, 1, "30.11 09:00")
    one.triaged("30.11 09:10", ("Дороги",))
    before = (await summary_of(engine, log)).structure["topic"]
    one.triaged("02.12 09:10", ("Школы",))
    assert (await summary_of(engine, log)).structure["topic"] == before


async def test_quality_is_the_mean_of_all_scores(engine: AsyncEngine) -> None:
    log = a_log()
    one = Message(log, 1, "16.11 09:00")
    one.answered("16.11 09:10", "16.11 12:00", quality=3)
    one.tell("answer-scored", "17.11 09:00", score=5)
    one.tell("feedback-recorded", "17.11 09:00", satisfied=True)
    two = Message(log, 2, "16.11 09:00")
    two.triaged("16.11 09:10")
    two.routed("16.11 09:20", "minstroy")
    two.draft("16.11 10:00", "first")
    two.sent_back("16.11 10:30", "first")
    two.draft("16.11 11:00", "second")
    two.approved("16.11 11:10", "second", quality=4)
    quality = (await summary_of(engine, log)).quality
    assert (quality.mean_score, quality.scored, quality.approved, quality.at_once) == (4.0, 3, 2, 0.5)
    assert (quality.asked, quality.satisfied) == (1, 1.0)


async def test_a_quarter_adds_up_its_months(engine: AsyncEngine) -> None:
    log = a_log()
    for number_, day in enumerate(("05.10", "05.11", "06.11", "05.12")):
        Message(log, number_, f"{day} 09:00").answered(f"{day} 09:10", f"{day} 12:00")
    quarter = await summary_of(engine, log, "2026-Q4")
    assert (quarter.received, quarter.answered, quarter.previous.period) == (4, 4, "2026-Q3")
    months = [(await summary_of(engine, log, f"2026-{month}")).received for month in ("10", "11", "12")]
    assert sum(months) == quarter.received


async def test_the_summary_tells_how_far_it_is_on_its_way(engine: AsyncEngine) -> None:
    log = a_log()
    assert (await summary_of(engine, log)).delivery is None
    log.period("summary", "2026-11", "delivered", at("03.12 09:00"), to="Руководитель")
    assert (await summary_of(engine, log)).delivery == "delivered"


async def test_ratings_compare_agencies_by_four_indicators(engine: AsyncEngine) -> None:
    log = a_log()
    good = Message(log, 1, "16.11 09:00")
    good.answered("16.11 09:10", "16.11 10:10", "minzdrav", quality=5)
    good.deadline("set", "16.11 09:10", "answer", "17.11 09:00", agency="minzdrav")
    good.deadline("met", "16.11 10:10", "answer", "17.11 09:00", agency="minzdrav")
    poor = Message(log, 2, "16.11 09:00")
    poor.answered("16.11 09:10", "16.11 19:10", "minstroy", quality=2)
    poor.deadline("set", "16.11 09:10", "answer", "16.11 18:00", agency="minstroy")
    poor.deadline("breached", "16.11 18:01", "answer", "16.11 18:00", agency="minstroy")
    rating = await rating_of(engine, log)
    first, second, last = rating.items
    assert (first.agency, first.place, first.quality, first.in_time, first.mean_seconds) == (
        "minzdrav",
        1,
        5.0,
        1.0,
        3600,
    )
    assert (second.agency, second.place, second.quality, second.in_time) == ("minstroy", 2, 2.0, 0.0)
    assert (last.agency, last.place) == ("mintrans", None)
    assert not rating.required


async def test_an_excused_breach_does_not_lower_a_rating(engine: AsyncEngine) -> None:
    log = a_log()
    one = Message(log, 1, "16.11 09:00")
    one.deadline("set", "16.11 09:10", "answer", "16.11 18:00", agency="minstroy")
    one.deadline("breached", "16.11 18:01", "answer", "16.11 18:00", agency="minstroy")
    one.deadline("excused", "16.11 19:00", "answer", "16.11 18:00", agency="minstroy")
    one.deadline("set", "16.11 09:10", "draft", "16.11 18:00", agency="minstroy")
    one.deadline("met", "16.11 11:00", "draft", "16.11 18:00", agency="minstroy")
    rated = {item.agency: item for item in (await rating_of(engine, log)).items}
    assert rated["minstroy"].in_time == 1.0


async def test_dynamics_go_by_local_days_and_can_be_narrowed(engine: AsyncEngine) -> None:
    log = a_log()
    Message(log, 1, "16.11 23:30").triaged("16.11 23:40", ("Дороги",))
    Message(log, 2, "17.11 00:30").triaged("17.11 00:40", ("Снег",))
    async with engine.begin() as connection:
        await apply(connection, log.told)
        directory = await Laws().of(connection, "kbr")
        span = (at("01.11 00:00"), at("01.12 00:00"))
        days = await steps(connection, directory, *span, "day")
        assert [(day.start.isoformat(), day.received) for day in days] == [("2026-11-16", 1), ("2026-11-17", 1)]
        weeks = await steps(connection, directory, *span, "week")
        assert [(week.start.isoformat(), week.received) for week in weeks] == [("2026-11-16", 2)]
        snow = await steps(connection, directory, *span, "month", topic="Снег")
        assert [(month.start.isoformat(), month.received) for month in snow] == [("2026-11-01", 1)]


async def test_overdue_are_breaches_that_nobody_mended_and_soon_is_what_was_warned_of(engine: AsyncEngine) -> None:
    log = a_log()
    one = Message(log, 1, "16.11 09:00")
    for rule in ("late", "mended", "excused"):
        one.deadline("set", "16.11 09:00", rule, "16.11 12:00", agency="minstroy")
        one.deadline("breached", "16.11 12:01", rule, "16.11 12:00", agency="minstroy")
    one.deadline("met-late", "16.11 13:00", "mended", "16.11 12:00", agency="minstroy")
    one.deadline("excused", "16.11 13:00", "excused", "16.11 12:00", agency="minstroy")
    one.deadline("set", "16.11 09:00", "soon", "16.11 14:00", agency="minzdrav")
    one.deadline("set", "16.11 09:00", "far", "17.11 14:00", agency="minzdrav")
    one.deadline("set", "16.11 09:00", "return", "16.11 13:10", agency="minstroy", window=True)
    async with engine.begin() as connection:
        await apply(connection, log.told)
        now = at("16.11 13:35")
        found, following = await owed(connection, KBR, now, 100, None)
        assert [(item.rule, item.overdue) for item in found] == [("late", True), ("soon", False)]
        assert following is None
        assert await number(connection, KBR, now) == (1, 1)
        own, _ = await owed(connection, Sight(("kbr",), "minzdrav"), now, 100, None)
        assert [item.rule for item in own] == ["soon"]
        first, after = await owed(connection, KBR, now, 1, None)
        rest, _ = await owed(connection, KBR, now, 1, after)
        assert [item.rule for item in (*first, *rest)] == ["late", "soon"]


@pytest.mark.parametrize("name", ["2026", "2026-13", "2026-Q5", "2026-1", "26-11", "2026-11-01", "0000-11"])
def test_a_period_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(ProblemError):
        periods.parse(name)


async def test_a_report_is_that_of_the_periods_own_act(engine: AsyncEngine) -> None:
    log = a_log()
    log.second_act(SECOND, "2027-01-01", at("10.11 10:00"), period="quarter", to="Другой адресат")
    old = "kbr-2022-137"
    assert [(await summary_of(engine, log, name)).regulation for name in ("2026-12", "2026-Q4")] == [old, old]
    january = await summary_of(engine, log, "2027-01")
    assert (january.regulation, january.to) == (SECOND, "Другой адресат")


async def test_what_is_amended_after_a_period_ended_changes_nothing_in_its_report(engine: AsyncEngine) -> None:
    log = a_log()
    before = await summary_of(engine, log)
    act = log.told[0].envelope.data["data"]
    changed = act | {"summary": act["summary"] | {"to": "Другой адресат"}}
    log.amended("kbr", 3, "act", changed, at("01.12 00:00"))
    assert (await summary_of(engine, log)).to == before.to != "Другой адресат"
    assert (await summary_of(engine, log, "2026-12")).to == "Другой адресат"
