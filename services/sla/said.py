"""What sla said of a message's (or period's) deadlines: folded from `deadlines` only, and never recomputed."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from schemas.deadlines import PENDING, TYPES, About, DeadlineData, PendingData, State
from schemas.envelope import Envelope
from services.runtime.decider import UnknownEvent


class Spoken(BaseModel):
    """One deadline as last said. `count`: how many events it has; `fulfilled`: done, in time or late."""

    model_config = ConfigDict(frozen=True)
    data: DeadlineData
    state: State = "open"
    count: int = 1
    warned: bool = False
    fulfilled: bool = False


class Waiting(BaseModel):
    """A deadline that cannot be computed until a calendar year is given; `count` as in `Spoken`.

    One that was set before and cannot be moved now stands in `deadlines` too, and does not fire while it waits."""

    model_config = ConfigDict(frozen=True)
    data: PendingData
    count: int = 1


class Said(BaseModel):
    """Deadlines by id, in the order in which they were set, and those that wait for a year."""

    model_config = ConfigDict(frozen=True)
    authority: str = ""
    deadlines: dict[str, Spoken] = {}
    waiting: dict[str, Waiting] = {}

    def open(self) -> Iterator[Spoken]:
        """Open deadlines whose instant is known, in order of (`due_at`, `deadline_id`)."""
        found = [one for key, one in self.deadlines.items() if one.state == "open" and key not in self.waiting]
        return iter(sorted(found, key=lambda one: (one.data.due_at, one.data.deadline_id)))

    def unfulfilled(self, rule: str, about: About | None = None) -> Iterator[Spoken]:
        """Deadlines of a rule that an act of today still fulfils: open ones, and breached or excused ones (`met-late`)."""
        for one in self.deadlines.values():
            live = one.state in {"open", "breached", "excused"} and not one.fulfilled
            if live and one.data.rule == rule and _concerns(one.data.about, about):
                yield one

    def waits(self, rule: str, about: About | None = None) -> Iterator[Waiting]:
        """Deadlines of a rule that wait for a calendar year and are neither done nor cancelled."""
        for one in self.waiting.values():
            if one.data.closed is None and one.data.rule == rule and _concerns(one.data.about, about):
                yield one

    def open_one(self, rule: str) -> Spoken | None:
        """The open deadline of a rule that has but one."""
        return next((one for one in self.open() if one.data.rule == rule), None)

    def next_occurrence(self, rule: str) -> int:
        """1 + how often the rule began in this message."""
        spoken = [one.data.occurrence for one in self.deadlines.values() if one.data.rule == rule]
        waiting = [one.data.occurrence for one in self.waiting.values() if one.data.rule == rule]
        return max((*spoken, *waiting), default=0) + 1

    def count_of(self, deadline_id: str) -> int:
        """How many events a deadline has."""
        spoken, waiting = self.deadlines.get(deadline_id), self.waiting.get(deadline_id)
        return max(spoken.count if spoken else 0, waiting.count if waiting else 0)


def fold(said: Said | None, event: Envelope) -> Said:
    """What was said after one more event of `deadlines`; one that is held already changes nothing.

    Raises `UnknownEvent` on a type of which this version knows nothing.
    """
    said = said or Said(authority=event.authority or "")
    if event.type == PENDING:
        waits = PendingData.model_validate(event.data)
        if (event.sequence or 0) <= said.count_of(waits.deadline_id):
            return said
        waiting = Waiting(data=waits, count=event.sequence or 1)
        return said.model_copy(update={"waiting": said.waiting | {waits.deadline_id: waiting}})
    if event.type not in TYPES:
        raise UnknownEvent(f"тип события {event.type} этой версии неизвестен")
    data = DeadlineData.model_validate(event.data)
    key = data.deadline_id
    if event.sequence is None or event.sequence <= said.count_of(key):
        # A word on a deadline that never was (`excuse-ignored`) bears no number, and leaves nothing behind.
        return said
    known = said.deadlines.get(key)
    if known is None and TYPES[event.type] != "set":
        raise ValueError(f"{event.type} о сроке {key}, который не был установлен")
    known = known or Spoken(data=data)
    now = known.model_copy(update={"count": event.sequence, **_changes(known, data, event)})
    if TYPES[event.type] == "excuse-ignored":
        # It says no instant: what waits for a year goes on waiting.
        return said.model_copy(update={"deadlines": said.deadlines | {key: now}})
    others = {one: held for one, held in said.waiting.items() if one != key}
    return said.model_copy(update={"deadlines": said.deadlines | {key: now}, "waiting": others})


def _changes(known: Spoken, data: DeadlineData, event: Envelope) -> dict[str, object]:
    """What the event makes of a deadline, but for its number."""
    # Later words repeat the deadline without its explanation, which `set` and `moved` gave.
    kept = data if data.explanation else data.model_copy(update={"explanation": known.data.explanation})
    match TYPES[event.type]:
        case "set" | "excuse-ignored":
            return {}
        case "moved":
            again = data.warn_at is not None and data.warn_at > event.time and data.due_at != known.data.due_at
            return {"data": kept, "warned": known.warned and not again}
        case "approaching":
            return {"warned": True}
        case "met":
            return {"data": kept, "state": "met", "fulfilled": True}
        case "breached":
            return {"data": kept, "state": "breached"}
        case "met-late":
            if known.state == "excused":
                return {"fulfilled": True}
            return {"data": kept, "state": "met_late", "fulfilled": True}
        case "cancelled":
            return {"data": kept, "state": "cancelled"}
        case "excused":
            return {"data": kept, "state": "excused"}


def _concerns(about: About | None, wanted: About | None) -> bool:
    """Whether a deadline is about what is wanted; nothing wanted: any."""
    if wanted is None:
        return True
    named = wanted.model_dump(exclude_none=True)
    return about is not None and all(getattr(about, name) == value for name, value in named.items())
