"""Stretches: the time between two instants cut into what counted and what did not, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from regulations.working_time.instants import ONE_DAY, elapsed, in_zone
from regulations.working_time.schedule import Day, Schedule
from regulations.working_time.segment import Segment

DAY_OFF, LUNCH, TOO_EARLY, TOO_LATE = "выходной", "обед", "до начала рабочего дня", "после окончания рабочего дня"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of time within one local day (on the plain clock: of any length, and of no day).

    `why` is Russian: the reason why it was skipped, or why a counted day is not like any other; else empty.
    Instants are in the schedule's zone.
    """

    from_at: datetime
    to_at: datetime
    day: Day | None
    counted: bool
    why: str = ""

    @property
    def duration(self) -> timedelta:
        """Real time from one end to the other."""
        return elapsed(self.to_at) - elapsed(self.from_at)


def plain_stretches(zone: ZoneInfo, from_at: datetime, to_at: datetime) -> list[Stretch]:
    """Return the one stretch of the plain clock, none if there is no time between."""
    if elapsed(from_at) >= elapsed(to_at):
        return []
    return [Stretch(in_zone(from_at, zone), in_zone(to_at, zone), day=None, counted=True)]


def working_stretches(schedule: Schedule, from_at: datetime, to_at: datetime) -> list[Stretch]:
    """Return the stretches of the working clock, in order and without gaps, none if there is no time between."""
    if elapsed(from_at) >= elapsed(to_at):
        return []
    window = Segment(from_at, to_at)
    found: list[Stretch] = []
    today = in_zone(from_at, schedule.zone).date()
    while schedule.bounds(today).from_at < window.to_at:
        day = schedule.day(today)
        for piece, counted, why in _pieces(day, schedule.bounds(today)):
            common = piece.intersect(window)
            if common is not None:
                first, last = in_zone(common.from_at, schedule.zone), in_zone(common.to_at, schedule.zone)
                found.append(Stretch(first, last, day, counted, why))
        today += ONE_DAY
    return found


def _pieces(day: Day, bounds: Segment) -> Iterator[tuple[Segment, bool, str]]:
    if not day.segments:
        yield bounds, False, f"{DAY_OFF}: {day.why}" if day.why else DAY_OFF
        return
    yield Segment(bounds.from_at, day.segments[0].from_at), False, TOO_EARLY
    for number, segment in enumerate(day.segments):
        if number:
            yield Segment(day.segments[number - 1].to_at, segment.from_at), False, LUNCH
        yield segment, True, day.why
    yield Segment(day.segments[-1].to_at, bounds.to_at), False, TOO_LATE
