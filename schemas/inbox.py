"""What stands on the inbox besides detections (detections.py) and commands (commands.py): ticks and amendments."""

from __future__ import annotations

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.events import AmendmentKind

DETECTION = "otklik.detection.v1"
TICK = "otklik.clock.tick.v1"
AMENDMENT = "otklik.authority.amendment.v1"


class Tick(BaseModel):
    """A reason to look at the clock; the record's own stamp is the time. `why`: for people who read the log."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    why: str = ""


class Amendment(BaseModel):
    """A wish to change the law in force; the envelope's `authority` says whose, its `id` is the amendment's id."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    kind: AmendmentKind
    reason: str
    basis: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class ClockSet(BaseModel):
    """Where the simulated clock stands, on the topic `clock`."""

    model_config = ConfigDict(frozen=True)
    now: AwareDatetime
