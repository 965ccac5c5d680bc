"""Instants and days in a query, as people write them."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from schemas.instants import in_reach
from schemas.outcomes import Fault
from services.runtime import problems

_LOST_PLUS = re.compile(r"(T.*) (\d\d:?\d\d)$")
_WANTED = "нужно время по RFC 3339 со смещением"


def instant(name: str, value: str | None) -> datetime | None:
    """RFC 3339 with an offset; 422 for anything else."""
    if value is None:
        return None
    at = _instant(value)
    if at is None:
        raise problems.invalid([Fault(pointer=f"/query/{name}", detail=_WANTED)])
    return at


def bound(name: str, value: str | None, zone: str | None, *, whole_day: bool) -> datetime | None:
    """An instant, or a local day of `zone`: its beginning, or with `whole_day` its end. 422 for anything else, and for a
    day where no single zone is known."""
    if value is None:
        return None
    at = _instant(value)
    if at is not None:
        return at
    try:
        day = date.fromisoformat(value)
        in_reach(datetime.combine(day, time()))
    except ValueError:
        raise problems.invalid([Fault(pointer=f"/query/{name}", detail=f"{_WANTED} или день ГГГГ-ММ-ДД")]) from None
    if zone is None:
        detail = "день понятен только вместе с authority: часовые пояса органов различаются"
        raise problems.invalid([Fault(pointer=f"/query/{name}", detail=detail)])
    return datetime.combine(day + timedelta(days=1) if whole_day else day, time(), ZoneInfo(zone))


def _instant(value: str) -> datetime | None:
    # A plus sign that a client forgot to escape arrives as a space.
    try:
        at = in_reach(datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", value)))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
