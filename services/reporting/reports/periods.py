"""Periods: a month or a quarter of an authority's own zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from schemas.outcomes import Fault
from services.runtime import problems

_FORM = re.compile(r"^(?P<year>\d{4})-(?:(?P<month>0[1-9]|1[0-2])|Q(?P<quarter>[1-4]))$")
MONTHS = ("январь", "февраль", "март", "апрель", "май", "июнь", "июль", "август", "сентябрь", "октябрь", "ноябрь", "декабрь")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Period:
    """`2026-11` or `2026-Q4`: local days from `first` up to, and not with, `after`."""

    name: str
    first: date
    after: date

    def bounds(self, zone: str) -> tuple[datetime, datetime]:
        """The instants at which it begins and ends in that zone (IANA name)."""
        here = ZoneInfo(zone)
        return (
            datetime(self.first.year, self.first.month, 1, tzinfo=here),
            datetime(self.after.year, self.after.month, 1, tzinfo=here),
        )

    @property
    def months(self) -> int:
        return (self.after.year - self.first.year) * 12 + self.after.month - self.first.month

    def previous(self) -> Period:
        """The period of the same length just before."""
        return _starting(_months_on(self.first, -self.months), self.months)

    def following(self) -> Period:
        return _starting(self.after, self.months)

    def in_words(self) -> str:
        """«ноябрь 2026 года», «IV квартал 2026 года»."""
        if self.months == 1:
            return f"{MONTHS[self.first.month - 1]} {self.first.year} года"
        return f"{('I', 'II', 'III', 'IV')[self.first.month // 3]} квартал {self.first.year} года"


def parse(name: str) -> Period:
    """Raises ProblemError 422 on anything but `2026-11` and `2026-Q4`."""
    found = _FORM.match(name)
    year = int(found["year"]) if found else 0
    if found is None or not 1970 <= year <= 9000:
        raise problems.invalid([Fault(pointer="/path/period", detail="нужен месяц (2026-11) или квартал (2026-Q4)")])
    if found["month"]:
        return _starting(date(year, int(found["month"]), 1), 1)
    return _starting(date(year, int(found["quarter"]) * 3 - 2, 1), 3)


def containing(day: date, months: int) -> Period:
    """The month (1) or the quarter (3) of a local day."""
    month = day.month if months == 1 else (day.month - 1) // 3 * 3 + 1
    return _starting(date(day.year, month, 1), months)


def _starting(first: date, months: int) -> Period:
    name = f"{first:%Y-%m}" if months == 1 else f"{first.year}-Q{first.month // 3 + 1}"
    return Period(name, first, _months_on(first, months))


def _months_on(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)
