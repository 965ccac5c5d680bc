"""The production calendar: what the years, the region and single decrees together say of a day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from regulations.working_time.calendar_year import (
    ONE_DAY,
    SATURDAY,
    CalendarYear,
    Kind,
    LocalDate,
    RegionalDay,
    is_public_holiday,
)
from regulations.working_time.errors import YearUnknown
from regulations.working_time.hours import DayHours
from regulations.working_time.wording import weekday_of

EVE = "сокращён на час (статья 95 ТК РФ): накануне нерабочего праздничного дня {:%d.%m}"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the calendar says of a day, before the weekly hours are asked.

    `decreed` is set where the day is worked even if its weekday usually is not; `as_on` is the day whose hours it has;
    `hours` replaces them; `why` is the reason in Russian, empty for a day like any other.
    """

    date: LocalDate
    kind: Kind
    why: str = ""
    as_on: LocalDate | None = None
    hours: float | DayHours | None = None
    decreed: bool = False


class _Year:
    """One year, indexed by day."""

    def __init__(self, year: CalendarYear) -> None:
        self.off = {entry.date: f"перенос выходного дня с {entry.moved_from:%d.%m.%Y}" for entry in year.transferred}
        self.off |= {entry.date: entry.name for entry in year.holidays}
        self.traded_for = {entry.date: entry.traded_for for entry in year.working_saturdays}
        self.short = frozenset(year.short_days)

    def is_short(self, day: date) -> bool:
        # The data speak of a five-day week; whoever works on Saturdays and Sundays has the same right on an eve.
        return day in self.short or (day.weekday() >= SATURDAY and is_public_holiday(day + ONE_DAY))

    def ruling(self, day: date) -> Ruling:
        if day in self.traded_for:
            traded_for = self.traded_for[day]
            why = f"рабочий день вместо {weekday_of(traded_for)} {traded_for:%d.%m.%Y}"
            short = day in self.short
            why += ", сокращён на час (статья 95 ТК РФ), как был бы и тот день" if short else ""
            return Ruling(day, "short" if short else "working", why, as_on=traded_for, decreed=True)
        if day in self.off:
            return Ruling(day, "off", self.off[day])
        if self.is_short(day):
            return Ruling(day, "short", EVE.format(day + ONE_DAY))
        return Ruling(day, "working")


class Calendar:
    """Years, regional days and single decrees, laid over one another. Immutable; later entries of a day win.

    A decree (`calendar_day`) wins over a regional day, that over the year. A day whose year nobody gave raises
    `YearUnknown`, unless an entry of its own already makes it a day off.
    """

    def __init__(
        self,
        years: Iterable[CalendarYear],
        regional_days: Iterable[RegionalDay] = (),
        overrides: Iterable[RegionalDay] = (),
    ) -> None:
        self._data = {year.year: year for year in years}
        self._years = {number: _Year(year) for number, year in self._data.items()}
        self._entries = {entry.date: entry for entry in (*regional_days, *overrides)}

    @property
    def years(self) -> Mapping[int, CalendarYear]:
        """The years given, by number."""
        return MappingProxyType(self._data)

    @property
    def entries(self) -> Mapping[date, RegionalDay]:
        """What is in force beside the years, by day."""
        return MappingProxyType(self._entries)

    def federal(self) -> Calendar:
        """Return the same years without anything regional, as the norm of working hours counts."""
        return Calendar(self._data.values())

    def require(self, year: int) -> None:
        """Raise `YearUnknown` if nobody gave that year."""
        if year not in self._years:
            raise YearUnknown(year)

    def ruling(self, day: date) -> Ruling:
        """Return what is in force for a local day; `YearUnknown` if that cannot be known."""
        entry = self._entries.get(day)
        if entry is not None and entry.kind == "off":
            return Ruling(day, "off", entry.why)
        self.require(day.year)
        if entry is not None:
            return Ruling(day, entry.kind, entry.why, as_on=entry.moved_from, hours=entry.hours, decreed=True)
        ruling = self._years[day.year].ruling(day)
        return self._shortened_by_the_region(ruling) if ruling.kind == "working" else ruling

    def _shortened_by_the_region(self, ruling: Ruling) -> Ruling:
        # A working Saturday has the hours of the day it was traded for, so that day's eve counts as well.
        for eve in filter(None, (ruling.date, ruling.as_on)):
            holiday = self._entries.get(eve + ONE_DAY)
            if holiday is not None and holiday.shortens:
                shorter = f"{EVE.format(holiday.date)} – {holiday.why}"
                why = "; ".join(filter(None, (ruling.why, shorter)))
                return Ruling(ruling.date, "short", why, as_on=ruling.as_on, decreed=ruling.decreed)
        return ruling
