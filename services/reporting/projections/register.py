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

LIVE = frozenset({"waiting", "issued", "contributed", "done"})


class Assignment(BaseModel):
    """An assignment as far as reports need it; `issued_at` None: it waits for its turn."""

    model_config = ConfigDict(frozen=True)
    assignment_id: str
    agency: str
    role: Literal["lead", "contributor"]
    order: int
    status: Literal["waiting", "issued", "contributed", "returned", "recalled", "done"] = "waiting"
    issued_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None


class Draft(BaseModel):
    model_config = ConfigDict(frozen=True)
    draft_id: str
    kind: DraftKind
    by: str
    status: Literal["in_review", "sent_back", "approved", "published"] = "in_review"
    submitted_at: AwareDatetime


class Work(BaseModel):
    """What is under way on a message: assignments in order of issue, drafts in order of submission."""

    model_config = ConfigDict(frozen=True)
    assignments: tuple[Assignment, ...] = ()
    drafts: tuple[Draft, ...] = ()
    interim: bool = False
    clarifying: bool = False


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
        held = (held for held in self.work.assignments if held.agency == agency and held.issued_at is not None)
        return next((held for held in held if held.status in LIVE), None)


def evolve(before: Row | None, envelope: Envelope) -> Row:
    """The message after one more event. Raises UnknownEvent on a type that this version does not know, ValueError when
    the log has a gap: a partition stops there with a clear word rather than count wrongly."""
    kind = events.MESSAGE_EVENTS.get(envelope.type)
    sequence = envelope.sequence
    if kind is None or envelope.subject is None or sequence is None:
        raise UnknownEvent(f"{envelope.type} is not an event of a message that this version knows")
    event = kind.model_validate(envelope.data)
    if isinstance(event, events.Registered):
        return _registered(envelope, event)
    if before is None or sequence != before.sequence + 1:
        stood = 0 if before is None else before.sequence
        raise ValueError(f"message {envelope.subject}: event {sequence} follows {stood}, the log has a gap")
    after = _changed(before, event, envelope.time)
    agencies = dict.fromkeys(held.agency for held in after.work.assignments if held.status in LIVE)
    return after.model_copy(update={"sequence": sequence, "at": envelope.time, "agencies": tuple(agencies)})


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
            return _with(row, url=event.url)
        case events.PostRemoved():
            return _with(row, removed=True)
        case events.Triaged():
            chosen = event.model_dump(
                include={"topic_group", "location", "importance", "reduced", "marked", "repeat_of"}
            )
            status = "triaged" if row.status == "registered" else row.status
            return _with(row, topics=event.topics, status=status, **chosen)
        case events.Dismissed():
            return _with(row, status="dismissed", ground=event.ground)
        case events.Reopened():
            return _with(row, status="registered" if row.importance is None else "triaged", ground=None)
        case events.Routed():
            return _routed(row, event)
        case events.AssignmentIssued():
            seen_by = tuple(dict.fromkeys((*row.seen_by, event.agency)))
            return _with(_assignment(row, event.assignment_id, status="issued", issued_at=at), seen_by=seen_by)
        case events.AssignmentReturned() | events.AssignmentRecalled():
            ended = "returned" if isinstance(event, events.AssignmentReturned) else "recalled"
            return _idle(_assignment(row, event.assignment_id, status=ended, ended_at=at))
        case events.Contributed():
            return _assignment(row, event.assignment_id, status="contributed")
        case events.ContributionSentBack():
            return _assignment(row, event.assignment_id, status="issued")
        case events.DraftSubmitted():
            draft = Draft(draft_id=event.draft_id, kind=event.kind, by=event.by, submitted_at=at)
            return _with(_work(row, drafts=(*row.work.drafts, draft)), status="in_review")
        case events.DraftApproved():
            return _with(_draft(row, event.draft_id, "approved"), status="approved")
        case events.DraftSentBack():
            return _with(_draft(row, event.draft_id, "sent_back"), status="in_rework")
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


def _routed(row: Row, event: events.Routed) -> Row:
    known = {held.assignment_id: held for held in row.work.assignments}
    for routed in event.assignments:
        told = {"role": routed.role, "order": routed.order}
        held = known.get(routed.assignment_id)
        known[routed.assignment_id] = (
            held.model_copy(update=told)
            if held is not None
            else Assignment(assignment_id=routed.assignment_id, agency=routed.agency, **told)
        )
    row = _work(row, assignments=tuple(known.values()))
    return _with(row, status=_resting(row, "in_work"), joint=event.joint, drafted_by=event.drafted_by)


def _idle(row: Row) -> Row:
    """A message that no agency holds any more stands where its triage left it."""
    if row.status != "in_work" or any(held.status in LIVE for held in row.work.assignments):
        return row
    return _with(row, status="triaged")


def _published(row: Row, event: events.Published, at: datetime) -> Row:
    if event.kind == "interim":
        return _with(_work(row, interim=True, clarifying=False), status="interim_answered")
    if event.kind == "clarification":
        return _with(_work(row, clarifying=True), status="clarifying")
    held = tuple(
        one.model_copy(update={"status": "done", "ended_at": at}) if one.status in LIVE else one
        for one in row.work.assignments
    )
    return _with(_work(row, assignments=held), status="answered", answered_at=at, answer_url=event.url)


def _resting(row: Row, otherwise: MessageStatus) -> MessageStatus:
    """Routing anew does not take back an interim answer."""
    return "interim_answered" if row.work.interim else otherwise
