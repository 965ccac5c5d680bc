"""The register: how each message stands after each of its events (kemerovo 27; every act's month is counted from it)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas import events
from schemas.commands import DraftKind
from schemas.envelope import Envelope
from schemas.messages import MessageStatus
from services.runtime.decider import UnknownEvent

LIVE = frozenset({"waiting", "issued", "contributed"})
HELD = LIVE | {"done"}
"""An agency that is done with a message stays named in its row; one that gave it back does not."""


class Assignment(BaseModel):
    """An assignment as far as reports need it; `issued_at` None: it waits for its turn. `drafts`: this agency drafts."""

    model_config = ConfigDict(frozen=True)
    assignment_id: str
    agency: str
    role: Literal["lead", "contributor"]
    order: int
    status: Literal["waiting", "issued", "contributed", "returned", "recalled", "done"] = "waiting"
    issued_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    drafts: bool = False


class Draft(BaseModel):
    """`by`: an agency, or `coordinator`. `withdrawn`: it was under way when the message was dismissed."""

    model_config = ConfigDict(frozen=True)
    draft_id: str
    kind: DraftKind
    by: str
    status: Literal["in_review", "sent_back", "approved", "published"] = "in_review"
    submitted_at: AwareDatetime
    withdrawn: bool = False


class Work(BaseModel):
    """What is under way on a message: assignments in order of issue, drafts in order of submission."""

    model_config = ConfigDict(frozen=True)
    assignments: tuple[Assignment, ...] = ()
    drafts: tuple[Draft, ...] = ()
    interim: bool = False


class Row(BaseModel):
    """A message after the event with that `sequence`, from `at` on. All instants are aware."""

    model_config = ConfigDict(frozen=True)
    message_id: str
    sequence: int
    at: AwareDatetime
    authority: str
    regulation: str
    law: int
    network: str
    url: str
    detected_at: AwareDatetime
    received_at: AwareDatetime
    status: MessageStatus = "registered"
    topics: tuple[str, ...] = ()
    topic_group: str | None = None
    location: str | None = None
    importance: str | None = None
    reduced: bool | None = None
    marked: bool = False
    removed: bool = False
    repeat_of: str | None = None
    agencies: tuple[str, ...] = ()
    seen_by: tuple[str, ...] = ()
    joint: bool = False
    drafted_by: str | None = None
    answered_at: AwareDatetime | None = None
    answer_url: str | None = None
    ground: str | None = None
    work: Work = Field(default_factory=Work)

    def columns(self) -> dict[str, Any]:
        """The row as it is written."""
        columns = {name: getattr(self, name) for name in type(self).model_fields}
        for name in ("topics", "agencies", "seen_by"):
            columns[name] = list(columns[name])
        columns["work"] = self.work.model_dump(mode="json")
        return columns

    @classmethod
    def of(cls, columns: Mapping[Any, Any]) -> Row:
        return cls.model_validate({name: columns[name] for name in cls.model_fields})

    def draft(self, draft_id: str) -> Draft | None:
        return next((draft for draft in self.work.drafts if draft.draft_id == draft_id), None)

    def assignment_of(self, agency: str) -> Assignment | None:
        """The agency's first assignment that was issued and not given back."""
        held = (one for one in self.work.assignments if one.agency == agency and one.issued_at is not None)
        return next((one for one in held if one.status in HELD), None)


def evolve(before: Row | None, envelope: Envelope) -> Row:
    """The message after one more event. Raises UnknownEvent on a type that this version does not know, ValueError when
    the log has a gap: a partition stops there with a clear word rather than count wrongly."""
    kind = events.MESSAGE_EVENTS.get(envelope.type)
    sequence = envelope.sequence
    if kind is None or envelope.subject is None or sequence is None:
        raise UnknownEvent(f"тип события {envelope.type} этой версии неизвестен")
    event = kind.model_validate(envelope.data)
    if isinstance(event, events.Registered):
        return _registered(envelope, event)
    if before is None or sequence != before.sequence + 1:
        stood = 0 if before is None else before.sequence
        raise ValueError(f"message {envelope.subject}: event {sequence} follows {stood}, the log has a gap")
    after = _changed(before, event, envelope.time)
    agencies = dict.fromkeys(held.agency for held in after.work.assignments if held.status in HELD)
    return _with(after, sequence=sequence, at=envelope.time, agencies=tuple(agencies), status=_status(after))


def _registered(envelope: Envelope, event: events.Registered) -> Row:
    assert envelope.subject is not None
    return Row(
        message_id=envelope.subject,
        sequence=envelope.sequence or 1,
        at=envelope.time,
        authority=envelope.authority or "",
        regulation=event.regulation,
        law=event.law,
        network=event.source.network,
        url=event.source.url,
        detected_at=event.detected_at,
        received_at=event.received_at,
        topics=event.topics,
        location=event.location,
    )


def _changed(row: Row, event: events.EventData, at: datetime) -> Row:
    match event:
        case events.PostEdited():
            # A post that can be edited is there again.
            return _with(row, url=event.url, removed=False)
        case events.PostRemoved():
            return _with(row, removed=True)
        case events.Triaged():
            chosen = event.model_dump(
                include={"topic_group", "location", "importance", "reduced", "marked", "repeat_of"}
            )
            return _with(row, topics=event.topics, **chosen)
        case events.Dismissed():
            return _with(
                _work(row, drafts=tuple(map(_withdrawn, row.work.drafts))), ground=event.ground, drafted_by=None
            )
        case events.Reopened():
            return _with(row, ground=None)
        case events.Routed():
            return _routed(row, event)
        case events.AssignmentIssued():
            return _issued(row, event, at)
        case events.AssignmentReturned():
            return _assignment(row, event.assignment_id, status="returned", ended_at=at)
        case events.AssignmentRecalled():
            return _assignment(row, event.assignment_id, status="recalled", ended_at=at)
        case events.Contributed():
            return _assignment(row, event.assignment_id, status="contributed")
        case events.ContributionSentBack():
            return _assignment(row, event.assignment_id, status="issued")
        case events.DraftSubmitted():
            draft = Draft(draft_id=event.draft_id, kind=event.kind, by=event.by, submitted_at=at)
            return _work(row, drafts=(*row.work.drafts, draft))
        case events.DraftApproved():
            return _draft(row, event.draft_id, "approved")
        case events.DraftSentBack():
            return _draft(row, event.draft_id, "sent_back")
        case events.Published():
            return _published(_draft(row, event.draft_id, "published"), event, at)
    # What remains (escalations, scores, cases, notices, …) is told in the story and counted, and moves no status.
    return row


def _with(row: Row, **changes: Any) -> Row:
    return row.model_copy(update=changes)


def _work(row: Row, **changes: Any) -> Row:
    return _with(row, work=row.work.model_copy(update=changes))


def _assignment(row: Row, assignment_id: str, **changes: Any) -> Row:
    held = tuple(
        one.model_copy(update=changes) if one.assignment_id == assignment_id else one for one in row.work.assignments
    )
    return _work(row, assignments=held)


def _draft(row: Row, draft_id: str, status: str) -> Row:
    drafts = tuple(
        draft.model_copy(update={"status": status}) if draft.draft_id == draft_id else draft
        for draft in row.work.drafts
    )
    return _work(row, drafts=drafts)


def _withdrawn(draft: Draft) -> Draft:
    under_way = draft.status in {"in_review", "approved"}
    return draft.model_copy(update={"status": "sent_back", "withdrawn": True}) if under_way else draft


def _routed(row: Row, event: events.Routed) -> Row:
    known = {held.assignment_id: held for held in row.work.assignments}
    for routed in event.assignments:
        told: dict[str, Any] = {"role": routed.role, "order": routed.order}
        told["drafts"] = routed.role == "lead" and event.drafted_by != events.COORDINATOR
        held = known.get(routed.assignment_id)
        known[routed.assignment_id] = (
            held.model_copy(update=told)
            if held is not None
            else Assignment(assignment_id=routed.assignment_id, agency=routed.agency, **told)
        )
    return _with(_work(row, assignments=tuple(known.values())), joint=event.joint, drafted_by=event.drafted_by)


def _issued(row: Row, event: events.AssignmentIssued, at: datetime) -> Row:
    known = any(held.assignment_id == event.assignment_id for held in row.work.assignments)
    if not known:
        told = event.model_dump(include={"assignment_id", "agency", "role", "order", "drafts"})
        row = _work(row, assignments=(*row.work.assignments, Assignment.model_validate(told)))
    row = _assignment(row, event.assignment_id, status="issued", issued_at=at)
    return _with(row, seen_by=tuple(dict.fromkeys((*row.seen_by, event.agency))))


def _published(row: Row, event: events.Published, at: datetime) -> Row:
    if event.kind == "interim":
        return _work(row, interim=True)
    if event.kind == "clarification":
        return row
    held = tuple(
        one.model_copy(update={"status": "done", "ended_at": at}) if one.status in LIVE else one
        for one in row.work.assignments
    )
    return _with(_work(row, assignments=held), answered_at=at, answer_url=event.url)


def _status(row: Row) -> MessageStatus:
    """As workflow names it (contract, "Shapes"); it stands in no event, so both derive it from the same facts."""
    if row.ground is not None:
        return "dismissed"
    if row.answered_at is not None:
        return "answered"
    live = any(held.status in LIVE for held in row.work.assignments)
    drafts = row.work.drafts
    for draft in drafts:
        if draft.status in {"in_review", "approved"}:
            return "in_review" if draft.status == "in_review" else "approved"
    if drafts and drafts[-1].status == "sent_back" and not drafts[-1].withdrawn and drafts[-1].by == _drafting(row):
        # What a recalled agency had sent back to it says nothing of its successor.
        return "in_rework"
    published = [draft.kind for draft in drafts if draft.status == "published"]
    if published and published[-1] == "clarification" and live:
        return "clarifying"
    if row.work.interim:
        return "interim_answered"
    return "in_work" if live else "registered" if row.importance is None else "triaged"


def _drafting(row: Row) -> str | None:
    """Who drafts now: an agency, or `coordinator`; None while nobody does."""
    if row.drafted_by == events.COORDINATOR:
        return row.drafted_by
    return next((held.agency for held in row.work.assignments if held.drafts and held.status in LIVE), None)
