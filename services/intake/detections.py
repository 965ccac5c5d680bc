"""A detection on its way in: checked against what may come, and encoded as it stands on the inbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from schemas import topics
from schemas.detections import Detection
from schemas.envelope import CONTENT_TYPE, Actor, Envelope, schema_of
from schemas.ids import random_id
from schemas.inbox import DETECTION
from schemas.outcomes import Fault, problem
from schemas.roles import in_words
from services.runtime import problems
from services.runtime.gate import Appending, unstorable
from services.runtime.log import Outgoing
from services.runtime.problems import ProblemError

SETTLING_SECONDS = 2.0
UNKNOWN_SECONDS = 10.0

SOURCE = "/otklik/intake"
HEADERS: Mapping[str, bytes] = {"content-type": CONTENT_TYPE}


def admit(detection: Detection, actor: Actor, ages: Mapping[str, timedelta], now: datetime) -> None:
    """Whether this actor may say this now. Raises ProblemError: 403 no monitor, 404 not his authority or not in force,
    422 when it was detected longer ago than the authority allows (`ages`)."""
    if "monitor" not in actor.roles:
        needed = f"нужна роль: {in_words(['monitor'])}"
        raise problems.forbidden(f"Выявленные сообщения передаёт система мониторинга: {needed}.")
    oldest = ages.get(detection.authority) if detection.authority in actor.authorities else None
    if oldest is None:
        raise problems.not_found("Такого органа власти нет или он вам не доступен.")
    if detection.detected_at is not None and now - detection.detected_at > oldest:
        hours = f"{oldest / timedelta(hours=1):g}"
        detail = (
            f"Сообщение выявлено больше чем {hours} ч назад. Передайте его с detected_at, равным текущему времени, "
            "а время самого поста — в posted_at."
        )
        fault = Fault(pointer="/detected_at", detail=f"не раньше чем за {hours} ч до приёма")
        raise ProblemError(problem("detection-too-old", "Слишком давно", 422, detail, errors=(fault,)))


_OF_THE_PERSON = {"author", "text", "attachments"}
_NOT_IN_DATA = _OF_THE_PERSON | {"detection_id"}
_encoded = Detection.__pydantic_serializer__.to_json


class Frame:
    """The envelope around the detections of one sender at one instant: what is the same for all is encoded once."""

    def __init__(self, actor: Actor, now: datetime) -> None:
        self.actor = actor
        self.now = now
        blank = Envelope(id="", source=SOURCE, type=DETECTION, time=now, dataschema=schema_of(DETECTION), actor=actor)
        fields = json.loads(blank.to_bytes())
        shared = ("specversion", "source", "type", "time", "datacontenttype", "dataschema", "actor")
        head = {name: fields[name] for name in shared}
        self._head = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()[:-1]

    def around(self, detection: Detection) -> tuple[str, str, Outgoing]:
        """`message_id`, `detection_id` and the record for the inbox, the person's part in `post`. Raises ProblemError 422
        on what no table can hold."""
        message = detection.message_id
        detection_id = str(detection.detection_id) if detection.detection_id else random_id()
        data = _encoded(detection, exclude=_NOT_IN_DATA, exclude_none=True)
        post = _encoded(detection, include=_OF_THE_PERSON, exclude_none=True)
        # Put together as text: every part was validated and encoded by pydantic, and models around them would cost as
        # much again as the whole of a detection.
        value = b'%s,"id":"%s","subject":"%s","authority":"%s","data":%s,"post":%s}}' % (
            self._head,
            detection_id.encode(),
            message.encode(),
            detection.authority.encode(),
            data[:-1],
            post,
        )
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

    def record(self, detection: Detection, frame: Frame) -> tuple[str, str, Outgoing]:
        """`message_id`, `detection_id`, record; raises ProblemError."""
        admit(detection, frame.actor, self._ages(), frame.now)
        return frame.around(detection)
