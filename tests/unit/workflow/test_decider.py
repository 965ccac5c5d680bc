"""The decider as the runtime sees it: what it reads, what it folds, and what of its own log it refuses to swallow."""

from datetime import timedelta
from typing import Any

import pytest

from schemas import topics
from schemas.envelope import Envelope
from services.runtime.decider import Decider, Input, UnknownEvent
from services.workflow.decider import WorkflowDecider, fold_message, fold_period
from services.workflow.hearing import MessageHearing, NothingHeard
from services.workflow.state import STATE_VERSION
from tests.unit.workflow.desk import START, Desk


def test_it_reads_the_inbox_and_folds_what_it_said() -> None:
    decider: Decider = WorkflowDecider()
    assert (decider.name, decider.source, decider.said) == ("workflow", "inbox", ("events", "outcomes"))
    assert decider.state_version == STATE_VERSION
    assert not decider.remembers_source


def test_messages_periods_and_the_world_have_a_history_and_commands_have_not() -> None:
    decider = WorkflowDecider()
    keys = ("message/x", "period/x", "world/authority/kbr", "command/x")
    assert [decider.remembered(key) for key in keys] == [True, True, True, False]


def test_nothing_here_is_due_by_itself() -> None:
    desk = Desk().registered()
    assert list(WorkflowDecider().agenda(f"message/{desk.id}", desk.message)) == []


def test_an_unknown_event_stops_the_partition() -> None:
    desk = Desk().registered()
    unknown = desk.events[0].model_copy(update={"type": "otklik.message.sung.v1", "sequence": 2})
    with pytest.raises(UnknownEvent):
        desk.partition.decider.keys_of(topics.EVENTS, unknown)
    with pytest.raises(UnknownEvent):
        desk.partition.decider.evolve(f"message/{desk.id}", desk.message, topics.EVENTS, unknown)


def test_the_clock_belongs_to_no_state() -> None:
    desk = Desk()
    (reached,) = desk.tick()
    assert list(desk.partition.decider.keys_of(topics.EVENTS, reached.envelope)) == []


def test_events_that_a_state_has_already_change_nothing() -> None:
    desk = Desk().drafted()
    for event in desk.events:
        again = desk.partition.decider.evolve(f"message/{desk.id}", desk.message, topics.EVENTS, event)
        assert again == desk.message


def test_a_gap_in_our_own_log_raises() -> None:
    desk = Desk().drafted()
    with pytest.raises(ValueError):
        desk.partition.decider.evolve(f"message/{desk.id}", None, topics.EVENTS, desk.events[1])
    headless = desk.events[1].model_copy(update={"sequence": 1})
    with pytest.raises(ValueError):
        desk.partition.decider.evolve(f"message/{desk.id}", None, topics.EVENTS, headless)
    desk.report("deliver_summary", "2026-10").must_be_accepted()
    report = next(out.envelope for out in desk.partition.log if out.envelope.type.startswith("otklik.period."))
    with pytest.raises(ValueError):
        desk.partition.decider.evolve("period/x", None, topics.EVENTS, report.model_copy(update={"sequence": 2}))


def test_a_rule_without_a_message_is_a_fault_of_ours() -> None:
    desk = Desk()
    given = Input(Envelope(id="x", source="/t", type="otklik.detection.v1", time=START), START, 0, 0)
    hearing: Any = MessageHearing(given, desk.directory, desk.id, None, fold_message, desk.actor("monitor"))
    with pytest.raises(NothingHeard):
        _ = hearing.message
    assert fold_period is not None


def test_only_what_an_input_touches_is_asked_for() -> None:
    desk = Desk().registered()
    asked = desk.partition.decider.scope
    earlier = "d964e7a7-eb02-55b4-ba6c-aa87ea22cb31"
    data = {"type": "triage", "data": {"topics": ["x"], "location": "y", "importance": "high", "repeat_of": earlier}}
    command = Envelope(
        id="c", source="/t", type="otklik.command.triage.v1", subject=desk.id, time=START,
        actor=desk.actor("coordinator"), data=data,
    )  # fmt: skip
    assert asked(Input(command, START, 0, 0)).keys == (f"message/{desk.id}", "command/c", f"message/{earlier}")


def test_an_agency_that_waits_a_second_time_drafts_nothing_yet() -> None:
    desk = Desk("nenets").joint()
    desk.contribute(desk.a)
    desk.contribute(desk.b)
    give_up = {"assignment_id": desk.of(desk.c), "justification": "Не наше"}
    desk.executor(desk.c, "return", **give_up).must_be_accepted()
    parts = [{"agency": desk.a}, {"agency": desk.b}, {"agency": desk.d}, {"agency": desk.c}]
    desk.coordinator("route", assignments=parts).must_be_accepted()
    assert desk.status_of(desk.c) == "waiting"
    desk.submit(desk.c).refused(409, "wrong-state")


def test_a_curator_drafts_nothing_once_everybody_gave_it_back() -> None:
    desk = Desk("kemerovo").joint()
    for agency in (desk.a, desk.b, desk.c):
        desk.executor(agency, "return", assignment_id=desk.of(agency)).must_be_accepted()
    desk.coordinator("submit_draft", kind="answer", text="Итог").refused(409, "wrong-state")
    assert desk.message.status == "triaged"


def test_time_is_the_inputs() -> None:
    desk = Desk()
    desk.at += timedelta(days=400)
    desk.registered()
    assert desk.events[0].time == desk.at
