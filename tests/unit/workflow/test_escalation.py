"""Escalations, shortcomings, referrals, feedback, excuses, success cases: beside the way of an answer, and after it."""

from typing import Any

import pytest

from schemas import topics
from schemas.events import Escalated, EscalationForwarded, ShortcomingReported
from tests.unit.workflow.desk import REGIONS, Desk, Outcome

GROUNDS = {
    "kbr": {"socially_significant", "rising_activity"},
    "kemerovo": {"socially_significant", "rising_activity"},
    "nenets": {"socially_significant", "rising_activity"},
    "kursky": {"socially_significant"},
    "buryatia": {"resonance"},
}
TWO_STEPS = ("kursky", "buryatia")


def escalate(desk: Desk, ground: str | None = None) -> Outcome:
    return desk.coordinator("escalate", ground=ground or min(GROUNDS[desk.region]), summary="Нет тепла в районе")


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("ground", ["socially_significant", "rising_activity", "resonance"])
def test_grounds_are_those_of_the_act(region: str, ground: str) -> None:
    desk = Desk(region).registered()
    if ground in GROUNDS[region]:
        escalate(desk, ground).must_be_accepted()
    else:
        escalate(desk, ground).refused(422, "forbidden-by-regulation", desk.act.escalation.paragraph)


@pytest.mark.parametrize("region", REGIONS)
def test_it_goes_to_the_leader_at_once_or_through_the_deputy(region: str) -> None:
    desk = Desk(region).registered()
    escalated = escalate(desk).of("escalated")
    assert isinstance(escalated, Escalated)
    rule = desk.act.escalation
    deputy = desk.actor("deputy")
    forwarded = desk.give("forward_escalation", deputy, escalation_id=escalated.escalation_id)
    if region in TWO_STEPS:
        assert (escalated.to, escalated.then) == (rule.forwarded_by, rule.to)
        data = forwarded.of("escalation-forwarded")
        assert isinstance(data, EscalationForwarded)
        assert data.to == rule.to
        again = desk.give("forward_escalation", deputy, escalation_id=escalated.escalation_id)
        again.refused(409, "wrong-state")
        desk.give("forward_escalation", deputy, escalation_id=desk.id).refused(404, "unknown-escalation")
    else:
        assert (escalated.to, escalated.then) == (rule.to, None)
        forwarded.refused(422, "forbidden-by-regulation", rule.paragraph)


def test_leadership_reads_it_on_a_topic_of_its_own_without_the_person() -> None:
    desk = Desk().triaged()
    escalate(desk)
    copy = next(out.envelope for out in desk.partition.log if out.topic == topics.ESCALATIONS)
    assert copy.id == desk.events[-1].id
    assert copy.data["source"]["url"] == "https://vk.com/wall-1_1"
    assert "post" not in copy.data


def test_all_of_it_goes_on_after_closing() -> None:
    for desk in (Desk().published(), Desk().registered()):
        if desk.message.answered_at is None:
            desk.coordinator("dismiss", ground="threat").must_be_accepted()
        escalate(desk).must_be_accepted()
        desk.coordinator("refer_to_law_enforcement", body="МВД", summary="Угроза").must_be_accepted()
        desk.coordinator("record_feedback", satisfied=True).must_be_accepted()
        desk.coordinator("excuse_breach", rule="answer", reason="Сбой связи").must_be_accepted()


# Shortcomings


@pytest.mark.parametrize("region", ["kemerovo", "nenets", "kursky"])
def test_shortcomings_go_to_the_posts_of_the_act_by_field(region: str) -> None:
    desk = Desk(region).registered()
    outcome = desk.coordinator("report_shortcoming", agency=desk.a, description="Опоздали").must_be_accepted()
    data = outcome.of("shortcoming-reported")
    assert isinstance(data, ShortcomingReported)
    assert data.to == desk.directory.shortcomings_to(desk.act, desk.a)
    assert data.to
    stated = desk.coordinator("report_shortcoming", agency=desk.a, description="Х", to=[data.to[0]])
    stated.must_be_accepted()
    assert desk.act.shortcomings is not None
    # The act's own word for its deputies, by field, means the one in whose field the agency works.
    supervisor = desk.directory.agencies[desk.a].supervisor
    ranks = {title: desk.directory.authority.leaders_of(title) for title in desk.act.shortcomings.to}
    (title,) = [title for title, leaders in ranks.items() if supervisor in {leader.post for leader in leaders}]
    by_title = desk.coordinator("report_shortcoming", agency=desk.a, description="Х", to=[title]).must_be_accepted()
    meant = by_title.of("shortcoming-reported")
    assert isinstance(meant, ShortcomingReported)
    assert meant.to == (supervisor,)
    wrong = desk.coordinator("report_shortcoming", agency=desk.a, description="Х", to=["Дворник"])
    wrong.refused(422, "forbidden-by-regulation", desk.act.shortcomings.paragraph)


@pytest.mark.parametrize("region", ["kbr", "buryatia"])
def test_where_the_act_names_no_posts_the_coordinator_does(region: str) -> None:
    desk = Desk(region).registered()
    desk.coordinator("report_shortcoming", agency=desk.a, description="Х").refused(422, "invalid-data")
    desk.coordinator("report_shortcoming", agency=desk.a, description="Х", to=["Министр"]).must_be_accepted()
    desk.coordinator("report_shortcoming", agency="nobody", description="Х", to=["Министр"]).refused(
        422, "invalid-data"
    )


# Referrals, feedback, excuses


def test_an_executor_refers_to_law_enforcement_what_it_was_assigned() -> None:
    desk = Desk("buryatia").routed()
    outcome = desk.executor(desk.a, "refer_to_law_enforcement", body="МВД", summary="Готовится поджог")
    outcome.must_be_accepted()
    assert desk.events[-1].data["by"] == desk.a
    desk.executor(desk.b, "refer_to_law_enforcement", body="МВД", summary="Х").refused(404, "unknown-message")


def test_feedback_and_scores_stand_beside_each_other() -> None:
    desk = Desk().routed()
    desk.coordinator("score_answer", score=5).refused(409, "wrong-state")
    desk = Desk().published("interim")
    desk.coordinator("score_answer", score=3).must_be_accepted()
    desk.coordinator("record_feedback", satisfied=False, note="Долго").must_be_accepted()
    feedback = desk.message.feedback
    assert feedback is not None
    assert (feedback.satisfied, feedback.note, feedback.score) == (False, "Долго", 3)


def test_a_breach_is_excused_by_its_rule() -> None:
    desk = Desk().routed()
    desk.give("excuse_breach", desk.actor("head"), rule="answer", reason="Сбой").must_be_accepted()
    desk.coordinator("excuse_breach", rule="reroute", reason="Х").refused(422, "invalid-data")
    desk.coordinator("excuse_breach", rule="return", reason="Х").refused(422, "forbidden-by-regulation", "9")


def test_kemerovo_each_message_of_high_importance_owes_a_report_until_it_is_made() -> None:
    from services.workflow.views import view

    desk = Desk("kemerovo").triaged(importance="high")
    coordinator = desk.actor("coordinator")
    assert view(desk.message, desk.directory, coordinator).escalation_owed
    escalate(desk).must_be_accepted()
    assert not view(desk.message, desk.directory, coordinator).escalation_owed
    assert not view(Desk("kbr").triaged(importance="high").message, Desk("kbr").directory, coordinator).escalation_owed


# Success cases


@pytest.mark.parametrize("region", ["kbr", "kemerovo", "nenets", "kursky"])
def test_cases_are_buryatias_alone(region: str) -> None:
    desk = Desk(region).published()
    given: list[tuple[str, Any, dict[str, Any]]] = [
        ("propose_case", desk.actor("executor", desk.a), {"text": "Х"}),
        ("agree_case", desk.actor("committee"), {"case_id": desk.id}),
    ]
    for name, actor, data in given:
        problem = desk.give(name, actor, **data).problem
        assert (problem.status, problem.type) == (422, "urn:otklik:problem:forbidden-by-regulation")
        assert problem.regulation == desk.act.id


def test_a_case_is_proposed_agreed_published_and_reported() -> None:
    desk = Desk("buryatia").published()
    committee = desk.actor("committee")
    desk.executor(desk.a, "propose_case", text="Починили дорогу").must_be_accepted()
    case = {"case_id": desk.message.cases[0].case_id}
    desk.executor(desk.a, "report_case_publication", url="https://vk.com/x", **case).refused(409, "wrong-state")
    desk.executor(desk.a, "report_case", **case).refused(409, "wrong-state")
    desk.give("agree_case", committee, reason="Полезно другим", **case).must_be_accepted()
    desk.give("agree_case", committee, **case).refused(409, "wrong-state")
    desk.give("refuse_case", committee, reason="Х", **case).refused(409, "wrong-state")
    desk.executor(desk.a, "report_case_publication", url="https://vk.com/x", **case).must_be_accepted()
    desk.executor(desk.a, "report_case", text="Опубликован", **case).must_be_accepted()
    assert desk.events[-1].data == {"agency": desk.a, "text": "Опубликован", **case}
    desk.executor(desk.a, "report_case", **case).refused(409, "wrong-state")
    assert desk.message.cases[0].status == "reported"
    assert desk.message.status == "answered"


def test_a_refused_case_goes_no_further() -> None:
    desk = Desk("buryatia").published()
    desk.executor(desk.a, "propose_case", text="Х").must_be_accepted()
    case = {"case_id": desk.message.cases[0].case_id}
    desk.give("refuse_case", desk.actor("committee"), reason="Нет результата", **case).must_be_accepted()
    desk.executor(desk.a, "report_case_publication", url="https://vk.com/x", **case).refused(409, "wrong-state")


def test_a_case_is_of_an_answered_message_and_of_an_agency_that_worked_on_it() -> None:
    desk = Desk("buryatia").routed()
    desk.executor(desk.a, "propose_case", text="Х").refused(409, "wrong-state")
    desk.executor(desk.a, "return", assignment_id=desk.of(desk.a)).must_be_accepted()
    desk.coordinator("reassign", assignment_id=desk.of(desk.a), agency=desk.b).must_be_accepted()
    desk.submit(desk.b)
    desk.coordinator("approve_draft", draft_id=desk.draft_id)
    desk.publish(desk.b).must_be_accepted()
    desk.executor(desk.a, "propose_case", text="Х").refused(409, "wrong-state")
    desk.executor(desk.b, "propose_case", text="Х").must_be_accepted()
    case = {"case_id": desk.message.cases[0].case_id}
    desk.give("agree_case", desk.actor("committee"), **case)
    theirs = desk.executor(desk.a, "report_case_publication", url="https://vk.com/x", **case)
    theirs.refused(404, "unknown-case")
    desk.give("agree_case", desk.actor("committee"), case_id=desk.id).refused(404, "unknown-case")
