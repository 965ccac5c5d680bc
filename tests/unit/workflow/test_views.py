"""What is read of a message: all of it by its authority, one's own work by an agency."""

import pytest

from schemas.envelope import Actor
from schemas.events import short
from schemas.messages import MessageView
from services.workflow.views import history, view
from tests.unit.workflow.desk import REGIONS, Desk


def seen(desk: Desk, agency: str | None = None) -> MessageView:
    actor = desk.actor("executor", agency) if agency else desk.actor("coordinator")
    return view(desk.message, desk.directory, actor)


def read(desk: Desk, agency: str | None = None) -> list[str]:
    actor: Actor = desk.actor("executor", agency) if agency else desk.actor("coordinator")
    return [short(event.type) for event in history(desk.events, desk.message, desk.directory, actor)]


def contributions(shown: MessageView) -> list[str]:
    return [one.agency for one in shown.assignments if one.contribution is not None]


@pytest.mark.parametrize("region", REGIONS)
def test_the_coordinator_sees_all(region: str) -> None:
    desk = Desk(region).published()
    shown = seen(desk)
    assert (shown.message_id, shown.status, shown.sequence) == (desk.id, "answered", desk.message.sequence)
    assert [draft.status for draft in shown.drafts] == ["published"]
    assert shown.assignments[0].status == "done"
    assert read(desk) == desk.told
    assert MessageView.model_validate_json(shown.model_dump_json()) == shown


def test_who_drafts_is_shown_while_somebody_does() -> None:
    desk = Desk("kemerovo").joint()
    assert seen(desk).drafted_by == "coordinator"
    assert seen(Desk("kbr").triaged()).drafted_by is None
    assert seen(desk := Desk("nenets").joint()).drafted_by == desk.c


def test_a_contributor_sees_its_own_part_alone() -> None:
    desk = Desk("buryatia").joint()
    desk.contribute(desk.a)
    desk.contribute(desk.b)
    desk.submit(desk.c)
    assert contributions(seen(desk, desk.a)) == [desk.a]
    assert contributions(seen(desk, desk.b)) == [desk.b]
    assert seen(desk, desk.a).drafts == ()
    assert [one.agency for one in seen(desk, desk.a).assignments] == [desk.a, desk.b, desk.c]
    assert "draft-submitted" not in read(desk, desk.a)
    assert read(desk, desk.a).count("contributed") == 1


def test_the_drafter_sees_the_contributions() -> None:
    desk = Desk("buryatia").joint()
    desk.contribute(desk.a)
    desk.contribute(desk.b)
    assert contributions(seen(desk, desk.c)) == [desk.a, desk.b]
    assert read(desk, desk.c).count("contributed") == 2


def test_kursky_the_lead_sees_approved_contributions_alone() -> None:
    desk = Desk("kursky").joint()
    about = {"assignment_id": desk.of(desk.a)}
    desk.contribute(desk.a)
    assert contributions(seen(desk, desk.c)) == []
    assert "contributed" not in read(desk, desk.c)
    desk.coordinator("send_back_contribution", comments="Нет", **about)
    desk.executor(desk.a, "contribute", text="Точнее.", **about).must_be_accepted()
    desk.coordinator("approve_contribution", **about).must_be_accepted()
    assert contributions(seen(desk, desk.c)) == [desk.a]
    assert read(desk, desk.c).count("contributed") == 1
    assert "contribution-sent-back" not in read(desk, desk.c)
    assert read(desk, desk.a).count("contributed") == 2


def test_a_lead_that_publishes_sees_what_the_curator_wrote_once_it_is_approved() -> None:
    desk = Desk("kemerovo").joint()
    for agency in (desk.a, desk.b, desk.c):
        desk.contribute(agency)
    desk.coordinator("submit_draft", kind="answer", text="Итог")
    assert seen(desk, desk.c).drafts == ()
    desk.coordinator("approve_draft", draft_id=desk.draft_id)
    assert [draft.text for draft in seen(desk, desk.c).drafts] == ["Итог"]
    assert seen(desk, desk.a).drafts == ()
    desk.publish(desk.c)
    assert [draft.status for draft in seen(desk, desk.a).drafts] == ["published"]


def test_a_returned_drafter_sees_no_contributions_any_more() -> None:
    desk = Desk("buryatia").joint()
    desk.contribute(desk.a)
    desk.contribute(desk.b)
    desk.executor(desk.c, "return", assignment_id=desk.of(desk.c)).must_be_accepted()
    assert contributions(seen(desk, desk.c)) == []


def test_escalations_and_shortcomings_are_no_executors_matter() -> None:
    desk = Desk().routed()
    desk.coordinator("escalate", ground="rising_activity", summary="Х").must_be_accepted()
    desk.coordinator("report_shortcoming", agency=desk.a, description="Х", to=["Министр"]).must_be_accepted()
    assert seen(desk, desk.a).escalations == ()
    assert len(seen(desk).escalations) == 1
    assert read(desk, desk.a) == ["registered", "triaged", "routed", "assignment-issued"]


def test_cases_are_shown_to_who_proposed_them() -> None:
    desk = Desk("buryatia").published()
    desk.executor(desk.a, "propose_case", text="Х").must_be_accepted()
    assert len(seen(desk, desk.a).cases) == 1
    assert "case-proposed" in read(desk, desk.a)
