"""What the tests of working time begin with."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from regulations.working_time import FORTY_HOUR_WEEK, Calendar, RegionalDay, Schedule, WorkingTime
from regulations.working_time.library_years import library_years

EXAMPLES = Path(__file__).parents[2] / "regulations" / "examples"
ZONES = {
    "kbr": "Europe/Moscow",
    "kemerovo": "Asia/Novokuznetsk",
    "nenets": "Europe/Moscow",
    "kursky": "Europe/Moscow",
    "buryatia": "Asia/Irkutsk",
}
MOSCOW = ZoneInfo("Europe/Moscow")


def regional_days(authority):
    days = json.loads((EXAMPLES / "regional_days.json").read_text(encoding="utf-8"))[authority]
    return [RegionalDay.model_validate({"basis": "указ", **day}) for day in days]


def schedule_of(authority, *overrides):
    calendar = Calendar(library_years(), regional_days(authority), overrides)
    return Schedule(ZONES[authority], FORTY_HOUR_WEEK, calendar)


def federal(zone="Europe/Moscow"):
    return Schedule(zone, FORTY_HOUR_WEEK, Calendar(library_years()))


def clock(zone="Europe/Moscow"):
    return WorkingTime(federal(zone))


def at(text, zone=MOSCOW):
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def wh(hours):
    return timedelta(hours=hours)
