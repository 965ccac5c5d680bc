"""What else is told to whom: copies of events to the topics of agencies and to leadership.

A copy is the event itself (same id, same type) with what its reader needs beside it: the post of an assignment, the text of
what was approved. Nothing that another agency wrote is copied, but to the agency that drafts the joint answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from regulations.model import Act
from schemas import topics
from schemas.envelope import Envelope
from schemas.events import (
    AssignmentIssued,
    AssignmentRecalled,
    Contributed,
    ContributionApproved,
    ContributionSentBack,
    DraftApproved,
    DraftSentBack,
    Escalated,
    EscalationForwarded,
    EventData,
    Notified,
    PostEdited,
    PostRemoved,
    Published,
    ReferredToLawEnforcement,
    ShortcomingReported,
)
from services.runtime.decider import Output
from services.workflow.state import Assignment, Message

TO_LEADERSHIP = (Escalated, EscalationForwarded, ReferredToLawEnforcement, ShortcomingReported)


def copies(event: Envelope, data: EventData, message: Message, act: Act) -> Iterator[Output]:
    """The copies of an event; `message` is as the event has left it."""
    if isinstance(data, TO_LEADERSHIP):
        yield Output(topics.ESCALATIONS, message.message_id, _with(event, _whereabouts(message)))
    for agency, more in _readers(data, message, act):
        yield Output(topics.assignments(message.authority, agency), message.message_id, _with(event, more))


def _readers(data: EventData, message: Message, act: Act) -> Iterator[tuple[str, dict[str, Any]]]:
    """The agencies that the event concerns, and what each needs beside it."""
    match data:
        case AssignmentIssued():
            yield data.agency, _work(message, act, data)
        case AssignmentRecalled() | ContributionSentBack():
            one = message.assignment(data.assignment_id)
            if one is not None and one.issued_at is not None:
                yield data.agency, {}
        case Contributed() if not act.joint.contributions_approved:
            for drafter in _drafter(message):
                yield drafter.agency, {}
        case ContributionApproved():
            yield data.agency, {}
            one = message.assignment(data.assignment_id)
            for drafter in _drafter(message):
                yield drafter.agency, _contribution(one) if one else {}
        case DraftApproved() | DraftSentBack() | Published():
            yield from _of_the_draft(data, message, act)
        case Notified() if "executor" in data.whom and data.agency is not None:
            yield data.agency, {}
        case PostEdited() | PostRemoved():
            for one in message.assignments:
                if one.working:
                    yield one.agency, {}


def _of_the_draft(
    data: DraftApproved | DraftSentBack | Published, message: Message, act: Act
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Who drafted it, and who is to publish it: the publisher needs the text that another may have written."""
    draft = message.draft(data.draft_id)
    lead = next((one for one in reversed(message.assignments) if one.role == "lead" and one.issued_at), None)
    readers = [one.agency for one in message.assignments if draft and one.agency == draft.by and one.issued_at]
    closed = lead is None or lead.status in ("returned", "recalled")
    if lead and not closed and (act.publication.by == "lead" or isinstance(data, Published)):
        readers.append(lead.agency)
    more = {}
    if draft is not None and isinstance(data, DraftApproved):
        more = draft.model_dump(mode="json", include={"text", "attachments"})
    for agency in dict.fromkeys(readers):
        yield agency, more


def _drafter(message: Message) -> Iterator[Assignment]:
    return (one for one in message.assignments if one.drafts and one.working)


def _work(message: Message, act: Act, data: AssignmentIssued) -> dict[str, Any]:
    """What an agency needs to begin: the post, what was found at triage, and for a drafter what has come in so far."""
    fields = {"post", "source", "importance", "reduced", "repeat_of", "topic_group", "detected_at", "received_at"}
    work = message.model_dump(mode="json", include=fields, exclude_none=True) | {"regulation": message.regulation}
    if data.drafts:
        seen = [_contribution(one) for one in message.assignments if may_be_used(one, act)]
        work |= {"contributions": seen} if seen else {}
    return work


def may_be_used(one: Assignment, act: Act) -> bool:
    """Whether the drafter sees that contribution: kursky's only once it is approved."""
    if one.contribution is None:
        return False
    return one.contribution_status == "approved" or not act.joint.contributions_approved


def _contribution(one: Assignment) -> dict[str, Any]:
    said = one.model_dump(mode="json", include={"assignment_id", "agency", "attachments"})
    return said | {"text": one.contribution}


def _whereabouts(message: Message) -> dict[str, Any]:
    fields = {"source", "topics", "location", "importance"}
    return message.model_dump(mode="json", include=fields, exclude_none=True)


def _with(event: Envelope, more: dict[str, Any]) -> Envelope:
    return event.model_copy(update={"data": event.data | more}) if more else event
