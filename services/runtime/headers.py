"""Headers that the runtime writes: what caused a record, and how far an input with sweeps has come.

They are what a lost group offset and an unfinished sweep are recovered from, so they are as much a part of the log as
the values are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

OURS = "otklik-"
"""How the names of all of them begin."""
SOURCE = "otklik-source"
"""`<topic>/<partition>/<offset>` of the input that caused the record."""
SOURCE_LOG = "otklik-log"
"""The id of that topic: offsets of another log of the same name mean nothing here."""
INDEX = "otklik-index"
"""The record's number among everything that its input caused: 0, 1, 2 …"""
AT = "otklik-at"
"""Event time of the input, RFC 3339."""
MORE = "otklik-more"
"""Only on records of an input that was not finished in this transaction: the agenda entry that caused the record."""

CONTENT_TYPE_HEADER = "content-type"
REASON = "otklik-reason"
DETAIL = "otklik-detail"
ORIGIN = "otklik-origin"
"""`<topic>/<partition>/<offset>` of a dead letter."""
CUT = "otklik-cut"
"""Only on a dead letter that had to be cut: how many bytes its value had."""
FIRST_APPENDED_AT = "otklik-first-appended-at"
"""When a dead letter's record was first appended; kept over replays."""
SETTLES = "otklik-settles"
"""On a note among the dead letters: the offset of the letter that it is about. A note has no origin."""
SETTLED = "otklik-settled"
"""What became of that letter: `replayed` or `dismissed`."""

MAX_DETAIL_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the input at `offset` has come: its `decide` without a due entry is done, and of its sweeps everything
    before number `sweep`, and of that one every entry up to (`at`, `item`, `key`); `index` records were said so far."""

    offset: int
    index: int
    sweep: int = 0
    at: datetime | None = None
    item: str = ""
    key: str = ""

    def to_json(self) -> str:
        at = None if self.at is None else self.at.astimezone(UTC).isoformat()
        return json.dumps([self.offset, self.index, self.sweep, at, self.item, self.key], ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Cursor:
        offset, index, sweep, at, item, key = json.loads(text)
        return cls(offset, index, sweep, None if at is None else datetime.fromisoformat(at), item, key)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a record stands on the log."""

    topic: str
    partition: int
    offset: int
    log: str
    index: int
    at: datetime
    more: Cursor | None = None

    def to_headers(self, *, goes_on: bool = True) -> dict[str, bytes]:
        """`goes_on` false: the input was finished in this transaction, so `more` tells nothing."""
        headers = {
            SOURCE: f"{self.topic}/{self.partition}/{self.offset}".encode(),
            SOURCE_LOG: self.log.encode(),
            INDEX: str(self.index).encode(),
            AT: self.at.astimezone(UTC).isoformat().encode(),
        }
        if goes_on and self.more is not None:
            headers[MORE] = self.more.to_json().encode()
        return headers

    @classmethod
    def from_headers(cls, headers: Mapping[str, bytes]) -> Cause | None:
        """None where the headers are not the runtime's (a record that somebody imported or wrote by hand)."""
        try:
            topic, partition, offset = headers[SOURCE].decode().rsplit("/", 2)
            more = headers.get(MORE)
            return cls(
                topic,
                int(partition),
                int(offset),
                headers[SOURCE_LOG].decode(),
                int(headers[INDEX]),
                datetime.fromisoformat(headers[AT].decode()),
                None if more is None else Cursor.from_json(more),
            )
        except (KeyError, ValueError, TypeError):
            return None


def first_appended_at(headers: Mapping[str, bytes]) -> datetime | None:
    """When the record of a replayed dead letter first came; None for any other record."""
    stated = headers.get(FIRST_APPENDED_AT)
    return None if stated is None else datetime.fromisoformat(stated.decode())


def detail_header(detail: str) -> bytes:
    """A detail that fits into a header, cut at a character."""
    return detail.encode("utf-8", "replace")[:MAX_DETAIL_BYTES].decode("utf-8", "ignore").encode()
