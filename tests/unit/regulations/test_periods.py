"""Periods: their names, neighbours and bounds, and which act judges one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from regulations.directory import Directory, NotInForce, evolve
from regulations.periods import Period, act_of_period, ended, law_of_period
from tests.unit.sla.law import act_of, amended, file_of

MONTHLY, QUARTERLY = "kbr-2022-137", "kbr-2027-1"
IRKUTSK = ZoneInfo("Asia/Irkutsk")


def quarterly(region: str = "kbr") -> dict[str, Any]:
    """The region's act with a quarterly summary, under another id."""
    act = act_of(region)
    return act | {"id": QUARTERLY, "summary": act["summary"] | {"period": "quarter"}}


def two_acts(first_day: str = "2027-01-01", second_came: datetime | None = None) -> Directory:
    """kbr's law, of 1.10.2026 by the log; the quarterly act in force from `first_day`, told with it or at `second_came`."""
    began = datetime(2026, 10, 1, tzinfo=UTC)
    old = {"id": MONTHLY, "from": "2022-12-16", "stated": True}
    both = file_of("kbr", regulations=[old, {"id": QUARTERLY, "from": first_day, "stated": True}])
    told: list[tuple[str, dict[str, Any], datetime]] = [("act", act_of("kbr"), began)]
    if second_came is None:
        told += [("act", quarterly(), began), ("authority", both, began)]
    else:
        told += [("authority", file_of("kbr", regulations=[old]), began)]
        told += [("act", quarterly(), second_came), ("authority", both, second_came)]
    directory = None
    for number, (kind, data, time) in enumerate(told, 1):
        directory = evolve(directory, "kbr", amended(number, kind, data), time)
    assert directory is not None
    return directory


def judged(directory: Directory, name: str) -> tuple[str, int]:
    period = Period.parse(name)
    number, _ = law_of_period(directory, period)
    return act_of_period(directory, period).id, number


@pytest.mark.parametrize("name", ["2026", "2026-13", "2026-Q5", "2026-1", "26-11", "2026-11-01", "0000-11", "9001-Q1"])
def test_a_period_has_one_form_and_a_year_that_there_is(name: str) -> None:
    with pytest.raises(ValueError, match="квартал"):
        Period.parse(name)


@pytest.mark.parametrize("name", ["2026-01", "2026-11", "2026-12", "2026-Q1", "2026-Q4"])
def test_a_period_is_named_as_it_is_read(name: str) -> None:
    period = Period.parse(name)
    assert period.name == name
    assert period.following().previous() == period == Period.containing(period.last, period.length)


def test_periods_know_their_neighbours() -> None:
    assert Period.parse("2026-01").previous().name == "2025-12"
    assert Period.parse("2026-Q1").previous().name == "2025-Q4"
    assert Period.parse("2026-Q4").following().name == "2027-Q1"
    assert Period.parse("2026-Q4").in_words() == "IV квартал 2026 года"
    assert Period.containing(date(2026, 11, 30), "quarter").name == "2026-Q4"
    assert Period.parse("2026-Q4").last == date(2026, 12, 31)


def test_a_period_ends_at_the_authoritys_midnight() -> None:
    assert Period.parse("2026-Q4").ends_at(IRKUTSK) == datetime(2026, 12, 31, 16, tzinfo=UTC)
    assert Period.parse("2026-02").ends_at(IRKUTSK) == datetime(2026, 2, 28, 16, tzinfo=UTC)
    assert Period.parse("2026-02").begins_at(IRKUTSK) == datetime(2026, 1, 31, 16, tzinfo=UTC)
    assert Period.parse("2026-11").ends_at(ZoneInfo("Asia/Novokuznetsk")) == datetime(2026, 11, 30, 17, tzinfo=UTC)


def test_periods_that_ended_between_two_instants_come_in_order() -> None:
    after, until = datetime(2026, 11, 30, 15, 59, tzinfo=UTC), datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    assert [one.name for one in ended("month", IRKUTSK, after, until)] == ["2026-11", "2026-12"]
    assert [one.name for one in ended("quarter", IRKUTSK, after, until)] == ["2026-Q4"]
    assert list(ended("month", IRKUTSK, until, until)) == []


def test_a_period_is_judged_by_the_act_in_force_on_its_last_day() -> None:
    directory = two_acts()
    assert judged(directory, "2026-12") == judged(directory, "2026-Q4") == (MONTHLY, 3)
    assert judged(directory, "2027-01") == judged(directory, "2027-Q1") == (QUARTERLY, 3)
    assert judged(two_acts("2026-12-31"), "2026-12") == (QUARTERLY, 3)
    assert judged(two_acts("2027-01-02"), "2026-12") == (MONTHLY, 3)


def test_an_act_that_comes_after_a_period_ended_does_not_judge_it() -> None:
    midnight = datetime(2026, 12, 31, 21, tzinfo=UTC)
    late = two_acts("2026-12-01", second_came=midnight)
    assert judged(late, "2026-12") == (MONTHLY, 2)
    assert judged(late, "2027-01") == (QUARTERLY, 4)
    assert judged(two_acts("2026-12-01", second_came=midnight - timedelta(microseconds=1)), "2026-12") == (QUARTERLY, 4)


def test_what_is_amended_after_a_period_ended_does_not_judge_it() -> None:
    directory = two_acts()
    act = act_of("kbr")
    changed = act | {"summary": act["summary"] | {"to": "Другой адресат"}}
    directory = evolve(directory, "kbr", amended(4, "act", changed), datetime(2026, 12, 5, tzinfo=UTC))
    assert act_of_period(directory, Period.parse("2026-11")).summary.to == act["summary"]["to"]
    assert act_of_period(directory, Period.parse("2026-12")).summary.to == "Другой адресат"


def test_a_period_that_ended_before_any_law_came_has_the_first_that_came() -> None:
    assert judged(two_acts(), "2026-08") == (MONTHLY, 3)
    assert judged(two_acts("2026-11-01", second_came=datetime(2026, 11, 5, tzinfo=UTC)), "2020-Q1") == (MONTHLY, 2)


def test_a_period_of_an_authority_without_a_law_is_judged_by_none() -> None:
    directory = evolve(None, "kbr", amended(1, "act", act_of("kbr")), datetime(2026, 10, 1, tzinfo=UTC))
    with pytest.raises(NotInForce):
        judged(directory.model_copy(), "2026-11")
