"""What stands on the inbox besides detections (detections.py) and commands (commands.py): ticks and amendments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from schemas.envelope import Actor, Envelope, schema_of
from schemas.events import AmendmentKind
from schemas.ids import random_id

DETECTION = "otklik.detection.v1"
TICK = "otklik.clock.tick.v1"
AMENDMENT = "otklik.authority.amendment.v1"


class Tick(BaseModel):
    """A reason to look at the clock; the record's own stamp is the time. `why`: for people who read the log."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    why: str = ""

    def enveloped(self, source: str, time: datetime) -> Envelope:
        """As it is written, with an id of its own; `time` is aware."""
        return Envelope(
            id=random_id(), source=source, type=TICK, time=time, dataschema=schema_of(TICK), data=self.model_dump()
        )


class Amendment(BaseModel):
    """A wish to change the law in force; the envelope's `authority` says whose, its `id` is the amendment's id."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    kind: AmendmentKind
    reason: str
    basis: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)

    def enveloped(
        self, amendment_id: str, source: str, authority: str, time: datetime, actor: Actor | None = None
    ) -> Envelope:
        """As it is written; `time` is aware, `actor` None where files are the law's own word."""
        return Envelope(
            id=amendment_id,
            source=source,
            type=AMENDMENT,
            subject=authority,
            time=time,
            dataschema=schema_of(AMENDMENT),
            authority=authority,
            actor=actor,
            data=self.model_dump(mode="json", exclude_none=True),
        )


class ClockSet(BaseModel):
    """Where the simulated clock stands, on the topic `clock`."""

    model_config = ConfigDict(frozen=True)
    now: AwareDatetime
