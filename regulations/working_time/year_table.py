"""The working time of one local year as prefix sums, so that adding and measuring are searches, not walks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from regulations.working_time.instants import ZERO, elapsed, instant
from regulations.working_time.segment import Segment


class YearTable:
    """One year: all instants and sums are timedeltas, since the epoch and since the year's first opening.

    A timedelta is an exact count of microseconds that compares and adds as fast as an int, and turns into a datetime
    without a division; that is why it stands here in place of epoch integers.
    """

    __slots__ = ("_opens_at", "_zone", "after", "before", "begins", "closes", "ends", "opens", "segments", "total",
                 "working_days")  # fmt: skip

    def __init__(
        self,
        *,
        zone: ZoneInfo,
        begins: timedelta,
        ends: timedelta,
        segments: Sequence[Segment],
        working_days: Sequence[date],
    ) -> None:
        self._zone = zone
        self.begins, self.ends = begins, ends
        self.segments, self.working_days = segments, working_days
        self.opens = [elapsed(segment.from_at) for segment in segments]
        self.closes = [elapsed(segment.to_at) for segment in segments]
        self.after = list(accumulate(segment.duration for segment in segments))
        self.before = [ZERO, *self.after[:-1]]
        self.total = self.after[-1] if segments else ZERO
        self._opens_at = [_steady_opening(segment, zone) for segment in segments]

    def at(self, number: int, into: timedelta) -> datetime:
        """Return the instant that long after the opening of a segment, on the wall clock of the zone."""
        opens_at = self._opens_at[number]
        if opens_at is not None:
            return opens_at + into
        return instant(self.opens[number] + into, self._zone)


def _steady_opening(segment: Segment, zone: ZoneInfo) -> datetime | None:
    """Return the local opening, if the wall clock runs evenly until closing, so that plain addition is right."""
    opens, closes = (at.astimezone(zone) for at in (segment.from_at, segment.to_at))
    return opens if opens.utcoffset() == closes.utcoffset() else None
