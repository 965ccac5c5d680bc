"""A year of the production calendar as a file of the law says it: `calendar/2028.toml`, for a year that the library `holidays`
does not know yet. Only what is decreed stands there; what the Labour Code says of every year is worked out."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from regulations.working_time.calendar_year import (
    HOLIDAYS,
    CalendarYear,
    Holiday,
    LocalDate,
    TransferredDay,
    WorkingSaturday,
    is_public_holiday,
    lost_days_off,
    shortened_days,
)
from regulations.wrong import wrong


class YearFile(BaseModel):
    """`transferred`: every day off that lies elsewhere, by the government's decree or by article 112 of the Labour Code.

    A weekend day that a day off was moved from is worked, unless it is a public holiday itself. `basis`: the decree.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    year: int = Field(ge=2013, le=2200)
    transferred: tuple[TransferredDay, ...] = Field(min_length=1)
    basis: str = Field(min_length=1, pattern=r"\S")

    @model_validator(mode="after")
    def _is_a_whole_year(self) -> YearFile:
        lost = lost_days_off((LocalDate(self.year, *day) for day in HOLIDAYS), self.transferred)
        if lost:
            raise ValueError(f"выходной за {lost[0]:%d.%m.%Y} никуда не перенесён (статья 112 ТК РФ)")
        try:
            self.whole()
        except ValidationError as error:
            raise ValueError("; ".join(fault.detail for fault in wrong(error))) from None
        return self

    def whole(self) -> CalendarYear:
        """The year with its public holidays, working weekend days and short days."""
        working = tuple(
            WorkingSaturday(date=entry.moved_from, traded_for=entry.date)
            for entry in sorted(self.transferred, key=lambda entry: entry.moved_from)
            if not is_public_holiday(entry.moved_from)
        )
        transferred = tuple(sorted(self.transferred, key=lambda entry: entry.date))
        said: dict[str, Any] = {
            "year": self.year,
            "holidays": tuple(Holiday(date=LocalDate(self.year, *day), name=name) for day, name in HOLIDAYS.items()),
            "transferred": transferred,
            "working_saturdays": working,
            "short_days": shortened_days(self.year, transferred, working),
            "basis": self.basis,
        }
        return CalendarYear.model_validate(said)
