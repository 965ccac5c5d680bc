"""What is not to be processed, on each act's grounds, and the way back."""

import pytest

from tests.unit.workflow.desk import REGIONS, Desk

GROUNDS = {
    "intent_to_harm": {"kbr", "kemerovo", "nenets", "buryatia"},
    "obscene_or_insulting": set(REGIONS),
    "threat": set(REGIONS),
    "spam": {"nenets"},
    "no_response_needed": set(REGIONS),
    "post_removed": set(REGIONS),
}


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("ground", GROUNDS)
def test_grounds_are_those_of_the_act(region: str, ground: str) -> None:
    desk = Desk(region).registered()
    outcome = desk.coordinator("dismiss", ground=ground)
    if region in GROUNDS[ground]:
        outcome.must_be_accepted()
        assert desk.message.status == "dismissed"
    else:
        outcome.refused(422, "forbidden-by-regulation", desk.act.dismissal.paragraph)


@pytest.mark.parametrize("region", REGIONS)
def test_moderation_is_nenets_alone(region: str) -> None:
    desk = Desk(region).registered()
    outcome = desk.coordinator("dismiss", ground="obscene_or_insulting", moderation=["deleted", "author_blocked"])
    if region == "nenets":
        outcome.must_be_accepted()
    else:
        outcome.refused(422, "forbidden-by-regulation", desk.act.dismissal.paragraph)


def test_a_dismissal_recalls_whatever_is_live() -> None:
    desk = Desk("buryatia").joint()
    desk.contribute(desk.a)
    outcome = desk.coordinator("dismiss", ground="threat").must_be_accepted()
    assert outcome.events == ["dismissed", "assignment-recalled", "assignment-recalled", "assignment-recalled"]
    assert desk.message.live == ()
    assert [event.type for event in desk.copied_to(desk.c)] == []


def test_after_an_interim_answer_it_is_too_late() -> None:
    desk = Desk().published("interim")
    desk.coordinator("dismiss", ground="threat").refused(409, "wrong-state")
    desk = Desk().published()
    desk.coordinator("dismiss", ground="threat").refused(409, "wrong-state")


def test_nothing_is_dismissed_twice() -> None:
    desk = Desk().registered()
    desk.coordinator("dismiss", ground="threat").must_be_accepted()
    desk.coordinator("dismiss", ground="threat").refused(409, "wrong-state")


def test_a_dismissed_message_comes_back_and_is_routed_anew() -> None:
    desk = Desk().drafted()
    old = desk.of(desk.a)
    desk.coordinator("dismiss", ground="threat").must_be_accepted()
    desk.submit(desk.a).refused(409, "wrong-state")
    desk.coordinator("approve_draft", draft_id=desk.draft_id).refused(409, "wrong-state")
    desk.coordinator("reopen", reason="Не угроза").must_be_accepted()
    assert desk.message.status == "triaged"
    desk.submit(desk.a).refused(409, "wrong-state")
    desk.coordinator("route", assignments=[{"agency": desk.a}]).must_be_accepted()
    assert desk.message.assignments[-1].replaces == (old,)
    assert desk.message.status == "in_work"
    desk.submit(desk.a).must_be_accepted()


def test_only_what_is_dismissed_is_reopened() -> None:
    Desk().routed().coordinator("reopen", reason="Х").refused(409, "wrong-state")


def test_what_was_dismissed_before_triage_is_registered_again() -> None:
    desk = Desk().registered()
    desk.coordinator("dismiss", ground="threat")
    desk.coordinator("reopen", reason="Х").must_be_accepted()
    assert desk.message.status == "registered"


@pytest.mark.parametrize(
    ("command", "data"),
    [
        ("triage", {"topics": ["roads"], "location": "Тут", "importance": "high", "reduced": True}),
        ("route", {"assignments": [{"agency": "minstroy"}]}),
    ],
)
def test_a_dismissed_message_is_not_worked(command: str, data: dict[str, object]) -> None:
    desk = Desk().routed()
    desk.coordinator("dismiss", ground="threat")
    desk.coordinator(command, **data).refused(409, "wrong-state")
    for name in ("recall", "reassign"):
        more = {"reason": "Х"} | ({"agency": desk.b} if name == "reassign" else {})
        desk.coordinator(name, assignment_id=desk.of(desk.a), **more).refused(409, "wrong-state")
