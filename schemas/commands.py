"""Commands: one schema for both ways in (contract, "Commands")."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from schemas.detections import Attachment, Short, Strict, Url
from schemas.ids import Slug, period_id
from schemas.instants import Instant

Words = Annotated[str, StringConstraints(min_length=1, max_length=20_000, pattern=r"\S")]
"""Text that must say something."""
Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]

Ground = Literal["no_response_needed", "intent_to_harm", "obscene_or_insulting", "threat", "spam", "post_removed"]
EscalationGround = Literal["socially_significant", "rising_activity", "resonance"]
DraftKind = Literal["answer", "interim", "clarification"]
Report = Literal["summary", "rating"]
"""What is made of a period."""
Score = Annotated[int, Field(ge=1, le=5)]


class Data(Strict):
    """The `data` of one type of command; `roles` may give it, `subject` is what it is about."""

    type: ClassVar[str]
    roles: ClassVar[frozenset[str]]
    subject: ClassVar[Literal["message", "period"]] = "message"


def _roles(*names: str) -> frozenset[str]:
    return frozenset(names)


COORDINATOR = _roles("coordinator")
EXECUTOR = _roles("executor")


class Triage(Data):
    type = "triage"
    roles = COORDINATOR
    topics: Annotated[tuple[Short, ...], Field(min_length=1, max_length=50)]
    topic_group: Short | None = None
    location: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    importance: Literal["ordinary", "high"]
    reduced: bool | None = None
    repeat_of: Id | None = None
    reason: Words | None = None


class Dismiss(Data):
    type = "dismiss"
    roles = COORDINATOR
    ground: Ground
    note: Words | None = None
    moderation: tuple[Literal["deleted", "author_blocked"], ...] = ()


class Reopen(Data):
    type = "reopen"
    roles = COORDINATOR
    reason: Words


class RouteTo(Strict):
    agency: Slug
    role: Literal["lead", "contributor"] | None = None
    order: Annotated[int, Field(ge=1, le=1000)] | None = None


class Route(Data):
    type = "route"
    roles = COORDINATOR
    assignments: Annotated[tuple[RouteTo, ...], Field(min_length=1, max_length=50)]
    drafted_by: Slug | None = None


class Reassign(Data):
    type = "reassign"
    roles = COORDINATOR
    assignment_id: Id
    agency: Slug
    reason: Words | None = None


class Recall(Data):
    type = "recall"
    roles = COORDINATOR
    assignment_id: Id
    reason: Words


class Return(Data):
    type = "return"
    roles = EXECUTOR
    assignment_id: Id
    justification: Words | None = None


class Contribute(Data):
    type = "contribute"
    roles = EXECUTOR
    assignment_id: Id
    text: Words
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=100)] = ()


class ApproveContribution(Data):
    type = "approve_contribution"
    roles = COORDINATOR
    assignment_id: Id


class SendBackContribution(Data):
    type = "send_back_contribution"
    roles = COORDINATOR
    assignment_id: Id
    comments: Words


class SubmitDraft(Data):
    type = "submit_draft"
    roles = _roles("executor", "coordinator")
    kind: DraftKind
    text: Words
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=100)] = ()
    measures: Words | None = None
    progress: Words | None = None


class ApproveDraft(Data):
    type = "approve_draft"
    roles = COORDINATOR
    draft_id: Id
    quality: Score | None = None


class SendBackDraft(Data):
    type = "send_back_draft"
    roles = COORDINATOR
    draft_id: Id
    comments: Words


class ReportPublication(Data):
    type = "report_publication"
    roles = _roles("executor", "coordinator")
    draft_id: Id
    url: Url
    place: Literal["same", "own_account"] = "same"
    author_link: Url | None = None
    published_at: Instant | None = None


class Escalate(Data):
    type = "escalate"
    roles = COORDINATOR
    ground: EscalationGround
    summary: Words


class ForwardEscalation(Data):
    type = "forward_escalation"
    roles = _roles("deputy")
    escalation_id: Id


class ReferToLawEnforcement(Data):
    type = "refer_to_law_enforcement"
    roles = _roles("executor", "coordinator")
    body: Words
    summary: Words


class ReportShortcoming(Data):
    type = "report_shortcoming"
    roles = COORDINATOR
    agency: Slug
    description: Words
    deadline_ids: Annotated[tuple[Id, ...], Field(max_length=100)] = ()
    to: Annotated[tuple[Short, ...], Field(max_length=50)] = ()


class RecordFeedback(Data):
    type = "record_feedback"
    roles = COORDINATOR
    satisfied: bool
    note: Words | None = None


class ScoreAnswer(Data):
    type = "score_answer"
    roles = COORDINATOR
    score: Score
    note: Words | None = None


class ExcuseBreach(Data):
    type = "excuse_breach"
    roles = _roles("head", "coordinator")
    rule: Short
    occurrence: Annotated[int, Field(ge=1)] = 1
    reason: Words


class ProposeCase(Data):
    type = "propose_case"
    roles = EXECUTOR
    text: Words


class AgreeCase(Data):
    type = "agree_case"
    roles = _roles("committee")
    case_id: Id
    reason: Words | None = None


class RefuseCase(Data):
    type = "refuse_case"
    roles = _roles("committee")
    case_id: Id
    reason: Words


class ReportCasePublication(Data):
    type = "report_case_publication"
    roles = EXECUTOR
    case_id: Id
    url: Url


class ReportCase(Data):
    type = "report_case"
    roles = EXECUTOR
    case_id: Id
    text: Words | None = None
    url: Url | None = None


class PeriodData(Data):
    """A command about the report of a period; its document's address may be told. `report`: about which of the two."""

    subject = "period"
    report: ClassVar[Report]
    authority: Slug
    period: Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2]|Q[1-4])$")]
    url: Url | None = None
    note: Words | None = None

    @property
    def subject_id(self) -> str:
        """The id that a command about this report must bear (contract, "HTTP")."""
        return period_id(self.authority, self.report, self.period)


class SendSummaryForAgreement(PeriodData):
    type = "send_summary_for_agreement"
    report = "summary"
    roles = COORDINATOR


class AgreeSummary(PeriodData):
    type = "agree_summary"
    report = "summary"
    roles = _roles("committee")


class RefuseSummary(PeriodData):
    type = "refuse_summary"
    report = "summary"
    roles = _roles("committee")
    reason: Words


class DeliverSummary(PeriodData):
    type = "deliver_summary"
    report = "summary"
    roles = COORDINATOR


class SendRatingForAgreement(PeriodData):
    type = "send_rating_for_agreement"
    report = "rating"
    roles = COORDINATOR


class AgreeRating(PeriodData):
    type = "agree_rating"
    report = "rating"
    roles = _roles("committee")


class RefuseRating(PeriodData):
    type = "refuse_rating"
    report = "rating"
    roles = _roles("committee")
    reason: Words


class DeliverRating(PeriodData):
    type = "deliver_rating"
    report = "rating"
    roles = _roles("coordinator", "committee")


COMMANDS: dict[str, type[Data]] = {
    data.type: data
    for data in (
        *(Triage, Dismiss, Reopen, Route, Reassign, Recall, Return),
        *(Contribute, ApproveContribution, SendBackContribution),
        *(SubmitDraft, ApproveDraft, SendBackDraft, ReportPublication),
        *(Escalate, ForwardEscalation, ReferToLawEnforcement, ReportShortcoming),
        *(RecordFeedback, ScoreAnswer, ExcuseBreach),
        *(ProposeCase, AgreeCase, RefuseCase, ReportCasePublication, ReportCase),
        *(SendSummaryForAgreement, AgreeSummary, RefuseSummary, DeliverSummary),
        *(SendRatingForAgreement, AgreeRating, RefuseRating, DeliverRating),
    )
}
"""Every type of command by its name."""


class CommandBody(Strict):
    """What is posted. `data` is checked against the type's own shape twice: by the gate, which tells the sender every fault,
    and by the decider when it reads the record, whose fault there is a dead letter and a refusal."""

    type: str
    data: dict[str, Any] = Field(default_factory=dict)
    expected_sequence: Annotated[int, Field(ge=0)] | None = None
    command_id: UUID | None = None


def cloud_type(command: str) -> str:
    """`submit_draft` → `otklik.command.submit-draft.v1`."""
    return f"otklik.command.{command.replace('_', '-')}.v1"


def command_name(cloud: str) -> str | None:
    """`otklik.command.submit-draft.v1` → `submit_draft`; None for any other type."""
    prefix, suffix = "otklik.command.", ".v1"
    if not (cloud.startswith(prefix) and cloud.endswith(suffix)):
        return None
    name = cloud[len(prefix) : -len(suffix)].replace("-", "_")
    return name if name in COMMANDS else None
