"""The working clock: adding, measuring and going back in working time, and counting working days."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import date, datetime, timedelta

from regulations.working_time.errors import NaiveInstant
from regulations.working_time.instants import EPOCH, ONE_DAY, ZERO, in_zone
from regulations.working_time.schedule import Schedule
from regulations.working_time.stretches import Stretch, working_stretches
from regulations.working_time.year_table import YearTable


class WorkingTime:
    """Arithmetic on the working clock of a schedule. Results are aware datetimes in the schedule's zone.

    Every method raises `NaiveInstant` for an instant without an offset, and `YearUnknown` when, and only when, the
    answer hangs on a year that the calendar lacks. Two results of a zone with daylight saving are to be compared in
    UTC, since Python compares datetimes of one zone by their wall clocks.
    """

    __slots__ = ("_tables", "schedule")

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._tables = schedule.tables

    def add(self, start_at: datetime, term: timedelta) -> datetime:
        """Return the earliest instant by which `term` of working time has passed since `start_at` (reading 3).

        A term that fills the day ends at closing time; a start outside working time counts from the next working
        instant; no term at all ends where it starts. A negative term is a ValueError.
        """
        try:
            since = start_at - EPOCH
        except TypeError:
            raise NaiveInstant(start_at) from None
        if term <= ZERO:
            return self._at_once(start_at, term)
        # A datetime of another zone may bear another year: the bounds of the table decide.
        table = self._tables.get(start_at.year)
        if table is None or not table.begins <= since < table.ends:
            table = self._table_of(start_at)
        number = bisect_right(table.closes, since)
        if number < len(table.opens):
            done = table.before[number] + term
            opens = table.opens[number]
            if since > opens:
                done += since - opens
            if done <= table.after[number]:
                return table.at(number, done - table.before[number])
        else:
            done = table.total + term
        return self._run_forward(table, start_at, done)

    def latest_before(self, due_at: datetime, term: timedelta) -> datetime:
        """Return the latest instant with at least `term` of working time left before `due_at` (reading 4).

        Before 18:00 by four hours, with lunch from 13:00 to 14:00, that is 14:00. No term: `due_at` itself.
        """
        if term <= ZERO:
            return self._at_once(due_at, term)
        table, done = self._position(due_at)
        year = self._year_of(due_at)
        done -= term
        while done < ZERO:
            year -= 1
            table = self.schedule.table(year)
            done += table.total
        number = bisect_right(table.before, done) - 1
        return table.at(number, done - table.before[number])

    def between(self, from_at: datetime, to_at: datetime) -> timedelta:
        """Return the working time from one instant to another; negative if the second is the earlier."""
        first_year, last_year = self._year_of(from_at), self._year_of(to_at)
        if first_year > last_year:
            return -self.between(to_at, from_at)
        spent = self._position(to_at)[1] - self._position(from_at)[1]
        return sum((self.schedule.table(year).total for year in range(first_year, last_year)), spent)

    def add_working_days(self, start_at: datetime, days: int) -> datetime:
        """Return the end of working hours of the nth working day after the local day of the start (reading 5).

        The day of the start is not counted, whether it is worked or not. `days` is 1 or more.
        """
        if days < 1:
            raise ValueError(f"число рабочих дней – от одного: {days}")
        today = in_zone(start_at, self.schedule.zone).date()
        year, left = today.year, days
        worked = self.schedule.table(year).working_days
        number = bisect_right(worked, today)
        while left > len(worked) - number:
            left -= len(worked) - number
            year, number = year + 1, 0
            worked = self.schedule.table(year).working_days
        return self.end_of_working_day(worked[number + left - 1])

    def end_of_working_day(self, day: date) -> datetime:
        """Return closing time of a working day; a day off is a ValueError."""
        segments = self.schedule.day(day).segments
        if not segments:
            raise ValueError(f"{day:%d.%m.%Y} – не рабочий день")
        return in_zone(segments[-1].to_at, self.schedule.zone)

    def last_working_day_on_or_before(self, day: date) -> datetime:
        """Return closing time of that day or, if it is a day off, of the last working day before (reading 15)."""
        while not self.schedule.day(day).segments:
            day -= ONE_DAY
        return self.end_of_working_day(day)

    def stretches(self, from_at: datetime, to_at: datetime) -> list[Stretch]:
        """Return everything between two instants, in order: what counted, and what was skipped and why."""
        return working_stretches(self.schedule, from_at, to_at)

    def _run_forward(self, table: YearTable, start_at: datetime, done: timedelta) -> datetime:
        if done > table.total:
            year = self._year_of(start_at)
            while done > table.total:
                done -= table.total
                year += 1
                table = self.schedule.table(year)
        # The first segment at whose end enough has passed: so a term that fills the day ends at closing time.
        number = bisect_left(table.after, done)
        return table.at(number, done - table.before[number])

    def _position(self, at: datetime) -> tuple[YearTable, timedelta]:
        """Return the table of an instant's local year, and the working time of that year that lies before it."""
        table = self._table_of(at)
        since = at - EPOCH
        number = bisect_right(table.closes, since)
        if number == len(table.opens):
            return table, table.total
        return table, table.before[number] + max(ZERO, since - table.opens[number])

    def _year_of(self, at: datetime) -> int:
        return in_zone(at, self.schedule.zone).year

    def _table_of(self, at: datetime) -> YearTable:
        return self.schedule.table(self._year_of(at))

    def _at_once(self, at: datetime, term: timedelta) -> datetime:
        if term < ZERO:
            raise ValueError(f"срок не может быть отрицательным: {term}")
        return in_zone(at, self.schedule.zone)
