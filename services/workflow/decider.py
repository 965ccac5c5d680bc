"""The workflow decider: the table of the concepts. What each rule says stands in the file of its concept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from regulations import directory as law
from regulations.directory import Directory, NotInForce
from schemas import commands as c
from schemas import events as e
from schemas import topics
from schemas.as_bytes import as_bytes
from schemas.envelope import Actor, Envelope
from schemas.inbox import AMENDMENT, DETECTION, TICK
from services.runtime.decider import Agenda, Due, Input, Output, Scope, States, UnknownEvent, Unreadable
from services.workflow import (
    amendments,
    assignments,
    cases,
    clock,
    commands,
    contributions,
    dismissal,
    drafts,
    escalation,
    feedback,
    outcomes,
    periods,
    publication,
    registration,
    triage,
)
from services.workflow.hearing import MessageHearing, PeriodHearing
from services.workflow.state import STATE_VERSION, CommandMemory, Message, Period

RULES: Mapping[type[c.Data], Callable[[MessageHearing, Any], None]] = {
    c.Triage: triage.triage,
    c.Dismiss: dismissal.dismiss,
    c.Reopen: dismissal.reopen,
    c.Route: assignments.route,
    c.Reassign: assignments.reassign,
    c.Recall: assignments.recall,
    c.Return: assignments.return_,
    c.Contribute: contributions.contribute,
    c.ApproveContribution: contributions.approve_contribution,
    c.SendBackContribution: contributions.send_back_contribution,
    c.SubmitDraft: drafts.submit_draft,
    c.ApproveDraft: drafts.approve_draft,
    c.SendBackDraft: drafts.send_back_draft,
    c.ReportPublication: publication.report_publication,
    c.Escalate: escalation.escalate,
    c.ForwardEscalation: escalation.forward_escalation,
    c.ReferToLawEnforcement: feedback.refer_to_law_enforcement,
    c.ReportShortcoming: feedback.report_shortcoming,
    c.RecordFeedback: feedback.record_feedback,
    c.ScoreAnswer: feedback.score_answer,
    c.ExcuseBreach: feedback.excuse_breach,
    c.ProposeCase: cases.propose_case,
    c.AgreeCase: cases.agree_case,
    c.RefuseCase: cases.refuse_case,
    c.ReportCasePublication: cases.report_case_publication,
    c.ReportCase: cases.report_case,
}
"""What judges a command about a message."""

PERIOD_RULES: Mapping[type[c.Data], Callable[[PeriodHearing, Any], None]] = {
    c.SendSummaryForAgreement: periods.send_for_agreement,
    c.AgreeSummary: periods.agree,
    c.RefuseSummary: periods.refuse,
    c.DeliverSummary: periods.deliver,
    c.SendRatingForAgreement: periods.send_for_agreement,
    c.AgreeRating: periods.agree,
    c.RefuseRating: periods.refuse,
    c.DeliverRating: periods.deliver,
}
"""What judges a command about the report of a period."""

FOLDS: Mapping[type[e.EventData], Callable[[Message, Any, Envelope], Message]] = {
    e.PostEdited: registration.post_edited,
    e.PostRemoved: registration.post_removed,
    e.Triaged: triage.triaged,
    e.Dismissed: dismissal.dismissed,
    e.Reopened: dismissal.reopened,
    e.Routed: assignments.routed,
    e.AssignmentIssued: assignments.issued,
    e.AssignmentReturned: assignments.returned,
    e.AssignmentRecalled: assignments.recalled,
    e.Contributed: contributions.contributed,
    e.ContributionApproved: contributions.contribution_approved,
    e.ContributionSentBack: contributions.contribution_sent_back,
    e.DraftSubmitted: drafts.draft_submitted,
    e.DraftApproved: drafts.draft_approved,
    e.DraftSentBack: drafts.draft_sent_back,
    e.Published: publication.published,
    e.Escalated: escalation.escalated,
    e.EscalationForwarded: escalation.escalation_forwarded,
    e.ReferredToLawEnforcement: feedback.told_only,
    e.ShortcomingReported: feedback.told_only,
    e.FeedbackRecorded: feedback.feedback_recorded,
    e.AnswerScored: feedback.answer_scored,
    e.BreachExcused: feedback.told_only,
    e.CaseProposed: cases.case_proposed,
    e.CaseAgreed: cases.case_agreed,
    e.CaseRefused: cases.case_refused,
    e.CasePublished: cases.case_published,
    e.CaseReported: cases.case_reported,
    e.Notified: feedback.told_only,
}
"""What an event makes of a message; `registered` begins it."""

STATES: Mapping[str, type[BaseModel]] = {
    "message": Message,
    "period": Period,
    "command": CommandMemory,
    "world": Directory,
}
"""The states by the first word of their keys."""


def fold_message(message: Message | None, event: Envelope, data: e.EventData) -> Message:
    """The message after its next event; a gap or a missing beginning is a fault of our own log."""
    number = event.sequence or 0
    if number != (message.sequence if message else 0) + 1:
        raise ValueError(f"{event.subject}: событие {number} не следует за предыдущим")
    if isinstance(data, e.Registered):
        return registration.registered(data, event)
    if message is None:
        raise ValueError(f"{event.subject}: история начинается не с registered")
    return FOLDS[type(data)](message, data, event).model_copy(update={"sequence": number})


def fold_period(period: Period | None, event: Envelope, data: e.EventData) -> Period:
    """The report of a period after its next event."""
    number = event.sequence or 0
    if number != (period.sequence if period else 0) + 1 or not isinstance(data, e.PeriodEvent):
        raise ValueError(f"{event.subject}: событие {number} не следует за предыдущим")
    return periods.moved(period, data, event)


JUDGED = commands.Rules(RULES, PERIOD_RULES, fold_message, fold_period)


class WorkflowDecider:
    """Commands, detections, amendments and ticks in; events, outcomes and copies out. Pure."""

    @property
    def name(self) -> str:
        return "workflow"

    @property
    def state_version(self) -> int:
        return STATE_VERSION

    @property
    def source(self) -> str:
        return topics.INBOX

    @property
    def said(self) -> tuple[str, ...]:
        return (topics.EVENTS, topics.OUTCOMES)

    @property
    def remembers_source(self) -> bool:
        return False

    def scope(self, given: Input) -> Scope:
        """What the input touches; raises `Unreadable` for what is no input of ours."""
        kind = given.envelope.type
        if kind == DETECTION:
            return Scope((f"message/{registration.subject(registration.read(given))}",))
        if kind == TICK:
            return Scope()
        if kind == AMENDMENT:
            amendments.read(given)
            return Scope((outcomes.key_of(given.envelope.id),))
        if kind.startswith(commands.PREFIX):
            command = commands.read(given)
            others = tuple(f"message/{other}" for other in command.others)
            return Scope((command.key, outcomes.key_of(given.envelope.id), *others))
        raise Unreadable("unknown-type", f"Записей вида {kind} во входящих не бывает.")

    def decide(self, states: States, given: Input, due: Due | None) -> Sequence[Output]:
        """What is to be said of the input. There are no sweeps, so `due` is always None."""
        kind = given.envelope.type
        if kind == DETECTION:
            return _detected(states, given)
        if kind == TICK:
            return (clock.reached(given),)
        if kind == AMENDMENT:
            return amendments.decide(states, given)
        return commands.decide(JUDGED, states, given)

    def refuse(self, given: Input, reason: str, detail: str) -> Sequence[Output]:
        """The refusal of a command or an amendment that went to the dead letters; of a detection there is nothing to say."""
        kind = given.envelope.type
        if kind == AMENDMENT:
            return amendments.refuse(given, reason)
        return commands.refuse(given, reason) if kind.startswith(commands.PREFIX) else ()

    def keys_of(self, topic: str, event: Envelope) -> Sequence[str]:
        if topic == topics.OUTCOMES:
            return (outcomes.key_of(event.data["command_id"]),)
        if event.type in e.MESSAGE_EVENTS:
            return (f"message/{event.subject}",)
        if event.type in e.PERIOD_EVENTS:
            return (f"period/{event.subject}",)
        if event.type == e.Amended.type:
            return (amendments.world(event.authority or ""),)
        if event.type == e.Reached.type:
            return ()
        raise UnknownEvent(f"тип события {event.type} этой версии неизвестен")

    def evolve(self, key: str, state: BaseModel | None, topic: str, event: Envelope) -> BaseModel | None:
        """The state after the event; what it has already changes nothing."""
        if topic == topics.OUTCOMES:
            return outcomes.evolve(state, event)
        shape = e.EVENTS.get(event.type)
        if shape is None:
            raise UnknownEvent(f"тип события {event.type} этой версии неизвестен")
        data = shape.model_validate(event.data)
        if isinstance(data, e.Amended):
            known = state if isinstance(state, Directory) else None
            return law.evolve(known, event.authority or "", data, event.time)
        if isinstance(data, e.PeriodEvent):
            period = state if isinstance(state, Period) else None
            return period if _has(period, event) else fold_period(period, event, data)
        message = state if isinstance(state, Message) else None
        return message if _has(message, event) else fold_message(message, event, data)

    def agenda(self, key: str, state: BaseModel) -> Iterable[Agenda]:
        """Nothing here is due by itself: deadlines are sla's."""
        return ()

    def encode(self, key: str, state: BaseModel) -> bytes:
        return as_bytes(state, by_alias=True)

    def decode(self, key: str, body: bytes) -> BaseModel:
        return STATES[key.partition("/")[0]].model_validate_json(body)

    def remembered(self, key: str) -> bool:
        """Commands are remembered by `outcomes` alone; everything else has its history."""
        return not key.startswith("command/")


def _has(state: Message | Period | None, event: Envelope) -> bool:
    return state is not None and (event.sequence or 0) <= state.sequence


def _detected(states: States, given: Input) -> Sequence[Output]:
    detection = registration.read(given)
    subject = registration.subject(detection)
    directory = states.get(amendments.world(detection.authority))
    if not isinstance(directory, Directory) or not _judges(directory, given):
        raise Unreadable("unknown-authority", f"Органа «{detection.authority}» в системе нет.")
    known = states.get(f"message/{subject}")
    message = known if isinstance(known, Message) else None
    actor = given.envelope.actor or Actor(sub="otklik")
    hearing = MessageHearing(given, directory, subject, message, fold_message, actor)
    registration.detect(hearing, detection)
    return tuple(hearing.outputs)


def _judges(directory: Directory, given: Input) -> bool:
    """Whether the authority has a law by which a new message can be judged."""
    try:
        directory.act(directory.number, directory.regulation_at(given.at))
    except NotInForce:
        return False
    return True
