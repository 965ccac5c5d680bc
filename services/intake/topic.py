"""The topic `detections`: what monitoring systems write to Kafka themselves passes the same gate."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pydantic import ValidationError

from schemas import topics
from schemas.detections import Detection
from schemas.envelope import Actor, Received
from schemas.inbox import DETECTION
from services.intake.detections import Frame, Intake
from services.runtime.decider import Unreadable
from services.runtime.log import Outgoing, Record
from services.runtime.problems import ProblemError, faults_of

MAX_SUB = 200


def admitted(intake: Intake, record: Record) -> Sequence[Outgoing]:
    """The record for the inbox. Its age is judged by the stamp that it bears. Raises `Unreadable` with the problem's slug.

    The topic's ACL says that a monitoring system wrote it; `actor.sub` of the record says which, if it does."""
    if len(record.value or b"") > topics.MAX_IN_BYTES:
        raise Unreadable("too-large", f"Запись больше {topics.MAX_IN_BYTES} байт.")
    try:
        envelope = Received.model_validate_json(record.value or b"")
    except ValidationError as error:
        raise Unreadable("not-a-cloudevent", _words(error)) from None
    if envelope.type != DETECTION:
        raise Unreadable("unknown-type", f"Записей вида {envelope.type} в этой теме не бывает.")
    try:
        detection_id = UUID(envelope.id)
    except ValueError:
        raise Unreadable("invalid", "id: нужен UUID") from None
    try:
        said = Detection.model_validate(envelope.data)
    except ValidationError as error:
        raise Unreadable("invalid", _words(error)) from None
    detection = said.model_copy(update={"detection_id": detection_id})
    sub = envelope.actor.sub[:MAX_SUB] if envelope.actor else f"monitor:{detection.authority}"
    actor = Actor(sub=sub, roles=("monitor",), authorities=(detection.authority,))
    try:
        _, _, outgoing = intake.record(detection, Frame(actor, record.stamp))
    except ProblemError as refusal:
        slug = refusal.problem.type.rpartition(":")[2]
        faults = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in refusal.problem.errors)
        raise Unreadable(slug, faults or refusal.problem.detail) from None
    return [outgoing]


def _words(error: ValidationError) -> str:
    return "; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults_of(error))
