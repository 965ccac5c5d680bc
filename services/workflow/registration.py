"""Registration: detections become messages; a post that was edited or removed is followed.

An acknowledged detection is never refused here: the gate has judged its age and its authority. What is too old by the
event time (it waited in the log) is taken for as old as may be, and what is ahead of its receipt for its receipt.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from schemas.detections import InboxDetection
from schemas.envelope import Envelope
from schemas.events import PostEdited, PostRemoved, Registered
from schemas.ids import message_id
from services.runtime.decider import Input, Unreadable
from services.runtime.headers import first_appended_at
from services.runtime.problems import words_of
from services.workflow.hearing import MessageHearing
from services.workflow.state import Message


def read(given: Input) -> InboxDetection:
    """The detection of the record; raises `Unreadable`."""
    try:
        found = InboxDetection.model_validate(given.envelope.data)
    except ValidationError as error:
        raise Unreadable("invalid-detection", words_of(error)) from None
    if subject(found) != given.envelope.subject:
        raise Unreadable("wrong-subject", "Идентификатор сообщения не соответствует источнику.")
    return found


def subject(detection: InboxDetection) -> str:
    """The message that the detection is of."""
    return message_id(detection.authority, detection.source.network, detection.source.external_id)


def detect(hearing: MessageHearing, detection: InboxDetection) -> None:
    """Register what is unknown, follow what has changed since, and pass over what is known already."""
    seen_at = _seen_at(hearing, detection)
    if hearing.state is None:
        _register(hearing, detection, seen_at)
        if detection.change == "removed":
            # The fact would be lost otherwise, and with it why nothing can be answered: the coordinator dismisses it.
            hearing.tell(PostRemoved(removed_at=seen_at, detection_id=hearing.given.envelope.id))
        return
    known = hearing.given.envelope.id in hearing.message.detections
    if known or detection.change == "new" or seen_at < hearing.message.changed_at:
        return
    if detection.change == "removed":
        if not hearing.message.removed:
            hearing.tell(PostRemoved(removed_at=seen_at, detection_id=hearing.given.envelope.id))
    elif _differs(hearing.message, detection):
        edited = PostEdited(
            post=detection.post, url=detection.source.url, edited_at=seen_at, detection_id=hearing.given.envelope.id
        )
        hearing.tell(edited)


def _received_at(hearing: MessageHearing) -> datetime:
    """When it came in: what was a dead letter for a while, and is replayed, came when it first did."""
    return min(first_appended_at(hearing.given.headers) or hearing.at, hearing.at)


def _seen_at(hearing: MessageHearing, detection: InboxDetection) -> datetime:
    received = _received_at(hearing)
    stated = min(detection.detected_at or received, received)
    return max(stated, received - hearing.directory.max_detection_age)


def _differs(message: Message, detection: InboxDetection) -> bool:
    return message.removed or message.post != detection.post or message.source.url != detection.source.url


def _register(hearing: MessageHearing, detection: InboxDetection, detected_at: datetime) -> None:
    registered = Registered(
        regulation=hearing.directory.regulation_at(hearing.at),
        law=hearing.directory.number,
        source=detection.source,
        post=detection.post,
        detected_at=detected_at,
        received_at=_received_at(hearing),
        posted_at=detection.posted_at,
        location=detection.location,
        topics=detection.topics,
        detected_by=detection.detected_by,
        reply_to=detection.reply_to,
        detection_id=hearing.given.envelope.id,
    )
    hearing.tell(registered)


def registered(data: Registered, event: Envelope) -> Message:
    """The first event of every message."""
    return Message(
        message_id=event.subject or "",
        authority=event.authority or "",
        regulation=data.regulation,
        law=data.law,
        sequence=1,
        source=data.source,
        post=data.post,
        detected_at=data.detected_at,
        received_at=data.received_at,
        posted_at=data.posted_at,
        reply_to=data.reply_to,
        changed_at=data.detected_at,
        detections=(data.detection_id,),
        topics=data.topics,
        location=data.location,
    )


def post_edited(message: Message, data: PostEdited, event: Envelope) -> Message:
    source = message.source.model_copy(update={"url": data.url})
    changed = {"post": data.post, "source": source, "changed_at": data.edited_at, "removed": False}
    return message.model_copy(update=changed | {"detections": (*message.detections, data.detection_id)})


def post_removed(message: Message, data: PostRemoved, event: Envelope) -> Message:
    changed = {"removed": True, "changed_at": data.removed_at}
    return message.model_copy(update=changed | {"detections": (*message.detections, data.detection_id)})
