"""What working time refuses to answer."""

from __future__ import annotations


class WorkingTimeError(Exception):
    """Base of the refusals of this room; the text is in Russian, since it reaches the operator."""


class YearUnknown(WorkingTimeError):
    """A production calendar that nobody gave is needed (regulations.md, "Working calendar").

    The caller raises an alarm and refuses: a guessed year would be a wrong deadline.
    """

    def __init__(self, year: int) -> None:
        self.year = year
        super().__init__(f"производственный календарь на {year} год не задан")


class NaiveInstant(WorkingTimeError, TypeError):
    """An instant without an offset came in; only aware datetimes name an instant."""

    def __init__(self, value: object) -> None:
        super().__init__(f"нужен момент времени со смещением (RFC 3339), получено: {value!r}")


class BadHours(WorkingTimeError, ValueError):
    """Working hours that contradict themselves."""


class NoWorkingTime(WorkingTimeError):
    """A whole year of the schedule has no working time, so no term could ever end."""

    def __init__(self, year: int) -> None:
        super().__init__(f"в {year} году по этому распорядку нет ни одного рабочего часа")
