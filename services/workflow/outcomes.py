"""Outcomes: one for each record that wanted something, and the memory of its id that is folded from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import uuid5

from pydantic import BaseModel

from regulations.canonical import content_hash
from schemas import topics
from schemas.envelope import Envelope, schema_of
from schemas.ids import NAMESPACE
from schemas.outcomes import ACCEPTED, REFUSED, Accepted, Fault, Problem, Refused, problem
from services.runtime.decider import Input, Output
from services.workflow import guards
from services.workflow.hearing import SOURCE
from services.workflow.state import CommandMemory

FINGERPRINT = "fingerprint"
"""In an outcome's `data`, beside the model's fields: what the command was, so that its memory survives by folding."""


def key_of(command_id: str) -> str:
    """The state that remembers the id."""
    return f"command/{command_id}"


def fingerprint(given: Input) -> str:
    """What makes two records the same command: type, body, message and sender."""
    envelope = given.envelope
    body = {name: value for name, value in envelope.data.items() if name != "command_id"}
    sender = envelope.actor.sub if envelope.actor else None
    return content_hash([envelope.type, body, envelope.subject, envelope.authority, sender])


def accepted(given: Input, told: Accepted, authority: str | None) -> Output:
    return _outcome(given, ACCEPTED, told, fingerprint(given), authority)


def refused(given: Input, command: str, told: Problem, authority: str | None) -> Output:
    """The refusal of this record; the problem names the command."""
    command_id = given.envelope.id
    said = Refused(command_id=command_id, command=command, problem=told.model_copy(update={"command_id": command_id}))
    return _outcome(given, REFUSED, said, fingerprint(given), authority)


def remembered(states: Mapping[str, BaseModel], given: Input) -> Output | None:
    """The first outcome once more, where the id was used before; None where it is new.

    Raises `Refusal` (409) when the id was used for another body, message or sender.
    """
    memory = states.get(key_of(given.envelope.id))
    if not isinstance(memory, CommandMemory) or not memory.remembered(given.at):
        return None
    if memory.fingerprint != fingerprint(given):
        raise guards.command_id_reused()
    return _output(given, memory.type, memory.data | {"repeated": True}, memory.authority)


UNREADABLE = {
    "unknown-command": "Такой команды нет.",
    "no-subject": "Не указано, о каком сообщении команда (subject).",
    "no-actor": "Не указано, кто подаёт команду (actor).",
    "no-authority": "Не указано, чей закон меняется (authority).",
    "invalid-data": "Данные не годятся: см. errors.",
    "invalid-amendment": "Поправка не годится: см. errors.",
}
"""Reasons of a dead letter that lie in the input, and what its sender is told; any other reason is ours."""


def unreadable(reason: str, faults: Iterable[Fault]) -> Problem:
    """What the sender of a dead letter is told: 422 for what is wrong with it, 500 where the fault is ours."""
    if reason in UNREADABLE:
        return problem(reason, "Данные не годятся", 422, UNREADABLE[reason], errors=tuple(faults))
    words = "Команда не обработана из-за внутренней ошибки; о ней известно."
    return problem("not-processed", "Внутренняя ошибка", 500, words)


def _outcome(given: Input, kind: str, said: Accepted | Refused, mark: str, authority: str | None) -> Output:
    data = said.model_dump(mode="json", exclude_none=True) | {FINGERPRINT: mark}
    return _output(given, kind, data, authority)


def _output(given: Input, kind: str, data: dict[str, Any], authority: str | None) -> Output:
    command = given.envelope
    outcome = Envelope(
        id=str(uuid5(NAMESPACE, f"{command.id}/{given.partition}/{given.offset}")),
        source=SOURCE,
        type=kind,
        subject=command.subject,
        time=given.at,
        dataschema=schema_of(kind),
        authority=authority,
        causationid=command.id,
        actor=command.actor,
        data=data,
    )
    return Output(topics.OUTCOMES, command.subject or command.id, outcome)


def evolve(memory: BaseModel | None, outcome: Envelope) -> CommandMemory:
    """The first outcome of an id counts until it is forgotten; then the id is new again."""
    if isinstance(memory, CommandMemory) and memory.remembered(outcome.time):
        return memory
    return CommandMemory(
        fingerprint=outcome.data[FINGERPRINT],
        type=outcome.type,
        subject=outcome.subject,
        authority=outcome.authority,
        data=outcome.data,
        at=outcome.time,
    )
