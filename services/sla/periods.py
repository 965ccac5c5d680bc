"""Periods of reports: `2026-11`, `2026-Q4`; when they end, and which of them ended between two instants."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from regulations.working_time.instants import elapsed, in_zone, instant, wall_clock_reaches
from services.sla.instants import fixed

Length = Literal["month", "quarter"]
LENGTHS: tuple[Length, ...] = ("month", "quarter")


def following_month(period: str) -> date:
    """The first day after the period: `2026-11` → 1.12.2026, `2026-Q4` → 1.1.2027. ValueError on any other text."""
    year, _, part = period.partition("-")
    last = int(part[1:]) * 3 if part.startswith("Q") else int(part)
    return date(int(year) + last // 12, last % 12 + 1, 1)


def name(length: Length, day: date) -> str:
    """The period that a day lies in."""
    return f"{day.year}-Q{(day.month - 1) // 3 + 1}" if length == "quarter" else f"{day:%Y-%m}"


def ends_at(period: str, zone: ZoneInfo) -> datetime:
    """The first instant after the period, at the authority's midnight."""
    return fixed(instant(wall_clock_reaches(following_month(period), 0, zone), zone))


def ended(length: Length, zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[str]:
    """Periods that ended after the one instant and not after the other, in order."""
    period = name(length, in_zone(after, zone).date())
    while elapsed(ends_at(period, zone)) <= elapsed(until):
        yield period
        period = name(length, following_month(period))
