"""Triage: topic, location, importance, and whether the reduced term holds, by each act's own source of it."""

from __future__ import annotations

from regulations.model import Act
from schemas.commands import Triage
from schemas.envelope import Envelope
from schemas.events import Triaged
from services.workflow import guards
from services.workflow.hearing import MessageHearing
from services.workflow.state import Message


def triage(hearing: MessageHearing, data: Triage) -> None:
    """May be done anew until the answer; every triage is the whole of it."""
    guards.open_for_work(hearing.message)
    _repeat(hearing, data)
    reduced, marked = _reduced(hearing, data)
    hearing.tell(
        Triaged(
            topics=data.topics,
            topic_group=data.topic_group,
            location=data.location,
            importance=data.importance,
            reduced=reduced,
            marked=marked,
            repeat_of=data.repeat_of,
            reason=data.reason,
        )
    )


def _reduced(hearing: MessageHearing, data: Triage) -> tuple[bool, bool]:
    """Whether the reduced term holds, and whether a decision only marks the message as urgent."""
    act = hearing.act
    decided = bool(data.reduced)
    match act.reducing.source:
        case "decision":
            if data.reduced is None and act.reducing.stated:
                detail = "Нужно указать решение о сокращённом сроке: true или false."
                raise guards.forbidden(act, act.reducing.paragraph, detail, "/data/reduced")
            return decided, decided and not _has_reduced_term(act)
        case "importance":
            high = data.importance == "high"
            if data.reduced is not None and data.reduced != high:
                detail = "Сокращённый срок действует для сообщений повышенной важности, и только для них."
                raise guards.forbidden(act, act.reducing.paragraph, detail, "/data/reduced")
            return high, False
        case "topic_list":
            listed = hearing.directory.reduced_by_topics(data.topics)
            return listed, decided and not listed
        case "none":
            if decided:
                detail = "Сокращённого срока положение не знает."
                raise guards.forbidden(act, act.reducing.paragraph, detail, "/data/reduced")
            return False, False


def _has_reduced_term(act: Act) -> bool:
    """Whether a number stands behind the reduced term, the act's or the authority's own (reading 10)."""
    answer = act.rules.get("answer")
    return answer is not None and answer.reduced is not None and answer.reduced.term is not None


def _repeat(hearing: MessageHearing, data: Triage) -> None:
    """A repeat names an answered message of the same authority.

    The other message may live in another partition, of which this one knows nothing; that a message is answered never
    ceases to be true, so the gate's table may be asked for it. What this partition does know is judged here once more.
    """
    if data.repeat_of is None:
        return
    if data.repeat_of == hearing.subject:
        raise guards.invalid("/data/repeat_of", "Сообщение не может повторять само себя.")
    earlier = hearing.others.get(data.repeat_of)
    if earlier is None:
        return
    if earlier.authority != hearing.message.authority:
        raise guards.invalid("/data/repeat_of", "Такого сообщения нет.")
    if earlier.answered_at is None:
        raise guards.invalid("/data/repeat_of", "Повторным считается сообщение по вопросу, на который уже дан ответ.")


def triaged(message: Message, data: Triaged, event: Envelope) -> Message:
    return message.model_copy(
        update={
            "topics": data.topics,
            "topic_group": data.topic_group,
            "location": data.location,
            "importance": data.importance,
            "reduced": data.reduced,
            "marked": data.marked,
            "repeat_of": data.repeat_of,
        }
    )
