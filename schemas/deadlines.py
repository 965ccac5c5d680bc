"""Deadline events: what sla says. `time` is the event time of what caused it; of `breached` it is `due_at` itself."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

Kind = Literal["set", "moved", "approaching", "met", "breached", "met-late", "cancelled", "excused", "excuse-ignored"]
State = Literal["open", "met", "breached", "met_late", "cancelled", "excused"]
KINDS: tuple[Kind, ...] = (
    "set", "moved", "approaching", "met", "breached", "met-late", "cancelled", "excused", "excuse-ignored",
)  # fmt: skip
TYPES: dict[str, Kind] = {f"otklik.deadline.{kind}.v1": kind for kind in KINDS}


class About(BaseModel):
    model_config = ConfigDict(frozen=True)
    assignment_id: str | None = None
    draft_id: str | None = None
    case_id: str | None = None
    period: str | None = None


class OwedBy(BaseModel):
    """`role`: coordinator, executor, committee; `agency` where an agency owes it."""

    model_config = ConfigDict(frozen=True)
    role: Literal["coordinator", "executor", "committee"]
    agency: str | None = None


class DeadlineData(BaseModel):
    """Instants bear the authority's own offset. `subject` of the envelope is the message (or period).

    `window`: a right, not a duty: it never warns and never breaches. `explanation` (on `set` and `moved`): Russian lines.
    `amendments`: the numbers of the amendments that it was judged by. `previous_*`: on `moved`, what changed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    deadline_id: str
    rule: str
    occurrence: int
    about: About | None = None
    regulation: str
    paragraph: str
    owed_by: OwedBy
    starts_at: AwareDatetime
    due_at: AwareDatetime
    clock: Literal["working", "plain", "working_days"]
    window: bool = False
    warn_at: AwareDatetime | None = None
    explanation: tuple[str, ...] = ()
    amendments: tuple[int, ...] = ()
    previous_due_at: AwareDatetime | None = None
    previous_owed_by: OwedBy | None = None
    reason: str | None = None
    closed_at: AwareDatetime | None = None
    """On `met` and `met-late`: when it was fulfilled; on `cancelled`, `excused`: when."""


def cloud_type(kind: Kind) -> str:
    return f"otklik.deadline.{kind}.v1"


PENDING = "otklik.deadline.pending.v1"
"""A deadline that cannot be computed yet, since nobody gave a calendar year that it hangs on: an alarm, never a guess.
`set` (or `moved`) follows once the year has come by an amendment. Readers that only count may skip it."""


class PendingData(BaseModel):
    """`year`: the production calendar that is missing. `closed`, `closed_at`: it was done or cancelled while it waited."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    deadline_id: str
    rule: str
    occurrence: int
    about: About | None = None
    regulation: str
    paragraph: str
    owed_by: OwedBy
    starts_at: AwareDatetime
    clock: Literal["working", "plain", "working_days"]
    window: bool = False
    year: int
    reason: str
    """In Russian."""
    closed: Literal["met", "cancelled"] | None = None
    closed_at: AwareDatetime | None = None
