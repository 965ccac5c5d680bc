"""What is read of a message: its view and its history, and how much of both an executor may see.

Readers of the authority see all. An executor sees the message and its own agency's work; of the others that they take part,
never what they wrote, but for what is published, what it is to publish, and the contributions to an answer that it drafts
(kursky: the approved ones).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from regulations.directory import Directory
from regulations.model import Act
from schemas import events as e
from schemas.envelope import Actor, Envelope
from schemas.messages import AssignmentView, DraftView, MessageView
from services.workflow.escalation import owed
from services.workflow.outbox import may_be_used
from services.workflow.state import Assignment, Draft, Message

PLAIN = {
    "message_id", "authority", "regulation", "status", "sequence", "source", "post", "detected_at", "received_at",
    "posted_at", "topics", "topic_group", "location", "importance", "reduced", "marked", "repeat_of", "reply_to",
    "removed", "drafted_by", "answered_at", "answer_url",
}  # fmt: skip
"""What everybody who sees the message sees of it."""

OPEN: tuple[type[e.EventData], ...] = (
    e.Registered, e.PostEdited, e.PostRemoved, e.Triaged, e.Dismissed, e.Reopened, e.Routed, e.Published,
    e.FeedbackRecorded, e.AnswerScored, e.BreachExcused,
)  # fmt: skip
"""Events that everybody who sees the message may read."""


def view(message: Message, directory: Directory, actor: Actor) -> MessageView:
    """The message as that actor may see it; whether he may at all is `guards.may_see`."""
    act = directory.act(message.law, message.regulation)
    sight = _Sight(message, act, actor)
    shown: dict[str, Any] = {name: getattr(message, name) for name in PLAIN}
    return MessageView(
        **shown,
        assignments=tuple(_assignment(one, shows=sight.contribution(one)) for one in message.assignments),
        drafts=tuple(_draft(one) for one in message.drafts if sight.draft(one)),
        escalations=tuple(_plain(one) for one in message.escalations) if sight.everything else (),
        escalation_owed=sight.everything and owed(message, act.escalation.owed_by_high_importance),
        cases=tuple(_plain(case) for case in message.cases if sight.everything or case.agency == sight.agency),
        feedback=_plain(message.feedback) if message.feedback else None,
    )


def history(events: Iterable[Envelope], message: Message, directory: Directory, actor: Actor) -> list[Envelope]:
    """The events, in their order, that the actor may see; what is hidden leaves a gap in `sequence`."""
    sight = _Sight(message, directory.act(message.law, message.regulation), actor)
    return [event for event in events if sight.event(event)]


class _Sight:
    """How far an actor sees into one message."""

    def __init__(self, message: Message, act: Act, actor: Actor) -> None:
        self._message = message
        self._act = act
        self.everything = actor.reads_all
        self.agency = actor.agency
        own = [one for one in message.assignments if one.agency == actor.agency and one.issued_at is not None]
        # What was returned or recalled gives no more insight into the others' work.
        standing = [one for one in own if one.status not in ("returned", "recalled")]
        self._drafts = any(one.drafts for one in standing)
        self._publishes = act.publication.by == "lead" and any(one.role == "lead" for one in standing)

    def contribution(self, one: Assignment) -> bool:
        """Whether what that agency contributed is shown."""
        if self.everything or one.agency == self.agency:
            return True
        return self._drafts and may_be_used(one, self._act)

    def draft(self, draft: Draft) -> bool:
        """Whether that draft is shown: its own, what is public, and what it is to publish."""
        if self.everything or draft.by == self.agency or draft.status == "published":
            return True
        return draft.status == "approved" and self._publishes

    def event(self, event: Envelope) -> bool:
        """Whether that event is shown."""
        if self.everything or event.type in {shape.type for shape in OPEN}:
            return True
        rule = EXECUTORS.get(event.type)
        return rule is not None and rule(self, event.data)

    def _own(self, data: dict[str, Any]) -> bool:
        return data.get("agency", data.get("by")) == self.agency

    def _contributed(self, data: dict[str, Any]) -> bool:
        one = self._message.assignment(data["assignment_id"])
        if self._own(data) or one is None:
            return self._own(data)
        # An earlier text that was sent back is no part of the answer.
        return self.contribution(one) and data.get("text", one.contribution) == one.contribution

    def _of_draft(self, data: dict[str, Any]) -> bool:
        draft = self._message.draft(data["draft_id"])
        return draft is not None and self.draft(draft)


EXECUTORS: dict[str, Callable[[_Sight, dict[str, Any]], bool]] = {
    e.AssignmentIssued.type: _Sight._own,
    e.AssignmentReturned.type: _Sight._own,
    e.AssignmentRecalled.type: _Sight._own,
    e.Contributed.type: _Sight._contributed,
    e.ContributionApproved.type: _Sight._contributed,
    e.ContributionSentBack.type: _Sight._own,
    e.DraftSubmitted.type: _Sight._of_draft,
    e.DraftApproved.type: _Sight._of_draft,
    e.DraftSentBack.type: _Sight._own,
    e.ReferredToLawEnforcement.type: _Sight._own,
    e.CaseProposed.type: _Sight._own,
    e.CaseAgreed.type: _Sight._own,
    e.CaseRefused.type: _Sight._own,
    e.CasePublished.type: _Sight._own,
    e.CaseReported.type: _Sight._own,
    e.Notified.type: _Sight._own,
}
"""What an executor sees of the other events; those that stand nowhere are the coordinator's."""


def _assignment(one: Assignment, *, shows: bool) -> AssignmentView:
    return AssignmentView(
        assignment_id=one.assignment_id,
        agency=one.agency,
        role=one.role,
        order=one.order,
        replaces=one.replaces,
        status=one.status,
        issued_at=one.issued_at,
        contribution=one.contribution if shows else None,
        contribution_status=one.contribution_status if shows else None,
    )


def _draft(draft: Draft) -> DraftView:
    shown = {"draft_id", "kind", "text", "status", "by", "comments", "url"}
    return DraftView.model_validate(draft.model_dump(include=shown))


def _plain(one: Any) -> dict[str, Any]:
    return dict(one.model_dump(mode="json", exclude_none=True))
