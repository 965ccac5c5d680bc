"""The edge to the library `holidays`: the one place that makes a `CalendarYear` from it.

Where the library is wrong about a year, a correction stands in `CORRECTIONS` beside its basis; what it cannot know is
given as an amendment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.metadata import version

import holidays
from holidays.countries.russia import RussiaStaticHolidays

from regulations.working_time.calendar_year import (
    SATURDAY,
    CalendarYear,
    Holiday,
    TransferredDay,
    WorkingSaturday,
    is_public_holiday,
    lost_days_off,
    shortened_days,
)
from regulations.working_time.errors import YearUnknown

# One fixed language: without it the library's texts follow the machine's locale.
LANGUAGE = "ru"
# Articles 95 and 112 of the Labour Code read as they do now since 2013.
FIRST_YEAR = 2013


@dataclass(frozen=True)
class Correction:
    """What the library lacks of a year, and the act that says so."""

    transferred: tuple[TransferredDay, ...]
    working: tuple[WorkingSaturday, ...]
    basis: str


# 2014: the library forgets 10 March, off for Saturday 8 March by article 112, and lets 3 November be moved from Sunday
# 23 February. It was moved from Monday 24 February, a day off by article 112, which so became a working day with the
# hours of an eve. Without the two the norm would be 248 days and 1979 hours; it was 247 and 1970.
CORRECTIONS = {
    2014: Correction(
        transferred=(
            TransferredDay(date=date(2014, 3, 10), moved_from=date(2014, 3, 8)),
            TransferredDay(date=date(2014, 11, 3), moved_from=date(2014, 2, 24)),
        ),
        working=(WorkingSaturday(date=date(2014, 2, 24), traded_for=date(2014, 11, 3)),),
        basis="статья 112 ТК РФ, постановление Правительства РФ от 28.05.2013 № 444",
    )
}
_TRANSFER = re.compile(r"\(перенесено с (\d\d\.\d\d\.\d{4})\)")
_OBSERVED = " (выходной)"


def is_decreed(year: int) -> bool:
    """Tell whether the library knows the government's transfers of that year.

    For any later year it still lists the bare holidays, which looks like a calendar and is none. The government has
    moved days off in every year since 2013, so a year without a single transfer is one whose decree it has not seen.
    """
    return year >= FIRST_YEAR and year in RussiaStaticHolidays.special_public_holidays


def decreed_years() -> tuple[int, ...]:
    """Return the years that the installed library knows whole, in order."""
    return tuple(sorted(year for year in RussiaStaticHolidays.special_public_holidays if is_decreed(year)))


@cache
def library_year(year: int) -> CalendarYear:
    """Return the production calendar of a year; `YearUnknown` where the library has not seen its decree."""
    if not is_decreed(year):
        raise YearUnknown(year)
    days = holidays.country_holidays("RU", years=year, language=LANGUAGE)
    public = {day: name for day, name in sorted(days.items()) if is_public_holiday(day)}
    transferred, working = [], []
    for day, name in sorted(days.items()):
        if day in public:
            continue
        moved_from = _moved_from(day, name, public)
        transferred.append(TransferredDay(date=day, moved_from=moved_from))
        if moved_from in days.weekend_workdays:
            working.append(WorkingSaturday(date=moved_from, traded_for=day))
    if {entry.date for entry in working} != set(days.weekend_workdays):
        raise ValueError(f"библиотека holidays: в {year} году рабочая суббота без переноса")
    basis = f"библиотека holidays {version('holidays')}, RU"
    if correction := CORRECTIONS.get(year):
        corrected = {entry.date for entry in correction.transferred}
        transferred = [entry for entry in transferred if entry.date not in corrected] + [*correction.transferred]
        transferred.sort(key=lambda entry: entry.date)
        working += correction.working
        basis += f"; исправлено: {correction.basis}"
    else:
        _refuse_lost_days_off(public, transferred)
    working.sort(key=lambda entry: entry.date)
    return CalendarYear(
        year=year,
        holidays=tuple(Holiday(date=day, name=name) for day, name in public.items()),
        transferred=tuple(transferred),
        working_saturdays=tuple(working),
        short_days=shortened_days(year, transferred, working),
        basis=basis,
    )


def library_years() -> tuple[CalendarYear, ...]:
    """Return every year that the installed library knows whole, in order."""
    return tuple(library_year(year) for year in decreed_years())


def _refuse_lost_days_off(public: dict[date, str], transferred: list[TransferredDay]) -> None:
    if lost := lost_days_off(public, transferred):
        raise ValueError(f"библиотека holidays: выходной за {lost[0]:%d.%m.%Y} никуда не перенесён")


def _moved_from(day: date, name: str, public: dict[date, str]) -> date:
    """Return the weekend day that a day off was moved from; the library tells it in its text, and only there."""
    if match := _TRANSFER.search(name):
        return datetime.strptime(match[1], "%d.%m.%Y").date()  # noqa: DTZ007 – a date without a time
    if name.endswith(_OBSERVED):
        # Article 112: the next working day is off instead of the holiday that fell on a weekend.
        holiday = name.removesuffix(_OBSERVED)
        candidates = [at for at, text in public.items() if text == holiday and at < day and at.weekday() >= SATURDAY]
        if candidates:
            return max(candidates)
    raise ValueError(f"библиотека holidays: {day:%d.%m.%Y} – непонятный выходной «{name}»")
