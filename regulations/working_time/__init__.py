"""Working time: an algebra of intervals over an authority's hours and Russia's production calendar. Pure.

The one edge, to the library `holidays`, is `regulations.working_time.library_years`; it is not imported from here.
"""

from regulations.working_time.calendar_year import (
    PUBLIC_HOLIDAYS,
    CalendarYear,
    Holiday,
    Kind,
    RegionalDay,
    TransferredDay,
    WorkingSaturday,
    is_public_holiday,
    shortened_days,
)
from regulations.working_time.errors import BadHours, NaiveInstant, NoWorkingTime, WorkingTimeError, YearUnknown
from regulations.working_time.hours import FORTY_HOUR_WEEK, DayHours, Hours, HoursEntry
from regulations.working_time.plain_time import PlainTime
from regulations.working_time.production_calendar import Calendar, Ruling
from regulations.working_time.schedule import Day, Schedule
from regulations.working_time.segment import LocalSegment, Segment
from regulations.working_time.stretches import Stretch
from regulations.working_time.working_time import WorkingTime
from regulations.working_time.year_summary import YearSummary, year_summary

__all__ = [
    "FORTY_HOUR_WEEK",
    "PUBLIC_HOLIDAYS",
    "BadHours",
    "Calendar",
    "CalendarYear",
    "Day",
    "DayHours",
    "Holiday",
    "Hours",
    "HoursEntry",
    "Kind",
    "LocalSegment",
    "NaiveInstant",
    "NoWorkingTime",
    "PlainTime",
    "RegionalDay",
    "Ruling",
    "Schedule",
    "Segment",
    "Stretch",
    "TransferredDay",
    "WorkingSaturday",
    "WorkingTime",
    "WorkingTimeError",
    "YearSummary",
    "YearUnknown",
    "is_public_holiday",
    "shortened_days",
    "year_summary",
]
