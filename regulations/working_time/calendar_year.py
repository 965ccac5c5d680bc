"""One year of Russia's production calendar, and what a region adds to it: plain frozen data.

Both are JSON-serialisable, so that they travel as amendments on the log; where a year comes from is not their concern.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Annotated, Literal, TypeAlias

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from regulations.working_time.hours import DayHours

# Models with a field `date` cannot name the type so.
LocalDate: TypeAlias = date
Kind = Literal["off", "short", "working"]
SATURDAY = 5
ONE_DAY = timedelta(days=1)

# Labour Code, article 112: 1–8 January, 23 February, 8 March, 1 and 9 May, 12 June, 4 November. Month and day.
HOLIDAYS: dict[tuple[int, int], str] = {
    **{(1, day): "Рождество Христово" if day == 7 else "Новогодние каникулы" for day in range(1, 9)},
    (2, 23): "День защитника Отечества",
    (3, 8): "Международный женский день",
    (5, 1): "Праздник Весны и Труда",
    (5, 9): "День Победы",
    (6, 12): "День России",
    (11, 4): "День народного единства",
}
PUBLIC_HOLIDAYS = frozenset(HOLIDAYS)


def is_public_holiday(day: date) -> bool:
    """Tell whether the day is a public holiday itself (Labour Code, art. 112), not a day off moved there."""
    return (day.month, day.day) in PUBLIC_HOLIDAYS


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Holiday(_Data):
    """A public holiday and its name."""

    date: LocalDate
    name: str = Field(min_length=1)


class TransferredDay(_Data):
    """A day off moved here from a weekend, by the government or by article 112 itself."""

    date: LocalDate
    moved_from: LocalDate


class WorkingSaturday(_Data):
    """A weekend day (as a rule a Saturday) that is worked, for the day off `traded_for`."""

    date: LocalDate
    traded_for: LocalDate


class CalendarYear(_Data):
    """What one year of the production calendar decrees for a five-day week. Saturdays and Sundays go without saying.

    `basis` says where it was read: the decree, or the library and its version.
    """

    year: int = Field(ge=2013, le=2200)
    holidays: tuple[Holiday, ...] = Field(min_length=1)
    transferred: tuple[TransferredDay, ...] = ()
    working_saturdays: tuple[WorkingSaturday, ...] = ()
    short_days: tuple[date, ...] = ()
    basis: str = Field(min_length=1)

    @model_validator(mode="after")
    def _is_of_one_mind(self) -> CalendarYear:
        off = [*(entry.date for entry in self.holidays), *(entry.date for entry in self.transferred)]
        worked = [entry.date for entry in self.working_saturdays]
        for day in (*off, *worked, *self.short_days):
            if day.year != self.year:
                raise ValueError(f"{day:%d.%m.%Y} – не {self.year} год")
        if len(set(off)) != len(off) or len(set(worked)) != len(worked):
            raise ValueError("один день назван дважды")
        for day in (*worked, *self.short_days):
            if day in off:
                raise ValueError(f"{day:%d.%m.%Y} назван и выходным, и рабочим")
        return self


def shortened_days(
    year: int, transferred: Iterable[TransferredDay], working_saturdays: Iterable[WorkingSaturday]
) -> tuple[date, ...]:
    """Return the working days of a five-day week that are an hour shorter (Labour Code, art. 95), in order.

    It is the day right before a public holiday itself, not before a transferred day off. A working Saturday has the
    hours of the day it was traded for: it is short if that day would have been (or if it stands before a holiday).
    """
    off = {entry.date for entry in transferred}
    short = set()
    day = date(year, 1, 1)
    while day.year == year:
        is_worked = day.weekday() < SATURDAY and day not in off and not is_public_holiday(day)
        if is_worked and is_public_holiday(day + ONE_DAY):
            short.add(day)
        day += ONE_DAY
    for saturday in working_saturdays:
        if is_public_holiday(saturday.traded_for + ONE_DAY) or is_public_holiday(saturday.date + ONE_DAY):
            short.add(saturday.date)
    return tuple(sorted(short))


def lost_days_off(public: Iterable[date], transferred: Iterable[TransferredDay]) -> list[date]:
    """Return the holidays on a weekend whose day off was moved nowhere, against article 112 (1–8 January may be)."""
    moved = {entry.moved_from for entry in transferred}
    return [day for day in public if day.weekday() >= SATURDAY and (day.month, day.day) > (1, 8) and day not in moved]


class RegionalDay(_Data):
    """What an authority's own calendar says of one day: a regional holiday, or an amendment `calendar_day`.

    `hours` is the length in hours of a `short` or `working` day, or its hours in full; without it a short day is one
    hour shorter and a working one has the hours of its weekday (of `moved_from`, where given). A regional holiday
    shortens the working day before it (Labour Code, art. 95) unless the entry says no; a moved day never does
    unless it says so.
    """

    date: LocalDate
    kind: Kind = "off"
    basis: str = Field(min_length=1)
    name: str | None = None
    issued: LocalDate | None = None
    moved_from: Annotated[LocalDate | None, Field(validation_alias=AliasChoices("moved_from", "moved"))] = None
    shortens_eve: bool | None = None
    hours: Annotated[float, Field(gt=0, le=24)] | DayHours | None = None

    @model_validator(mode="after")
    def _a_day_off_has_no_hours(self) -> RegionalDay:
        if self.kind == "off" and self.hours is not None:
            raise ValueError("у выходного дня нет рабочих часов")
        return self

    @property
    def shortens(self) -> bool:
        """Whether the working day before it is an hour shorter."""
        if self.kind != "off":
            return False
        return self.moved_from is None if self.shortens_eve is None else self.shortens_eve

    @property
    def why(self) -> str:
        """The reason, in Russian, with its basis."""
        if self.kind != "off":
            return f"{self.name or 'особый режим дня'} ({self.basis})"
        if self.moved_from is not None:
            return f"перенос выходного дня с {self.moved_from:%d.%m.%Y} ({self.basis})"
        return f"{self.name or 'нерабочий день в регионе'} ({self.basis})"
