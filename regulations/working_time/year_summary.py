"""A year of an authority's calendar in figures: the data of `GET /v1/calendars/{authority}/{year}`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import TypedDict

from regulations.working_time.hours import FORTY_HOUR_WEEK
from regulations.working_time.schedule import Day, Schedule


class DayFigures(TypedDict):
    """A day; `hours` are hours of work by the wall clock."""

    date: str
    kind: str
    hours: int | float


class MonthFigures(TypedDict):
    """A month, 1 to 12."""

    month: int
    working_days: int
    hours: int | float


class Norm(TypedDict):
    """A 40-hour five-day week without regional days: 8 hours a day, 7 on a shortened one (Labour Code, 95 and 112)."""

    working_days: int
    hours: int | float
    months: list[MonthFigures]


class YearSummary(TypedDict):
    """The whole answer; JSON-ready."""

    authority: str
    year: int
    days: list[DayFigures]
    months: list[MonthFigures]
    working_days: int
    hours: int | float
    norm: Norm


def year_summary(authority: str, schedule: Schedule, year: int) -> YearSummary:
    """Return every day, month and the year, beside the norm of working hours; `YearUnknown` if nobody gave the year."""
    schedule.calendar.require(year)
    days = _days(schedule, year)
    # The norm has a week of its own, whatever the authority's hours; the zone does not matter to wall-clock hours.
    norm = _days(Schedule("UTC", FORTY_HOUR_WEEK, schedule.calendar.federal()), year)
    return YearSummary(
        authority=authority,
        year=year,
        days=[DayFigures(date=day.date.isoformat(), kind=day.kind, hours=_hours((day,))) for day in days],
        months=_months(days),
        working_days=_working_days(days),
        hours=_hours(days),
        norm=Norm(working_days=_working_days(norm), hours=_hours(norm), months=_months(norm)),
    )


def _days(schedule: Schedule, year: int) -> list[Day]:
    first = date(year, 1, 1)
    return [schedule.day(first + timedelta(days=number)) for number in range((date(year + 1, 1, 1) - first).days)]


def _months(days: Iterable[Day]) -> list[MonthFigures]:
    by_month: dict[int, list[Day]] = {}
    for day in days:
        by_month.setdefault(day.date.month, []).append(day)
    return [
        MonthFigures(month=month, working_days=_working_days(found), hours=_hours(found))
        for month, found in by_month.items()
    ]


def _working_days(days: Iterable[Day]) -> int:
    return sum(1 for day in days if day.kind != "off")


def _hours(days: Iterable[Day]) -> int | float:
    minutes = sum(day.working_minutes for day in days)
    return minutes // 60 if minutes % 60 == 0 else round(minutes / 60, 2)
