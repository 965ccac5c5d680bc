"""The agencies' doors: commands that their systems write to `commands.<authority>.<agency>` themselves.

The topic's ACL says who wrote, so the topic's name says for whom he acts. What cannot be told back to anybody goes to the
dead letters here; a command whose data are wrong goes on, for the decider refuses it, and so its sender hears of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from schemas import topics
from schemas.commands import cloud_type, command_name
from schemas.envelope import CONTENT_TYPE, Actor, Envelope, Received, schema_of
from services.runtime.decider import Unreadable
from services.runtime.gate import unstorable
from services.runtime.log import Outgoing, Record
from services.runtime.problems import words_of
from services.workflow.shapes import Shapeless, shaped

PATTERN = r"commands\.[a-z0-9-]+\.[a-z0-9-]+"
SOURCE = "/otklik/workflow/doors"
HEADERS = {"content-type": CONTENT_TYPE}
MAX_SUB = 200


def agency_system(authority: str, agency: str) -> str:
    """The `sub` of an agency's system that names no person."""
    return f"agency:{authority}/{agency}"


def admitted(record: Record) -> Sequence[Outgoing]:
    """The command as it stands on the inbox, keyed by its message. Raises `Unreadable`."""
    authority, agency = topics.agency_of(record.topic)
    if len(record.value or b"") > topics.MAX_IN_BYTES:
        raise Unreadable("too-large", f"Запись больше {topics.MAX_IN_BYTES} байт.")
    try:
        given = Received.model_validate_json(record.value or b"")
    except ValidationError as error:
        raise Unreadable("not-a-cloudevent", words_of(error)) from None
    name = command_name(given.type)
    if name is None:
        raise Unreadable("unknown-command", f"Команды {given.type} нет.")
    command_id, subject = _uuid(given.id, "id"), _uuid(given.subject, "subject")
    if unfit := unstorable(given.data):
        raise Unreadable("invalid-data", "; ".join(f"{fault.pointer}: {fault.detail}" for fault in unfit))
    sub = given.actor.sub[:MAX_SUB] if given.actor else agency_system(authority, agency)
    if "\0" in sub:
        raise Unreadable("invalid-data", "actor.sub: символ U+0000 недопустим")
    envelope = Envelope(
        id=command_id,
        source=SOURCE,
        type=cloud_type(name),
        subject=subject,
        time=record.stamp,
        dataschema=schema_of(cloud_type(name)),
        authority=authority,
        actor=Actor(sub=sub, roles=("executor",), authorities=(authority,), agency=agency),
        data=_body(name, given, subject),
    )
    return [Outgoing(topics.INBOX, subject.encode(), envelope.to_bytes(), HEADERS)]


def _body(name: str, given: Received, subject: str) -> dict[str, Any]:
    """`data` as over HTTP, or the bare data of the type (no command has a field `type` of its own)."""
    body: dict[str, Any] = given.data if "type" in given.data else {"type": name, "data": given.data}
    if given.expected_sequence is not None:
        body = {"expected_sequence": given.expected_sequence} | body
    try:
        return shaped(body, "message", subject).body()
    except Shapeless:
        return body


def _uuid(text: str | None, field: str) -> str:
    """In the one form in which ids are compared."""
    try:
        return str(UUID(text or ""))
    except ValueError:
        raise Unreadable("invalid-data", f"{field}: нужен UUID") from None
