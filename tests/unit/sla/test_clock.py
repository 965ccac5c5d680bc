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


def by_triage(region: str = "kbr") -> World:
    """A message detected at nine, of an authority that counts the detection from the first triage (reading 2)."""
    given = World(region)
    given.amend(
        amended(given.law + 1, "authority", file_of(region, detection_counts="first_triage")), at("2026-11-16 08:00")
    )
    return given.event(h.registered(given, "2026-11-16 09:00"), "2026-11-16 09:00")


def test_an_authority_may_count_from_the_first_triage() -> None:
    given = by_triage()
    assert given.said() == []
    given.event(h.triaged(), "2026-11-16 10:00")
    assert given.said() == ["set route/1", "set answer/1", "set draft/1"]
    assert given.due("route") == "16.11 10:30"
    given.event(h.triaged(), "2026-11-16 10:10")
    assert len(given.said()) == 3


def test_where_the_triage_counts_a_dismissal_and_a_reopening_before_it_start_nothing() -> None:
    given = by_triage().event(h.dismissed(), "2026-11-16 09:20").event(h.reopened(), "2026-11-20 12:00")
    given.reached("2026-11-20 12:01")
    assert given.said() == []
    given.event(h.triaged(), "2026-11-20 12:10")
    # What is detected was dismissed already, which is how `route` is met; nobody owes it a second time.
    assert given.said() == ["set answer/1", "set draft/1"]
    assert (given.one("answer").starts_at, given.due("answer")) == (at("2026-11-20 12:10"), "23.11 14:10")
    assert "отсчёт от события: первое рассмотрение сообщения (прочтение 2)" in given.one("answer").explanation
    assert any(
        line.startswith("прочтение 2: ") and "от первого рассмотрения" in line
        for line in given.one("draft").explanation
    )
    given.event(h.routed("a"), "2026-11-20 12:20")
    assert "met route/1" not in given.said()


def test_where_the_triage_counts_a_dismissal_after_it_gives_no_time_either() -> None:
    given = by_triage().event(h.triaged(), "2026-11-16 10:00").event(h.dismissed(), "2026-11-16 10:10")
    mark = given.mark()
    given.event(h.reopened(), "2026-11-16 12:00").event(h.triaged(), "2026-11-16 12:10")
    assert given.said(mark) == ["set answer/2", "set draft/2"]
    assert given.one("answer", 2).starts_at == at("2026-11-16 10:00")


def test_what_counts_from_the_receipt_is_reopened_from_it_though_the_triage_counts_for_the_rest() -> None:
    given = by_triage("kursky").event(h.dismissed(), "2026-11-16 09:20")
    mark = given.mark()
    given.event(h.reopened(), "2026-11-16 12:00")
    assert given.said(mark) == ["set answer/2", "set draft/2"]
    assert given.one("answer", 2).starts_at == at("2026-11-16 09:00")
    assert "отсчёт от события: поступление сообщения" in given.one("answer", 2).explanation
    assert not any("от первого рассмотрения" in line for line in given.one("answer", 2).explanation)
    assert given.event(h.triaged(), "2026-11-16 12:10").said(mark + 2) == []
