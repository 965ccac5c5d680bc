"""Outcomes: one for each command record, accepted or refused, and the problem that a refusal tells (RFC 9457)."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

ACCEPTED = "otklik.command.accepted.v1"
REFUSED = "otklik.command.refused.v1"


class Fault(BaseModel):
    model_config = ConfigDict(frozen=True)
    pointer: str
    detail: str


class Problem(BaseModel):
    """`application/problem+json`; `detail` is in Russian. `regulation` and `paragraph` stand where a regulation forbids the act."""

    model_config = ConfigDict(frozen=True)
    type: str
    title: str
    status: int
    detail: str
    regulation: str | None = None
    paragraph: str | None = None
    errors: tuple[Fault, ...] = ()
    sequence: int | None = None
    """On a conflict of `expected_sequence`: where the message stands."""
    command_id: str | None = None


class AcceptedEvent(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: str
    type: str
    sequence: int
    time: AwareDatetime
    data: dict[str, Any] = Field(default_factory=dict)


class Accepted(BaseModel):
    """`data` of an accepted outcome, and the body of the HTTP answer."""

    model_config = ConfigDict(frozen=True)
    command_id: str
    command: str
    sequence: int
    events: tuple[AcceptedEvent, ...]
    repeated: bool = False


class Refused(BaseModel):
    """`data` of a refused outcome."""

    model_config = ConfigDict(frozen=True)
    command_id: str
    command: str
    problem: Problem
    repeated: bool = False


def problem(slug: str, title: str, status: int, detail: str, **more: Any) -> Problem:
    return Problem(type=f"urn:otklik:problem:{slug}", title=title, status=status, detail=detail, **more)
