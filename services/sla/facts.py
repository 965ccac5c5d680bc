"""Facts of a message: what its own events say, as far as deadlines hang on it. What sla said itself stands in `said.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from schemas import events as e
from schemas.envelope import Envelope
from services.runtime.decider import UnknownEvent


class Assigned(BaseModel):
    """An assignment as routed or issued. `live`: neither returned nor recalled; one that waits for its turn is live."""

    model_config = ConfigDict(frozen=True)
    agency: str
    role: str
    live: bool = True


class Facts(BaseModel):
    """Folded from `events` only. `lead` and `drafter` are agencies; None: the coordinator owes what they would."""

    model_config = ConfigDict(frozen=True)
    authority: str
    sequence: int
    law: int
    regulation: str
    detected_at: AwareDatetime
    received_at: AwareDatetime
    triaged_at: AwareDatetime | None = None
    """The first triage: where the authority counts from it instead of the detection (reading 2)."""
    dismissed: bool = False
    """It was dismissed once, reopened or not: `route` is met by that, even where it had not begun yet (reading 2)."""
    reduced: bool = False
    joint: bool = False
    lead: str | None = None
    drafter: str | None = None
    drafted: bool = False
    """A draft was submitted since the message was registered or reopened."""
    interim: bool = False
    """An interim answer was published; only the first one starts `final_draft` (reading 5)."""
    assignments: dict[str, Assigned] = {}
    agencies: tuple[str, ...] = ()
    """Every agency that anything was ever issued to: these may see it; a turn not yet come does not count."""


def read(event: Envelope) -> e.EventData:
    """The event's data. Raises `UnknownEvent` on a type of which this version knows nothing."""
    kind = e.EVENTS.get(event.type)
    if kind is None:
        raise UnknownEvent(f"тип события {event.type} этой версии неизвестен")
    return kind.model_validate(event.data)


def fold(facts: Facts | None, event: Envelope) -> Facts | None:
    """The facts after the event; an event that they hold already changes nothing.

    Raises ValueError where `sequence` has a gap, since a deadline must never be judged by half a history.
    """
    data, sequence = read(event), event.sequence
    if sequence is None or event.authority is None:
        raise ValueError(f"событие {event.id} без sequence или authority")
    if facts is not None and sequence <= facts.sequence:
        return facts
    if sequence != (facts.sequence if facts else 0) + 1:
        raise ValueError(f"событие {event.id}: sequence {sequence} после {facts.sequence if facts else 0}")
    if isinstance(data, e.Registered):
        return Facts(
            authority=event.authority,
            sequence=sequence,
            law=data.law,
            regulation=data.regulation,
            detected_at=data.detected_at,
            received_at=data.received_at,
        )
    if facts is None:
        raise ValueError(f"событие {event.id}: первым у сообщения стоит {event.type}")
    return facts.model_copy(update={"sequence": sequence, **_changes(facts, data, event.time)})


def _changes(facts: Facts, data: e.EventData, at: datetime) -> dict[str, Any]:
    match data:
        case e.Triaged():
            return {"reduced": data.reduced, "triaged_at": facts.triaged_at or at}
        case e.Dismissed():
            # A dismissal recalls every assignment: from here on the coordinator owes what the lead would.
            gone = {key: one.model_copy(update={"live": False}) for key, one in facts.assignments.items()}
            return {"assignments": gone, "lead": None, "drafter": None, "joint": False, "dismissed": True}
        case e.Reopened():
            return {"drafted": False}
        case e.Routed():
            routed = {one.assignment_id: Assigned(agency=one.agency, role=one.role) for one in data.assignments}
            return {
                "assignments": facts.assignments | routed,
                "joint": data.joint,
                "lead": data.lead,
                "drafter": _agency(data.drafted_by),
            }
        case e.AssignmentIssued():
            changes: dict[str, Any] = {
                "assignments": facts.assignments | {data.assignment_id: Assigned(agency=data.agency, role=data.role)},
                "agencies": _with(facts.agencies, data.agency),
            }
            if data.role == "lead":
                changes["lead"] = data.agency
            if data.drafts:
                changes["drafter"] = data.agency
            return changes
        case e.AssignmentReturned() | e.AssignmentRecalled():
            return _taken_away(facts, data)
        case e.DraftSubmitted():
            return {"drafted": True}
        case e.Published(kind="interim"):
            return {"interim": True}
    return {}


def _taken_away(facts: Facts, data: e.AssignmentReturned | e.AssignmentRecalled) -> dict[str, Any]:
    gone = Assigned(agency=data.agency, role=data.role, live=False)
    changes: dict[str, Any] = {"assignments": facts.assignments | {data.assignment_id: gone}}
    # A replaced assignment that is recalled late must not take the lead away from its successor.
    if data.role == "lead" and facts.lead == data.agency:
        changes["lead"] = None
    if facts.drafter == data.agency:
        changes["drafter"] = None
    return changes


def _agency(who: str) -> str | None:
    return None if who == e.COORDINATOR else who


def _with(known: tuple[str, ...], agency: str) -> tuple[str, ...]:
    return known if agency in known else (*known, agency)
