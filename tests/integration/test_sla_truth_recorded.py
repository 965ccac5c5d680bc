"""Logs recorded for ever, and what each version of the states makes of them: who changes a fold, a state's shape or an agenda,
and forgets to raise the state's version, is stopped here, as every installation would go on with what it has stored."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from schemas.envelope import Envelope
from services.sla import facts
from services.sla.decider import Sla
from services.workflow.decider import WorkflowDecider
from tests.fixtures.recorded import Recording, folded, recordings
from tests.fixtures.recorded.recording import WANTED, lacking

HOW = "run `python -m tests.fixtures.recorded.recording`, and commit what it writes"


@pytest.mark.parametrize("service", sorted(WANTED))
def test_every_type_of_event_that_is_folded_stands_in_a_recording(service: str) -> None:
    assert not lacking(service), HOW


@pytest.mark.parametrize("recording", recordings(), ids=lambda one: one.log.name)
def test_a_recorded_log_folds_to_the_recorded_states_byte_for_byte(recording: Recording) -> None:
    assert recording.states.exists(), f"states of version {recording.decider.state_version} are not recorded: {HOW}"
    wanted = recording.states.read_bytes().splitlines()
    found = folded(recording.decider, recording.lines()).splitlines()
    differing = [line.partition(b"\t")[0].decode() for line in set(found) ^ set(wanted)]
    assert found == wanted, f"raise the state's version of {recording.service}, then {HOW}: {sorted(set(differing))}"


@pytest.mark.parametrize("recording", recordings(), ids=lambda one: one.log.name)
def test_the_recorded_states_are_read_back_and_folding_once_more_changes_none_of_them(recording: Recording) -> None:
    """What a replica finds in its tables, and reads on the log again, is skipped to the byte."""
    lines = recording.lines()
    assert folded(recording.decider, [*lines, *lines]) == recording.states.read_bytes()


class Forgetful(WorkflowDecider):
    """A fold that somebody has changed without a word."""

    def evolve(self, key: str, state: BaseModel | None, topic: str, event: Envelope) -> BaseModel | None:
        after = super().evolve(key, state, topic, event)
        marked = event.type == "otklik.message.answer-scored.v1" and after is not None
        return after.model_copy(update={"marked": True}) if marked and after is not None else after


def test_a_changed_fold_of_workflow_under_the_old_version_is_seen() -> None:
    (recording,) = (one for one in recordings() if (one.service, one.number) == ("workflow", 1))
    assert folded(Forgetful(), recording.lines()) != recording.states.read_bytes()


def test_a_changed_fact_of_sla_under_the_old_version_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    (recording,) = (one for one in recordings() if (one.service, one.number) == ("sla", 1))
    fold = facts.fold

    def changed(known: facts.Facts | None, event: Envelope) -> facts.Facts | None:
        after = fold(known, event)
        lost: dict[str, Any] = {"interim": False}
        return after.model_copy(update=lost) if after is not None else None

    monkeypatch.setattr(facts, "fold", changed)
    assert folded(Sla(1), recording.lines()) != recording.states.read_bytes()


def test_an_agenda_that_was_changed_under_the_old_version_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    (recording,) = (one for one in recordings() if (one.service, one.number) == ("sla", 1))
    agenda = Sla.agenda
    monkeypatch.setattr(Sla, "agenda", lambda self, key, state: list(agenda(self, key, state))[1:])
    assert folded(Sla(1), recording.lines()) != recording.states.read_bytes()
