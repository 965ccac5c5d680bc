"""Deadlines: each as it stands, and what befell it. Folded from the topic `deadlines` alone, so it does not matter which
of the two topics of a partition is ahead."""

from __future__ import annotations

from typing import Any

from schemas.deadlines import PENDING, TYPES, DeadlineData, Kind, PendingData
from schemas.envelope import Envelope
from services.runtime.decider import UnknownEvent

COUNTED: frozenset[Kind] = frozenset({"met", "breached", "met-late", "excused", "approaching"})
"""What is kept one row an event; the rest only changes the deadline."""
_CLOSING: frozenset[Kind] = frozenset({"met", "breached", "cancelled", "excused"})
"""Kinds that are the name of the state which they bring."""


def kind_of(envelope: Envelope) -> Kind:
    """Raises UnknownEvent on a type that this version does not know."""
    kind = TYPES.get(envelope.type)
    if kind is None or envelope.subject is None:
        raise UnknownEvent(f"тип события {envelope.type} этой версии неизвестен")
    return kind


def befell(envelope: Envelope) -> dict[str, Any] | None:
    """The event as a row of `deadline_events`, charged to who owed it then; None where nothing is counted of it."""
    if envelope.type == PENDING:
        return None
    kind = kind_of(envelope)
    if kind not in COUNTED:
        return None
    data = DeadlineData.model_validate(envelope.data)
    return {
        "id": envelope.id,
        "deadline_id": data.deadline_id,
        "message_id": envelope.subject,
        "authority": envelope.authority,
        "kind": kind,
        # A breach happened when the time was up, however late the clock was read.
        "at": data.due_at if kind == "breached" else envelope.time,
        "rule": data.rule,
        "role": data.owed_by.role,
        "agency": data.owed_by.agency,
        "window": data.window,
    }


def evolve(before: dict[str, Any] | None, envelope: Envelope, offset: int) -> dict[str, Any] | None:
    """The deadline's row after one more event; `offset` is the record's on `deadlines`. One already folded changes nothing,
    nor does an excuse that was ignored: it may be of a deadline that never was, and then bears instants of no duty."""
    if before is not None and offset <= before["offset"]:
        return before
    if envelope.type == PENDING:
        return _pending(before, envelope, offset)
    kind = kind_of(envelope)
    if kind == "excuse-ignored":
        return before
    data = DeadlineData.model_validate(envelope.data)
    row = dict(before) if before is not None else _first()
    row.update(_told(data, envelope), offset=offset)
    if data.explanation:
        row["explanation"] = list(data.explanation)
        row["amendments"] = list(data.amendments)
    row["state"] = _state(row["state"], kind)
    at = data.closed_at or envelope.time
    match kind:
        case "approaching":
            row["warned_at"] = envelope.time
        case "breached":
            row["breached_at"] = data.due_at
        case "excused":
            row["excused_at"] = at
        case "met" | "met-late" | "cancelled":
            row["closed_at"] = at
    return row


def _first() -> dict[str, Any]:
    empty: dict[str, Any] = dict.fromkeys(("warned_at", "breached_at", "excused_at", "closed_at", "reason", "warn_at"))
    return empty | {"explanation": [], "amendments": [], "state": "open"}


def _pending(before: dict[str, Any] | None, envelope: Envelope, offset: int) -> dict[str, Any]:
    """A deadline that waits for a calendar year: shown as an alarm, and counted nowhere until it is set."""
    data = PendingData.model_validate(envelope.data)
    row = dict(before) if before is not None else _first() | {"due_at": None}
    row.update(_about(data, envelope), offset=offset, reason=data.reason, state=data.closed or "pending")
    row["closed_at"] = data.closed_at
    return row


def _told(data: DeadlineData, envelope: Envelope) -> dict[str, Any]:
    told = _about(data, envelope) | {"due_at": data.due_at}
    if data.warn_at is not None:
        told["warn_at"] = data.warn_at
    if data.reason is not None:
        told["reason"] = data.reason
    return told


def _about(data: DeadlineData | PendingData, envelope: Envelope) -> dict[str, Any]:
    return {
        "deadline_id": data.deadline_id,
        "message_id": envelope.subject,
        "authority": envelope.authority,
        "regulation": data.regulation,
        "paragraph": data.paragraph,
        "rule": data.rule,
        "occurrence": data.occurrence,
        "about": None if data.about is None else data.about.model_dump(exclude_none=True),
        "role": data.owed_by.role,
        "agency": data.owed_by.agency,
        "starts_at": data.starts_at,
        "clock": data.clock,
        "window": data.window,
    }


def _state(before: str, kind: Kind) -> str:
    if kind == "met-late":
        # A later fulfilment says so, but the human's word on the breach stays.
        return "excused" if before == "excused" else "met_late"
    if kind in _CLOSING:
        return kind
    return "open" if before == "pending" else before
