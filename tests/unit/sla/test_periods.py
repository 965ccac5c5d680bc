"""Summaries: a period ends and nobody sends an event; whoever owns the period's id says so at the next `reached`."""

from __future__ import annotations

from typing import Any

from schemas.ids import period_id
from services.runtime.partitioner import partition_of
from services.sla.decider import Sla
from services.sla.state import PERIOD, Subject
from tests.unit.sla import happenings as h
from tests.unit.sla.given import World, at
from tests.unit.sla.law import act_of, amended, file_of


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


SECOND = "second-2027-1"


def followed(given: World, **changes: Any) -> World:
    """The world after amendments of December: from the first of January on, the region's act with these changes."""
    data = act_of(given.region, **changes) | {"id": SECOND}
    first, december = file_of(given.region), at("2026-12-10 10:00")
    both = file_of(
        given.region, regulations=[*first["regulations"], {"id": SECOND, "from": "2027-01-01", "stated": True}]
    )
    given.amend(amended(given.law + 1, "act", data), december)
    given.amend(amended(given.law + 1, "authority", both), december)
    given.told.clear()
    return given


def kursky_then_a_quarterly_act() -> World:
    summary = act_of("kursky")["summary"] | {"period": "quarter", "due_day": 20}
    given = World("kursky", (2026, 2027)).reached("2026-12-01 00:01")
    return followed(given, summary=summary)


def begun(given: World) -> list[tuple[str, str, str]]:
    """The period, the act and the due instant of everything that was set."""
    told = [one.data for one in given.told if one.type == "otklik.deadline.set.v1"]
    given.told.clear()
    return [(data["about"]["period"], data["regulation"], data["due_at"]) for data in told]


def test_december_is_owed_by_its_own_act_when_another_begins_on_the_first_of_january() -> None:
    given = kursky_then_a_quarterly_act().reached("2027-01-01 00:01")
    assert begun(given) == [("2026-12", "kursky-2023-18", "2027-01-11T00:00:00+03:00")]
    given.reached("2027-04-01 00:01")
    assert begun(given) == [("2027-Q1", SECOND, "2027-04-20T18:00:00+03:00")]


def test_the_summary_of_december_moves_with_the_calendar_by_its_own_act() -> None:
    given = kursky_then_a_quarterly_act().reached("2027-01-01 00:01")
    day = {"date": "2027-01-06", "kind": "working", "basis": "указ"}
    given.amend(amended(given.law + 1, "calendar_day", day), at("2027-01-02 10:00"))
    moved = given.told[-1]
    assert (moved.type, moved.data["due_at"]) == ("otklik.deadline.moved.v1", "2027-01-06T18:00:00+03:00")
    assert "kursky-2023-18" in moved.data["explanation"][0]


def test_the_committee_has_the_days_of_the_periods_act_whenever_the_report_is_sent() -> None:
    rules = act_of("buryatia")["rules"]
    given = World("buryatia", (2026, 2027)).reached("2026-12-01 00:01+08:00")
    followed(given, rules=rules | {"summary_review": rules["summary_review"] | {"term": "P5D"}})
    given.reached("2027-01-01 00:01+08:00")
    subject = period_id("buryatia", "summary", "2026-Q4")
    given.event(h.summary("sent-for-agreement", "2026-Q4"), "2027-01-11 12:00+08:00", subject)
    review = given.last("set", "summary_review")
    assert (review.data["due_at"], review.data["regulation"]) == ("2027-01-13T18:00:00+08:00", "buryatia-2022-288")
    day = {"date": "2027-01-12", "kind": "off", "basis": "указ", "shortens_eve": False}
    given.amend(amended(given.law + 1, "calendar_day", day), at("2027-01-11 13:00+08:00"))
    assert given.last("moved", "summary_review").data["due_at"] == "2027-01-14T18:00:00+08:00"
