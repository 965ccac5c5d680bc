"""`calculate` and the calendars against a calculator that shares no line with them, over nine years and five regions."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cache

import pytest

from regulations.directory import Directory
from regulations.law import differences
from regulations.load import load
from regulations.working_time.library_years import library_years
from regulations.working_time.year_summary import year_summary
from services.sla.calculate import Fact, Question, calculate
from services.sla.law import Law
from tests.unit.regulations.given import applied
from tests.unit.sla.second_opinion import TRANSFERS, ZONES, Clock, federal, second_opinion

MILESTONES = ("detected", "received", "issued", "returned", "issued_to_contributor", "contributed", "submitted",
              "sent_back", "approved", "published_interim", "published")  # fmt: skip
EDGES = ("2024-11-02", "2024-04-27", "2024-12-28", "2025-11-01", "2025-12-30", "2021-02-20", "2022-03-05", "2027-02-20",
         "2026-11-03", "2026-04-30", "2025-04-28", "2024-02-09", "2025-02-28", "2026-02-17", "2025-12-31", "2026-12-31",
         "2026-01-11", "2019-12-31", "2020-12-31", "2021-12-30", "2022-12-30", "2023-12-29", "2026-05-26", "2025-09-19",
         "2023-09-20")  # fmt: skip
HOURS = ("00:00", "08:59:59", "09:00", "12:30", "13:00", "13:30", "14:00", "16:30", "17:00", "17:30", "18:00", "18:00:01",
         "23:59:59.999999")  # fmt: skip
OFFSETS = (UTC, timezone(timedelta(hours=-11)), timezone(timedelta(hours=5, minutes=45)))
CASES = 250


@cache
def shipped(authority: str) -> Directory:
    """The law of an authority as a fresh installation applies it."""
    files = load()
    amendments = differences(None, files.authorities[authority], files.acts, library_years())
    return applied(authority, amendments, datetime(2026, 11, 24, tzinfo=UTC))


@pytest.mark.parametrize("authority", ZONES)
def test_every_day_of_every_year_is_what_the_decrees_make_of_it(authority: str) -> None:
    clock = Clock(authority)
    kinds = {0: "off", 7: "short", 8: "working"}
    for year in TRANSFERS:
        summary = year_summary(authority, shipped(authority).working_schedule, year)
        told = {day["date"]: (day["kind"], day["hours"]) for day in summary["days"]}
        norm, _ = federal(year)
        assert told == {day.isoformat(): (kinds[clock.hours(day)], clock.hours(day)) for day in norm}
        assert (summary["norm"]["working_days"], summary["norm"]["hours"]) == (
            sum(1 for hours in norm.values() if hours),
            sum(norm.values()),
        )


@pytest.mark.parametrize("authority", ZONES)
def test_calculate_agrees_with_a_calculator_that_shares_no_line_with_it(authority: str) -> None:
    clock, directory, dice = Clock(authority), shipped(authority), random.Random(authority)
    law = Law.of(directory, directory.number, directory.regulation)
    compared = 0
    for _ in range(CASES):
        facts, reduced = _some_facts(dice, clock), dice.random() < 0.5
        question = Question(
            authority=authority, reduced=reduced, facts=[Fact(milestone=milestone, at=at) for milestone, at in facts]
        )
        told = {one.rule: (one.starts_at, one.due_at, one.paragraph) for one in calculate(law, question).deadlines}
        assert told == second_opinion(authority, facts, reduced=reduced, clock=clock), facts
        compared += len(told)
    assert compared > 3 * CASES


def _some_facts(dice: random.Random, clock: Clock) -> list[tuple[str, datetime]]:
    """Milestones in no order, some of them several times, around a day on which something is odd."""
    base = _some_instant(dice, clock)
    facts = [("detected", base)] if dice.random() < 0.8 else []
    for _ in range(dice.randint(1, 12)):
        near = base + timedelta(minutes=dice.choice((0, 1, 30, 60, 240, 480, 540, -30, dice.randint(-2000, 9000))))
        at = near if dice.random() < 0.7 else _some_instant(dice, clock)
        facts.append((dice.choice(MILESTONES), at.astimezone(dice.choice(OFFSETS))))
    return facts


def _some_instant(dice: random.Random, clock: Clock) -> datetime:
    odd = date.fromisoformat(dice.choice(EDGES)) - timedelta(dice.randint(-1, 9))
    any_day = date(2019, 2, 1) + timedelta(dice.randint(0, 365 * 8 + 250))
    hour = time.fromisoformat(dice.choice(HOURS))
    if dice.random() < 0.4:
        hour = time(dice.randint(0, 23), dice.randint(0, 59), dice.randint(0, 59), dice.randint(0, 999_999))
    return datetime.combine(odd if dice.random() < 0.5 else any_day, hour, clock.zone)
