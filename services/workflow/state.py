"""The states of the workflow: a message, the report of a period, the memory of a command.

They are what the decider judges by, and nothing else: no instant here is computed from the law, no name from a directory.
A state is the fold of its events; raise `STATE_VERSION` whenever a field here or a fold of any concept changes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from schemas.commands import DraftKind, EscalationGround, Ground
from schemas.detections import Attachment, Post, Reference, Source
from schemas.events import COORDINATOR
from schemas.messages import MessageStatus

STATE_VERSION = 2

COMMAND_MEMORY = timedelta(days=30)
"""How long a command's id is remembered, of event time (contract, "Refused")."""


class State(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Assignment(State):
    """`drafts`: this agency drafts the answer; `contributes`: it owes a contribution. `issued_at` None: never issued yet.

    `contribution` stays once it came: whoever has contributed cannot return the message any more.
    """

    assignment_id: str
    agency: str
    role: Literal["lead", "contributor"]
    order: int
    replaces: tuple[str, ...] = ()
    status: Literal["waiting", "issued", "contributed", "returned", "recalled", "done"] = "waiting"
    drafts: bool
    contributes: bool
    issued_at: AwareDatetime | None = None
    contribution: str | None = None
    attachments: tuple[Attachment, ...] = ()
    contribution_status: Literal["submitted", "approved", "sent_back"] | None = None

    @property
    def live(self) -> bool:
        """Neither returned, nor recalled, nor done with."""
        return self.status in ("waiting", "issued", "contributed")

    @property
    def working(self) -> bool:
        """The agency has it in hand."""
        return self.status in ("issued", "contributed")

    @property
    def pending(self) -> bool:
        """Its contribution is still to come: those after it in order wait."""
        return self.contributes and self.status in ("waiting", "issued")


class Draft(State):
    """`by`: an agency, or `coordinator`. `withdrawn`: it was in flight when the message was dismissed."""

    draft_id: str
    kind: DraftKind
    text: str
    attachments: tuple[Attachment, ...] = ()
    status: Literal["in_review", "sent_back", "approved", "published"] = "in_review"
    by: str
    assignment_id: str | None = None
    comments: str | None = None
    quality: int | None = None
    url: str | None = None
    withdrawn: bool = False

    @property
    def in_flight(self) -> bool:
        return self.status in ("in_review", "approved")


class Escalation(State):
    escalation_id: str
    ground: EscalationGround
    summary: str
    to: str
    then: str | None = None
    escalated_at: AwareDatetime
    forwarded_at: AwareDatetime | None = None


class Feedback(State):
    """What the author said of the answer, and what it was scored; each the latest."""

    satisfied: bool | None = None
    note: str | None = None
    recorded_at: AwareDatetime | None = None
    score: int | None = None
    score_note: str | None = None


class SuccessCase(State):
    case_id: str
    agency: str
    text: str
    status: Literal["proposed", "agreed", "refused", "published", "reported"] = "proposed"
    reason: str | None = None
    url: str | None = None


class Message(State):
    """A message as its events have left it. `law`: the number of the amendment by which it is judged, for ever.

    `changed_at`: when the newest known version of the post was detected; older news of it changes nothing.
    `detections`: those that made an event; the same one again, as a retry brings it, changes nothing.
    `drafting`: who drafts under the routing that stands; None: no routing stands.
    """

    message_id: str
    authority: str
    regulation: str
    law: int
    sequence: int
    source: Source
    post: Post
    detected_at: AwareDatetime
    received_at: AwareDatetime
    posted_at: AwareDatetime | None = None
    reply_to: Reference | None = None
    changed_at: AwareDatetime
    detections: tuple[str, ...] = ()
    removed: bool = False
    topics: tuple[str, ...] = ()
    topic_group: str | None = None
    location: str | None = None
    importance: Literal["ordinary", "high"] | None = None
    reduced: bool | None = None
    marked: bool = False
    repeat_of: str | None = None
    joint: bool = False
    drafting: Literal["lead", "coordinator"] | None = None
    assignments: tuple[Assignment, ...] = ()
    drafts: tuple[Draft, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    cases: tuple[SuccessCase, ...] = ()
    feedback: Feedback | None = None
    dismissed: Ground | None = None
    interim_at: AwareDatetime | None = None
    answered_at: AwareDatetime | None = None
    answer_url: str | None = None

    @property
    def triaged(self) -> bool:
        return self.importance is not None

    @property
    def live(self) -> tuple[Assignment, ...]:
        return tuple(one for one in self.assignments if one.live)

    @property
    def lead(self) -> Assignment | None:
        """The live lead, issued or waiting for its turn."""
        return next((one for one in self.live if one.role == "lead"), None)

    @property
    def drafted_by(self) -> str | None:
        """Who drafts: an agency or `coordinator`; None while nobody does."""
        if self.drafting == COORDINATOR:
            return COORDINATOR
        drafter = next((one for one in self.live if one.drafts), None)
        return drafter.agency if drafter else None

    @property
    def in_flight(self) -> Draft | None:
        """The one draft in review, or approved and not yet published."""
        return next((draft for draft in self.drafts if draft.in_flight), None)

    @property
    def replaced(self) -> frozenset[str]:
        """Assignments that a later one answers."""
        return frozenset(old for one in self.assignments for old in one.replaces)

    @property
    def status(self) -> MessageStatus:
        if self.dismissed is not None:
            return "dismissed"
        if self.answered_at is not None:
            return "answered"
        return self._drafted() or ("in_work" if self.live else "triaged" if self.triaged else "registered")

    def _drafted(self) -> MessageStatus | None:
        """The status that the drafts give, if any: a sent-back draft of a recalled agency says nothing of its successor."""
        flying = self.in_flight
        if flying is not None:
            return "in_review" if flying.status == "in_review" else "approved"
        last = self.drafts[-1] if self.drafts else None
        if last is not None and last.status == "sent_back" and not last.withdrawn and last.by == self.drafted_by:
            return "in_rework"
        published = next((draft for draft in reversed(self.drafts) if draft.status == "published"), None)
        if published is not None and published.kind == "clarification" and self.live:
            return "clarifying"
        return "interim_answered" if self.interim_at is not None else None

    def assignment(self, assignment_id: str) -> Assignment | None:
        return next((one for one in self.assignments if one.assignment_id == assignment_id), None)

    def draft(self, draft_id: str) -> Draft | None:
        return next((one for one in self.drafts if one.draft_id == draft_id), None)

    def with_assignment(self, changed: Assignment) -> Message:
        """The same message with that assignment in its old place."""
        kept = tuple(changed if one.assignment_id == changed.assignment_id else one for one in self.assignments)
        return self.model_copy(update={"assignments": kept})

    def with_draft(self, changed: Draft) -> Message:
        """The same message with that draft in its old place."""
        kept = tuple(changed if one.draft_id == changed.draft_id else one for one in self.drafts)
        return self.model_copy(update={"drafts": kept})


class Period(State):
    """The report of a period: where it stands on its way to whom it is delivered."""

    period_id: str
    authority: str
    report: Literal["summary", "rating"]
    period: str
    sequence: int
    status: Literal["sent", "agreed", "refused", "delivered"]


class CommandMemory(State):
    """The first outcome of a command id (or amendment id), and what the command was."""

    fingerprint: str
    type: str
    subject: str | None
    authority: str | None
    data: dict[str, Any]
    at: AwareDatetime

    def remembered(self, at: datetime) -> bool:
        """Whether the id still counts as used at that event time."""
        return at - self.at < COMMAND_MEMORY
