"""Events of a message, of a period, of the law and of time: the truth. All `time`s are the partition's event time."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.commands import DraftKind, EscalationGround, Ground
from schemas.detections import Attachment, Post, Reference, Source


class EventData(BaseModel):
    """`data` of an event: the causing command's fields under the same names, plus the new ids. Readers skip what they do
    not know of a known type; an unknown type stops them."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[str]


COORDINATOR = "coordinator"
"""In `by` and `drafted_by`: the coordinator himself, not an agency (no agency bears this id)."""


class Registered(EventData):
    type = "otklik.message.registered.v1"
    regulation: str
    law: int
    """The number of the authority's amendment under which it was registered: newer acts judge only newer messages."""
    source: Source
    post: Post
    detected_at: AwareDatetime
    received_at: AwareDatetime
    posted_at: AwareDatetime | None = None
    location: str | None = None
    topics: tuple[str, ...] = ()
    detected_by: str | None = None
    reply_to: Reference | None = None
    detection_id: str


class PostEdited(EventData):
    type = "otklik.message.post-edited.v1"
    post: Post
    url: str
    edited_at: AwareDatetime
    detection_id: str


class PostRemoved(EventData):
    type = "otklik.message.post-removed.v1"
    removed_at: AwareDatetime
    detection_id: str


class Triaged(EventData):
    type = "otklik.message.triaged.v1"
    topics: tuple[str, ...]
    topic_group: str | None = None
    location: str
    importance: Literal["ordinary", "high"]
    reduced: bool
    """Whether the reduced term holds from here on, by the regulation's own rule."""
    marked: bool = False
    """Marked as urgent by a decision that changes no term (nenets 14; kbr without a number)."""
    repeat_of: str | None = None
    reason: str | None = None


class Dismissed(EventData):
    type = "otklik.message.dismissed.v1"
    ground: Ground
    note: str | None = None
    moderation: tuple[Literal["deleted", "author_blocked"], ...] = ()


class Reopened(EventData):
    type = "otklik.message.reopened.v1"
    reason: str


class RoutedTo(BaseModel):
    """`replaces`: the returned or recalled assignments that this one answers, told again when it is issued."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    assignment_id: str
    agency: str
    role: Literal["lead", "contributor"]
    order: int
    replaces: tuple[str, ...] = ()


class Routed(EventData):
    """`assignments` are all of this routing, issued at once or waiting for their turn; those kept from an earlier routing
    bear their old ids. `drafted_by`: an agency or `coordinator`."""

    type = "otklik.message.routed.v1"
    assignments: tuple[RoutedTo, ...]
    lead: str
    joint: bool
    drafted_by: str


class AssignmentIssued(EventData):
    """`drafts`: this agency drafts the answer; `contributes`: it owes a contribution (contributor or non-drafting lead).
    `official` and `executors` are those in office that day, substitutes taken into account."""

    type = "otklik.message.assignment-issued.v1"
    assignment_id: str
    agency: str
    role: Literal["lead", "contributor"]
    order: int
    replaces: tuple[str, ...] = ()
    drafts: bool
    contributes: bool
    topics: tuple[str, ...] = ()
    location: str | None = None
    official: str | None = None
    executors: tuple[str, ...] = ()
    substituted: tuple[str, ...] = ()


class AssignmentReturned(EventData):
    type = "otklik.message.assignment-returned.v1"
    assignment_id: str
    agency: str
    role: Literal["lead", "contributor"]
    justification: str | None = None


class AssignmentRecalled(EventData):
    type = "otklik.message.assignment-recalled.v1"
    assignment_id: str
    agency: str
    role: Literal["lead", "contributor"]
    reason: str


class Contributed(EventData):
    type = "otklik.message.contributed.v1"
    assignment_id: str
    agency: str
    text: str
    attachments: tuple[Attachment, ...] = ()


class ContributionApproved(EventData):
    type = "otklik.message.contribution-approved.v1"
    assignment_id: str
    agency: str


class ContributionSentBack(EventData):
    type = "otklik.message.contribution-sent-back.v1"
    assignment_id: str
    agency: str
    comments: str


class DraftSubmitted(EventData):
    """`by`: the agency, or `coordinator`; `assignment_id`: the agency's assignment."""

    type = "otklik.message.draft-submitted.v1"
    draft_id: str
    kind: DraftKind
    text: str
    attachments: tuple[Attachment, ...] = ()
    measures: str | None = None
    progress: str | None = None
    by: str
    assignment_id: str | None = None


class DraftApproved(EventData):
    type = "otklik.message.draft-approved.v1"
    draft_id: str
    kind: DraftKind
    by: str
    quality: int | None = None


class DraftSentBack(EventData):
    """`by`: who drafted it and now reworks it; `was_approved`: it had been approved already."""

    type = "otklik.message.draft-sent-back.v1"
    draft_id: str
    kind: DraftKind
    by: str
    comments: str
    was_approved: bool = False


class Published(EventData):
    type = "otklik.message.published.v1"
    draft_id: str
    kind: DraftKind
    url: str
    place: Literal["same", "own_account"]
    author_link: str | None = None
    published_at: AwareDatetime | None = None
    by: str


class Escalated(EventData):
    """`to`: the post that it went to; `then`: the one that it goes on to once forwarded."""

    type = "otklik.message.escalated.v1"
    escalation_id: str
    ground: EscalationGround
    summary: str
    to: str
    then: str | None = None


class EscalationForwarded(EventData):
    type = "otklik.message.escalation-forwarded.v1"
    escalation_id: str
    to: str


class ReferredToLawEnforcement(EventData):
    type = "otklik.message.referred-to-law-enforcement.v1"
    body: str
    summary: str
    by: str


class ShortcomingReported(EventData):
    type = "otklik.message.shortcoming-reported.v1"
    agency: str
    description: str
    deadline_ids: tuple[str, ...] = ()
    to: tuple[str, ...] = ()


class FeedbackRecorded(EventData):
    type = "otklik.message.feedback-recorded.v1"
    satisfied: bool
    note: str | None = None


class AnswerScored(EventData):
    type = "otklik.message.answer-scored.v1"
    score: int
    note: str | None = None


class BreachExcused(EventData):
    type = "otklik.message.breach-excused.v1"
    rule: str
    occurrence: int
    reason: str


class CaseProposed(EventData):
    type = "otklik.message.case-proposed.v1"
    case_id: str
    agency: str
    text: str


class CaseAgreed(EventData):
    type = "otklik.message.case-agreed.v1"
    case_id: str
    agency: str
    reason: str | None = None


class CaseRefused(EventData):
    type = "otklik.message.case-refused.v1"
    case_id: str
    agency: str
    reason: str


class CasePublished(EventData):
    type = "otklik.message.case-published.v1"
    case_id: str
    agency: str
    url: str


class CaseReported(EventData):
    type = "otklik.message.case-reported.v1"
    case_id: str
    agency: str
    text: str | None = None
    url: str | None = None


class Notified(EventData):
    """Who was told what, where the act asks for it: `whom` are executors, the sector block, the coordinator."""

    type = "otklik.message.notified.v1"
    about: str
    """The event type's short name that they were told of: `routed`, `assignment-returned`, …"""
    whom: tuple[str, ...]
    agency: str | None = None
    paragraph: str


class PeriodEvent(EventData):
    report: Literal["summary", "rating"]
    period: str
    url: str | None = None
    note: str | None = None


class SummarySentForAgreement(PeriodEvent):
    type = "otklik.period.summary-sent-for-agreement.v1"


class SummaryAgreed(PeriodEvent):
    type = "otklik.period.summary-agreed.v1"


class SummaryRefused(PeriodEvent):
    type = "otklik.period.summary-refused.v1"
    reason: str


class SummaryDelivered(PeriodEvent):
    type = "otklik.period.summary-delivered.v1"
    to: str


class RatingSentForAgreement(PeriodEvent):
    type = "otklik.period.rating-sent-for-agreement.v1"


class RatingAgreed(PeriodEvent):
    type = "otklik.period.rating-agreed.v1"


class RatingRefused(PeriodEvent):
    type = "otklik.period.rating-refused.v1"
    reason: str


class RatingDelivered(PeriodEvent):
    type = "otklik.period.rating-delivered.v1"
    to: str


class Reached(EventData):
    """Event time of the partition: no later event of it bears an earlier time."""

    type = "otklik.clock.reached.v1"
    at: AwareDatetime


AmendmentKind = Literal[
    "authority", "act", "calendar_year",
    "calendar_day", "hours", "agency", "official", "substitute", "account", "topic_list", "leader",
]  # fmt: skip
"""The first three come from files and the library by `law apply`; the others by operators at run time."""


class Amended(EventData):
    """A change of the law in force, from here on in this partition. Numbered 1, 2, … per authority, alike in every partition."""

    type = "otklik.authority.amended.v1"
    number: int
    amendment_id: str
    kind: AmendmentKind
    reason: str
    basis: str | None = None
    hash: str
    """SHA-256 of `data` as canonical JSON."""
    data: dict[str, Any] = Field(default_factory=dict)


MESSAGE_EVENTS: dict[str, type[EventData]] = {
    event.type: event
    for event in (
        *(Registered, PostEdited, PostRemoved, Triaged, Dismissed, Reopened, Routed),
        *(AssignmentIssued, AssignmentReturned, AssignmentRecalled),
        *(Contributed, ContributionApproved, ContributionSentBack),
        *(DraftSubmitted, DraftApproved, DraftSentBack, Published),
        *(Escalated, EscalationForwarded, ReferredToLawEnforcement, ShortcomingReported),
        *(FeedbackRecorded, AnswerScored, BreachExcused),
        *(CaseProposed, CaseAgreed, CaseRefused, CasePublished, CaseReported, Notified),
    )
}
PERIOD_EVENTS: dict[str, type[EventData]] = {
    event.type: event
    for event in (
        *(SummarySentForAgreement, SummaryAgreed, SummaryRefused, SummaryDelivered),
        *(RatingSentForAgreement, RatingAgreed, RatingRefused, RatingDelivered),
    )
}
EVENTS: dict[str, type[EventData]] = MESSAGE_EVENTS | PERIOD_EVENTS | {Reached.type: Reached, Amended.type: Amended}
"""Every type that may stand on the topic `events`."""


def short(event_type: str) -> str:
    """`otklik.message.draft-submitted.v1` → `draft-submitted`."""
    return event_type.split(".")[2]
