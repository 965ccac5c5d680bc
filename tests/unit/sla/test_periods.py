"""Summaries: a period ends and nobody sends an event; whoever owns the period's id says so at the next `reached`."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from schemas.ids import period_id
from services.runtime.partitioner import partition_of
from services.sla import periods
from services.sla.decider import Sla
from services.sla.state import PERIOD, Subject
from tests.unit.sla import happenings as h
from tests.unit.sla.given import World, at


def quiet(region: str, reached: str) -> World:
    given = World(region)
    given.reached(reached)
    given.told.clear()
    return given


def state(given: World, region: str, period: str) -> Subject:
    found = given.states[PERIOD + period_id(region, "summary", period)]
    assert isinstance(found, Subject)
    return found


def test_kursky_summary_is_due_by_the_tenth_and_buryatia_before_the_fifteenth_of_the_quarter() -> None:
    given = quiet("kursky", "2026-11-20 10:00").reached("2026-12-01 00:01")
    assert given.said() == ["set summary/1"]
    # The 10th of December 2026 is a Thursday.
    assert given.told[0].data["due_at"] == "2026-12-10T18:00:00+03:00"
    assert given.told[0].data["starts_at"] == "2026-12-01T00:00:00+03:00"
    assert given.told[0].data["owed_by"] == {"role": "coordinator"}
    given = quiet("buryatia", "2026-09-20 10:00").reached("2026-10-01 00:01+08:00")
    assert given.told[0].data["due_at"] == "2026-10-14T18:00:00+08:00"


def test_a_due_day_that_is_a_day_off_gives_way_to_the_last_working_day_before() -> None:
    # The 10th of October 2026 is a Saturday.
    given = quiet("kursky", "2026-09-20 10:00").reached("2026-10-01 00:01")
    assert given.told[0].data["due_at"] == "2026-10-09T18:00:00+03:00"
    assert "последний рабочий день перед ним: пятница 09.10" in given.told[0].data["explanation"]


def test_an_act_that_states_no_day_sets_no_deadline() -> None:
    assert quiet("kbr", "2026-11-20 10:00").reached("2026-12-01 00:01").said() == []


def test_a_period_is_set_once_and_after_a_long_silence_every_period_that_ended() -> None:
    given = quiet("kursky", "2026-08-20 10:00").reached("2026-10-01 10:00").reached("2026-10-01 10:01")
    assert [(one.type.split(".")[2], one.data["about"]["period"]) for one in given.told] == [
        *(("set", "2026-08"), ("set", "2026-09"), ("breached", "2026-08")),
    ]


def test_only_the_partition_of_its_id_speaks_of_a_period() -> None:
    home = partition_of(period_id("kursky", "summary", "2026-11").encode(), 4)
    assert home != 0
    given = World("kursky", decider=Sla(4))
    given.reached("2026-11-20 10:00")
    given.told.clear()
    assert given.reached("2026-12-01 00:01").said() == []


def test_december_is_told_by_the_tenth_of_january_though_no_day_before_it_is_a_working_day() -> None:
    given = World("kursky", (2026, 2027))
    given.reached("2026-12-20 10:00")
    given.told.clear()
    assert given.reached("2027-01-01 00:01").said() == ["set summary/1"]
    assert given.told[-1].data["due_at"] == "2027-01-11T00:00:00+03:00"
    assert any("нет рабочих дней" in line for line in given.told[-1].data["explanation"])
    assert given.reached("2027-01-11 00:01").said()[-1] == "breached summary/1"


def test_a_delivery_meets_the_summary() -> None:
    given = quiet("kursky", "2026-11-20 10:00").reached("2026-12-01 00:01")
    subject = period_id("kursky", "summary", "2026-11")
    given.event(h.summary("delivered", "2026-11"), "2026-12-07 12:00", subject)
    assert given.said() == ["set summary/1", "met summary/1"]


def test_a_summary_delivered_before_its_term_began_is_not_asked_for_again() -> None:
    given = quiet("kursky", "2026-11-20 10:00")
    given.event(h.summary("delivered", "2026-11"), "2026-11-30 12:00", period_id("kursky", "summary", "2026-11"))
    assert given.reached("2026-12-01 00:01").said() == []


def test_buryatia_committee_reviews_in_two_working_days_and_again_after_a_refusal() -> None:
    given = quiet("buryatia", "2026-09-20 10:00").reached("2026-10-01 00:01+08:00")
    subject = period_id("buryatia", "summary", "2026-Q3")
    given.event(h.summary("sent-for-agreement", "2026-Q3"), "2026-10-05 12:00+08:00", subject)
    assert given.told[-1].data["due_at"] == "2026-10-07T18:00:00+08:00"
    assert given.told[-1].data["owed_by"] == {"role": "committee"}
    given.event(h.summary("refused", "2026-Q3"), "2026-10-06 12:00+08:00", subject)
    given.event(h.summary("sent-for-agreement", "2026-Q3"), "2026-10-07 12:00+08:00", subject)
    given.event(h.summary("agreed", "2026-Q3"), "2026-10-08 12:00+08:00", subject)
    given.event(h.summary("delivered", "2026-Q3"), "2026-10-09 12:00+08:00", subject)
    assert given.said() == [
        *("set summary/1", "set summary_review/1", "met summary_review/1"),
        *("set summary_review/2", "met summary_review/2", "met summary/1"),
    ]
    assert state(given, "buryatia", "2026-Q3").sequence == 5


def test_a_summary_that_waits_for_a_year_is_set_when_it_comes() -> None:
    given = World("kursky", (2026,))
    given.reached("2026-12-20 10:00")
    given.told.clear()
    assert given.reached("2027-01-01 00:01").said() == ["pending summary/1"]


def test_periods_end_at_the_authoritys_midnight() -> None:
    zone = ZoneInfo("Asia/Irkutsk")
    assert periods.ends_at("2026-Q4", zone) == at("2027-01-01 00:00+08:00")
    assert periods.ends_at("2026-02", zone) == at("2026-03-01 00:00+08:00")
    after, until = datetime(2026, 11, 30, 15, 59, tzinfo=UTC), datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    assert list(periods.ended("month", zone, after, until)) == ["2026-11", "2026-12"]
    assert list(periods.ended("quarter", zone, after, until)) == ["2026-Q4"]
    assert list(periods.ended("month", zone, until, until)) == []
