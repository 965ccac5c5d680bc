"""Amendments of the law: every partition numbers them alike, tells them on, and judges by them from then on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import uuid5

from pydantic import BaseModel, ValidationError

from regulations.directory import Directory, amended, faults
from schemas import topics
from schemas.envelope import Envelope, schema_of
from schemas.events import Amended
from schemas.ids import NAMESPACE
from schemas.inbox import Amendment
from schemas.outcomes import Accepted, AcceptedEvent, Fault
from services.runtime.decider import Input, Output, Unreadable
from services.runtime.problems import faults_of, words_of
from services.workflow import guards, outcomes
from services.workflow.hearing import SOURCE

EVERY = "*"
"""In an operator's `authorities`: all of them, also those to come."""
COMMAND = "amend"
"""What an amendment is called in its outcome."""


def world(authority: str) -> str:
    """The state of an authority's law."""
    return f"world/authority/{authority}"


def read(given: Input) -> tuple[str, Amendment]:
    """The authority and the amendment of the record; raises `Unreadable`."""
    if given.envelope.authority is None:
        raise Unreadable("no-authority", "Не сказано, чей закон меняется.")
    try:
        return given.envelope.authority, Amendment.model_validate(given.envelope.data)
    except ValidationError as error:
        raise Unreadable("invalid-amendment", words_of(error)) from None


def decide(states: Mapping[str, BaseModel], given: Input) -> Sequence[Output]:
    """The amendment as an event of this partition and its outcome; the same id again changes nothing."""
    authority, amendment = read(given)
    try:
        repeated = outcomes.remembered(states, given)
        if repeated is not None:
            return (repeated,)
        return _amend(states, given, authority, amendment)
    except guards.Refusal as refusal:
        return (outcomes.refused(given, COMMAND, refusal.problem, authority),)


def _amend(states: Mapping[str, BaseModel], given: Input, authority: str, amendment: Amendment) -> Sequence[Output]:
    _operator(given, authority)
    known = states.get(world(authority))
    directory = known if isinstance(known, Directory) else None
    amendment_id = given.envelope.id
    if directory and any(note.amendment_id == amendment_id for note in directory.amendments):
        # The memory of ids ends after a month, the law's own history does not.
        raise guards.command_id_reused()
    wrong = faults(directory, authority, amendment)
    if wrong:
        raise guards.invalid_all(Fault(pointer=one.pointer, detail=one.detail) for one in wrong)
    data = amended(directory, amendment_id, amendment)
    event = Envelope(
        id=str(uuid5(NAMESPACE, f"{amendment_id}/amended/{given.partition}")),
        source=SOURCE,
        type=Amended.type,
        subject=authority,
        time=given.at,
        dataschema=schema_of(Amended.type),
        authority=authority,
        causationid=amendment_id,
        actor=given.envelope.actor,
        data=data.model_dump(mode="json", exclude_none=True),
    )
    listed = AcceptedEvent(id=event.id, type=event.type, sequence=data.number, time=event.time, data=event.data)
    said = Accepted(command_id=amendment_id, command=COMMAND, sequence=data.number, events=(listed,))
    return Output(topics.EVENTS, authority, event), outcomes.accepted(given, said, authority)


def refuse(given: Input, reason: str) -> Sequence[Output]:
    """The refusal of an amendment that went to the dead letters."""
    try:
        Amendment.model_validate(given.envelope.data)
        faults_found: Sequence[Fault] = ()
    except ValidationError as error:
        faults_found = faults_of(error)
    problem = outcomes.unreadable(reason, faults_found)
    return (outcomes.refused(given, COMMAND, problem, given.envelope.authority),)


def _operator(given: Input, authority: str) -> None:
    """403, 404. What the system itself appends (`law apply`) names no actor: only our own gates write the inbox."""
    actor = given.envelope.actor
    if actor is None:
        return
    if "operator" not in actor.roles:
        raise guards.wrong_role("Поправки вносит оператор.")
    if not {authority, EVERY} & set(actor.authorities):
        raise guards.unknown("authority", "Такого органа нет или он вам не доступен.")
