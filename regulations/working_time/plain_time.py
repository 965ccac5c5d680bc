"""The plain clock: runs day and night, on working days and days off (regulations.md, reading 1: Buryatia)."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from regulations.working_time.instants import ZERO, elapsed, instant
from regulations.working_time.schedule import Schedule
from regulations.working_time.stretches import Stretch, plain_stretches


class PlainTime:
    """The counterparts of `WorkingTime` in real elapsed time; it needs no calendar, so it knows no `YearUnknown`."""

    __slots__ = ("zone",)

    def __init__(self, zone: str | ZoneInfo | Schedule) -> None:
        if isinstance(zone, Schedule):
            zone = zone.zone
        self.zone = zone if isinstance(zone, ZoneInfo) else ZoneInfo(zone)

    def add(self, start_at: datetime, term: timedelta) -> datetime:
        """Return the instant that long after the start; a negative term is a ValueError."""
        return instant(elapsed(start_at) + _forward(term), self.zone)

    def latest_before(self, due_at: datetime, term: timedelta) -> datetime:
        """Return the instant that long before `due_at` (reading 4)."""
        return instant(elapsed(due_at) - _forward(term), self.zone)

    def between(self, from_at: datetime, to_at: datetime) -> timedelta:
        """Return the real time from one instant to another; negative if the second is the earlier."""
        return elapsed(to_at) - elapsed(from_at)

    def stretches(self, from_at: datetime, to_at: datetime) -> list[Stretch]:
        """Return the time between two instants as one stretch that counted whole."""
        return plain_stretches(self.zone, from_at, to_at)


def _forward(term: timedelta) -> timedelta:
    if term < ZERO:
        raise ValueError(f"срок не может быть отрицательным: {term}")
    return term
