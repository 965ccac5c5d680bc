"""Instants and wall clocks: the only place that turns one into the other.

Two aware datetimes of one `ZoneInfo` are compared and subtracted by Python as wall-clock readings, which is wrong by
an hour around a change of clocks. So all arithmetic here is done on the time elapsed since the epoch.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from regulations.working_time.errors import NaiveInstant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZERO = timedelta(0)
ONE_DAY = timedelta(days=1)
ONE_SECOND = timedelta(seconds=1)


def elapsed(at: datetime) -> timedelta:
    """Return the real time from the epoch to an instant, exact to the microsecond; a naive one is `NaiveInstant`."""
    try:
        return at - EPOCH
    except TypeError:
        raise NaiveInstant(at) from None


def instant(since_epoch: timedelta, zone: ZoneInfo) -> datetime:
    """Return the instant that long after the epoch, as the wall clock of `zone` shows it."""
    return (EPOCH + since_epoch).astimezone(zone)


def in_zone(at: datetime, zone: ZoneInfo) -> datetime:
    """Return the same instant on the wall clock of `zone`; a naive one is `NaiveInstant`."""
    return instant(elapsed(at), zone)


def wall_clock_reaches(day: date, minute: int, zone: ZoneInfo) -> timedelta:
    """Return the first instant (since the epoch) at which the clock of `zone` shows this minute of the day or later.

    One rule serves both changes of clocks: a time that is skipped is reached when the clock jumps over it, a time that
    comes twice is reached the first time. It never runs backwards, so segments never overlap.
    """
    local = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001 – a wall-clock reading
    reached = elapsed(local.replace(tzinfo=zone))
    if instant(reached, zone).replace(tzinfo=None, fold=0) == local:
        return reached
    # The reading is skipped: the jump lies between the readings by the offset after it and by the offset before it.
    before, after = elapsed(local.replace(tzinfo=zone, fold=1)), reached
    while after - before > ONE_SECOND:
        middle = before + timedelta(seconds=(after - before) // ONE_SECOND // 2)
        if instant(middle, zone).replace(tzinfo=None) >= local:
            after = middle
        else:
            before = middle
    return after
