"""Publication: reported by whoever publishes under the act; it counts when the log receives the report (reading 14)."""

from __future__ import annotations

from schemas.commands import ReportPublication
from schemas.envelope import Envelope
from schemas.events import COORDINATOR, Published
from services.workflow import guards
from services.workflow.hearing import MessageHearing
from services.workflow.state import Assignment, Message


def report_publication(hearing: MessageHearing, data: ReportPublication) -> None:
    act = hearing.act
    by = _publisher(hearing)
    draft = guards.draft(hearing, data.draft_id)
    guards.open_for_work(hearing.message)
    if draft.status != "approved":
        raise guards.wrong_state("Размещается только согласованный проект, и один раз.")
    if data.place not in act.publication.places:
        detail = "Ответ размещается там же, где было сообщение."
        raise guards.forbidden(act, act.publication.paragraph, detail, "/data/place")
    if data.place == "own_account" and data.author_link is None:
        detail = "Ответ в аккаунте органа даётся со ссылкой на автора (author_link)."
        raise guards.forbidden(act, act.publication.paragraph, detail, "/data/author_link")
    hearing.tell(
        Published(
            draft_id=draft.draft_id,
            kind=draft.kind,
            url=data.url,
            place=data.place,
            author_link=data.author_link,
            published_at=data.published_at,
            by=by,
        )
    )


def _publisher(hearing: MessageHearing) -> str:
    """The lead agency or the coordinator, as the act says; 422 for the other."""
    act = hearing.act
    if act.publication.by == COORDINATOR:
        if not guards.acts_as_coordinator(hearing):
            raise guards.forbidden(act, act.publication.paragraph, f"Ответ размещает {act.words.coordinator}.")
        return COORDINATOR
    if "executor" not in hearing.actor.roles:
        raise guards.forbidden(act, act.publication.paragraph, "Ответ размещает ответственный орган.")
    agency = guards.agency_of(hearing)
    lead = hearing.message.lead
    if lead is None or not lead.working or lead.agency != agency:
        guards.open_for_work(hearing.message)
        raise guards.forbidden(act, act.publication.paragraph, "Ответ размещает ответственный орган.")
    return agency


def published(message: Message, data: Published, event: Envelope) -> Message:
    """The answer ends the work: whoever had it in hand is done with it."""
    draft = message.draft(data.draft_id)
    if draft is not None:
        message = message.with_draft(draft.model_copy(update={"status": "published", "url": data.url}))
    if data.kind == "interim":
        return message.model_copy(update={"interim_at": message.interim_at or event.time})
    if data.kind == "clarification":
        return message
    done = tuple(_done(one) for one in message.assignments)
    return message.model_copy(update={"answered_at": event.time, "answer_url": data.url, "assignments": done})


def _done(one: Assignment) -> Assignment:
    return one.model_copy(update={"status": "done"}) if one.live else one
