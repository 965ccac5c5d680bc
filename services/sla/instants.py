"""Instants as they stand in deadlines: with the authority's own offset, fixed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from regulations.working_time.instants import in_zone


def fixed(at: datetime) -> datetime:
    """The same instant and wall clock with a plain offset: datetimes of one `ZoneInfo` compare as wall clocks, which is
    wrong around a change of clocks, and a decoded instant has no zone either."""
    return at.replace(tzinfo=timezone(at.utcoffset() or timedelta(0)), fold=0)


def local(at: datetime, zone: ZoneInfo) -> datetime:
    """The instant on the wall clock of `zone`, its offset fixed; a naive one is `NaiveInstant`."""
    return fixed(in_zone(at, zone))
