"""Identifiers: all are derived, so that the same thing pushed twice is the same thing (contract, "Ids")."""

from __future__ import annotations

from hashlib import sha1
from random import Random
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

NAMESPACE = UUID("26ba15cf-27a3-5393-90f6-7450e2dac5a5")

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,60}$")]
"""Ids of authorities, agencies and networks."""


_SPACE = NAMESPACE.bytes
_random = Random()
"""Seeded by the system. Ids have to differ, not to be secret, and a call of the system for each costs as much as a post's shape."""


def named(space: bytes, name: str) -> str:
    """UUIDv5 as text. Several stand in every record, and `uuid.uuid5` makes an object first, which costs more than the hash."""
    return _text(sha1(space + name.encode(), usedforsecurity=False).digest()[:16], 5)


def random_id() -> str:
    """UUIDv4 as text."""
    return _text(_random.randbytes(16), 4)


def _text(given: bytes, version: int) -> str:
    """RFC 9562: sixteen bytes, with the version and the variant set, as text."""
    number = bytearray(given)
    number[6] = number[6] & 0x0F | version << 4
    number[8] = number[8] & 0x3F | 0x80
    text = number.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def message_id(authority: str, network: str, external_id: str) -> str:
    """The message of a post; `external_id` counts byte for byte."""
    return named(_SPACE, f"{authority}/{network}/{external_id}")


def period_id(authority: str, report: str, period: str) -> str:
    """The duty of a period: `report` is `summary` or `rating`, `period` is `2026-11` or `2026-Q4`."""
    return named(_SPACE, f"{authority}/{report}/{period}")


def event_id(subject: str, sequence: int) -> str:
    """The event of a message (or period) with that sequence."""
    return named(UUID(subject).bytes, str(sequence))


def derived_id(event: str, name: str) -> str:
    """A new id that an event brings into the world: `assignment`, `draft`, `escalation`, `case`; several of one kind in
    one event are told apart by a number: `assignment/2`."""
    return named(UUID(event).bytes, name)


def deadline_id(subject: str, rule: str, occurrence: int) -> str:
    """The deadline of a rule's occurrence (1, 2, …) in a message or period."""
    return named(UUID(subject).bytes, f"{rule}/{occurrence}")
