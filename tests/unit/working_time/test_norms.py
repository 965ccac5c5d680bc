"""The official norms of working hours of a 40-hour week, month by month, as the production calendars print them."""

import json

import pytest

from regulations.working_time import year_summary
from tests.unit.working_time.given import federal, schedule_of

# Working days and hours of the year, then of each month.
NORMS = {
    2013: (247, 1970),
    2014: (247, 1970),
    2015: (247, 1971),
    2016: (247, 1974),
    2017: (247, 1973),
    2018: (247, 1970),
    2019: (247, 1970),
    2020: (248, 1979),
    2021: (247, 1972),
    2022: (247, 1973),
    2023: (247, 1973),
    2024: (248, 1979),
    2025: (247, 1972),
    2026: (247, 1972),
    2027: (247, 1972),  # as computed from the library; not yet compared with a printed calendar
}
MONTHS = {
    2018: "17/136 19/151 20/159 21/167 20/159 20/159 22/176 23/184 20/160 23/184 21/168 21/167",
    2019: "17/136 20/159 20/159 22/175 18/143 19/151 23/184 22/176 21/168 23/184 20/160 22/175",
    2020: "17/136 19/152 21/168 22/175 17/135 21/167 23/184 21/168 22/176 22/176 20/159 23/183",
    2021: "15/120 19/151 22/176 22/175 19/152 21/167 22/176 22/176 22/176 21/168 20/159 22/176",
    2022: "16/128 19/151 22/175 21/168 18/144 21/168 21/168 23/184 22/176 21/168 21/167 22/176",
    2023: "17/136 18/143 22/175 20/160 20/160 21/168 21/168 23/184 21/168 22/176 21/167 21/168",
    2024: "17/136 20/159 20/159 21/168 20/159 19/151 23/184 22/176 21/168 23/184 21/167 21/168",
    2025: "17/136 20/160 21/167 22/175 18/144 19/151 23/184 21/168 22/176 23/184 19/151 22/176",
    2026: "15/120 19/152 21/168 22/175 19/151 21/167 23/184 21/168 22/176 22/176 20/159 22/176",
}


@pytest.mark.parametrize("year", NORMS)
def test_the_norm_of_the_year_is_the_official_one(year):
    norm = year_summary("nenets", federal(), year)["norm"]
    assert (norm["working_days"], norm["hours"]) == NORMS[year]


@pytest.mark.parametrize("year", MONTHS)
def test_the_norm_of_every_month_is_the_official_one(year):
    norm = year_summary("nenets", federal(), year)["norm"]
    assert " ".join(f"{month['working_days']}/{month['hours']}" for month in norm["months"]) == MONTHS[year]


def test_the_presidents_non_working_days_of_2020_do_not_change_the_norm():
    # 30.03–30.04, 06–08.05, 24.06 and 01.07.2020 were non-working by decrees of the President, not days off by the
    # Labour Code; the calendars printed for 2020 keep 1979. An authority that rested gives them as days of its own.
    assert year_summary("nenets", federal(), 2020)["norm"]["hours"] == 1979


def test_a_region_without_days_of_its_own_works_the_norm():
    summary = year_summary("kemerovo", schedule_of("kemerovo"), 2026)
    assert (summary["working_days"], summary["hours"]) == (247, 1972)
    assert summary["months"] == summary["norm"]["months"]


def test_regional_days_stand_beside_the_norm():
    summary = year_summary("kbr", schedule_of("kbr"), 2026)
    # Off: Fri 20.03, Tue 21.04, Thu 21.05, Wed 27.05, Tue 01.09. Shorter: the days before them, and Fri 27.03.
    assert (summary["working_days"], summary["hours"]) == (242, 1972 - 5 * 8 - 6)
    assert (summary["norm"]["working_days"], summary["norm"]["hours"]) == (247, 1972)
    by_day = {day["date"]: day for day in summary["days"]}
    assert len(by_day) == 365
    assert by_day["2026-05-26"] == {"date": "2026-05-26", "kind": "short", "hours": 7}
    assert by_day["2026-05-27"] == {"date": "2026-05-27", "kind": "off", "hours": 0}
    assert json.loads(json.dumps(summary)) == summary
