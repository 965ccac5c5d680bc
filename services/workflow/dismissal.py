"""Dismissal: what is not to be processed, on the act's grounds; and the way back."""

from __future__ import annotations

from schemas.commands import Dismiss, Reopen
from schemas.envelope import Envelope
from schemas.events import Dismissed, Reopened
from services.workflow import guards
from services.workflow.assignments import recall_all
from services.workflow.hearing import MessageHearing
from services.workflow.state import Draft, Message

EVERYWHERE = frozenset({"no_response_needed", "post_removed"})
"""Grounds that need no words of an act: no reaction is called for, or nothing is left to answer (reading 16)."""


def dismiss(hearing: MessageHearing, data: Dismiss) -> None:
    """Dismiss, and recall whatever is live. Once anything was answered it is too late."""
    message, act = hearing.message, hearing.act
    guards.open_for_work(message)
    if message.interim_at is not None:
        raise guards.wrong_state("На сообщение уже дан промежуточный ответ: оно обрабатывается до конца.")
    if data.ground not in EVERYWHERE and data.ground not in act.dismissal.grounds:
        detail = "Такого основания не обрабатывать сообщение положение не знает."
        raise guards.forbidden(act, act.dismissal.paragraph, detail, "/data/ground")
    if data.moderation and act.dismissal.moderation is None:
        detail = "Удаления комментариев и блокировки авторов положение не предусматривает."
        raise guards.forbidden(act, act.dismissal.paragraph, detail, "/data/moderation")
    hearing.tell(Dismissed(ground=data.ground, note=data.note, moderation=data.moderation))
    recall_all(hearing, "Сообщение не подлежит обработке.")


def reopen(hearing: MessageHearing, data: Reopen) -> None:
    """Take a dismissed message up again: it is routed anew."""
    if hearing.message.dismissed is None:
        raise guards.wrong_state("Вернуть в работу можно только сообщение, признанное не подлежащим обработке.")
    hearing.tell(Reopened(reason=data.reason))


def dismissed(message: Message, data: Dismissed, event: Envelope) -> Message:
    """A draft in flight is withdrawn: after a reopening it shall not stand in its successor's way."""
    drafts = tuple(_withdrawn(draft) for draft in message.drafts)
    return message.model_copy(update={"dismissed": data.ground, "drafts": drafts, "drafting": None, "joint": False})


def _withdrawn(draft: Draft) -> Draft:
    return draft.model_copy(update={"status": "sent_back", "withdrawn": True}) if draft.in_flight else draft


def reopened(message: Message, data: Reopened, event: Envelope) -> Message:
    return message.model_copy(update={"dismissed": None})
