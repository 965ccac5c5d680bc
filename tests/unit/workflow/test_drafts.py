"""Drafts, their review, their publication; dismissal and the way back."""

import pytest

from tests.unit.workflow.desk import REGIONS, Desk

CLARIFYING = ("kbr", "kemerovo", "nenets")
EXECUTOR_PUBLISHES = ("kbr", "kemerovo", "buryatia")


@pytest.mark.parametrize("region", REGIONS)
def test_a_draft_goes_through_review_and_rework_to_publication(region: str) -> None:
    desk = Desk(region).drafted()
    assert desk.message.status == "in_review"
    desk.coordinator("send_back_draft", draft_id=desk.draft_id, comments="Когда?").must_be_accepted()
    assert desk.message.status == "in_rework"
    desk.submit(desk.a).must_be_accepted()
    desk.coordinator("approve_draft", draft_id=desk.draft_id, quality=4).must_be_accepted()
    assert desk.message.status == "approved"
    desk.publish(desk.a).must_be_accepted()
    assert desk.message.status == "answered"
    assert desk.message.answered_at == desk.at
    assert desk.message.answer_url == "https://vk.com/wall-1_1?reply=2"
    assert desk.status_of(desk.a) == "done"


def test_one_draft_is_in_flight_at_a_time() -> None:
    desk = Desk().drafted()
    desk.submit(desk.a).refused(409, "wrong-state")
    desk.coordinator("approve_draft", draft_id=desk.draft_id).must_be_accepted()
    desk.submit(desk.a).refused(409, "wrong-state")


@pytest.mark.parametrize("region", REGIONS)
def test_a_clarification_is_drafted_where_the_act_knows_it(region: str) -> None:
    desk = Desk(region).routed()
    outcome = desk.submit(desk.a, kind="clarification")
    if region in CLARIFYING:
        outcome.must_be_accepted()
        desk.coordinator("approve_draft", draft_id=desk.draft_id).must_be_accepted()
        desk.publish(desk.a).must_be_accepted()
        assert desk.message.status == "clarifying"
        desk.submit(desk.a).must_be_accepted()
    else:
        outcome.refused(422, "forbidden-by-regulation", desk.act.drafting.paragraph)


@pytest.mark.parametrize("region", REGIONS)
def test_after_an_interim_answer_the_final_one_is_still_owed(region: str) -> None:
    desk = Desk(region).published("interim")
    assert desk.message.status == "interim_answered"
    assert desk.message.answered_at is None
    desk.submit(desk.a, kind="interim").must_be_accepted()
    desk.coordinator("send_back_draft", draft_id=desk.draft_id, comments="Это уже ответ").must_be_accepted()
    desk.submit(desk.a).must_be_accepted()
    desk.coordinator("approve_draft", draft_id=desk.draft_id).must_be_accepted()
    desk.publish(desk.a).must_be_accepted()
    assert desk.message.status == "answered"


def test_after_the_answer_there_are_no_further_drafts() -> None:
    desk = Desk().published()
    desk.submit(desk.a).refused(409, "wrong-state")
    desk.coordinator("approve_draft", draft_id=desk.draft_id).refused(409, "wrong-state")
    desk.coordinator("send_back_draft", draft_id=desk.draft_id, comments="Х").refused(409, "wrong-state")
    desk.publish(desk.a).refused(409, "wrong-state")


@pytest.mark.parametrize("region", REGIONS)
def test_the_coordinator_does_not_draft_what_was_sent_to_an_agency(region: str) -> None:
    desk = Desk(region).routed()
    refused = desk.coordinator("submit_draft", kind="answer", text="Сам")
    refused.refused(422, "forbidden-by-regulation", desk.act.drafting.paragraph)


def test_who_returned_it_drafts_nothing() -> None:
    desk = Desk().routed()
    desk.executor(desk.a, "return", assignment_id=desk.of(desk.a), justification="Не наше")
    desk.submit(desk.a).refused(409, "wrong-state")


@pytest.mark.parametrize("region", ["kbr", "kemerovo", "nenets", "buryatia"])
@pytest.mark.parametrize("kind", ["answer", "interim"])
def test_the_answer_to_a_repeat_tells_measures_or_progress(region: str, kind: str) -> None:
    desk = Desk(region).routed(repeat_of="d964e7a7-eb02-55b4-ba6c-aa87ea22cb31")
    desk.submit(desk.a, kind=kind).refused(422, "forbidden-by-regulation", desk.act.repeat.paragraph)
    desk.submit(desk.a, kind=kind, progress="Работы идут").must_be_accepted()


def test_a_clarification_of_a_repeat_need_tell_nothing() -> None:
    desk = Desk().routed(repeat_of="d964e7a7-eb02-55b4-ba6c-aa87ea22cb31")
    desk.submit(desk.a, kind="clarification").must_be_accepted()


def test_kursky_works_a_repeat_as_any_message() -> None:
    desk = Desk("kursky").routed(repeat_of="d964e7a7-eb02-55b4-ba6c-aa87ea22cb31")
    desk.submit(desk.a).must_be_accepted()


def test_an_approved_draft_may_be_sent_back_until_it_is_published() -> None:
    desk = Desk().approved()
    sent_back = desk.coordinator("send_back_draft", draft_id=desk.draft_id, comments="Опечатка").must_be_accepted()
    assert desk.events[-1].data["was_approved"] is True
    assert sent_back.events == ["draft-sent-back"]
    desk.publish(desk.a).refused(409, "wrong-state")


def test_drafts_that_are_not_there_are_not_found() -> None:
    desk = Desk().drafted()
    desk.coordinator("approve_draft", draft_id=desk.id).refused(404, "unknown-draft")
    desk.coordinator("send_back_draft", draft_id=desk.id, comments="Х").refused(404, "unknown-draft")
    desk.publish(desk.a, draft_id=desk.id).refused(404, "unknown-draft")


def test_only_what_is_approved_is_published_and_once() -> None:
    desk = Desk().drafted()
    desk.publish(desk.a).refused(409, "wrong-state")
    desk = Desk().published("interim")
    desk.publish(desk.a).refused(409, "wrong-state")
    desk.coordinator("approve_draft", draft_id=desk.draft_id).refused(409, "wrong-state")


@pytest.mark.parametrize("region", REGIONS)
def test_who_publishes_is_the_acts_word(region: str) -> None:
    desk = Desk(region).approved()
    report = {"draft_id": desk.draft_id, "url": "https://vk.com/wall-1_1?reply=2"}
    if region in EXECUTOR_PUBLISHES:
        refused = desk.coordinator("report_publication", **report)
    else:
        refused = desk.executor(desk.a, "report_publication", **report)
    refused.refused(422, "forbidden-by-regulation", desk.act.publication.paragraph)


@pytest.mark.parametrize("region", REGIONS)
def test_the_own_account_is_kbrs_alone(region: str) -> None:
    desk = Desk(region).approved()
    outcome = desk.publish(desk.a, place="own_account", author_link="https://vk.com/id1")
    if region == "kbr":
        outcome.must_be_accepted()
    else:
        outcome.refused(422, "forbidden-by-regulation", desk.act.publication.paragraph)


def test_the_own_account_needs_a_link_to_the_author() -> None:
    desk = Desk().approved()
    desk.publish(desk.a, place="own_account").refused(422, "forbidden-by-regulation", "14")


def test_buryatia_tells_of_drafts_and_of_their_review() -> None:
    desk = Desk("buryatia").drafted()
    assert desk.told[-2:] == ["draft-submitted", "notified"]
    desk.coordinator("send_back_draft", draft_id=desk.draft_id, comments="Х")
    assert desk.told[-2:] == ["draft-sent-back", "notified"]
    assert desk.events[-1].data["agency"] == desk.a
