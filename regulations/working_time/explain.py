"""Explanations of terms in Russian, line by line; knows days and clocks, nothing of rules and paragraphs.

Each function takes the instants already computed and tells how one follows from the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise

from regulations.working_time.instants import ONE_DAY, ZERO, in_zone
from regulations.working_time.plain_time import PlainTime
from regulations.working_time.schedule import Day, Schedule
from regulations.working_time.segment import write_minute
from regulations.working_time.stretches import LUNCH, TOO_LATE, Stretch, working_stretches
from regulations.working_time.wording import clock, day_label, duration, moment, short_date, since_weekday, weekday

SATURDAY = 5
MASCULINE = (0, 1, 3)


def explain_term(schedule: Schedule, start_at: datetime, due_at: datetime) -> list[str]:
    """Explain a term of working time that began at `start_at` and ends at `due_at` (reading 3)."""
    start_at, due_at = in_zone(start_at, schedule.zone), in_zone(due_at, schedule.zone)
    stretches = working_stretches(schedule, start_at, due_at)
    lines = [f"начало: {moment(start_at)}", *_late_beginning(stretches)]
    lines += _course(_without_first_break(stretches), start_at.year)
    return [*lines, f"всего {_total(stretches)} рабочего времени", f"окончание: {moment(due_at)}"]


def explain_before(schedule: Schedule, limit_at: datetime, due_at: datetime) -> list[str]:
    """Explain «не позднее чем за … до»: `limit_at` is the latest instant that leaves the term before `due_at`."""
    limit_at, due_at = in_zone(limit_at, schedule.zone), in_zone(due_at, schedule.zone)
    stretches = working_stretches(schedule, limit_at, due_at)
    lines = [f"отсчёт назад от: {moment(due_at)}", *_course(stretches, due_at.year)]
    return [*lines, f"всего {_total(stretches)} рабочего времени", f"не позднее: {moment(limit_at)}"]


def explain_working_days(schedule: Schedule, start_at: datetime, due_at: datetime) -> list[str]:
    """Explain a term in working days that ends at closing time of the last of them (reading 5)."""
    start_at, due_at = in_zone(start_at, schedule.zone), in_zone(due_at, schedule.zone)
    year = start_at.year
    lines = [f"начало: {moment(start_at)}", f"день начала не считается: {day_label(start_at.date(), year)}"]
    number, off = 0, list[Day]()
    for day in _days(schedule, start_at.date() + ONE_DAY, due_at.date()):
        if day.segments:
            number += 1
            lines += [*_days_off(off, year), f"{number}-й рабочий день – {_name(day, year)}"]
            off = []
        else:
            off.append(day)
    return [*lines, f"окончание – с концом рабочего дня: {moment(due_at)}"]


def explain_last_working_day(schedule: Schedule, wanted: date, due_at: datetime) -> list[str]:
    """Explain a due day: closing time of that day, or of the last working day before it (reading 15)."""
    due_at = in_zone(due_at, schedule.zone)
    lines = [f"последний день: {weekday(wanted)} {wanted:%d.%m.%Y}"]
    lines += _days_off(list(_days(schedule, due_at.date() + ONE_DAY, wanted)), wanted.year)
    if due_at.date() != wanted:
        lines.append(f"последний рабочий день перед ним: {day_label(due_at.date(), wanted.year)}")
    return [*lines, f"окончание – с концом рабочего дня: {moment(due_at)}"]


def explain_plain_term(clock_: PlainTime, start_at: datetime, due_at: datetime) -> list[str]:
    """Explain a term on the plain clock (reading 1)."""
    start_at, due_at = in_zone(start_at, clock_.zone), in_zone(due_at, clock_.zone)
    length = duration(clock_.between(start_at, due_at))
    return [
        f"начало: {moment(start_at)}",
        f"{length} подряд, включая ночь, обед и выходные",
        f"окончание: {moment(due_at)}",
    ]


def explain_plain_before(clock_: PlainTime, limit_at: datetime, due_at: datetime) -> list[str]:
    """Explain «не позднее чем за … до» on the plain clock."""
    limit_at, due_at = in_zone(limit_at, clock_.zone), in_zone(due_at, clock_.zone)
    length = duration(clock_.between(limit_at, due_at))
    return [
        f"отсчёт назад от: {moment(due_at)}",
        f"{length} подряд, включая ночь, обед и выходные",
        f"не позднее: {moment(limit_at)}",
    ]


def _late_beginning(stretches: Sequence[Stretch]) -> Iterator[str]:
    """Yield the line for a start outside working time: why, and where counting begins."""
    if not stretches or stretches[0].counted:
        return
    skipped, counted = stretches[0], next((one for one in stretches if one.counted), None)
    if counted is None or skipped.day is None:
        return
    reason = skipped.why
    if reason == LUNCH:
        reason = _lunch(skipped)
    elif reason == TOO_LATE:
        reason = f"рабочий день окончен в {write_minute(skipped.day.local_segments[-1].to_minute)}"
    year = skipped.from_at.year
    opening = f"{since_weekday(counted.from_at)} {short_date(counted.from_at.date(), year)}, {clock(counted.from_at)}"
    yield f"начало вне рабочего времени ({reason}), отсчёт {opening}"


def _without_first_break(stretches: Sequence[Stretch]) -> Sequence[Stretch]:
    # The line about the start has told of that lunch already.
    return stretches[1:] if stretches and stretches[0].why == LUNCH else stretches


def _course(stretches: Sequence[Stretch], year: int) -> Iterator[str]:
    """Yield a line for each counted stretch, lunch and run of days off; nights go without saying."""
    off: list[Day] = []
    noted: set[date] = set()
    for stretch in stretches:
        day = stretch.day
        if day is None:
            continue
        if not day.segments:
            off.append(day)
            continue
        yield from _days_off(off, year)
        off = []
        if stretch.counted:
            yield f"{_name(day, year)}: {_span(stretch)}, {duration(stretch.duration)}"
            if day.why and day.date not in noted:
                noted.add(day.date)
                yield f"{day_label(day.date, year)} – {day.why}"
        elif stretch.why == LUNCH:
            yield f"{_lunch(stretch)} – не считается"
    yield from _days_off(off, year)


def _days_off(days: Sequence[Day], year: int) -> Iterator[str]:
    """Yield one line for a run of days off: «пятница 01.05 – выходной: Праздник Весны и Труда»."""
    if not days:
        return
    first, last = days[0], days[-1]
    if first is last:
        reason = f": {first.why}" if first.why else ""
        yield f"{day_label(first.date, year)} – выходной{reason}"
        return
    line = f"{day_label(first.date, year)} – {day_label(last.date, year)} – выходные"
    if any(day.why for day in days):
        line += ": " + "; ".join(_reasons(days))
    yield line


def _reasons(days: Sequence[Day]) -> Iterator[str]:
    """Yield the reasons of a run of days off, neighbours with the same one together; the line has named the year."""
    for why, same in groupby(days, key=lambda day: day.why):
        run = list(same)
        span = f"{run[0].date:%d.%m}" + (f"–{run[-1].date:%d.%m}" if len(run) > 1 else "")
        yield f"{span} – {why or ', '.join(weekday(day.date) for day in run)}"


def _name(day: Day, year: int) -> str:
    """Return «четверг 30.04, сокращённый», «суббота 01.11, рабочий день»."""
    name = day_label(day.date, year)
    extra_day = day.decreed and day.date.weekday() >= SATURDAY
    name += ", рабочий день" if extra_day else ""
    if day.kind != "short":
        return name
    # The adjective agrees with the weekday; where that is feminine or neuter, the word «день» stands beside it.
    return f"{name}, сокращённый" if extra_day or day.date.weekday() in MASCULINE else f"{name}, сокращённый день"


def _span(stretch: Stretch) -> str:
    return f"{clock(stretch.from_at)}–{clock(stretch.to_at)}"


def _lunch(stretch: Stretch) -> str:
    """Return «обед 13:00–14:00», whole even if the term begins or ends within it."""
    if stretch.day is not None:
        for earlier, later in pairwise(stretch.day.segments):
            if earlier.to_at <= stretch.from_at < later.from_at:
                zone = stretch.from_at.tzinfo
                return f"{LUNCH} {clock(earlier.to_at.astimezone(zone))}–{clock(later.from_at.astimezone(zone))}"
    return f"{LUNCH} {_span(stretch)}"


def _total(stretches: Sequence[Stretch]) -> str:
    return duration(sum((stretch.duration for stretch in stretches if stretch.counted), ZERO))


def _days(schedule: Schedule, first: date, last: date) -> Iterator[Day]:
    for number in range((last - first) // timedelta(days=1) + 1):
        yield schedule.day(first + timedelta(days=number))
