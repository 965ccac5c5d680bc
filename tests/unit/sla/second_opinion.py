"""A second calculator of the five acts, which shares no line with the first: it walks day by day over a calendar made of the
government's own decrees, typed in here, where the system looks its answers up in tables made from a library."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tests.unit.sla.law import EXAMPLES

HOLIDAYS = {*((1, day) for day in range(1, 9)), (2, 23), (3, 8), (5, 1), (5, 9), (6, 12), (11, 4)}
TRANSFERS = {
    2019: "05.01-02.05 06.01-03.05 23.02-10.05",
    2020: "04.01-04.05 05.01-05.05",
    2021: "02.01-05.11 03.01-31.12 20.02-22.02",
    2022: "01.01-03.05 02.01-10.05 05.03-07.03",
    2023: "01.01-24.02 08.01-08.05",
    2024: "06.01-10.05 07.01-31.12 27.04-29.04 02.11-30.04 28.12-30.12",
    2025: "04.01-02.05 05.01-31.12 23.02-08.05 08.03-13.06 01.11-03.11",
    2026: "03.01-09.01 04.01-31.12",
    2027: "02.01-05.11 03.01-31.12 20.02-22.02",
}
"""From which day off to which working day, decrees of the Government of 1.10.2018 № 1163, 10.7.2019 № 875, 10.10.2020 № 1648,
16.9.2021 № 1564, 29.8.2022 № 1505, 10.8.2023 № 1314, 4.10.2024 № 1335, 24.9.2025 № 1466; 2027 as the library has it."""
BEFORE_2024 = {"kbr": ("2023-03-28", "2023-05-21", "2023-09-01", "2023-09-20"), "kursky": ("2023-04-25",),
               "buryatia": ("2023-02-21",)}  # fmt: skip
"""Regional days that the shipped files know beyond the list of the examples."""
ZONES = {"kbr": "Europe/Moscow", "kemerovo": "Asia/Novokuznetsk", "nenets": "Europe/Moscow", "kursky": "Europe/Moscow",
         "buryatia": "Asia/Irkutsk"}  # fmt: skip
RULES = {
    # Minutes and paragraph; `~` reduced, `None`: no such rule.
    "kbr": {"route": (30, "8"), "return": (30, "9"), "answer": (540, "10"), "draft": (240, "11"), "review": (30, "12"),
            "rework": (60, "13"), "publish": (30, "14"), "contribution": (120, "16"), "final_draft": (7, "15")},
    "kemerovo": {"route": (30, "7"), "return": (30, "9"), "reroute": (30, "10"), "answer": (480, "11"),
                 "~answer": (240, "12"), "draft": (240, "13"), "~draft": (120, "13"), "review": (30, "14"),
                 "rework": (60, "15"), "publish": (30, "16"), "contribution": (120, "18"), "final_draft": (7, "17")},
    "nenets": {"route": (30, "14"), "return": (30, "15"), "answer": (480, "16"), "~answer": (240, "16"),
               "draft": (240, "17"), "~draft": None, "review": (30, "18"), "rework": (60, "19"), "publish": (30, "20"),
               "contribution": (120, "22.3"), "final_draft": (7, "21")},
    "kursky": {"route": (60, "8.2"), "return": (30, "9"), "answer": (540, "10"), "draft": (300, "11"),
               "review": (30, "12, 13"), "rework": (30, "14"), "publish": (30, "12"), "contribution": (120, "16"),
               "contribution_review": (30, "16"), "final_draft": (7, "15")},
    "buryatia": {"return": (30, "7"), "answer": (480, "8"), "~answer": (240, "13"), "draft": (180, "9"), "~draft": None,
                 "review": (60, "10"), "rework": (60, "11"), "publish": (30, "12"), "contribution": (120, "15"),
                 "final_draft": (7, "14")},
}  # fmt: skip
BY_MILESTONE = {"issued": "return", "returned": "reroute", "issued_to_contributor": "contribution",
                "contributed": "contribution_review", "submitted": "review", "sent_back": "rework",
                "approved": "publish"}  # fmt: skip


class Due(NamedTuple):
    starts_at: datetime
    due_at: datetime
    paragraph: str


@cache
def federal(year: int) -> tuple[dict[date, int], dict[date, date]]:
    """Hours of every day of a 40-hour week, and what each working day off was traded for."""
    days = [date(year, 1, 1) + timedelta(number) for number in range(366)]
    days = [day for day in days if day.year == year]
    holidays = {day for day in days if (day.month, day.day) in HOLIDAYS}
    moved = {_day(year, pair[:5]): _day(year, pair[6:]) for pair in TRANSFERS[year].split()}
    off = holidays | set(moved.values())
    for day in sorted(holidays - set(moved)):
        if day.month > 1 and day.weekday() > 4:
            off.add(next(after for after in days if after > day and after.weekday() < 5 and after not in off))
    worked = {given: taken for given, taken in moved.items() if given not in holidays}
    hours = {}
    for day in days:
        after = worked.get(day, day) + timedelta(1)
        is_off = day not in worked and (day in off or day.weekday() > 4)
        hours[day] = 0 if is_off else 7 if (after.month, after.day) in HOLIDAYS else 8
    return hours, worked


def _day(year: int, text: str) -> date:
    return date(year, int(text[3:]), int(text[:2]))


class Clock:
    """The working clock of an authority: 9 to 18, lunch from 13 to 14."""

    def __init__(self, authority: str) -> None:
        self.zone = ZoneInfo(ZONES[authority])
        self.plain = authority == "buryatia"
        listed = json.loads((EXAMPLES / "regional_days.json").read_text(encoding="utf-8"))[authority]
        self.regional = {date.fromisoformat(day["date"]): "moved" not in day for day in listed}
        self.regional |= dict.fromkeys(map(date.fromisoformat, BEFORE_2024.get(authority, ())), True)

    def hours(self, day: date) -> int:
        if day in self.regional:
            return 0
        hours, worked = federal(day.year)
        eves = {day, worked.get(day, day)}
        shortened = hours[day] == 8 and any(self.regional.get(eve + timedelta(1), False) for eve in eves)
        return 7 if shortened else hours[day]

    def stretches(self, day: date) -> list[tuple[datetime, datetime]]:
        def at(hour: int) -> datetime:
            return datetime.combine(day, time(hour), self.zone)

        hours = self.hours(day)
        return [(at(9), at(13)), (at(14), at(10 + hours))] if hours else []

    def after(self, start: datetime, minutes: int) -> datetime:
        start, left = start.astimezone(self.zone), timedelta(minutes=minutes)
        if self.plain:
            return start + left
        day = start.date()
        while True:
            for opens, closes in self.stretches(day):
                spent = max(timedelta(0), closes - max(opens, start))
                if spent >= left:
                    return max(opens, start) + left
                left -= spent
            day += timedelta(1)

    def before(self, end: datetime, minutes: int) -> datetime:
        end, left = end.astimezone(self.zone), timedelta(minutes=minutes)
        if self.plain:
            return end - left
        day = end.date()
        while True:
            for opens, closes in reversed(self.stretches(day)):
                spent = max(timedelta(0), min(closes, end) - opens)
                if spent >= left:
                    return min(closes, end) - left
                left -= spent
            day -= timedelta(1)

    def days_after(self, start: datetime, days: int) -> datetime:
        day = start.astimezone(self.zone).date()
        while days:
            day += timedelta(1)
            days -= 1 if self.hours(day) else 0
        return self.stretches(day)[-1][1]


def second_opinion(
    authority: str, facts: Iterable[tuple[str, datetime]], *, reduced: bool, clock: Clock
) -> dict[str, Due]:
    """The deadlines of milestones, by rule; KeyError on a day of a year without decrees."""
    rules, found, when = RULES[authority], dict[str, Due](), dict[str, list[datetime]]()
    for milestone, at in sorted(facts, key=lambda fact: fact[1]):
        when.setdefault(milestone, []).append(at)

    def known(rule: str) -> tuple[int, str] | None:
        shorter = f"~{rule}"
        return rules[shorter] if reduced and shorter in rules else rules.get(rule)

    receipts = when.get("received") or when.get("detected")
    detections = when.get("detected") or receipts
    answer = known("answer")
    cap = None
    if detections and receipts and answer:
        detected = min(detections[-1], receipts[-1]) if len(receipts) >= len(detections) else detections[-1]
        if route := known("route"):
            found["route"] = Due(detected, clock.after(detected, route[0]), route[1])
        start = receipts[-1] if authority == "kursky" else detected
        cap = clock.after(start, answer[0])
        found["answer"] = Due(start, cap, answer[1])
        if draft := known("draft"):
            found["draft"] = Due(start, clock.before(cap, draft[0]), draft[1])
    for milestone, rule in BY_MILESTONE.items():
        if milestone in when and (one := known(rule)):
            at = when[milestone][-1]
            due_at = clock.after(at, one[0])
            if rule == "publish" and authority == "kursky" and cap and cap > at:
                answered = [*when.get("published", ()), *when.get("published_interim", ())]
                due_at = due_at if any(done <= at for done in answered) else min(due_at, cap)
            found[rule] = Due(at, due_at, one[1])
    if "published_interim" in when:
        first = when["published_interim"][0]
        days, paragraph = rules["final_draft"] or (7, "")
        found["final_draft"] = Due(first, clock.days_after(first, days), paragraph)
    return found
