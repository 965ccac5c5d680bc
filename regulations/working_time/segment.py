"""Half-open intervals: of minutes of a local day, and of instants. All of working time is built from these two."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from regulations.working_time.errors import BadHours
from regulations.working_time.instants import elapsed

MINUTES_A_DAY = 24 * 60


@dataclass(frozen=True, slots=True, order=True)
class LocalSegment:
    """From one minute of the local day up to, not including, another; 24:00 is minute 1440."""

    from_minute: int
    to_minute: int

    def __post_init__(self) -> None:
        if not 0 <= self.from_minute < self.to_minute <= MINUTES_A_DAY:
            raise BadHours(f"отрезок дня должен идти вперёд и в пределах суток: {self.label}")

    @property
    def minutes(self) -> int:
        """Length in minutes of the wall clock."""
        return self.to_minute - self.from_minute

    @property
    def label(self) -> str:
        """The segment as people write it: `09:00–13:00`."""
        return f"{write_minute(self.from_minute)}–{write_minute(self.to_minute)}"

    def intersect(self, other: LocalSegment) -> LocalSegment | None:
        """Return the common part, or None."""
        first, last = max(self.from_minute, other.from_minute), min(self.to_minute, other.to_minute)
        return LocalSegment(first, last) if first < last else None

    def subtract(self, other: LocalSegment) -> tuple[LocalSegment, ...]:
        """Return what is left of this segment without the other: none, one or two parts, in order."""
        parts = ((self.from_minute, min(self.to_minute, other.from_minute)),
                 (max(self.from_minute, other.to_minute), self.to_minute))  # fmt: skip
        return tuple(LocalSegment(first, last) for first, last in parts if first < last)


@dataclass(frozen=True, slots=True)
class Segment:
    """From one instant up to, not including, another. Kept in UTC, where comparing and subtracting are exact."""

    from_at: datetime
    to_at: datetime

    def __post_init__(self) -> None:
        for name in ("from_at", "to_at"):
            at = getattr(self, name)
            elapsed(at)  # A naive instant is refused here.
            object.__setattr__(self, name, at.astimezone(UTC))
        if self.from_at > self.to_at:
            raise ValueError(f"отрезок времени идёт назад: {self.from_at} – {self.to_at}")

    @property
    def duration(self) -> timedelta:
        """Real time between the ends."""
        return self.to_at - self.from_at

    def __contains__(self, at: datetime) -> bool:
        return self.from_at <= at < self.to_at

    def intersect(self, other: Self) -> Segment | None:
        """Return the common part, or None."""
        first, last = max(self.from_at, other.from_at), min(self.to_at, other.to_at)
        return Segment(first, last) if first < last else None

    def subtract(self, other: Self) -> tuple[Segment, ...]:
        """Return what is left of this segment without the other: none, one or two parts, in order."""
        parts = ((self.from_at, min(self.to_at, other.from_at)), (max(self.from_at, other.to_at), self.to_at))
        return tuple(Segment(first, last) for first, last in parts if first < last)


def minutes_of(segments: Iterable[LocalSegment]) -> int:
    """Return the length of segments together, in minutes of the wall clock."""
    return sum(segment.minutes for segment in segments)


def resize(segments: tuple[LocalSegment, ...], minutes: int) -> tuple[LocalSegment, ...]:
    """Return a day of that many minutes: it is cut, or its last segment drawn out, at its end."""
    kept: list[LocalSegment] = []
    for segment in segments:
        if minutes <= 0:
            break
        length = min(segment.minutes, minutes)
        kept.append(LocalSegment(segment.from_minute, segment.from_minute + length))
        minutes -= length
    if minutes > 0 and kept:
        kept[-1] = LocalSegment(kept[-1].from_minute, kept[-1].to_minute + minutes)
    return tuple(kept)


def read_minute(text: str) -> int:
    """Return the minute of the day of `9:00`, `09:00` or `24:00`; anything else is `BadHours`."""
    hour, colon, minute = text.strip().partition(":")
    if not colon or not hour.isdecimal() or not minute.isdecimal() or len(minute) != 2 or int(minute) > 59:
        raise BadHours(f"время дня пишется как 09:00, получено: {text!r}")
    value = int(hour) * 60 + int(minute)
    if value > MINUTES_A_DAY:
        raise BadHours(f"в сутках нет времени {text!r}")
    return value


def write_minute(minute: int) -> str:
    """Return a minute of the day as `09:00`."""
    return f"{minute // 60:02d}:{minute % 60:02d}"
