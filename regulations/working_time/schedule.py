"""A schedule: the hours of an authority, in its zone, on the days that its calendar lets it work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from regulations.working_time.calendar_year import Kind
from regulations.working_time.errors import BadHours, NoWorkingTime
from regulations.working_time.hours import DayHours, Hours
from regulations.working_time.instants import ONE_DAY, ZERO, instant, wall_clock_reaches
from regulations.working_time.production_calendar import Calendar, Ruling
from regulations.working_time.segment import MINUTES_A_DAY, LocalSegment, Segment, minutes_of, resize
from regulations.working_time.year_table import YearTable

# Labour Code, article 95: the working day before a public holiday is one hour shorter.
SHORTER_BY_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Day:
    """A local day as it is worked. `why` is the reason in Russian, empty for a day like any other."""

    date: date
    kind: Kind
    why: str
    local_segments: tuple[LocalSegment, ...]
    segments: tuple[Segment, ...]
    decreed: bool = False

    @property
    def working_minutes(self) -> int:
        """Minutes of work by the wall clock, as the norm of working hours counts them."""
        return minutes_of(self.local_segments)

    @property
    def working_time(self) -> timedelta:
        """Real working time; differs from `working_minutes` only if the clocks change within working hours."""
        return sum((segment.duration for segment in self.segments), ZERO)


class Schedule:
    """Zone, weekly hours and calendar, put together. Immutable; what it has worked out, it remembers by year.

    Days are local days of `zone` (any IANA name). A change of clocks within a working day is counted in real elapsed
    time. Whatever needs a year that the calendar lacks raises `YearUnknown`.
    """

    def __init__(self, zone: str | ZoneInfo, hours: Hours, calendar: Calendar) -> None:
        self.zone = zone if isinstance(zone, ZoneInfo) else ZoneInfo(zone)
        self.hours = hours
        self.calendar = calendar
        # The tables are read directly by `WorkingTime`, whose additions must be fast.
        self.tables: dict[int, YearTable] = {}
        self._week = hours.week()
        self._days: dict[date, Day] = {}
        self._bounds: dict[date, Segment] = {}

    def day(self, day: date) -> Day:
        """Return a local day: its kind, why it is so, and its working segments as instants."""
        if isinstance(day, datetime):
            raise TypeError("нужна дата, а не момент времени")
        known = self._days.get(day)
        if known is None:
            known = self._days[day] = self._work_out(day)
        return known

    def bounds(self, day: date) -> Segment:
        """Return the local day from midnight to midnight (23, 24 or 25 hours where the clocks change)."""
        known = self._bounds.get(day)
        if known is None:
            known = self._bounds[day] = self._segment(day, LocalSegment(0, MINUTES_A_DAY))
        return known

    def table(self, year: int) -> YearTable:
        """Return the working time of a local year, as prefix sums; `YearUnknown` if the calendar lacks it."""
        known = self.tables.get(year)
        if known is None:
            self.calendar.require(year)
            known = self.tables[year] = self._tabulate(year)
        return known

    def _tabulate(self, year: int) -> YearTable:
        first, after = date(year, 1, 1), date(year + 1, 1, 1)
        days = [self.day(first + timedelta(days=number)) for number in range((after - first).days)]
        table = YearTable(
            zone=self.zone,
            begins=wall_clock_reaches(first, 0, self.zone),
            ends=wall_clock_reaches(after, 0, self.zone),
            segments=[segment for day in days for segment in day.segments],
            working_days=[day.date for day in days if day.segments],
        )
        if not table.segments:
            raise NoWorkingTime(year)
        return table

    def _work_out(self, day: date) -> Day:
        ruling = self.calendar.ruling(day)
        local = self._local_segments(ruling)
        if not local:
            # A day that the week leaves free is simply a day off; an eve on it shortens nothing.
            ruling = replace(ruling, kind="off", why=ruling.why if ruling.kind == "off" else "")
        segments = (self._segment(day, segment) for segment in local)
        # A segment that the clocks skip whole has no duration, and is none.
        real = tuple(segment for segment in segments if segment.duration > ZERO)
        return Day(day, ruling.kind, ruling.why, local, real, ruling.decreed)

    def _local_segments(self, ruling: Ruling) -> tuple[LocalSegment, ...]:
        if ruling.kind == "off":
            return ()
        if isinstance(ruling.hours, DayHours):
            return ruling.hours.segments
        usual = self._usual(ruling)
        minutes = minutes_of(usual)
        if ruling.hours is not None:
            minutes = round(ruling.hours * 60)
        elif ruling.kind == "short":
            minutes -= SHORTER_BY_MINUTES
        try:
            return resize(usual, minutes)
        except BadHours as error:
            raise BadHours(f"{ruling.date:%d.%m.%Y}: {ruling.hours} ч не помещаются в сутки") from error

    def _usual(self, ruling: Ruling) -> tuple[LocalSegment, ...]:
        day = ruling.as_on or ruling.date
        usual = self._week[day.weekday()]
        # A decree may order work on a day that the week leaves free: it is worked like the last working weekday before.
        while ruling.decreed and not usual:
            day -= ONE_DAY
            usual = self._week[day.weekday()]
        return usual

    def _segment(self, day: date, local: LocalSegment) -> Segment:
        first = wall_clock_reaches(day, local.from_minute, self.zone)
        last = wall_clock_reaches(day, local.to_minute, self.zone)
        return Segment(instant(first, self.zone), instant(last, self.zone))
