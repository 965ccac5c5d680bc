"""Drafts: submitted by whoever drafts, approved or sent back by the coordinator; one in flight at a time."""

from __future__ import annotations

from schemas.commands import ApproveDraft, SendBackDraft, SubmitDraft
from schemas.envelope import Envelope
from schemas.events import COORDINATOR, DraftApproved, DraftSentBack, DraftSubmitted
from services.workflow import guards
from services.workflow.hearing import MessageHearing
from services.workflow.state import Assignment, Draft, Message


def submit_draft(hearing: MessageHearing, data: SubmitDraft) -> None:
    """Submit an answer, an interim answer or a clarification for review."""
    message, act = hearing.message, hearing.act
    coordinator_drafts = message.drafting == COORDINATOR and guards.acts_as_coordinator(hearing)
    assignment = None if coordinator_drafts else _drafter(hearing)
    guards.open_for_work(message)
    if coordinator_drafts and not message.live:
        raise guards.wrong_state("Сообщение ни у кого не в работе: направьте его заново (route).")
    if data.kind not in act.drafting.kinds:
        detail = "Положение не предусматривает запроса (уточнения): только ответ и промежуточный ответ."
        raise guards.forbidden(act, act.drafting.paragraph, detail, "/data/kind")
    if message.in_flight is not None:
        raise guards.wrong_state("Один проект уже на согласовании или согласован и ждёт размещения.")
    _repeat_tells_measures(hearing, data)
    hearing.tell(
        DraftSubmitted(
            draft_id=hearing.new_id("draft"),
            kind=data.kind,
            text=data.text,
            attachments=data.attachments,
            measures=data.measures,
            progress=data.progress,
            by=assignment.agency if assignment else COORDINATOR,
            assignment_id=assignment.assignment_id if assignment else None,
        )
    )


def _drafter(hearing: MessageHearing) -> Assignment:
    """The live assignment by which the executor's agency drafts."""
    message, act = hearing.message, hearing.act
    paragraph = act.joint.paragraph if message.joint else act.drafting.paragraph
    if "executor" not in hearing.actor.roles:
        raise guards.forbidden(act, paragraph, "Проект готовит орган, которому направлено сообщение.")
    agency = guards.agency_of(hearing)
    live = next((one for one in message.live if one.agency == agency), None)
    guards.open_for_work(message)
    if live is None:
        raise guards.wrong_state("У вашего органа нет действующего назначения по этому сообщению.")
    if not live.drafts:
        who = act.words.coordinator if message.drafting == COORDINATOR else "ответственный орган"
        raise guards.forbidden(act, paragraph, f"Общий ответ готовит {who}.")
    if live.status == "waiting":
        raise guards.wrong_state("Очередь вашего органа ещё не наступила.")
    return live


def _repeat_tells_measures(hearing: MessageHearing, data: SubmitDraft) -> None:
    act = hearing.act
    told = data.measures is not None or data.progress is not None
    if hearing.message.repeat_of and act.repeat.must_tell_measures and data.kind != "clarification" and not told:
        detail = "Ответ на повторное сообщение сообщает о принятых мерах (measures) или о ходе решения (progress)."
        raise guards.forbidden(act, act.repeat.paragraph, detail, "/data/measures")


def approve_draft(hearing: MessageHearing, data: ApproveDraft) -> None:
    draft = guards.draft(hearing, data.draft_id)
    guards.open_for_work(hearing.message)
    if draft.status != "in_review":
        raise guards.wrong_state("Проект не на согласовании.")
    hearing.tell(DraftApproved(draft_id=draft.draft_id, kind=draft.kind, by=draft.by, quality=data.quality))


def send_back_draft(hearing: MessageHearing, data: SendBackDraft) -> None:
    """An approved draft too may be sent back, until it is published."""
    draft = guards.draft(hearing, data.draft_id)
    guards.open_for_work(hearing.message)
    if not draft.in_flight:
        raise guards.wrong_state("Проект уже возвращён или размещён.")
    hearing.tell(
        DraftSentBack(
            draft_id=draft.draft_id,
            kind=draft.kind,
            by=draft.by,
            comments=data.comments,
            was_approved=draft.status == "approved",
        )
    )


def draft_submitted(message: Message, data: DraftSubmitted, event: Envelope) -> Message:
    draft = Draft(
        draft_id=data.draft_id,
        kind=data.kind,
        text=data.text,
        attachments=data.attachments,
        by=data.by,
        assignment_id=data.assignment_id,
    )
    return message.model_copy(update={"drafts": (*message.drafts, draft)})


def draft_approved(message: Message, data: DraftApproved, event: Envelope) -> Message:
    return _changed(message, data.draft_id, {"status": "approved", "quality": data.quality})


def draft_sent_back(message: Message, data: DraftSentBack, event: Envelope) -> Message:
    return _changed(message, data.draft_id, {"status": "sent_back", "comments": data.comments})


def _changed(message: Message, draft_id: str, update: dict[str, object]) -> Message:
    known = message.draft(draft_id)
    return message if known is None else message.with_draft(known.model_copy(update=update))
