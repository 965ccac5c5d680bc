"""A detection on its way in: checked against what may come, and encoded as it stands on the inbox."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict

from schemas import topics
from schemas.detections import Detection, InboxDetection, Post
from schemas.envelope import CONTENT_TYPE, Actor
from schemas.inbox import DETECTION
from schemas.outcomes import Fault
from services.runtime import problems
from services.runtime.gate import Appending, unstorable
from services.runtime.log import Outgoing

SETTLING_SECONDS = 2.0
UNKNOWN_SECONDS = 10.0

SOURCE = "/otklik/intake"
HEADERS: Mapping[str, bytes] = {"content-type": CONTENT_TYPE}


class DetectionEnvelope(BaseModel):
    """The envelope of `schemas.envelope` with its `data` typed, so that a detection is encoded in one go."""

    model_config = ConfigDict(frozen=True)
    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str = SOURCE
    type: str = DETECTION
    subject: str
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    authority: str
    actor: Actor
    data: InboxDetection


def admit(detection: Detection, actor: Actor, ages: Mapping[str, timedelta], now: datetime) -> None:
    """Whether this actor may say this now. Raises ProblemError: 403 no monitor, 404 not his authority or not in force,
    422 when it was detected longer ago than the authority allows (`ages`)."""
    if "monitor" not in actor.roles:
        raise problems.forbidden("Выявленные сообщения передаёт система мониторинга: нужна роль monitor.")
    oldest = ages.get(detection.authority) if detection.authority in actor.authorities else None
    if oldest is None:
        raise problems.not_found("Такого органа власти нет или он вам не доступен.")
    if detection.detected_at is not None and now - detection.detected_at > oldest:
        hours = f"{oldest / timedelta(hours=1):g}"
        detail = (
            f"Сообщение выявлено больше чем {hours} ч назад. Передайте его с detected_at, равным текущему времени, "
            "а время самого поста — в posted_at."
        )
        raise problems.too_old(Fault(pointer="/detected_at", detail=f"не раньше чем за {hours} ч до приёма"), detail)


_SANE_YEARS = range(1970, 2200)


def faults(detection: Detection) -> list[Fault]:
    """What no shape forbids: instants that no zone can hold."""
    found = []
    for name in ("detected_at", "posted_at"):
        instant: datetime | None = getattr(detection, name)
        if instant is not None and instant.year not in _SANE_YEARS:
            found.append(Fault(pointer=f"/{name}", detail="год вне 1970–2199"))
    return found


def on_inbox(detection: Detection, actor: Actor, now: datetime) -> tuple[str, str, Outgoing]:
    """`message_id`, `detection_id` and the record for the inbox. `now` is the envelope's time. Raises ProblemError 422
    on what no table can hold."""
    if unfit := faults(detection):
        raise problems.invalid(unfit)
    message = detection.message_id
    detection_id = str(detection.detection_id or uuid4())
    # Every part was validated as a part of `detection`: validating it again would double the cost of a post.
    data = InboxDetection.model_construct(
        authority=detection.authority,
        source=detection.source,
        post=Post.model_construct(author=detection.author, text=detection.text, attachments=detection.attachments),
        detected_at=detection.detected_at,
        posted_at=detection.posted_at,
        location=detection.location,
        topics=detection.topics,
        detected_by=detection.detected_by,
        reply_to=detection.reply_to,
        change=detection.change,
    )
    envelope = DetectionEnvelope.model_construct(
        id=detection_id, subject=message, time=now, authority=detection.authority, actor=actor, data=data
    )
    value = envelope.model_dump_json(exclude_none=True).encode()
    if rb"\u0000" in value and (unfit := unstorable(detection.model_dump(mode="json"))):
        raise problems.invalid(unfit)
    return message, detection_id, Outgoing(topics.INBOX, message.encode(), value, HEADERS)


class Intake:
    """What every way in shares. `ages`: the authorities in force and how far back each lets a detection state its time;
    `now`: the installation's time; `next_change` returns when the authorities have changed."""

    def __init__(
        self,
        appender: Appending,
        ages: Callable[[], Mapping[str, timedelta]],
        now: Callable[[], datetime],
        next_change: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.appender = appender
        self.now = now
        self._ages = ages
        self._next_change: Callable[[], Awaitable[Any]] = next_change or asyncio.Event().wait
        self._unknown_until: dict[str, float] = {}

    async def settled(self, actor: Actor) -> None:
        """Give an authority that is not in force a moment: at a first start the law may be on its way just now."""
        now = asyncio.get_running_loop().time
        for authority in actor.authorities:
            if authority in self._ages() or now() < self._unknown_until.get(authority, 0.0):
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(SETTLING_SECONDS):
                    while authority not in self._ages():
                        await self._next_change()
            # Whoever names what does not exist is not held up again and again.
            self._unknown_until = {authority: now() + UNKNOWN_SECONDS}

    def record(self, detection: Detection, actor: Actor, now: datetime) -> tuple[str, str, Outgoing]:
        """`message_id`, `detection_id`, record; raises ProblemError."""
        admit(detection, actor, self._ages(), now)
        return on_inbox(detection, actor, now)
