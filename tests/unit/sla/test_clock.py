"""Breaches, warnings and the order within one event: final and exact."""

from __future__ import annotations

from tests.unit.sla import happenings as h
from tests.unit.sla.given import World, at
from tests.unit.sla.law import amended, file_of


def registered(detected: str = "2026-11-16 09:00", received: str | None = None) -> World:
    given = World()
    return given.event(h.registered(given, detected, received), received or detected)


def test_a_breach_bears_the_due_instant_as_its_time_and_is_said_once() -> None:
    given = registered().reached("2026-11-16 09:45").reached("2026-11-16 09:50")
    breach = given.last("breached", "route")
    assert breach.time == at("2026-11-16 09:30")
    assert given.said().count("breached route/1") == 1
    assert breach.causationid == "reached-8" and "explanation" not in breach.data


def test_reached_at_the_very_due_instant_breaches_nothing_since_an_act_in_time_may_follow() -> None:
    given = registered().reached("2026-11-16 09:30")
    given.event(h.routed("a"), "2026-11-16 09:30")
    assert "breached route/1" not in given.said() and "met route/1" in given.said()


def test_a_fulfilment_after_the_due_instant_breaches_first_and_is_then_met_late() -> None:
    given = registered().event(h.routed("a"), "2026-11-16 09:30:00.001")
    assert given.said()[3:5] == ["breached route/1", "met-late route/1"]
    late = given.last("met-late", "route")
    assert (late.time, late.data["closed_at"]) == (at("2026-11-16 09:30:00.001"), "2026-11-16T09:30:00.001000+03:00")


def test_an_event_of_the_message_breaches_every_duty_that_was_due_before_it() -> None:
    given = registered().event(h.triaged(), "2026-11-17 12:00")
    assert given.said()[3:] == ["breached route/1", "breached draft/1", "breached answer/1"]


def test_many_breaches_of_one_reached_come_in_order_of_their_instants() -> None:
    given = registered().reached("2026-11-20 09:00")
    breached = [one.time for one in given.told if one.type.endswith("breached.v1")]
    assert len(breached) == 3 and breached == sorted(breached)


def test_a_warning_comes_a_quarter_of_the_term_before_the_end() -> None:
    given = registered()
    assert given.one("route").warn_at == at("2026-11-16 09:22:30")
    given.reached("2026-11-16 09:22:29")
    assert "approaching route/1" not in given.said()
    given.reached("2026-11-16 09:22:30").reached("2026-11-16 09:25")
    assert given.said().count("approaching route/1") == 1
    assert given.last("approaching", "route").time == at("2026-11-16 09:22:30")


def test_a_warning_already_overtaken_is_not_sent() -> None:
    given = registered().reached("2026-11-18 09:00")
    assert not [one for one in given.said() if one.startswith("approaching")]


def test_what_was_met_warns_no_more_and_breaches_no_more() -> None:
    given = registered().event(h.dismissed(), "2026-11-16 09:10")
    mark = given.mark()
    assert given.reached("2026-11-20 09:00").said(mark) == []


def test_a_warning_goes_to_the_agency_that_owes_it() -> None:
    given = registered().event(h.routed("a"), "2026-11-16 09:10")
    given.copies.clear()
    given.reached("2026-11-16 13:30")
    assert [(one.topic, one.envelope.type) for one in given.copies] == [
        ("assignments.kbr.a", "otklik.deadline.approaching.v1")
    ]


def test_a_breach_is_charged_to_whoever_owed_it_at_the_due_instant() -> None:
    given = registered().event(h.routed("a"), "2026-11-16 09:10").reached("2026-11-16 15:01")
    given.event(h.returned("a"), "2026-11-16 15:02")
    assert given.last("breached", "draft").data["owed_by"] == {"role": "executor", "agency": "a"}
    assert given.owed("draft") == "a" and given.owed("answer") == "coordinator"


def test_an_authority_may_count_from_the_first_triage() -> None:
    given = World()
    given.amend(
        amended(given.law + 1, "authority", file_of("kbr", detection_counts="first_triage")), at("2026-11-16 08:00")
    )
    given.event(h.registered(given, "2026-11-16 09:00"), "2026-11-16 09:00")
    assert given.said() == []
    given.event(h.triaged(), "2026-11-16 10:00")
    assert given.said() == ["set route/1", "set answer/1", "set draft/1"]
    assert given.due("route") == "16.11 10:30"
    given.event(h.triaged(), "2026-11-16 10:10")
    assert len(given.said()) == 3
