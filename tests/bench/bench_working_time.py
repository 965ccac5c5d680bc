"""Additions of working time with aware datetimes, against the package `workclock`, in one run.

`python -m tests.bench.bench_working_time` prints the times, their ratio, and how many answers of each are right. Right
is what a plain walk, segment by segment, finds; it shares the days with our schedule, but none of the arithmetic. The
package knows no shortened day and no working Saturday, which is where its answers go wrong; it gets every day off.
"""

from __future__ import annotations

import random
import time as timer
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import workclock

from regulations.working_time import FORTY_HOUR_WEEK, Calendar, Schedule, WorkingTime
from regulations.working_time.library_years import library_years
from tests.bench.ratio import Ratio, of_rounds, show

ADDITIONS, ROUNDS = 2000, 9
AIM = 2.0
# Half an hour, the answer, a reduced answer, seven days in hours, a quarter: as deadlines are, and longer.
TERMS = [timedelta(minutes=30), timedelta(hours=9), timedelta(hours=4), timedelta(hours=56), timedelta(hours=500)]
Case = tuple[datetime, timedelta]
Add = Callable[[datetime, timedelta], datetime]


def cases(zone: ZoneInfo) -> list[Case]:
    """Return starts at any second of 2024–2025, from the same seed every time."""
    pick = random.Random(16112026)
    first = datetime(2024, 1, 1, tzinfo=UTC)
    starts = (first + timedelta(seconds=pick.randrange(720 * 86400)) for _ in range(ADDITIONS))
    return [(start.astimezone(zone), pick.choice(TERMS)) for start in starts]


def walk(schedule: Schedule, start_at: datetime, term: timedelta) -> datetime:
    """Find the answer the slow way."""
    day, start = start_at.date(), start_at.astimezone(UTC)
    while True:
        for local in schedule.day(day).local_segments:
            midnight = datetime.combine(day, time(), tzinfo=schedule.zone)
            opens = (midnight + timedelta(minutes=local.from_minute)).astimezone(UTC)
            closes = (midnight + timedelta(minutes=local.to_minute)).astimezone(UTC)
            opens = max(opens, start)
            if opens < closes:
                if term <= closes - opens:
                    return opens + term
                term -= closes - opens
        day += timedelta(days=1)


def rival(schedule: Schedule) -> workclock.Schedule:
    """Return the same schedule as well as the package can say it."""
    days = (date(2023, 12, 1) + timedelta(days=number) for number in range(365 * 3))
    off = [day for day in days if schedule.day(day).kind == "off" and day.weekday() < 5]
    rules: list[workclock.WorkDay | workclock.Break | workclock.Holidays] = [
        workclock.WorkDay(time(9), time(18)),
        workclock.Break(time(13), time(14)),
        workclock.Holidays(off),
    ]
    return workclock.Schedule(rules, time_zone=schedule.zone)


def microseconds_each(add: Add, given: list[Case]) -> float:
    """Time one round."""
    begun = timer.perf_counter()
    for start_at, term in given:
        add(start_at, term)
    return (timer.perf_counter() - begun) / len(given) * 1e6


def compare(zone: str) -> Ratio:
    """How many times faster ours is in one zone. Raises SystemExit when an answer of ours is wrong."""
    schedule = Schedule(zone, FORTY_HOUR_WEEK, Calendar(library_years()))
    ours, theirs = WorkingTime(schedule).add, rival(schedule).add
    given = cases(schedule.zone)
    right = [walk(schedule, *case) for case in given]
    ours_right = sum(ours(*case).astimezone(UTC) == due for case, due in zip(given, right, strict=True))
    theirs_right = sum(theirs(*case).astimezone(UTC) == due for case, due in zip(given, right, strict=True))
    if ours_right != ADDITIONS:
        raise SystemExit(f"otklik: {ADDITIONS - ours_right} wrong answers in {zone}")
    # Rounds alternate, so that a noisy neighbour disturbs both alike.
    rounds = [(microseconds_each(theirs, given), microseconds_each(ours, given)) for _ in range(ROUNDS)]
    theirs_us, ours_us, ratio = of_rounds(rounds)
    return Ratio(
        f"adding working time, {zone}, against workclock: its time over ours",
        f"{ours_us:.1f} µs, right {ours_right}/{ADDITIONS}",
        f"{theirs_us:.1f} µs, right {theirs_right}/{ADDITIONS}",
        ratio,
        f"at least {AIM:.0f}",
        ratio >= AIM,
    )


def measure() -> list[Ratio]:
    """In the zones of the authorities and in one with daylight saving."""
    return [compare(zone) for zone in ("Europe/Moscow", "Asia/Irkutsk", "Europe/Berlin")]


if __name__ == "__main__":
    show(measure())
