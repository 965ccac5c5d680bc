"""Late decrees: open deadlines move with the calendar, closed ones stay; a year that nobody gave is an alarm."""

from __future__ import annotations

from regulations.working_time.library_years import library_year
from schemas.deadlines import PENDING
from tests.unit.sla import happenings as h
from tests.unit.sla.given import World, at
from tests.unit.sla.law import act_of, amended


def decree(given: World, day: str, when: str) -> list[str]:
    """A day off, decreed late."""
    mark = given.mark()
    data = {"date": day, "kind": "off", "basis": "указ", "shortens_eve": False}
    given.amend(amended(given.law + 1, "calendar_day", data), at(when))
    return given.said(mark)


def registered(when: str = "2026-11-16 09:00", **world: object) -> World:
    given = World(**world)  # type: ignore[arg-type]
    return given.event(h.registered(given, when), when)


def test_a_late_decree_moves_the_open_deadlines_that_it_touches() -> None:
    given = registered()
    assert decree(given, "2026-11-17", "2026-11-16 10:00") == ["breached route/1", "moved answer/1"]
    moved = given.last("moved", "answer").data
    assert moved["due_at"] == "2026-11-18T10:00:00+03:00"
    assert moved["previous_due_at"] == "2026-11-17T10:00:00+03:00"
    assert given.law in moved["amendments"] and moved["reason"] == "проверка"
    assert any("вторник 17.11 – выходной" in line for line in moved["explanation"])


def test_the_draft_moves_with_the_answer_though_its_old_instant_lay_on_another_day() -> None:
    given = registered("2026-11-16 16:00")
    assert (given.due("answer"), given.due("draft")) == ("17.11 17:00", "17.11 12:00")
    assert decree(given, "2026-11-17", "2026-11-16 16:10") == ["moved draft/1", "moved answer/1"]
    assert (given.due("answer"), given.due("draft")) == ("18.11 17:00", "18.11 12:00")


def test_closed_deadlines_stay() -> None:
    given = registered().event(h.dismissed(), "2026-11-16 09:10")
    assert decree(given, "2026-11-17", "2026-11-16 10:00") == []


def test_a_breached_deadline_stays_breached() -> None:
    given = registered().reached("2026-11-17 10:01")
    assert decree(given, "2026-11-17", "2026-11-17 10:30") == []
    assert given.states_of()["answer/1"] == "breached"


def test_what_was_due_before_the_amendment_is_breached_and_not_moved() -> None:
    given = registered()
    assert decree(given, "2026-11-17", "2026-11-17 10:30") == [
        "breached route/1",
        "breached draft/1",
        "breached answer/1",
    ]


def test_a_calendar_moves_nothing_into_the_past() -> None:
    given = registered("2026-11-13 17:00")
    assert given.due("answer") == "16.11 18:00"
    mark = given.mark()
    data = {"date": "2026-11-14", "kind": "working", "basis": "указ"}
    given.amend(amended(given.law + 1, "calendar_day", data), at("2026-11-16 17:30"))
    assert "moved answer/1" not in given.said(mark) and given.due("answer") == "16.11 18:00"


def test_an_amendment_of_the_hours_moves_too() -> None:
    given = registered()
    mark = given.mark()
    hours = {"days": "mon-fri", "from": "09:00", "to": "17:00", "lunch": {"from": "13:00", "to": "14:00"}}
    given.amend(amended(given.law + 1, "hours", {"hours": hours}), at("2026-11-16 09:10"))
    # Seven hours that Monday, two on Tuesday; four before that is where the draft stood already.
    assert given.said(mark) == ["moved answer/1"]
    assert (given.due("answer"), given.due("draft")) == ("17.11 11:00", "16.11 15:00")


def test_the_warning_moves_with_its_deadline_and_is_sent_again() -> None:
    given = registered("2026-11-16 12:00").event(h.routed("a"), "2026-11-16 12:10").reached("2026-11-17 10:50")
    assert given.due("answer") == "17.11 13:00" and "approaching answer/1" in given.said()
    decree(given, "2026-11-17", "2026-11-17 10:55")
    assert given.due("answer") == "18.11 13:00"
    mark = given.mark()
    assert given.reached("2026-11-18 10:44").said(mark) == []
    assert given.reached("2026-11-18 10:50").said(mark) == ["approaching answer/1"]


def test_kursky_cap_and_what_it_caps_move_alike() -> None:
    given = World("kursky")
    given.event(h.registered(given, "2026-11-16 09:00"), "2026-11-16 09:00")
    given.event(h.routed("a"), "2026-11-16 09:10")
    given.event(h.submitted("d1", "a"), "2026-11-16 16:00")
    given.event(h.approved("d1", "a"), "2026-11-16 17:55")
    assert (given.due("answer"), given.due("publish")) == ("17.11 10:00", "17.11 09:25")
    decree(given, "2026-11-17", "2026-11-16 18:30")
    assert (given.due("answer"), given.due("publish")) == ("18.11 10:00", "18.11 09:25")


def test_a_new_act_judges_only_later_messages() -> None:
    given = registered()
    mark = given.mark()
    act = act_of("kbr")
    act["rules"]["answer"]["term"] = "PT2H"
    given.amend(amended(given.law + 1, "act", act), at("2026-11-16 09:10"))
    assert given.said(mark) == []
    given.event(h.routed("a"), "2026-11-16 09:20")
    assert given.due("answer") == "17.11 10:00"


def test_an_excuse_of_a_deadline_that_waits_for_its_year_leaves_it_waiting() -> None:
    given = registered("2026-12-29 09:00", years=(2026,))
    assert decree(given, "2026-12-30", "2026-12-29 09:10") == ["pending draft/1", "pending answer/1"]
    mark = given.mark()
    given.event(h.excused("answer"), "2026-12-29 10:00").reached("2026-12-30 12:00")
    assert "excuse-ignored answer/1" in given.said(mark) and "breached answer/1" not in given.said(mark)


def test_a_year_that_nobody_gave_is_told_and_not_guessed() -> None:
    given = registered("2026-12-30 17:00", years=(2026,))
    assert given.said() == ["set route/1", "pending answer/1", "pending draft/1"]
    pending = next(one for one in given.told if one.type == PENDING)
    assert pending.data["year"] == 2027 and "2027 год не задан" in pending.data["reason"]
    given.reached("2027-03-01 10:00")
    assert given.said()[3:] == ["breached route/1"]


def year_comes(given: World, when: str) -> list[str]:
    mark = given.mark()
    given.amend(amended(given.law + 1, "calendar_year", library_year(2027).model_dump(mode="json")), at(when))
    return given.said(mark)


def test_a_waiting_deadline_is_set_as_soon_as_its_year_comes() -> None:
    given = registered("2026-12-30 17:00", years=(2026,)).event(h.routed("a"), "2026-12-30 17:40")
    assert sorted(year_comes(given, "2026-12-30 17:50")) == ["set answer/1", "set draft/1"]
    assert given.due("answer") == "11.01 18:00" and given.owed("answer") == "a"
    assert given.spoken.waiting == {}


def test_what_was_done_while_it_waited_is_judged_when_its_year_comes() -> None:
    given = registered("2026-12-30 17:00", years=(2026,)).event(h.routed("a"), "2026-12-30 17:40")
    given.event(h.submitted("d1", "a"), "2027-01-11 09:30")
    assert given.said()[-2:] == ["pending draft/1", "pending review/1"]
    told = year_comes(given, "2027-01-11 12:00")
    assert set(told) >= {"set draft/1", "met draft/1", "set answer/1", "set review/1"}
    assert given.last("met", "draft").time == at("2027-01-11 09:30")


def test_what_was_done_too_late_while_it_waited_is_breached_and_met_late() -> None:
    given = registered("2026-12-30 17:00", years=(2026,)).event(h.routed("a"), "2026-12-30 17:40")
    given.event(h.submitted("d1", "a"), "2027-01-13 09:30")
    told = year_comes(given, "2027-01-13 12:00")
    assert [one for one in told if one.endswith("draft/1")] == ["set draft/1", "breached draft/1", "met-late draft/1"]


def test_what_was_cancelled_while_it_waited_stays_cancelled() -> None:
    given = registered("2026-12-30 17:00", years=(2026,)).event(h.dismissed(), "2026-12-30 17:40")
    told = year_comes(given, "2027-01-11 12:00")
    assert sorted(told) == ["cancelled answer/1", "cancelled draft/1", "set answer/1", "set draft/1"]
