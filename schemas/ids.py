"""Identifiers: all are derived, so that the same thing pushed twice is the same thing (contract, "Ids")."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID, uuid5

from pydantic import StringConstraints

NAMESPACE = UUID("26ba15cf-27a3-5393-90f6-7450e2dac5a5")

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,60}$")]
"""Ids of authorities, agencies and networks."""


def message_id(authority: str, network: str, external_id: str) -> str:
    """The message of a post; `external_id` counts byte for byte."""
    return str(uuid5(NAMESPACE, f"{authority}/{network}/{external_id}"))


def period_id(authority: str, report: str, period: str) -> str:
    """The duty of a period: `report` is `summary` or `rating`, `period` is `2026-11` or `2026-Q4`."""
    return str(uuid5(NAMESPACE, f"{authority}/{report}/{period}"))


def event_id(subject: str, sequence: int) -> str:
    """The event of a message (or period) with that sequence."""
    return str(uuid5(UUID(subject), str(sequence)))


def derived_id(event: str, name: str) -> str:
    """A new id that an event brings into the world: `assignment`, `draft`, `escalation`, `case`; several of one kind in
    one event are told apart by a number: `assignment/2`."""
    return str(uuid5(UUID(event), name))


def deadline_id(subject: str, rule: str, occurrence: int) -> str:
    """The deadline of a rule's occurrence (1, 2, …) in a message or period."""
    return str(uuid5(UUID(subject), f"{rule}/{occurrence}"))
