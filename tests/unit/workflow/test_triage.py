"""Triage, and where each act takes the reduced term from."""

from datetime import timedelta

import pytest

from regulations.model import Reduced
from tests.unit.workflow.desk import REGIONS, Desk


def test_triage_says_what_the_message_is_about() -> None:
    desk = Desk().triaged(topics=["roads", "transport"], topic_group="Дороги", location="Нальчик, ул. Ленина")
    message = desk.message
    assert (message.status, message.topics, message.topic_group) == ("triaged", ("roads", "transport"), "Дороги")
    assert message.location == "Нальчик, ул. Ленина"


@pytest.mark.parametrize("region", REGIONS)
def test_a_message_may_be_triaged_anew_until_the_answer(region: str) -> None:
    desk = Desk(region).drafted()
    desk.triage(importance="ordinary", topics=["transport"]).must_be_accepted()
    assert desk.message.topics == ("transport",)
    assert desk.message.status == "in_review"
    desk.coordinator("approve_draft", draft_id=desk.draft_id)
    desk.publish(desk.a).must_be_accepted()
    desk.triage().refused(409, "wrong-state")


def test_a_dismissed_message_is_not_triaged() -> None:
    desk = Desk().registered()
    desk.coordinator("dismiss", ground="no_response_needed").must_be_accepted()
    desk.triage().refused(409, "wrong-state")


@pytest.mark.parametrize(("region", "paragraph"), [("kbr", "8"), ("buryatia", "6")])
def test_where_the_decision_is_the_coordinators_it_must_be_stated(region: str, paragraph: str) -> None:
    desk = Desk(region).registered()
    problem = desk.coordinator("triage", topics=["roads"], location="Тут", importance="ordinary").refused(
        422, "forbidden-by-regulation", paragraph
    )
    assert [fault.pointer for fault in problem.errors] == ["/data/reduced"]


def test_kbr_a_decision_without_a_number_stands_and_marks() -> None:
    desk = Desk("kbr").triaged(reduced=True)
    assert (desk.message.reduced, desk.message.marked) == (True, True)


def test_kbr_a_number_of_the_authority_makes_the_decision_more_than_a_mark() -> None:
    desk = Desk("kbr").registered()
    key = "world/authority/kbr"
    rules = dict(desk.act.rules)
    answer = rules["answer"]
    rules["answer"] = answer.model_copy(update={"reduced": Reduced(paragraph="8", term=timedelta(hours=4))})
    law = desk.directory.laws[-1]
    numbered = law.model_copy(update={"act": law.act.model_copy(update={"rules": rules})})
    desk.partition.states[key] = desk.directory.model_copy(update={"laws": (numbered,)})
    desk.triage(reduced=True).must_be_accepted()
    assert (desk.message.reduced, desk.message.marked) == (True, False)


def test_buryatia_the_decision_holds() -> None:
    desk = Desk("buryatia").triaged(reduced=True)
    assert (desk.message.reduced, desk.message.marked) == (True, False)


@pytest.mark.parametrize(("importance", "reduced"), [("high", True), ("ordinary", False)])
def test_kemerovo_importance_decides(importance: str, reduced: bool) -> None:
    assert Desk("kemerovo").triaged(importance=importance).message.reduced is reduced
    assert Desk("kemerovo").triaged(importance=importance, reduced=reduced).message.reduced is reduced
    desk = Desk("kemerovo").registered()
    desk.triage(importance=importance, reduced=not reduced).refused(
        422, "forbidden-by-regulation", desk.act.reducing.paragraph
    )


def test_nenets_the_approved_list_decides_and_a_decision_alone_only_marks() -> None:
    listed = Desk("nenets").triaged(topics=["heating-outage"])
    assert (listed.message.reduced, listed.message.marked) == (True, False)
    decided = Desk("nenets").triaged(topics=["roads"], reduced=True)
    assert (decided.message.reduced, decided.message.marked) == (False, True)


def test_kursky_knows_no_reduced_term() -> None:
    assert Desk("kursky").triaged(importance="high").message.reduced is False
    desk = Desk("kursky").registered()
    desk.triage(reduced=True).refused(422, "forbidden-by-regulation", desk.act.reducing.paragraph)
    desk.triage(reduced=False).must_be_accepted()


def test_a_repeat_names_an_answered_message() -> None:
    first = Desk().published()
    again = first.other("-1_2").registered()
    again.triage(repeat_of=first.id).must_be_accepted()
    assert again.message.repeat_of == first.id


def test_a_repeat_of_a_message_that_this_partition_knows_as_open_is_refused() -> None:
    first = Desk().drafted()
    again = first.other("-1_2").registered()
    again.triage(repeat_of=first.id).refused(422, "invalid-data")


def test_a_repeat_of_a_message_of_another_partition_is_the_gates_to_judge() -> None:
    desk = Desk().triaged(repeat_of="d964e7a7-eb02-55b4-ba6c-aa87ea22cb31")
    assert desk.message.repeat_of == "d964e7a7-eb02-55b4-ba6c-aa87ea22cb31"


def test_a_message_does_not_repeat_itself() -> None:
    desk = Desk().registered()
    desk.triage(repeat_of=desk.id).refused(422, "invalid-data")


def test_a_message_of_another_authority_is_not_repeated() -> None:
    theirs = Desk("kursky").published()
    ours = Desk("kbr", "-1_2")
    ours.partition.states |= {f"message/{theirs.id}": theirs.message}
    ours.registered().triage(repeat_of=theirs.id).refused(422, "invalid-data")
