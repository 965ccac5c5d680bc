"""What a deadline is judged by: the act of the message's own registration, and the calendar that is in force today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from regulations.directory import Directory
from regulations.model import Act
from regulations.periods import Period, law_of_period
from regulations.working_time.plain_time import PlainTime
from regulations.working_time.schedule import Schedule
from regulations.working_time.working_time import WorkingTime
from services.sla.instants import local


@dataclass(frozen=True, slots=True)
class Law:
    """`number` is that of the amendment under which the message was registered: newer acts judge only newer messages."""

    directory: Directory
    number: int
    act: Act
    schedule: Schedule
    working: WorkingTime
    plain: PlainTime

    @classmethod
    def of(cls, directory: Directory, number: int, regulation: str | None = None) -> Law:
        """Raises `NotInForce` where the directory has no such act as of that number."""
        schedule = directory.working_schedule
        return cls(
            directory=directory,
            number=number,
            act=directory.act(number, regulation),
            schedule=schedule,
            working=WorkingTime(schedule),
            plain=PlainTime(schedule),
        )

    @classmethod
    def of_period(cls, directory: Directory, period: Period) -> Law:
        """What the deadlines of a period's report are judged by, whenever they begin. Raises `NotInForce`."""
        return cls.of(directory, *law_of_period(directory, period))

    def local(self, at: datetime) -> datetime:
        """The instant with the authority's own offset."""
        return local(at, self.schedule.zone)

    def judged_by(self, first: datetime, last: datetime, *, by_calendar: bool) -> tuple[int, ...]:
        """Numbers of the amendments that a term between two instants hangs on: the act's, and those of its days."""
        numbers = {self.number}
        if by_calendar:
            days = sorted((self.local(first).date(), self.local(last).date()))
            numbers.update(self.directory.calendar_amendments_of(days[0], days[1]))
        return tuple(sorted(numbers))


class Laws:
    """Remembers the last laws of each authority: a directory is frozen, and thousands of messages share one."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, str | None], Law] = {}

    def of(self, directory: Directory, number: int, regulation: str | None) -> Law:
        key = (directory.id, number, regulation)
        known = self._known.get(key)
        if known is None or known.directory is not directory:
            if len(self._known) > 500:
                self._known.clear()
            known = self._known[key] = Law.of(directory, number, regulation)
        return known
