"""Deadlines computed once more, from the table of terms and a calendar of the checker's own: hours of the shipped default,
public holidays and transfers of the `holidays` library. Regional days are not known here: `regional` names those that count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import holidays

from tests.checker.raw_log import RawLog

ZONES = {"kemerovo": "Asia/Novokuznetsk", "buryatia": "Asia/Irkutsk"}
MOSCOW = "Europe/Moscow"
MORNING, AFTERNOON = (time(9), time(13)), (time(14), time(18))
PUBLIC = {(1, day) for day in range(1, 9)} | {(2, 23), (3, 8), (5, 1), (5, 9), (6, 12), (11, 4)}
HOUR, HALF = timedelta(hours=1), timedelta(minutes=30)

# Terms by rule, of every authority but those named after it.
TERMS: Mapping[str, tuple[timedelta, Mapping[str, timedelta]]] = {
    "route": (HALF, {"kursky": HOUR}),
    "return": (HALF, {}),
    "reroute": (HALF, {}),
    "answer": (8 * HOUR, {"kbr": 9 * HOUR, "kursky": 9 * HOUR}),
    "draft": (4 * HOUR, {"kursky": 5 * HOUR, "buryatia": 3 * HOUR}),
    "review": (HALF, {"buryatia": HOUR}),
    "rework": (HOUR, {"kursky": HALF}),
    "publish": (HALF, {}),
    "contribution": (2 * HOUR, {}),
    "contribution_review": (HALF, {}),
}
REDUCED = {"answer": 4 * HOUR, "draft": 2 * HOUR}
WORKING_DAYS = {"final_draft": 7}


@cache
def _calendar(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays("RU", years=[year, year + 1], language="en_US")


def _works(day: date, regional: frozenset[date]) -> bool:
    return bool(_calendar(day.year).is_working_day(day)) and day not in regional


def _hours(day: date, zone: ZoneInfo, regional: frozenset[date]) -> list[tuple[datetime, datetime]]:
    """The stretches of working time of a local day."""
    if not _works(day, regional):
        return []
    after = day + timedelta(days=1)
    ends = time(17) if (after.month, after.day) in PUBLIC or after in regional else AFTERNOON[1]
    pairs = (MORNING, (AFTERNOON[0], ends))
    return [(datetime.combine(day, one, zone), datetime.combine(day, other, zone)) for one, other in pairs]


def after(
    authority: str, start: datetime, term: timedelta, regional: frozenset[date] = frozenset(), *, plain: bool = False
) -> datetime:
    """The earliest instant by which so much time has passed: of working time, or of plain time."""
    if plain:
        return start + term
    zone = ZoneInfo(ZONES.get(authority, MOSCOW))
    day, left = start.astimezone(zone).date(), term
    while True:
        for begin, end in _hours(day, zone, regional):
            begin = max(begin, start)
            if begin < end:
                if left <= end - begin:
                    return begin + left
                left -= end - begin
        day += timedelta(days=1)


def before(
    authority: str, end: datetime, term: timedelta, regional: frozenset[date] = frozenset(), *, plain: bool = False
) -> datetime:
    """The latest instant with at least so much time left before `end`."""
    if plain:
        return end - term
    zone = ZoneInfo(ZONES.get(authority, MOSCOW))
    day, left = end.astimezone(zone).date(), term
    while True:
        for begin, until in reversed(_hours(day, zone, regional)):
            until = min(until, end)
            if begin < until:
                if left <= until - begin:
                    return until - left
                left -= until - begin
        day -= timedelta(days=1)


def after_days(authority: str, start: datetime, count: int, regional: frozenset[date] = frozenset()) -> datetime:
    """The end of the working hours of the so-manieth working day after the local day of the start."""
    zone = ZoneInfo(ZONES.get(authority, MOSCOW))
    day = start.astimezone(zone).date()
    while count:
        day += timedelta(days=1)
        count -= _works(day, regional)
    return _hours(day, zone, regional)[-1][1]


def term_of(authority: str, rule: str) -> timedelta:
    standard, others = TERMS[rule]
    return others.get(authority, standard)


def deadlines_recomputed(log: RawLog, regional: Mapping[str, Iterable[date]] | None = None) -> list[str]:
    """4b. Every start is its milestone, and every `due_at` its term after it. Authorities whose calendar or hours were
    amended by hand are left out: their days are known to nobody else."""
    off = {authority: frozenset(days) for authority, days in (regional or {}).items()}
    milestones, amended, lowered = _milestones(log)
    found: list[str] = []
    answers: dict[str, datetime] = {}
    for raw, event in log.json("deadlines"):
        kind, data, authority = event["type"].split(".")[2], event["data"], event.get("authority", "")
        rule, subject = data["rule"], event["subject"]
        if kind not in ("set", "moved") or authority in amended:
            continue
        due, start = _at(data["due_at"]), _at(data["starts_at"])
        if rule == "answer":
            answers[subject] = due
        name = f"{raw.place}: {subject} {rule}/{data['occurrence']} of {authority}"
        known = milestones.get((subject, rule, _about(data)))
        if known is not None and start not in known:
            found.append(f"{name} starts at {start}, its milestone was at {sorted(known)}")
        wanted = _wanted(
            authority, rule, start, answers.get(subject), off.get(authority, frozenset()), subject in lowered
        )
        if wanted and due not in wanted:
            found.append(f"{name} is due at {due}, computed anew {sorted(wanted)}")
    return found


def _wanted(
    authority: str, rule: str, start: datetime, answer: datetime | None, regional: frozenset[date], lowered: bool
) -> set[datetime]:
    """The instants that may be: of the standard term, and of the reduced one where the message was ever reduced."""
    plain = authority == "buryatia"
    if rule in WORKING_DAYS:
        return {after_days(authority, start, WORKING_DAYS[rule], regional)}
    if rule not in TERMS:
        return set()
    terms = {term_of(authority, rule)} | ({REDUCED[rule]} if lowered and rule in REDUCED else set())
    if rule == "draft":
        wanted = {before(authority, answer, term, regional, plain=plain) for term in terms} if answer else set()
        # Where agencies answer together in Kemerovo, the draft is due with the answer.
        return wanted | ({answer} if authority == "kemerovo" and answer else set())
    wanted = {after(authority, start, term, regional, plain=plain) for term in terms}
    if rule == "publish" and authority == "kursky" and answer is not None and answer > start:
        return {min(one, answer) for one in wanted}
    return wanted


def _milestones(log: RawLog) -> tuple[dict[tuple[str, str, str], set[datetime]], set[str], set[str]]:
    """When each rule may have begun, by message, rule and what it is about; authorities amended by hand; messages that were
    ever reduced."""
    found: dict[tuple[str, str, str], set[datetime]] = {}
    amended: set[str] = set()
    lowered: set[str] = set()
    begins = {"assignment-returned": "reroute", "draft-submitted": "review", "draft-sent-back": "rework",
              "draft-approved": "publish", "contributed": "contribution_review"}  # fmt: skip
    for _, event in log.json("events"):
        kind, data, subject = event["type"].split(".")[2], event["data"], event.get("subject") or ""
        at = _at(event["time"])
        if kind == "amended" and data["kind"] in ("calendar_day", "hours"):
            amended.add(event["authority"])
        if kind == "registered":
            detected, received = _at(data["detected_at"]), _at(data["received_at"])
            found[subject, "route", ""] = {detected}
            found[subject, "answer", ""] = {received if event["authority"] == "kursky" else detected}
        if kind == "triaged" and data["reduced"]:
            lowered.add(subject)
        if kind == "assignment-issued":
            for rule in ("return", "contribution"):
                found.setdefault((subject, rule, data["assignment_id"]), set()).add(at)
        if kind == "published" and data["kind"] == "interim":
            found.setdefault((subject, "final_draft", ""), {at})
        if kind in begins:
            about = data.get("draft_id") or data.get("assignment_id") or ""
            found.setdefault((subject, begins[kind], about), set()).add(at)
    return found, amended, lowered


def _about(data: dict[str, Any]) -> str:
    about = data.get("about") or {}
    return str(about.get("draft_id") or about.get("assignment_id") or about.get("case_id") or "")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
