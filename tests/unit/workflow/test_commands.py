"""Every command record has one outcome, every command_id one effect; who may give what, to what."""

from datetime import timedelta
from typing import Any

import pytest

from schemas import topics
from schemas.commands import COMMANDS, cloud_type
from schemas.envelope import Actor, Envelope
from schemas.outcomes import Accepted
from services.workflow.outcomes import FINGERPRINT
from tests.unit.workflow.desk import NAMES, Desk, Outcome

KEY = "5b1c7f30-0000-4000-8000-000000000001"
ROLES = ("monitor", "coordinator", "executor", "deputy", "head", "committee", "auditor", "operator")

EXAMPLES: dict[str, dict[str, Any]] = {
    "triage": {"topics": ["roads"], "location": "Тут", "importance": "high"},
    "dismiss": {"ground": "threat"},
    "reopen": {"reason": "Х"},
    "route": {"assignments": [{"agency": "minstroy"}]},
    "reassign": {"assignment_id": KEY, "agency": "minstroy"},
    "recall": {"assignment_id": KEY, "reason": "Х"},
    "return": {"assignment_id": KEY},
    "contribute": {"assignment_id": KEY, "text": "Х"},
    "approve_contribution": {"assignment_id": KEY},
    "send_back_contribution": {"assignment_id": KEY, "comments": "Х"},
    "submit_draft": {"kind": "answer", "text": "Х"},
    "approve_draft": {"draft_id": KEY},
    "send_back_draft": {"draft_id": KEY, "comments": "Х"},
    "report_publication": {"draft_id": KEY, "url": "https://vk.com/x"},
    "escalate": {"ground": "resonance", "summary": "Х"},
    "forward_escalation": {"escalation_id": KEY},
    "refer_to_law_enforcement": {"body": "МВД", "summary": "Х"},
    "report_shortcoming": {"agency": "minstroy", "description": "Х"},
    "record_feedback": {"satisfied": True},
    "score_answer": {"score": 5},
    "excuse_breach": {"rule": "answer", "reason": "Х"},
    "propose_case": {"text": "Х"},
    "agree_case": {"case_id": KEY},
    "refuse_case": {"case_id": KEY, "reason": "Х"},
    "report_case_publication": {"case_id": KEY, "url": "https://vk.com/x"},
    "report_case": {"case_id": KEY},
}
PERIODS = {name for name, data in COMMANDS.items() if data.subject == "period"}


# Outcomes


def test_an_accepted_command_tells_what_it_did() -> None:
    desk = Desk().registered()
    outcome = desk.triage(command_id=KEY)
    said = Accepted.model_validate(outcome.envelope.data)
    assert (said.command_id, said.command, said.sequence, said.repeated) == (KEY, "triage", 2, False)
    assert [(event.sequence, event.type) for event in said.events] == [(2, "otklik.message.triaged.v1")]
    assert said.events[0].id == desk.events[-1].id
    assert outcome.envelope.causationid == KEY
    assert outcome.envelope.subject == desk.id
    assert desk.events[-1].causationid == KEY
    assert desk.events[-1].actor == desk.actor("coordinator")


def test_a_repeat_gets_the_first_outcome_and_does_nothing() -> None:
    desk = Desk().registered()
    first = desk.triage(command_id=KEY)
    again = desk.triage(command_id=KEY)
    assert again.events == []
    assert again.envelope.id != first.envelope.id
    assert again.envelope.data == first.envelope.data | {"repeated": True}
    assert desk.message.sequence == 2


def test_a_repeat_of_a_refused_command_is_refused_though_it_would_pass_by_now() -> None:
    desk = Desk().registered()
    desk.coordinator("route", command_id=KEY, assignments=[{"agency": desk.a}]).refused(409, "wrong-state", "8")
    desk.triage().must_be_accepted()
    again = desk.coordinator("route", command_id=KEY, assignments=[{"agency": desk.a}])
    again.refused(409, "wrong-state", "8")
    assert again.envelope.data["repeated"] is True


def test_an_id_serves_one_body_one_message_and_one_sender() -> None:
    desk = Desk().registered()
    desk.triage(command_id=KEY).must_be_accepted()
    desk.triage(command_id=KEY, importance="high").refused(409, "command-id-reused")
    desk.coordinator("reopen", command_id=KEY, reason="Х").refused(409, "command-id-reused")
    other = desk.other("-1_2").registered()
    other.triage(command_id=KEY).refused(409, "command-id-reused")
    stranger = desk.actor("coordinator").model_copy(update={"sub": "another"})
    usual = {"topics": ["roads"], "location": "Нальчик", "importance": "ordinary", "reduced": False}
    desk.give("triage", stranger, command_id=KEY, **usual).refused(409, "command-id-reused")
    assert desk.triage(command_id=KEY).envelope.data["repeated"] is True


def test_an_id_is_remembered_for_thirty_days() -> None:
    desk = Desk().registered()
    desk.triage(command_id=KEY).must_be_accepted()
    desk.at += timedelta(days=29, hours=23)
    assert desk.triage(command_id=KEY).events == []
    desk.at += timedelta(hours=2)
    assert desk.triage(command_id=KEY).events == ["triaged"]
    assert desk.triage(command_id=KEY).events == []
    assert desk.partition.refolded().items() <= desk.partition.states.items()


def test_the_memory_of_an_id_survives_by_folding_the_outcomes() -> None:
    desk = Desk().registered()
    desk.triage(command_id=KEY).must_be_accepted()
    refolded = desk.partition.refolded()
    desk.partition.states |= refolded
    desk.triage(command_id=KEY, importance="high").refused(409, "command-id-reused")
    assert desk.triage(command_id=KEY).envelope.data[FINGERPRINT]


def test_an_executors_outcome_is_told_on_its_agencys_topic_too() -> None:
    desk = Desk().routed()
    accepted = desk.submit(desk.a)
    assert desk.copied_to(desk.a)[-1] == accepted.envelope
    refused = desk.submit(desk.a)
    assert desk.copied_to(desk.a)[-1] == refused.envelope
    unseen = desk.submit(desk.b)
    assert desk.copied_to(desk.b)[-1] == unseen.envelope
    stranger = Actor(sub="x", roles=("executor",), authorities=("kbr",), agency="nobody")
    desk.give("contribute", stranger, assignment_id=KEY, text="Х").refused(404, "unknown-message")
    assert desk.copied_to("nobody") == []


def test_the_message_may_not_have_moved_on() -> None:
    desk = Desk().triaged()
    problem = desk.triage(expected_sequence=1).refused(409, "sequence-conflict")
    assert problem.sequence == 2
    desk.triage(expected_sequence=2).must_be_accepted()


# Who may give what


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_command_is_given_by_its_roles_alone(name: str, role: str) -> None:
    desk = Desk().routed()
    outcome = desk.give(name, desk.actor(role, desk.a if role == "executor" else None), **EXAMPLES[name])
    if role in COMMANDS[name].roles:
        assert outcome.accepted or outcome.problem.status != 403
    else:
        outcome.refused(403, "wrong-role")


def test_who_may_give_a_command_is_told_in_russian_with_the_slug_that_the_token_bears() -> None:
    desk = Desk().routed()
    told = desk.give("route", desk.actor("executor", desk.a), **EXAMPLES["route"]).refused(403, "wrong-role").detail
    assert told == "Команду «route» подаёт: куратор (coordinator)."
    told = desk.give("refer_to_law_enforcement", desk.actor("head"), **EXAMPLES["refer_to_law_enforcement"])
    assert told.refused(403, "wrong-role").detail.endswith("подаёт: куратор (coordinator), исполнитель (executor).")


def test_every_command_about_a_message_has_an_example_here() -> None:
    assert set(EXAMPLES) | PERIODS == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_another_authoritys_message_does_not_exist(name: str) -> None:
    desk = Desk().routed()
    actor = Actor(sub="x", roles=tuple(COMMANDS[name].roles), authorities=("kemerovo",), agency=desk.a)
    desk.give(name, actor, **EXAMPLES[name]).refused(404, "unknown-message")


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_message_that_nobody_registered_does_not_exist(name: str) -> None:
    desk = Desk()
    actor = Actor(sub="x", roles=tuple(COMMANDS[name].roles), authorities=("kbr",))
    desk.give(name, actor, **EXAMPLES[name]).refused(404, "unknown-message")


@pytest.mark.parametrize("name", sorted(name for name in EXAMPLES if "executor" in COMMANDS[name].roles))
def test_what_was_never_assigned_to_an_agency_does_not_exist_for_it(name: str) -> None:
    desk = Desk().routed()
    desk.executor(desk.b, name, **EXAMPLES[name]).refused(404, "unknown-message")


# What is no command


def raw(desk: Desk, name: str = "triage", **change: Any) -> Outcome:
    envelope = Envelope(
        id=KEY, source="/test", type=cloud_type(name), subject=desk.id, time=desk.at,
        actor=desk.actor("coordinator"), data={"type": name, "data": EXAMPLES[name]},
    )  # fmt: skip
    return Outcome(tuple(desk.partition.when(envelope.model_copy(update=change), desk.at)))


@pytest.mark.parametrize(
    ("change", "slug", "pointers"),
    [
        ({"data": {"type": "triage", "data": {"location": "", "importance": "x"}}}, "invalid-data",
         ["/data/topics", "/data/location", "/data/importance"]),
        ({"data": {"data": {}}}, "invalid-data", ["/type"]),
        ({"data": {"type": "dismiss", "data": EXAMPLES["triage"]}}, "invalid-data", []),
        ({"type": "otklik.command.dance.v1"}, "unknown-command", []),
        ({"subject": None}, "no-subject", []),
        ({"actor": None}, "no-actor", []),
    ],
)  # fmt: skip
def test_what_is_no_command_is_a_dead_letter_and_still_refused(
    change: dict[str, Any], slug: str, pointers: list[str]
) -> None:
    desk = Desk().registered()
    outcome = raw(desk, **change)
    assert desk.partition.dead == [slug]
    problem = outcome.refused(422, slug)
    assert [fault.pointer for fault in problem.errors] == pointers
    assert problem.command_id == KEY


def test_a_command_that_a_fault_of_ours_stopped_is_refused_with_500() -> None:
    desk = Desk().registered()
    given = desk.partition.decider.refuse
    envelope = Envelope(id=KEY, source="/t", type=cloud_type("triage"), subject=desk.id, time=desk.at, data={})
    from services.runtime.decider import Input

    outcome = Outcome(tuple(given(Input(envelope, desk.at, 0, 7), "KeyError", "…")))
    outcome.refused(500, "not-processed")


def test_refusing_a_detection_says_nothing() -> None:
    desk = Desk()
    from services.runtime.decider import Input

    envelope = Envelope(id=str(NAMES), source="/t", type="otklik.detection.v1", time=desk.at)
    assert list(desk.partition.decider.refuse(Input(envelope, desk.at, 0, 7), "x", "y")) == []


def test_a_tick_tells_the_event_time_and_nothing_else() -> None:
    desk = Desk()
    (reached,) = desk.tick()
    assert reached.topic == topics.EVENTS
    assert reached.envelope.type == "otklik.clock.reached.v1"
    assert (reached.envelope.time, reached.envelope.sequence) == (desk.at, None)
    assert reached.envelope.data == {"at": desk.at.isoformat().replace("+00:00", "Z")}
