"""Russian words for days, times and durations. No locale is asked: it differs from machine to machine."""

from __future__ import annotations

from datetime import date, datetime, timedelta

WEEKDAYS = ("понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье")
WEEKDAYS_OF = ("понедельника", "вторника", "среды", "четверга", "пятницы", "субботы", "воскресенья")


def weekday(day: date) -> str:
    """Return the weekday: «четверг»."""
    return WEEKDAYS[day.weekday()]


def weekday_of(day: date) -> str:
    """Return the weekday in the genitive: «четверга»."""
    return WEEKDAYS_OF[day.weekday()]


def since_weekday(day: date) -> str:
    """Return «с четверга», «со вторника»."""
    return f"{'со' if day.weekday() in (1, 2) else 'с'} {weekday_of(day)}"


def short_date(day: date, year: int) -> str:
    """Return `30.04`, with the year where it is not the year that the text speaks of."""
    return f"{day:%d.%m}" if day.year == year else f"{day:%d.%m.%Y}"


def day_label(day: date, year: int) -> str:
    """Return «четверг 30.04»."""
    return f"{weekday(day)} {short_date(day, year)}"


def clock(at: datetime) -> str:
    """Return the time of an instant as its own offset shows it: 09:00, 09:00:17, 09:00:17,250."""
    text = f"{at:%H:%M}"
    if at.second or at.microsecond:
        text += f":{at:%S}"
    return text + fraction(at.microsecond)


def moment(at: datetime) -> str:
    """Return «четверг 30.04.2026, 14:00»."""
    return f"{weekday(at)} {at:%d.%m.%Y}, {clock(at)}"


def duration(length: timedelta) -> str:
    """Return «3 ч 30 мин», «45 с»; days are written as hours, since a working day is not a day."""
    seconds, microseconds = length // timedelta(seconds=1), length.microseconds
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [f"{hours} ч"] if hours else []
    parts += [f"{minutes} мин"] if minutes else []
    parts += [f"{seconds}{fraction(microseconds)} с"] if seconds or microseconds else []
    return " ".join(parts) or "0 мин"


def fraction(microseconds: int) -> str:
    """Return the part of a second after the comma, or nothing."""
    return f",{microseconds:06d}".rstrip("0") if microseconds else ""
