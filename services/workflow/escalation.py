"""Escalation to leadership at once, and on from there where the act has a second step. Also after closing."""

from __future__ import annotations

from schemas.commands import Escalate, ForwardEscalation
from schemas.envelope import Envelope
from schemas.events import Escalated, EscalationForwarded
from services.workflow import guards
from services.workflow.hearing import MessageHearing
from services.workflow.state import Escalation, Message


def escalate(hearing: MessageHearing, data: Escalate) -> None:
    """To the leader whom the act names, or first to the one through whom it goes on to him."""
    rule = hearing.act.escalation
    if data.ground not in rule.grounds:
        raise guards.forbidden(
            hearing.act, rule.paragraph, "Такого основания для доклада положение не знает.", "/data/ground"
        )
    hearing.tell(
        Escalated(
            escalation_id=hearing.new_id("escalation"),
            ground=data.ground,
            summary=data.summary,
            to=rule.forwarded_by or rule.to,
            then=rule.to if rule.forwarded_by else None,
        )
    )


def forward_escalation(hearing: MessageHearing, data: ForwardEscalation) -> None:
    """The second step: kursky's signature of the deputy, Buryatia's report of the committee's chairman."""
    act = hearing.act
    if act.escalation.forwarded_by is None:
        raise guards.forbidden(act, act.escalation.paragraph, "Доклад идёт прямо руководителю, второго шага нет.")
    found = next((one for one in hearing.message.escalations if one.escalation_id == data.escalation_id), None)
    if found is None or found.then is None:
        raise guards.unknown("escalation", "Такого доклада у сообщения нет.")
    if found.forwarded_at is not None:
        raise guards.wrong_state("Доклад уже направлен дальше.")
    hearing.tell(EscalationForwarded(escalation_id=found.escalation_id, to=found.then))


def owed(message: Message, by_high_importance: bool) -> bool:
    """Whether a message of high importance still owes its report (kemerovo 26), which has no number: it is shown."""
    return by_high_importance and message.importance == "high" and not message.escalations


def escalated(message: Message, data: Escalated, event: Envelope) -> Message:
    new = Escalation(
        escalation_id=data.escalation_id,
        ground=data.ground,
        summary=data.summary,
        to=data.to,
        then=data.then,
        escalated_at=event.time,
    )
    return message.model_copy(update={"escalations": (*message.escalations, new)})


def escalation_forwarded(message: Message, data: EscalationForwarded, event: Envelope) -> Message:
    forwarded = tuple(
        one.model_copy(update={"forwarded_at": event.time}) if one.escalation_id == data.escalation_id else one
        for one in message.escalations
    )
    return message.model_copy(update={"escalations": forwarded})
