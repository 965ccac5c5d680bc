"""What agencies read on topics of their own: what concerns them, in the same transaction, and nothing of the others."""

import pytest

from schemas.events import short
from tests.unit.workflow.desk import REGIONS, Desk


def told(desk: Desk, agency: str) -> list[str]:
    """Short names of what was copied, outcomes of its commands left out."""
    return [short(one.type) for one in desk.copied_to(agency) if one.type.startswith("otklik.message.")]


def test_an_assignment_comes_with_the_post_its_topics_and_its_place() -> None:
    desk = Desk().routed()
    (copy,) = desk.copied_to(desk.a)
    assert copy.id == desk.events[-1].id
    assert copy.data["post"]["text"] == "Яма на дороге"
    assert (copy.data["topics"], copy.data["location"]) == (["roads"], "Нальчик")
    assert copy.data["source"]["url"] == "https://vk.com/wall-1_1"
    assert "post" not in desk.events[-1].data


def test_copies_follow_the_draft() -> None:
    desk = Desk().drafted()
    desk.coordinator("send_back_draft", draft_id=desk.draft_id, comments="Когда?")
    desk.submit(desk.a)
    desk.coordinator("approve_draft", draft_id=desk.draft_id)
    desk.publish(desk.a)
    assert told(desk, desk.a) == ["assignment-issued", "draft-sent-back", "draft-approved", "published"]
    approved = desk.copied_to(desk.a)[-3]
    assert approved.data["text"] == "Яму засыпали."
    assert told(desk, desk.b) == []


def test_a_recalled_agency_hears_of_it_and_one_whose_turn_never_came_hears_nothing() -> None:
    desk = Desk("kemerovo").joint()
    desk.coordinator("dismiss", ground="threat").must_be_accepted()
    assert told(desk, desk.a) == ["assignment-issued", "assignment-recalled"]
    assert told(desk, desk.b) == []


def test_a_drafter_gets_the_contributions_as_they_come() -> None:
    desk = Desk("buryatia").triaged()
    parts = [{"agency": desk.c, "role": "lead"}, {"agency": desk.a}, {"agency": desk.b}]
    desk.coordinator("route", assignments=parts).must_be_accepted()
    desk.contribute(desk.a)
    assert told(desk, desk.c) == ["assignment-issued", "notified", "contributed"]
    assert "contributed" not in told(desk, desk.b)


def test_a_drafter_whose_turn_comes_last_gets_what_has_come_in_so_far() -> None:
    desk = Desk("nenets").joint()
    desk.contribute(desk.a)
    desk.contribute(desk.b)
    (issued,) = desk.copied_to(desk.c)
    assert [(one["agency"], one["text"]) for one in issued.data["contributions"]] == [
        (desk.a, "Наша часть."),
        (desk.b, "Наша часть."),
    ]


def test_kursky_the_lead_gets_contributions_once_they_are_approved() -> None:
    desk = Desk("kursky").joint()
    desk.contribute(desk.a)
    assert told(desk, desk.c) == ["assignment-issued"]
    desk.coordinator("approve_contribution", assignment_id=desk.of(desk.a)).must_be_accepted()
    assert told(desk, desk.c) == ["assignment-issued", "contribution-approved"]
    assert desk.copied_to(desk.c)[-1].data["text"] == "Наша часть."
    assert told(desk, desk.a) == ["assignment-issued", "contribution-approved"]


def test_a_sent_back_contribution_is_told_to_who_wrote_it() -> None:
    desk = Desk("kursky").joint()
    desk.contribute(desk.a)
    desk.coordinator("send_back_contribution", assignment_id=desk.of(desk.a), comments="Нет")
    assert told(desk, desk.a)[-1] == "contribution-sent-back"
    assert told(desk, desk.c) == ["assignment-issued"]


def test_a_lead_that_publishes_gets_the_text_that_the_curator_wrote() -> None:
    desk = Desk("kemerovo").joint()
    for agency in (desk.a, desk.b, desk.c):
        desk.contribute(agency)
    desk.coordinator("submit_draft", kind="answer", text="Итог")
    desk.coordinator("approve_draft", draft_id=desk.draft_id)
    assert desk.copied_to(desk.c)[-1].data["text"] == "Итог"
    assert "draft-approved" not in told(desk, desk.a)


@pytest.mark.parametrize("region", REGIONS)
def test_the_drafter_hears_that_its_answer_was_published_by_whomever(region: str) -> None:
    desk = Desk(region).published()
    assert "published" in told(desk, desk.a)


def test_buryatia_notices_to_executors_reach_their_agency() -> None:
    desk = Desk("buryatia").drafted()
    desk.coordinator("approve_draft", draft_id=desk.draft_id)
    assert told(desk, desk.a) == ["assignment-issued", "notified", "draft-approved", "notified"]
