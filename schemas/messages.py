"""Shapes of what is read: the message, the deadline, the authority, the register row (contract, "Shapes")."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.deadlines import DeadlineData, State
from schemas.detections import Post, Reference, Source

MessageStatus = Literal[
    "registered", "triaged", "in_work", "in_review", "in_rework", "approved",
    "clarifying", "interim_answered", "answered", "dismissed",
]  # fmt: skip


class View(BaseModel):
    model_config = ConfigDict(extra="ignore")


class AssignmentView(View):
    assignment_id: str
    agency: str
    role: Literal["lead", "contributor"]
    order: int
    replaces: tuple[str, ...] = ()
    status: Literal["waiting", "issued", "contributed", "returned", "recalled", "done"]
    issued_at: AwareDatetime | None = None
    contribution: str | None = None
    contribution_status: Literal["submitted", "approved", "sent_back"] | None = None


class DraftView(View):
    draft_id: str
    kind: Literal["answer", "interim", "clarification"]
    text: str
    status: Literal["in_review", "sent_back", "approved", "published"]
    by: str
    comments: str | None = None
    url: str | None = None


class MessageView(View):
    message_id: str
    authority: str
    regulation: str
    status: MessageStatus
    sequence: int
    source: Source
    post: Post
    detected_at: AwareDatetime
    received_at: AwareDatetime
    posted_at: AwareDatetime | None = None
    topics: tuple[str, ...] = ()
    topic_group: str | None = None
    location: str | None = None
    importance: Literal["ordinary", "high"] | None = None
    reduced: bool | None = None
    marked: bool = False
    repeat_of: str | None = None
    reply_to: Reference | None = None
    removed: bool = False
    drafted_by: str | None = None
    assignments: tuple[AssignmentView, ...] = ()
    drafts: tuple[DraftView, ...] = ()
    escalations: tuple[dict[str, Any], ...] = ()
    escalation_owed: bool = False
    """Of high importance, and not reported to leadership yet, where the act asks for that."""
    cases: tuple[dict[str, Any], ...] = ()
    feedback: dict[str, Any] | None = None
    answered_at: AwareDatetime | None = None
    answer_url: str | None = None


class DeadlineView(DeadlineData):
    message_id: str
    authority: str
    state: State


class RegisterRow(View):
    message_id: str
    authority: str
    network: str
    url: str
    author: str
    text: str
    topics: tuple[str, ...] = ()
    location: str | None = None
    importance: str | None = None
    detected_at: AwareDatetime
    agencies: tuple[str, ...] = ()
    status: MessageStatus
    answered_at: AwareDatetime | None = None
    answer_url: str | None = None
    deadlines_breached: int = 0
    deadlines_excused: int = 0


class Page(BaseModel):
    """`next` is told where there is another page alone: the value of its `after`."""

    items: list[Any] = Field(default_factory=list)
    next: str | None = Field(default=None, exclude_if=lambda following: following is None)
