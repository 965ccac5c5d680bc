"""What is said about the work: feedback, scores, excuses, shortcomings, referrals. Also after closing."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.commands import ExcuseBreach, RecordFeedback, ReferToLawEnforcement, ReportShortcoming, ScoreAnswer
from schemas.envelope import Envelope
from schemas.events import (
    COORDINATOR,
    AnswerScored,
    BreachExcused,
    FeedbackRecorded,
    ReferredToLawEnforcement,
    ShortcomingReported,
)
from services.workflow import guards
from services.workflow.hearing import MessageHearing
from services.workflow.state import Feedback, Message


def record_feedback(hearing: MessageHearing, data: RecordFeedback) -> None:
    hearing.tell(FeedbackRecorded(satisfied=data.satisfied, note=data.note))


def score_answer(hearing: MessageHearing, data: ScoreAnswer) -> None:
    message = hearing.message
    if message.answered_at is None and message.interim_at is None:
        raise guards.wrong_state("Оценивать ещё нечего: ответ не размещён.")
    hearing.tell(AnswerScored(score=data.score, note=data.note))


def excuse_breach(hearing: MessageHearing, data: ExcuseBreach) -> None:
    """The human's word on a breach. Whether there was one only sla knows: it answers `excused` or `excuse-ignored`."""
    rule = next((rule for name, rule in hearing.act.rules.items() if name == data.rule), None)
    if rule is None:
        raise guards.invalid("/data/rule", f"Срока «{data.rule}» в положении нет.")
    if rule.window:
        detail = "Это право, а не обязанность: нарушить его нельзя."
        raise guards.forbidden(hearing.act, rule.paragraph, detail, "/data/rule")
    hearing.tell(BreachExcused(rule=data.rule, occurrence=data.occurrence, reason=data.reason))


def report_shortcoming(hearing: MessageHearing, data: ReportShortcoming) -> None:
    """To the posts that the act names, by field; where it names none, to whom the coordinator says. The act's own word for
    several posts ("deputies by field") means those of them whose field it is."""
    act, directory = hearing.act, hearing.directory
    if data.agency not in directory.agencies:
        raise guards.invalid("/data/agency", f"Органа «{data.agency}» нет в справочнике.")
    allowed = directory.may_hear_of_shortcomings(act, data.agency)
    by_field = directory.shortcomings_to(act, data.agency)
    to = data.to or by_field
    if act.shortcomings is not None and allowed:
        ranks = {title: [one.post for one in directory.authority.leaders_of(title)] for title in act.shortcomings.to}
        named = {
            title: [post for post in posts if post in by_field] or posts
            for title, posts in ranks.items()
            if title not in allowed
        }
        to = tuple(dict.fromkeys(post for told in to for post in named.get(told, (told,))))
        for number, post in enumerate(data.to):
            if post not in allowed and post not in named:
                detail = f"О недостатках в работе этого органа сообщают: {'; '.join(allowed)}."
                raise guards.forbidden(act, act.shortcomings.paragraph, detail, f"/data/to/{number}")
    if not to:
        raise guards.invalid("/data/to", "Нужно указать, кому сообщается о недостатках.")
    hearing.tell(
        ShortcomingReported(agency=data.agency, description=data.description, deadline_ids=data.deadline_ids, to=to)
    )


def refer_to_law_enforcement(hearing: MessageHearing, data: ReferToLawEnforcement) -> None:
    """Everywhere: an act that is silent about it forbids it to nobody."""
    by = COORDINATOR if guards.acts_as_coordinator(hearing) else guards.agency_of(hearing)
    hearing.tell(ReferredToLawEnforcement(body=data.body, summary=data.summary, by=by))


def feedback_recorded(message: Message, data: FeedbackRecorded, event: Envelope) -> Message:
    return _said(message, {"satisfied": data.satisfied, "note": data.note, "recorded_at": event.time})


def answer_scored(message: Message, data: AnswerScored, event: Envelope) -> Message:
    return _said(message, {"score": data.score, "score_note": data.note})


def _said(message: Message, update: Mapping[str, object]) -> Message:
    feedback = message.feedback or Feedback()
    return message.model_copy(update={"feedback": feedback.model_copy(update=dict(update))})


def told_only(message: Message, data: object, event: Envelope) -> Message:
    """Facts that change nothing by which a command is judged."""
    return message
