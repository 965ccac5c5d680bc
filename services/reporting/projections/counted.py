"""What summaries, ratings and dynamics count: one row an event, charged to the agency whose work it was.

Sums are made when they are asked for. Running totals would need every partition to write the same row, and could not
tell a record that was folded twice from two records.
"""

from __future__ import annotations

from typing import Any, Literal

from schemas import events
from schemas.commands import DraftKind
from schemas.envelope import Envelope
from services.reporting.projections.register import Row

What = Literal[
    "received", "dismissed", "reopened", "issued", "returned", "recalled", "contributed", "contribution_sent_back",
    "submitted", "approved", "sent_back", "interim", "clarification", "answered", "escalated", "referred",
    "shortcoming", "feedback", "scored", "case_proposed", "case_agreed", "case_published",
]  # fmt: skip
_PUBLISHED: dict[DraftKind, What] = {
    "answer": "answered", "interim": "interim", "clarification": "clarification",
}  # fmt: skip


def count(envelope: Envelope, before: Row | None, after: Row) -> dict[str, Any] | None:
    """The event as a row of `counted`; None where nothing is counted of it. `received` is counted at its detection."""
    event = events.MESSAGE_EVENTS[envelope.type].model_validate(envelope.data)
    told = _told(event, before or after)
    if told is None:
        return None
    what, more = told
    at = after.detected_at if what == "received" else envelope.time
    row = {
        "id": envelope.id,
        "authority": after.authority,
        "what": what,
        "at": at,
        "message_id": after.message_id,
        "sequence": after.sequence,
        "agency": None,
        "detail": None,
        "score": None,
        "seconds": None,
    }
    row.update(more)
    if what == "answered" or what == "interim":
        row["seconds"] = _held_seconds(before, more.get("agency"), envelope)
    return row


def _told(event: events.EventData, row: Row) -> tuple[What, dict[str, Any]] | None:
    match event:
        case events.Registered():
            return "received", {"detail": event.source.network}
        case events.Dismissed():
            return "dismissed", {"detail": event.ground}
        case events.Reopened():
            return "reopened", {}
        case events.AssignmentIssued():
            return "issued", {"agency": event.agency, "detail": event.role}
        case events.AssignmentReturned():
            return "returned", {"agency": event.agency}
        case events.AssignmentRecalled():
            return "recalled", {"agency": event.agency}
        case events.Contributed():
            return "contributed", {"agency": event.agency}
        case events.ContributionSentBack():
            return "contribution_sent_back", {"agency": event.agency}
        case events.DraftSubmitted():
            return "submitted", {"agency": _agency(event.by), "detail": event.kind}
        case events.DraftApproved():
            return "approved", {"agency": _agency(event.by), "detail": event.kind, "score": event.quality}
        case events.DraftSentBack():
            return "sent_back", {"agency": _agency(event.by), "detail": event.kind}
        case events.Published():
            # Who drafted it and not who put it out: in nenets and kursky the coordinator publishes every answer.
            return _PUBLISHED[event.kind], {"agency": _drafter(row, event.draft_id), "detail": event.place}
        case events.FeedbackRecorded():
            return "feedback", {"agency": _answerer(row), "score": int(event.satisfied)}
        case events.AnswerScored():
            return "scored", {"agency": _answerer(row), "score": event.score}
    return _told_beside(event)


def _told_beside(event: events.EventData) -> tuple[What, dict[str, Any]] | None:
    """What happens beside the way from post to answer."""
    match event:
        case events.Escalated():
            return "escalated", {"detail": event.ground}
        case events.ReferredToLawEnforcement():
            return "referred", {"agency": _agency(event.by)}
        case events.ShortcomingReported():
            return "shortcoming", {"agency": event.agency}
        case events.CaseProposed():
            return "case_proposed", {"agency": event.agency}
        case events.CaseAgreed():
            return "case_agreed", {"agency": event.agency}
        case events.CasePublished():
            return "case_published", {"agency": event.agency}
    return None


def _agency(by: str) -> str | None:
    return None if by == events.COORDINATOR else by


def _drafter(row: Row, draft_id: str) -> str | None:
    draft = row.draft(draft_id)
    return None if draft is None else _agency(draft.by)


def _answerer(row: Row) -> str | None:
    """Who drafted the answer that was published last; the answer that a score or a thank-you is about."""
    published = [draft for draft in row.work.drafts if draft.status == "published" and draft.kind != "clarification"]
    return _agency(published[-1].by) if published else None


def _held_seconds(before: Row | None, agency: str | None, envelope: Envelope) -> float | None:
    """Plain seconds from the first issue to that agency, of what it holds; from detection where the coordinator drafted."""
    if before is None:
        return None
    held = before.assignment_of(agency) if agency is not None else None
    since = held.issued_at if held is not None and held.issued_at is not None else before.detected_at
    return (envelope.time - since).total_seconds()
