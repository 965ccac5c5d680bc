"""Dead letters: the raw bytes of what could not be taken, with the reason and its origin in headers."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from schemas.envelope import Envelope
from services.runtime.headers import CUT, DETAIL, FIRST_APPENDED_AT, MORE, ORIGIN, OURS, REASON, detail_header
from services.runtime.log import MAX_RECORD_BYTES_OUT, Outgoing, Record
from services.runtime.problems import words_of

TOPIC = "dead-letters"

MAX_VALUE_BYTES = MAX_RECORD_BYTES_OUT - 128 * 1024
MAX_HEADERS_BYTES = 64 * 1024
"""What is larger is cut, and the header `otklik-cut` tells its size: a letter that no topic takes would hold its
partition up for ever."""

NOT_AN_EVENT = "not-a-cloudevent"
FAILED = "failed"
QUARANTINED = "quarantined"


_OURS = ("services.", "schemas.", "regulations.")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Problem(NamedTuple):
    """Why an input was not taken: a slug, and a text for people."""

    reason: str
    detail: str


def described(error: BaseException) -> str:
    """An error for logs, health and dead letters, without a word of what was being worked: errors of our own are told as
    they are; what others raise may quote a citizen's text, so of these only the place is told."""
    kind = type(error)
    if isinstance(error, ValidationError):
        return f"{kind.__name__}: {words_of(error)}"
    if kind.__module__.startswith(_OURS) or isinstance(error, OSError | TimeoutError):
        return f"{kind.__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    return kind.__name__ + (f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "")


def told_of(logger: logging.Logger, record: Record, envelope: Envelope | None, reason: str) -> None:
    """A line of the log for a dead letter: whose it is, as far as that can be read, and nothing of what it says."""
    ids = {"topic": record.topic, "partition": record.partition, "offset": record.offset, "reason": reason}
    if envelope is not None:
        named = {"message_id": envelope.subject, "command_id": envelope.id}
        ids |= {name: value for name, value in named.items() if value is not None and _UUID.fullmatch(value)}
    logger.warning("dead letter", extra=ids)


def dead_letter(
    record: Record, problem: Problem, cause: Mapping[str, bytes], topic: str = TOPIC, *, partners: bool = False
) -> Outgoing:
    """The record as it came: same key, same bytes, same headers, and ours beside them. `partners`: of a topic that others
    write, whose headers must not pass for ours."""
    headers = {
        name: value
        for name, value in record.headers.items()
        if name != MORE and not (partners and name.startswith(OURS))
    }
    value = record.value or b""
    if sum(len(name) + len(header) for name, header in headers.items()) > MAX_HEADERS_BYTES:
        headers = {CUT: b"headers"}
    if len(value) > MAX_VALUE_BYTES:
        headers[CUT] = str(len(value)).encode()
    headers |= dict(cause)
    headers[REASON] = problem.reason.encode()
    headers[DETAIL] = detail_header(problem.detail)
    headers[ORIGIN] = f"{record.topic}/{record.partition}/{record.offset}".encode()
    # A replayed letter keeps the time at which it first came.
    headers.setdefault(FIRST_APPENDED_AT, record.stamp.astimezone(UTC).isoformat().encode())
    key = None if record.key is None else record.key[:MAX_HEADERS_BYTES]
    return Outgoing(topic, key, value[:MAX_VALUE_BYTES], headers)
