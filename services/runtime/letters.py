"""What becomes of dead letters, remembered where they stand: a note of the same topic, in the transaction of what is done.

A letter is an offset of `dead-letters`. A note names it and says what was done, by whom and why; the log is the only
memory, so nobody replays what was replayed already, whoever asks, from wherever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from schemas.envelope import CONTENT_TYPE, Actor, Envelope
from services.runtime.dead_letters import TOPIC
from services.runtime.headers import (
    CONTENT_TYPE_HEADER,
    CUT,
    DETAIL,
    ORIGIN,
    REASON,
    SETTLED,
    SETTLES,
    first_appended_at,
)
from services.runtime.log import Log, LogError, Outgoing, Record, TopicPartition

PLACE = TopicPartition(TOPIC, 0)
WRITER = "dead-letters"
"""Of the transactional id: one for the installation, so that two operators take turns."""
SOURCE = "/otklik/dead-letters"

What = Literal["replayed", "dismissed"]


class Unsettled(Exception):
    """Nothing was done with the letter; the text says in Russian why."""


@dataclass(frozen=True, slots=True)
class Note:
    """What was done with a letter, by whom (`sub`), and why."""

    what: str
    at: datetime
    sub: str
    why: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter. `origin`: the topic, partition and offset where the record stood; `first_at`: since when it is known.
    `record` has no value where only the heads were asked for."""

    offset: int
    record: Record
    reason: str
    detail: str
    origin: tuple[str, int, int]
    first_at: datetime
    cut: str | None
    note: Note | None = None

    def original(self) -> Record:
        """The record as it first came; its stamp says when."""
        topic, partition, offset = self.origin
        return replace(self.record, topic=topic, partition=partition, offset=offset, stamp=self.first_at)


async def letters(log: Log) -> list[Letter]:
    """All letters, with what became of them, without their values. Raises `LogError`."""
    found: dict[int, Letter] = {}
    beginning, end = (await log.beginnings([PLACE]))[PLACE], (await log.ends([PLACE]))[PLACE]
    async for records in log.read(PLACE, beginning, end):
        for record in records:
            if ORIGIN in record.headers:
                found[record.offset] = _letter(replace(record, value=None))
            elif SETTLES in record.headers:
                offset = int(record.headers[SETTLES])
                # The first word counts; a letter that retention has taken needs none.
                if offset in found and found[offset].note is None:
                    found[offset] = replace(found[offset], note=_note(record))
    return list(found.values())


async def letter(log: Log, offset: int) -> Letter:
    """One letter with its value, and what became of it. Raises `LogError`, `Unsettled` where there is none."""
    known = {one.offset: one for one in await letters(log)}
    if offset not in known:
        raise Unsettled(f"{offset}: такого письма нет (otklik dead-letters list)")
    async for records in log.read(PLACE, offset, offset + 1):
        for record in records:
            return replace(known[offset], record=record)
    raise LogError(f"{TOPIC}/0/{offset} is gone")


async def settle(
    log: Log, offset: int, what: What, by: Actor, why: str, now: datetime, again: Callable[[Letter], Sequence[Outgoing]]
) -> Letter:
    """Write what `again` makes of the letter, and the note, in one transaction. `now`: the installation's time.

    Raises `Unsettled` where something was done already or `again` refuses; `LogError` with the outcome unknown: then look
    before it is tried again."""
    # First the writer: whoever else was at it is fenced, and what he has written is seen below.
    writer = await log.writer(WRITER)
    try:
        found = await letter(log, offset)
        if found.note is not None:
            raise Unsettled(
                f"{offset}: уже {_RUSSIAN[found.note.what]} {found.note.at:%d.%m.%Y %H:%M} ({found.note.sub})"
            )
        envelope = Envelope(
            id=f"{TOPIC}/{offset}",
            source=SOURCE,
            type=f"otklik.dead-letter.{what}.v1",
            time=now,
            actor=by,
            data={"letter": offset, "origin": "/".join(map(str, found.origin)), "reason": found.reason, "why": why},
        )
        headers = {
            SETTLES: str(offset).encode(),
            SETTLED: what.encode(),
            CONTENT_TYPE_HEADER: CONTENT_TYPE,
        }
        note = Outgoing(TOPIC, str(offset).encode(), envelope.to_bytes(), headers, 0, now)
        await writer.append([*again(found), note])
        return found
    finally:
        await writer.close()


_RUSSIAN = {"replayed": "подано снова", "dismissed": "отклонено"}


def _letter(record: Record) -> Letter:
    headers = record.headers
    topic, partition, offset = headers[ORIGIN].decode().rsplit("/", 2)
    cut = headers.get(CUT)
    return Letter(
        record.offset,
        record,
        headers.get(REASON, b"").decode(),
        headers.get(DETAIL, b"").decode(),
        (topic, int(partition), int(offset)),
        first_appended_at(headers) or record.stamp,
        None if cut is None else cut.decode(),
    )


def _note(record: Record) -> Note:
    envelope = Envelope.from_bytes(record.value or b"")
    return Note(
        record.headers[SETTLED].decode(),
        envelope.time,
        envelope.actor.sub if envelope.actor else "",
        str(envelope.data.get("why", "")),
    )
