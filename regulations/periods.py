"""Periods of reports, and which act judges one: `2026-11`, `2026-Q4`; local days of the authority's own zone. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from regulations.in_force import Directory
from regulations.model import Act, Length
from regulations.working_time.instants import ONE_DAY, elapsed, in_zone, instant, wall_clock_reaches
from schemas.commands import Report

_FORM = re.compile(r"(?P<year>[0-9]{4})-(?:(?P<month>0[1-9]|1[0-2])|Q(?P<quarter>[1-4]))")
_YEARS = range(1970, 9001)
"""Far from where `date` itself ends."""
MONTHS = ("январь", "февраль", "март", "апрель", "май", "июнь", "июль", "август", "сентябрь", "октябрь", "ноябрь", "декабрь")  # fmt: skip
LENGTHS: dict[Length, int] = {"month": 1, "quarter": 3}
"""How many months each has."""


@dataclass(frozen=True, slots=True)
class Period:
    """A month or a quarter: local days from `first` up to, and not with, `after`."""

    length: Length
    first: date

    @classmethod
    def parse(cls, name: str) -> Period:
        """`2026-11` or `2026-Q4`; ValueError on anything else, and on years before 1970 or after 9000."""
        found = _FORM.fullmatch(name)
        if found is None or int(found["year"]) not in _YEARS:
            raise ValueError("нужен месяц (2026-11) или квартал (2026-Q4)")
        month = int(found["month"] or int(found["quarter"]) * 3 - 2)
        return cls("month" if found["month"] else "quarter", date(int(found["year"]), month, 1))

    @classmethod
    def containing(cls, day: date, length: Length) -> Period:
        """The month or the quarter that a local day lies in."""
        months = LENGTHS[length]
        return cls(length, date(day.year, (day.month - 1) // months * months + 1, 1))

    @property
    def name(self) -> str:
        """As it stands in the contract."""
        return f"{self.first:%Y-%m}" if self.length == "month" else f"{self.first.year}-Q{self.first.month // 3 + 1}"

    @property
    def after(self) -> date:
        return _months_on(self.first, LENGTHS[self.length])

    @property
    def last(self) -> date:
        """Its last local day."""
        return self.after - ONE_DAY

    def begins_at(self, zone: ZoneInfo) -> datetime:
        """Its first instant, at the midnight of `zone`."""
        return instant(wall_clock_reaches(self.first, 0, zone), zone)

    def ends_at(self, zone: ZoneInfo) -> datetime:
        """The first instant after it, at the midnight of `zone`."""
        return instant(wall_clock_reaches(self.after, 0, zone), zone)

    def bounds(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Both."""
        return self.begins_at(zone), self.ends_at(zone)

    def previous(self) -> Period:
        """The period of the same length just before."""
        return Period(self.length, _months_on(self.first, -LENGTHS[self.length]))

    def following(self) -> Period:
        """The period of the same length just after."""
        return Period(self.length, self.after)

    def in_words(self) -> str:
        """«ноябрь 2026 года», «IV квартал 2026 года»."""
        if self.length == "month":
            return f"{MONTHS[self.first.month - 1]} {self.first.year} года"
        return f"{('I', 'II', 'III', 'IV')[self.first.month // 3]} квартал {self.first.year} года"


def ended(length: Length, zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[Period]:
    """Periods that ended after the one instant and not after the other, in order."""
    period = Period.containing(in_zone(after, zone).date(), length)
    while elapsed(period.ends_at(zone)) <= elapsed(until):
        yield period
        period = period.following()


def act_of_period(directory: Directory, period: Period) -> Act:
    """The act that judges the reports of a period, whenever somebody asks: of those that the log had when the period ended,
    the one in force on its last local day. What begins or comes later judges later periods. Raises `NotInForce`."""
    return directory.act(*law_of_period(directory, period))


def law_of_period(directory: Directory, period: Period) -> tuple[int, str]:
    """The last amendment that counted when the period ended, and the id of the act that judges it; for a period that ended
    before any law came, the amendment that brought it, so that it has a law too. Raises `NotInForce`."""
    end = elapsed(period.ends_at(directory.zone))
    known = max((note.number for note in directory.amendments if elapsed(note.time) < end), default=0)
    number = max(known, directory.judges_since.number)
    return number, directory.regulation_on(period.last, number)


def length_of(act: Act, report: Report) -> Length:
    """Of which periods the act has that report; where it knows no rating, those of the summary."""
    return act.summary.period if report == "summary" or act.rating is None else act.rating.period


def _months_on(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)
