"""Contributions to a joint answer: sent by each agency in its turn; approved first, where the act asks for it (kursky 16)."""

from __future__ import annotations

from schemas.commands import ApproveContribution, Contribute, SendBackContribution
from schemas.envelope import Envelope
from schemas.events import Contributed, ContributionApproved, ContributionSentBack
from services.workflow import guards
from services.workflow.assignments import issue_turns
from services.workflow.hearing import MessageHearing
from services.workflow.state import Assignment, Message


def contribute(hearing: MessageHearing, data: Contribute) -> None:
    """Send the agency's part. An interim answer stops nobody: contributions run on until the answer."""
    act = hearing.act
    one = guards.own_assignment(hearing, data.assignment_id)
    guards.open_for_work(hearing.message)
    if one.status == "contributed":
        raise guards.wrong_state("Информация по этому назначению уже направлена.")
    if one.status != "issued":
        raise guards.wrong_state("Назначение не в работе: информация по нему не принимается.")
    if not one.contributes:
        detail = "По этому назначению готовится сам ответ, а не информация для него."
        raise guards.forbidden(act, act.joint.paragraph, detail, "/data/assignment_id")
    hearing.tell(
        Contributed(assignment_id=one.assignment_id, agency=one.agency, text=data.text, attachments=data.attachments)
    )
    issue_turns(hearing)


def approve_contribution(hearing: MessageHearing, data: ApproveContribution) -> None:
    one = _under_approval(hearing, data.assignment_id)
    hearing.tell(ContributionApproved(assignment_id=one.assignment_id, agency=one.agency))


def send_back_contribution(hearing: MessageHearing, data: SendBackContribution) -> None:
    """The agency sends it anew; no term is stated for that."""
    one = _under_approval(hearing, data.assignment_id)
    hearing.tell(ContributionSentBack(assignment_id=one.assignment_id, agency=one.agency, comments=data.comments))


def _under_approval(hearing: MessageHearing, assignment_id: str) -> Assignment:
    act = hearing.act
    if not act.joint.contributions_approved:
        detail = "Положение не предусматривает согласования информации соисполнителей."
        raise guards.forbidden(act, act.joint.paragraph, detail)
    one = guards.assignment(hearing, assignment_id)
    guards.open_for_work(hearing.message)
    if one.status != "contributed" or one.contribution_status != "submitted":
        raise guards.wrong_state("Информации, ожидающей согласования, по этому назначению нет.")
    return one


def contributed(message: Message, data: Contributed, event: Envelope) -> Message:
    sent = {"status": "contributed", "contribution_status": "submitted"}
    return _changed(message, data.assignment_id, sent | {"contribution": data.text, "attachments": data.attachments})


def contribution_approved(message: Message, data: ContributionApproved, event: Envelope) -> Message:
    return _changed(message, data.assignment_id, {"contribution_status": "approved"})


def contribution_sent_back(message: Message, data: ContributionSentBack, event: Envelope) -> Message:
    return _changed(message, data.assignment_id, {"status": "issued", "contribution_status": "sent_back"})


def _changed(message: Message, assignment_id: str, update: dict[str, object]) -> Message:
    known = message.assignment(assignment_id)
    return message if known is None else message.with_assignment(known.model_copy(update=update))
