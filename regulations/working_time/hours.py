"""The weekly hours of an authority: which parts of which weekdays it works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from regulations.working_time.errors import BadHours
from regulations.working_time.segment import LocalSegment, read_minute, write_minute

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

TimeOfDay = Annotated[str, AfterValidator(lambda text: write_minute(read_minute(text)))]


class Span(BaseModel):
    """From one local time to another on the same day, as data: `{from = "13:00", to = "14:00"}`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    from_: TimeOfDay = Field(alias="from")
    to: TimeOfDay

    @property
    def segment(self) -> LocalSegment:
        """The span in minutes of the day."""
        return LocalSegment(read_minute(self.from_), read_minute(self.to))


class DayHours(Span):
    """The hours of one day, with its lunch: `{from = "09:00", to = "18:00", lunch = {from = "13:00", to = "14:00"}}`."""

    lunch: Span | None = None

    @model_validator(mode="after")
    def _lunch_lies_inside(self) -> DayHours:
        if self.lunch is not None and self.segment.intersect(self.lunch.segment) != self.lunch.segment:
            raise BadHours(f"обед {self.lunch.segment.label} выходит за рабочий день {self.segment.label}")
        if not self.segments:
            raise BadHours("обед занимает весь рабочий день")
        return self

    @property
    def segments(self) -> tuple[LocalSegment, ...]:
        """The working parts of the day, in order."""
        return self.segment.subtract(self.lunch.segment) if self.lunch else (self.segment,)


class HoursEntry(DayHours):
    """The same hours on some weekdays: `days` is `mon-fri`, `sat`, `mon,wed-fri`, or a list of such."""

    days: str

    @model_validator(mode="before")
    @classmethod
    def _days_may_be_a_list(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("days"), list | tuple):
            return {**data, "days": ",".join(str(day) for day in data["days"])}
        return data

    @model_validator(mode="after")
    def _days_are_known(self) -> HoursEntry:
        _ = self.weekdays
        return self

    @property
    def weekdays(self) -> tuple[int, ...]:
        """Numbers of the weekdays, Monday is 0."""
        numbers: list[int] = []
        for part in self.days.lower().replace(" ", "").split(","):
            first, dash, last = part.partition("-")
            if first not in WEEKDAYS or (dash and last not in WEEKDAYS):
                raise BadHours(f"дни недели пишутся как mon-fri или mon,sat; получено: {self.days!r}")
            low, high = WEEKDAYS.index(first), WEEKDAYS.index(last if dash else first)
            if low > high:
                raise BadHours(f"дни недели идут с понедельника: {part!r}")
            numbers.extend(range(low, high + 1))
        return tuple(numbers)


class Hours(BaseModel):
    """Weekly hours. JSON-serialisable, so that an amendment `hours` carries them on the log.

    Several entries may speak of one weekday (two shifts), but not of the same minute. Errors are pydantic's
    `ValidationError` with Russian texts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    entries: tuple[HoursEntry, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _one_entry_or_several(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "entries" not in data:
            return {"entries": (data,)}
        if isinstance(data, Sequence) and not isinstance(data, str):
            return {"entries": tuple(data)}
        return data

    @model_validator(mode="after")
    def _no_minute_twice(self) -> Hours:
        for segments in self.week():
            for earlier, later in pairwise(segments):
                if earlier.intersect(later):
                    raise BadHours(f"часы пересекаются: {earlier.label} и {later.label}")
        return self

    @classmethod
    def parse(cls, data: object) -> Hours:
        """Read one entry, a list of entries, or `{entries = […]}`, as the authority's file or an amendment gives it."""
        return cls.model_validate(data)

    def week(self) -> tuple[tuple[LocalSegment, ...], ...]:
        """Return the working parts of each weekday, Monday first, in order."""
        days: list[list[LocalSegment]] = [[] for _ in WEEKDAYS]
        for entry in self.entries:
            for weekday in set(entry.weekdays):
                days[weekday].extend(entry.segments)
        return tuple(tuple(sorted(segments)) for segments in days)


# The default shipped for all five authorities (regulations.md, "Working calendar"), and the week of the norm.
FORTY_HOUR_WEEK = Hours.parse(
    {"days": "mon-fri", "from": "09:00", "to": "18:00", "lunch": {"from": "13:00", "to": "14:00"}}
)
