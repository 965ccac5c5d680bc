"""Routing, returning, reassigning, recalling: one agency at work, or several of which one drops out."""

from typing import Any

import pytest

from schemas.events import AssignmentIssued, Notified, Routed
from tests.unit.workflow.desk import REGIONS, Desk


@pytest.mark.parametrize("region", REGIONS)
def test_the_sole_agency_leads_drafts_and_has_it_at_once(region: str) -> None:
    desk = Desk(region).routed()
    routed = Routed.model_validate(desk.events[2].data)
    issued = AssignmentIssued.model_validate(desk.events[3].data)
    assert (routed.lead, routed.drafted_by, routed.joint) == (desk.a, desk.a, False)
    assert (issued.role, issued.drafts, issued.contributes, issued.replaces) == ("lead", True, False, ())
    assert issued.assignment_id == routed.assignments[0].assignment_id
    assert issued.topics == ("roads",)
    assert desk.message.status == "in_work"


def test_an_assignment_names_who_serves_that_day() -> None:
    desk = Desk().routed()
    issued = AssignmentIssued.model_validate(desk.events[-1].data)
    agency = desk.directory.agencies[desk.a]
    assert (issued.official, issued.executors) == (agency.official, agency.executors)


def test_routing_needs_a_triage() -> None:
    desk = Desk().registered()
    desk.coordinator("route", assignments=[{"agency": desk.a}]).refused(409, "wrong-state", "8")


@pytest.mark.parametrize(
    ("assignments", "pointer"),
    [
        ([{"agency": "nobody"}], "/data/assignments/0/agency"),
        ([{"agency": "minstroy"}, {"agency": "minstroy"}], "/data/assignments/1/agency"),
        ([{"agency": "minstroy", "role": "contributor"}], "/data/assignments/0/role"),
    ],
)
def test_agencies_must_be_there_once_and_one_must_lead(assignments: list[dict[str, str]], pointer: str) -> None:
    desk = Desk().triaged()
    problem = desk.coordinator("route", assignments=assignments).refused(422, "invalid-data")
    assert [fault.pointer for fault in problem.errors] == [pointer]


def test_a_closed_agency_gets_nothing_new() -> None:
    desk = Desk().triaged()
    key = "world/authority/kbr"
    authority = desk.directory.authority
    closed = authority.agencies[desk.a].model_copy(update={"closed": True})
    current = authority.model_copy(update={"agencies": authority.agencies | {desk.a: closed}})
    desk.partition.states[key] = desk.directory.model_copy(update={"current": current})
    desk.coordinator("route", assignments=[{"agency": desk.a}]).refused(422, "invalid-data")


@pytest.mark.parametrize("region", REGIONS)
def test_the_drafter_of_a_sole_answer_is_its_agency(region: str) -> None:
    desk = Desk(region).triaged()
    refused = desk.coordinator("route", assignments=[{"agency": desk.a}], drafted_by="coordinator")
    refused.refused(422, "forbidden-by-regulation", desk.act.drafting.paragraph)
    desk.coordinator("route", assignments=[{"agency": desk.a}], drafted_by=desk.a).must_be_accepted()


# Returning


@pytest.mark.parametrize("region", REGIONS)
def test_a_returned_message_waits_for_a_new_routing(region: str) -> None:
    desk = Desk(region).routed()
    desk.executor(desk.a, "return", assignment_id=desk.of(desk.a), justification="Не наша дорога").must_be_accepted()
    assert desk.message.status == "triaged"
    assert desk.status_of(desk.a) == "returned"


@pytest.mark.parametrize("region", REGIONS)
def test_a_justification_is_asked_for_where_the_act_asks(region: str) -> None:
    desk = Desk(region).routed()
    outcome = desk.executor(desk.a, "return", assignment_id=desk.of(desk.a))
    if desk.act.returning.justification:
        outcome.refused(422, "forbidden-by-regulation", desk.act.returning.paragraph)
    else:
        outcome.must_be_accepted()


def give_back(desk: Desk, agency: str) -> Any:
    return desk.executor(agency, "return", assignment_id=desk.of(agency), justification="Не наше")


def test_whoever_has_drafted_cannot_return() -> None:
    desk = Desk().drafted()
    give_back(desk, desk.a).refused(409, "wrong-state")
    desk.coordinator("send_back_draft", draft_id=desk.draft_id, comments="Когда?").must_be_accepted()
    give_back(desk, desk.a).refused(409, "wrong-state")


def test_what_was_returned_or_recalled_is_not_returned_again() -> None:
    desk = Desk().routed()
    give_back(desk, desk.a).must_be_accepted()
    give_back(desk, desk.a).refused(409, "wrong-state")


def test_another_agencys_assignment_does_not_exist() -> None:
    desk = Desk().joint()
    desk.executor(desk.a, "return", assignment_id=desk.of(desk.c), justification="Х").refused(404, "unknown-assignment")


def test_nothing_is_returned_after_the_answer() -> None:
    desk = Desk().published()
    give_back(desk, desk.a).refused(409, "wrong-state")


# Reassigning


def test_a_live_assignment_goes_to_another_agency_in_the_same_place() -> None:
    desk = Desk().routed()
    old = desk.of(desk.a)
    outcome = desk.coordinator("reassign", assignment_id=old, agency=desk.b, reason="Ошибка").must_be_accepted()
    assert outcome.events == ["assignment-recalled", "assignment-issued"]
    issued = outcome.of("assignment-issued")
    assert isinstance(issued, AssignmentIssued)
    assert (issued.agency, issued.replaces, issued.role, issued.drafts) == (desk.b, (old,), "lead", True)
    assert desk.message.drafted_by == desk.b


def test_a_returned_assignment_goes_to_another_agency_once() -> None:
    desk = Desk("kemerovo").routed()
    old = desk.of(desk.a)
    give_back(desk, desk.a).must_be_accepted()
    outcome = desk.coordinator("reassign", assignment_id=old, agency=desk.b).must_be_accepted()
    assert outcome.events == ["assignment-issued"]
    assert desk.message.status == "in_work"
    desk.coordinator("reassign", assignment_id=old, agency=desk.c).refused(409, "wrong-state")


def test_a_recalled_assignment_is_routed_anew() -> None:
    desk = Desk().routed()
    old = desk.of(desk.a)
    desk.coordinator("recall", assignment_id=old, reason="Ошибка").must_be_accepted()
    desk.coordinator("reassign", assignment_id=old, agency=desk.b).refused(409, "wrong-state")
    outcome = desk.coordinator("route", assignments=[{"agency": desk.b}]).must_be_accepted()
    issued = outcome.of("assignment-issued")
    assert isinstance(issued, AssignmentIssued)
    assert issued.replaces == (old,)


def test_nothing_is_reassigned_to_who_has_it_or_is_unknown() -> None:
    desk = Desk().joint()
    desk.coordinator("reassign", assignment_id=desk.of(desk.a), agency=desk.c).refused(422, "invalid-data")
    desk.coordinator("reassign", assignment_id=desk.of(desk.a), agency="nobody").refused(422, "invalid-data")
    desk.coordinator("reassign", assignment_id=desk.id, agency=desk.d).refused(404, "unknown-assignment")


@pytest.mark.parametrize("command", ["recall", "reassign"])
def test_a_lead_is_not_taken_away_while_its_draft_is_in_flight(command: str) -> None:
    desk = Desk().drafted()
    more = {"reason": "Ошибка"} | ({"agency": desk.b} if command == "reassign" else {})
    desk.coordinator(command, assignment_id=desk.of(desk.a), **more).refused(409, "wrong-state")
    desk.coordinator("approve_draft", draft_id=desk.draft_id).must_be_accepted()
    desk.coordinator(command, assignment_id=desk.of(desk.a), **more).refused(409, "wrong-state")
    desk.coordinator("send_back_draft", draft_id=desk.draft_id, comments="Нет").must_be_accepted()
    desk.coordinator(command, assignment_id=desk.of(desk.a), **more).must_be_accepted()


def test_a_sent_back_draft_of_a_recalled_agency_does_not_block_its_successor() -> None:
    desk = Desk().drafted()
    desk.coordinator("send_back_draft", draft_id=desk.draft_id, comments="Нет").must_be_accepted()
    assert desk.message.status == "in_rework"
    desk.coordinator("reassign", assignment_id=desk.of(desk.a), agency=desk.b).must_be_accepted()
    assert desk.message.status == "in_work"
    desk.submit(desk.a).refused(409, "wrong-state")
    desk.submit(desk.b).must_be_accepted()


def test_what_is_closed_is_not_recalled() -> None:
    desk = Desk().routed()
    give_back(desk, desk.a)
    desk.coordinator("recall", assignment_id=desk.of(desk.a), reason="Х").refused(409, "wrong-state")
    desk.coordinator("recall", assignment_id=desk.id, reason="Х").refused(404, "unknown-assignment")


# Routing anew


def test_an_agency_that_is_named_again_keeps_its_assignment() -> None:
    desk = Desk().routed()
    kept = desk.of(desk.a)
    parts = [{"agency": desk.b, "role": "contributor"}, {"agency": desk.a, "role": "lead"}]
    outcome = desk.coordinator("route", assignments=parts, drafted_by=desk.a).must_be_accepted()
    assert outcome.events == ["routed", "assignment-issued"]
    assert desk.of(desk.a) == kept
    assert desk.message.joint


def test_an_agency_that_works_is_recalled_before_it_is_left_out() -> None:
    desk = Desk().routed()
    desk.coordinator("route", assignments=[{"agency": desk.b}]).refused(409, "wrong-state")


def test_an_agency_that_works_is_recalled_before_it_gets_another_part() -> None:
    desk = Desk("kemerovo").routed()
    parts = [{"agency": desk.a, "role": "lead"}, {"agency": desk.b}]
    desk.coordinator("route", assignments=parts).refused(409, "wrong-state")


def test_what_was_returned_is_answered_by_who_is_sent_it_at_once() -> None:
    desk = Desk("kemerovo").joint()
    old = desk.of(desk.a)
    give_back(desk, desk.a).must_be_accepted()
    parts = [{"agency": desk.b}, {"agency": desk.c, "role": "lead"}, {"agency": desk.d, "order": 1}]
    outcome = desk.coordinator("route", assignments=parts).must_be_accepted()
    issued = outcome.of("assignment-issued")
    assert isinstance(issued, AssignmentIssued)
    assert (issued.agency, issued.replaces) == (desk.d, (old,))


def test_after_the_answer_nothing_is_routed() -> None:
    desk = Desk().published()
    desk.coordinator("route", assignments=[{"agency": desk.b}]).refused(409, "wrong-state")


# Notices


def test_buryatia_tells_the_executor_and_the_sector_block_of_each_assignment() -> None:
    desk = Desk("buryatia").routed()
    assert desk.told[-2:] == ["assignment-issued", "notified"]
    notice = Notified.model_validate(desk.events[-1].data)
    assert (notice.about, notice.whom, notice.agency) == ("routed", ("executor", "sector_block"), desk.a)
    assert notice.paragraph == "6"


def test_buryatia_tells_the_coordinator_of_a_return() -> None:
    desk = Desk("buryatia").routed()
    assert give_back(desk, desk.a).events == ["assignment-returned", "notified"]


def test_elsewhere_nobody_is_told_on_the_way() -> None:
    assert "notified" not in Desk("kbr").published().told
