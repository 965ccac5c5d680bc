"""Joint answers, region by region: who leads, who drafts, in which order, and what happens when one drops out."""

from typing import Any

import pytest

from schemas.events import COORDINATOR, AssignmentIssued, Routed
from tests.unit.workflow.desk import Desk, Outcome

SEQUENCE = ("kbr", "kemerovo", "nenets", "buryatia")


def statuses(desk: Desk) -> dict[str, str]:
    return {one.agency: one.status for one in desk.message.assignments}


def give_back(desk: Desk, agency: str) -> Outcome:
    return desk.executor(agency, "return", assignment_id=desk.of(agency), justification="Не наше")


# Order


@pytest.mark.parametrize("region", SEQUENCE)
def test_agencies_get_the_message_one_after_another(region: str) -> None:
    desk = Desk(region).joint()
    assert statuses(desk) == {desk.a: "issued", desk.b: "waiting", desk.c: "waiting"}
    assert desk.contribute(desk.a).events[:2] == ["contributed", "assignment-issued"]
    assert statuses(desk) == {desk.a: "contributed", desk.b: "issued", desk.c: "waiting"}
    desk.contribute(desk.b).must_be_accepted()
    assert statuses(desk) == {desk.a: "contributed", desk.b: "contributed", desk.c: "issued"}


def test_kursky_sends_it_to_all_at_once() -> None:
    desk = Desk("kursky").joint()
    assert statuses(desk) == {desk.a: "issued", desk.b: "issued", desk.c: "issued"}


def test_a_drafter_put_first_has_it_at_once_and_holds_nobody_up() -> None:
    desk = Desk("buryatia").triaged()
    parts = [{"agency": desk.c, "role": "lead"}, {"agency": desk.a}, {"agency": desk.b}]
    desk.coordinator("route", assignments=parts).must_be_accepted()
    assert statuses(desk) == {desk.c: "issued", desk.a: "issued", desk.b: "waiting"}


def test_equal_numbers_are_one_turn() -> None:
    desk = Desk("buryatia").triaged()
    parts = [
        {"agency": desk.a, "order": 1},
        {"agency": desk.b, "order": 1},
        {"agency": desk.c, "role": "lead", "order": 2},
    ]
    desk.coordinator("route", assignments=parts).must_be_accepted()
    assert statuses(desk) == {desk.a: "issued", desk.b: "issued", desk.c: "waiting"}
    desk.contribute(desk.b).must_be_accepted()
    assert statuses(desk)[desk.c] == "waiting"


@pytest.mark.parametrize("region", SEQUENCE)
def test_when_one_in_the_middle_returns_it_the_next_goes_on(region: str) -> None:
    desk = Desk(region).joint()
    desk.contribute(desk.a)
    assert "assignment-issued" in give_back(desk, desk.b).events
    assert statuses(desk) == {desk.a: "contributed", desk.b: "returned", desk.c: "issued"}


@pytest.mark.parametrize("region", SEQUENCE)
def test_when_one_in_the_middle_is_recalled_the_next_goes_on(region: str) -> None:
    desk = Desk(region).joint()
    recalled = desk.coordinator("recall", assignment_id=desk.of(desk.a), reason="Ошибка")
    assert recalled.events[:2] == ["assignment-recalled", "assignment-issued"]
    assert statuses(desk) == {desk.a: "recalled", desk.b: "issued", desk.c: "waiting"}


def test_the_next_in_turn_answers_for_nobody_that_returned() -> None:
    desk = Desk("kemerovo").joint()
    issued = give_back(desk, desk.a).of("assignment-issued")
    assert isinstance(issued, AssignmentIssued)
    assert (issued.agency, issued.replaces) == (desk.b, ())


def test_a_replacement_has_the_message_at_once_since_its_turn_had_come() -> None:
    desk = Desk("kemerovo").joint()
    old = desk.of(desk.a)
    give_back(desk, desk.a)
    issued = desk.coordinator("reassign", assignment_id=old, agency=desk.d).of("assignment-issued")
    assert isinstance(issued, AssignmentIssued)
    assert (issued.agency, issued.order, issued.contributes, issued.replaces) == (desk.d, 1, True, (old,))
    desk.contribute(desk.b).must_be_accepted()
    assert statuses(desk)[desk.c] == "waiting"
    desk.contribute(desk.d).must_be_accepted()
    assert statuses(desk)[desk.c] == "issued"


def test_a_replacement_of_one_that_waits_waits_in_its_place() -> None:
    desk = Desk("nenets").joint()
    old = desk.of(desk.c)
    outcome = desk.coordinator("reassign", assignment_id=old, agency=desk.d).must_be_accepted()
    assert outcome.events == ["assignment-recalled", "routed"]
    routed = outcome.of("routed")
    assert isinstance(routed, Routed)
    assert (routed.lead, routed.drafted_by, routed.joint) == (desk.d, desk.d, True)
    assert statuses(desk)[desk.d] == "waiting"
    desk.contribute(desk.a)
    issued = desk.contribute(desk.b).of("assignment-issued")
    assert isinstance(issued, AssignmentIssued)
    assert (issued.agency, issued.replaces, issued.drafts) == (desk.d, (old,), True)


def test_a_waiting_place_is_not_given_away_while_nobody_leads() -> None:
    desk = Desk("kemerovo").triaged()
    parts = [{"agency": desk.a, "role": "lead"}, {"agency": desk.b}, {"agency": desk.c}]
    desk.coordinator("route", assignments=parts).must_be_accepted()
    give_back(desk, desk.a).must_be_accepted()
    desk.coordinator("reassign", assignment_id=desk.of(desk.c), agency=desk.d).refused(409, "wrong-state")


def test_a_turn_that_has_not_come_does_not_exist_for_its_agency() -> None:
    desk = Desk("kemerovo").joint()
    desk.contribute(desk.b).refused(404, "unknown-message")


# Who leads and drafts


def route(desk: Desk, *parts: dict[str, Any], **more: Any) -> Outcome:
    return desk.coordinator("route", assignments=list(parts), **more)


def lead(agency: str) -> dict[str, Any]:
    return {"agency": agency, "role": "lead"}


def other(agency: str) -> dict[str, Any]:
    return {"agency": agency, "role": "contributor"}


def test_kbr_the_curator_names_the_drafter_who_then_leads() -> None:
    desk = Desk("kbr").triaged()
    route(desk, other(desk.a), {"agency": desk.b}, drafted_by=desk.b).must_be_accepted()
    assert (desk.message.drafted_by, desk.message.lead and desk.message.lead.agency) == (desk.b, desk.b)


def test_kbr_a_drafter_must_be_named_for_a_joint_answer() -> None:
    desk = Desk("kbr").triaged()
    problem = route(desk, other(desk.a), lead(desk.b)).refused(422, "forbidden-by-regulation", "16")
    assert problem.regulation == "kbr-2022-137"


def test_kbr_the_drafter_is_one_of_the_agencies_and_no_other_than_the_lead() -> None:
    desk = Desk("kbr").triaged()
    route(desk, other(desk.a), lead(desk.b), drafted_by=desk.c).refused(422, "invalid-data")
    route(desk, other(desk.a), lead(desk.b), drafted_by=desk.a).refused(422, "invalid-data")


def test_kbr_the_curator_may_draft_himself_then_the_lead_contributes_and_publishes() -> None:
    desk = Desk("kbr").triaged()
    route(desk, other(desk.a), lead(desk.b), drafted_by=COORDINATOR).must_be_accepted()
    desk.contribute(desk.a).must_be_accepted()
    desk.contribute(desk.b).must_be_accepted()
    desk.submit(desk.b).refused(422, "forbidden-by-regulation", "16")
    desk.coordinator("submit_draft", kind="answer", text="Итог").must_be_accepted()
    desk.coordinator("approve_draft", draft_id=desk.draft_id).must_be_accepted()
    desk.publish(desk.a).refused(422, "forbidden-by-regulation", "14")
    desk.publish(desk.b).must_be_accepted()
    assert desk.message.status == "answered"
    assert set(statuses(desk).values()) == {"done"}


def test_kbr_a_curator_who_drafts_still_names_a_lead() -> None:
    desk = Desk("kbr").triaged()
    route(desk, other(desk.a), other(desk.b), drafted_by=COORDINATOR).refused(422, "invalid-data")


def test_kemerovo_the_curator_drafts_every_joint_answer() -> None:
    desk = Desk("kemerovo").joint()
    assert desk.message.drafted_by == COORDINATOR
    for agency in (desk.a, desk.b, desk.c):
        desk.contribute(agency).must_be_accepted()
    desk.coordinator("submit_draft", kind="answer", text="Итог").must_be_accepted()
    desk.coordinator("recall", assignment_id=desk.of(desk.c), reason="Х").refused(409, "wrong-state")
    desk.coordinator("approve_draft", draft_id=desk.draft_id).must_be_accepted()
    desk.publish(desk.c).must_be_accepted()


def test_kemerovo_nobody_else_is_named() -> None:
    desk = Desk("kemerovo").triaged()
    route(desk, other(desk.a), lead(desk.b), drafted_by=desk.b).refused(422, "forbidden-by-regulation", "18")
    route(desk, other(desk.a), other(desk.b)).refused(422, "invalid-data")
    route(desk, other(desk.a), lead(desk.b), drafted_by=COORDINATOR).must_be_accepted()


def test_nenets_the_last_in_order_leads_and_drafts() -> None:
    desk = Desk("nenets").triaged()
    parts = [{"agency": one, "order": order} for one, order in ((desk.c, 3), (desk.a, 1), (desk.b, 2))]
    route(desk, *parts).must_be_accepted()
    assert desk.message.drafted_by == desk.c
    assert [one.agency for one in desk.message.assignments] == [desk.a, desk.b, desk.c]


def test_nenets_no_other_than_the_last_leads() -> None:
    desk = Desk("nenets").triaged()
    for first, second in ((1, 2), (1, None), (None, 2)):
        refused = route(desk, lead(desk.a) | {"order": first}, other(desk.b) | {"order": second})
        refused.refused(422, "forbidden-by-regulation", "22.4")
    route(desk, other(desk.a), lead(desk.b), drafted_by=desk.a).refused(422, "forbidden-by-regulation", "22.4")


def test_nenets_the_lead_is_put_last_where_nobody_said_an_order() -> None:
    desk = Desk("nenets").triaged()
    route(desk, lead(desk.a), other(desk.b), other(desk.c)).must_be_accepted()
    assert [(one.agency, one.role, one.order) for one in desk.message.assignments] == [
        (desk.b, "contributor", 1),
        (desk.c, "contributor", 2),
        (desk.a, "lead", 3),
    ]
    assert statuses(desk) == {desk.b: "issued", desk.c: "waiting", desk.a: "waiting"}


def test_nenets_the_last_drafts_with_the_others_information_and_the_curator_publishes() -> None:
    desk = Desk("nenets").joint()
    desk.contribute(desk.a)
    desk.contribute(desk.b)
    desk.contribute(desk.c).refused(422, "forbidden-by-regulation", "22.4")
    desk.submit(desk.c).must_be_accepted()
    desk.coordinator("approve_draft", draft_id=desk.draft_id).must_be_accepted()
    desk.publish(desk.c).must_be_accepted()
    assert desk.events[-1].data["by"] == COORDINATOR


@pytest.mark.parametrize(("region", "paragraph"), [("kursky", "16"), ("buryatia", "15")])
def test_where_the_lead_drafts_exactly_one_must_be_named(region: str, paragraph: str) -> None:
    desk = Desk(region).triaged()
    route(desk, other(desk.a), other(desk.b)).refused(422, "invalid-data")
    route(desk, lead(desk.a), lead(desk.b)).refused(422, "invalid-data")
    refused = route(desk, other(desk.a), lead(desk.b), drafted_by=COORDINATOR)
    refused.refused(422, "forbidden-by-regulation", paragraph)
    route(desk, other(desk.a), lead(desk.b), drafted_by=desk.b).must_be_accepted()
    assert desk.message.drafted_by == desk.b


def test_buryatia_the_responsible_executor_drafts_and_publishes() -> None:
    desk = Desk("buryatia").joint()
    desk.contribute(desk.a)
    desk.contribute(desk.b)
    desk.submit(desk.a).refused(422, "forbidden-by-regulation", "15")
    desk.submit(desk.c).must_be_accepted()
    desk.coordinator("approve_draft", draft_id=desk.draft_id).must_be_accepted()
    desk.publish(desk.c).must_be_accepted()


# Contributions


def test_kursky_the_department_approves_contributions() -> None:
    desk = Desk("kursky").joint()
    approve = {"assignment_id": desk.of(desk.a)}
    desk.coordinator("approve_contribution", **approve).refused(409, "wrong-state")
    desk.contribute(desk.a).must_be_accepted()
    desk.contribute(desk.a).refused(409, "wrong-state")
    desk.coordinator("send_back_contribution", comments="Подробнее", **approve).must_be_accepted()
    assert desk.status_of(desk.a) == "issued"
    give_back(desk, desk.a).refused(409, "wrong-state")
    desk.contribute(desk.a).must_be_accepted()
    desk.coordinator("approve_contribution", **approve).must_be_accepted()
    desk.coordinator("approve_contribution", **approve).refused(409, "wrong-state")
    desk.coordinator("approve_contribution", assignment_id=desk.id).refused(404, "unknown-assignment")


@pytest.mark.parametrize("region", SEQUENCE)
@pytest.mark.parametrize("command", ["approve_contribution", "send_back_contribution"])
def test_elsewhere_contributions_are_approved_by_nobody(region: str, command: str) -> None:
    desk = Desk(region).joint()
    desk.contribute(desk.a)
    more = {"comments": "Нет"} if command.startswith("send") else {}
    outcome = desk.coordinator(command, assignment_id=desk.of(desk.a), **more)
    outcome.refused(422, "forbidden-by-regulation", desk.act.joint.paragraph)


def test_a_contribution_comes_once_from_whoever_has_the_message() -> None:
    desk = Desk("buryatia").joint()
    desk.contribute(desk.a).must_be_accepted()
    desk.contribute(desk.a).refused(409, "wrong-state")
    give_back(desk, desk.a).refused(409, "wrong-state")
    desk.coordinator("recall", assignment_id=desk.of(desk.b), reason="Х").must_be_accepted()
    desk.contribute(desk.b).refused(409, "wrong-state")


def test_the_sole_agency_owes_no_contribution() -> None:
    desk = Desk().routed()
    desk.contribute(desk.a).refused(422, "forbidden-by-regulation", "16")


def test_contributions_run_on_after_an_interim_answer_and_end_with_the_answer() -> None:
    desk = Desk("kursky").joint()
    for kind in ("interim", "answer"):
        desk.submit(desk.c, kind=kind).must_be_accepted()
        desk.coordinator("approve_draft", draft_id=desk.draft_id).must_be_accepted()
        desk.publish(desk.c).must_be_accepted()
        if kind == "interim":
            desk.contribute(desk.a).must_be_accepted()
    desk.contribute(desk.b).refused(409, "wrong-state")
