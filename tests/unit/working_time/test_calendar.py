from datetime import date, timedelta

import pytest
from pydantic import ValidationError

from regulations.working_time import (
    FORTY_HOUR_WEEK,
    Calendar,
    CalendarYear,
    DayHours,
    Holiday,
    Hours,
    RegionalDay,
    Schedule,
    YearUnknown,
)
from regulations.working_time.library_years import decreed_years, is_decreed, library_year
from regulations.working_time.segment import minutes_of
from tests.unit.working_time.given import federal, schedule_of, wh

FEDERAL = federal()


def decree(day, kind, **more):
    return RegionalDay(date=date.fromisoformat(day), kind=kind, basis="указ № 1", **more)


def under(*entries):
    return Schedule("Europe/Moscow", FORTY_HOUR_WEEK, Calendar(FEDERAL.calendar.years.values(), entries))


def kind_and_hours(schedule, day):
    found = schedule.day(date.fromisoformat(day))
    return found.kind, found.working_minutes / 60


@pytest.mark.parametrize(
    ("day", "kind", "hours"),
    [
        ("2026-04-30", "short", 7),
        ("2026-05-08", "short", 7),  # Friday before Saturday 9 May
        ("2023-11-03", "short", 7),
        ("2024-12-28", "working", 8),  # traded for 30.12.2024, no eve
        ("2024-04-27", "working", 8),
        ("2024-11-02", "short", 7),  # traded for 30.04.2024, an eve
        ("2025-11-01", "short", 7),
        ("2024-04-30", "off", 0),
        ("2025-12-30", "working", 8),  # before a transferred day off
        ("2024-12-27", "working", 8),
        ("2024-12-31", "off", 0),
        ("2020-12-31", "short", 7),  # the eve of the next year, which need not be known
        ("2026-11-04", "off", 0),
        ("2026-11-21", "off", 0),
        ("2026-03-07", "off", 0),  # Saturday before a holiday: nothing to shorten
    ],
)
def test_a_day_of_the_production_calendar(day, kind, hours):
    assert kind_and_hours(FEDERAL, day) == (kind, hours)


def test_the_reason_of_a_day_is_told_in_russian():
    assert FEDERAL.day(date(2026, 5, 1)).why == "Праздник Весны и Труда"
    assert FEDERAL.day(date(2026, 5, 11)).why == "перенос выходного дня с 09.05.2026"
    assert FEDERAL.day(date(2026, 11, 21)).why == ""
    assert "вместо понедельника 03.11.2025" in FEDERAL.day(date(2025, 11, 1)).why
    assert "накануне нерабочего праздничного дня 04.11" in FEDERAL.day(date(2026, 11, 3)).why


def test_a_regional_holiday_shortens_the_day_before_it_and_a_moved_day_does_not():
    kbr, buryatia = schedule_of("kbr"), schedule_of("buryatia")
    assert kind_and_hours(kbr, "2026-05-27") == ("off", 0)
    assert kind_and_hours(kbr, "2026-05-26") == ("short", 7)
    assert kind_and_hours(kbr, "2025-09-19") == ("short", 7)  # Friday before Saturday 20.09
    assert kind_and_hours(kbr, "2024-06-14") == ("working", 8)  # the day before Monday is a Sunday
    assert kind_and_hours(buryatia, "2025-02-28") == ("short", 7)
    assert kind_and_hours(buryatia, "2025-03-03") == ("off", 0)
    moved = under(decree("2026-11-18", "off", moved_from=date(2026, 11, 14)))
    assert kind_and_hours(moved, "2026-11-17") == ("working", 8)
    assert kind_and_hours(under(decree("2026-11-18", "off", shortens_eve=False)), "2026-11-17") == ("working", 8)


def test_an_eve_of_two_holidays_is_shortened_once():
    assert kind_and_hours(under(decree("2026-05-01", "off")), "2026-04-30") == ("short", 7)


def test_a_working_saturday_is_also_shortened_by_a_regional_holiday():
    assert kind_and_hours(under(decree("2024-12-29", "off")), "2024-12-28") == ("short", 7)
    assert kind_and_hours(under(decree("2024-04-30", "off")), "2024-04-27") == ("short", 7)


def test_the_later_decree_of_a_day_wins():
    holiday = decree("2026-11-18", "off")
    back = Calendar(FEDERAL.calendar.years.values(), [holiday], [decree("2026-11-18", "working")])
    schedule = Schedule("Europe/Moscow", FORTY_HOUR_WEEK, back)
    assert kind_and_hours(schedule, "2026-11-18") == ("working", 8)
    assert kind_and_hours(schedule, "2026-11-17") == ("working", 8)


@pytest.mark.parametrize(
    ("entry", "hours"),
    [
        (decree("2026-11-18", "short"), 7),
        (decree("2026-11-18", "short", hours=5.5), 5.5),
        (decree("2026-11-18", "short", hours=3), 3),
        (decree("2026-11-18", "working", hours=10), 10),
        (decree("2026-11-18", "working", hours=DayHours.model_validate({"from": "10:00", "to": "12:30"})), 2.5),
        (decree("2026-11-21", "working"), 8),  # a Saturday worked like the Friday
        (decree("2026-11-22", "short"), 7),
        (decree("2026-11-04", "working"), 8),  # even a holiday, if the act says so
    ],
)
def test_a_decree_may_set_the_hours_of_a_day(entry, hours):
    assert kind_and_hours(under(entry), entry.date.isoformat()) == (entry.kind, hours)


def test_hours_are_cut_and_drawn_out_at_the_end_of_the_day():
    day = under(decree("2026-11-18", "working", hours=10)).day(date(2026, 11, 18))
    assert [segment.label for segment in day.local_segments] == ["09:00–13:00", "14:00–20:00"]
    day = under(decree("2026-11-18", "short", hours=3)).day(date(2026, 11, 18))
    assert [segment.label for segment in day.local_segments] == ["09:00–12:00"]
    assert [segment.label for segment in FEDERAL.day(date(2026, 11, 3)).local_segments] == [
        "09:00–13:00",
        "14:00–17:00",
    ]


def test_an_unknown_year_is_refused_unless_the_day_has_a_word_of_its_own():
    schedule = Schedule("Europe/Moscow", FORTY_HOUR_WEEK, Calendar([], [decree("2030-05-20", "off")]))
    assert schedule.day(date(2030, 5, 20)).kind == "off"
    for day in (date(2030, 5, 21), date(2030, 5, 25)):
        with pytest.raises(YearUnknown, match="2030 год не задан"):
            schedule.day(day)


def test_a_year_whose_transfers_are_not_decreed_is_refused_by_the_library_edge():
    assert decreed_years()[:14] == tuple(range(2013, 2027))
    for year in (2012, decreed_years()[-1] + 1, 2099):
        assert not is_decreed(year)
        with pytest.raises(YearUnknown):
            library_year(year)


def test_the_library_speaks_russian_whatever_the_locale(monkeypatch):
    monkeypatch.setenv("LANGUAGE", "en_US")
    library_year.cache_clear()
    assert library_year(2026).holidays[0] == Holiday(date=date(2026, 1, 1), name="Новогодние каникулы")


def test_a_year_travels_as_json_and_comes_back_the_same():
    for year in decreed_years():
        there = library_year(year).model_dump_json()
        assert CalendarYear.model_validate_json(there) == library_year(year)
    regional = decree("2026-11-18", "short", hours=DayHours.model_validate({"from": "9:00", "to": "12:00"}))
    assert RegionalDay.model_validate_json(regional.model_dump_json()) == regional
    assert Hours.model_validate_json(FORTY_HOUR_WEEK.model_dump_json()) == FORTY_HOUR_WEEK


def test_a_year_given_later_replaces_the_earlier():
    known = library_year(2026)
    corrected = known.model_copy(update={"short_days": ()})
    schedule = Schedule("Europe/Moscow", FORTY_HOUR_WEEK, Calendar([known, corrected]))
    assert kind_and_hours(schedule, "2026-04-30") == ("working", 8)


@pytest.mark.parametrize(
    "change",
    [
        {"year": 2025},
        {"short_days": ["2026-01-01"]},
        {"transferred": [{"date": "2026-01-09", "moved_from": "2026-01-03"}] * 2},
        {"basis": ""},
        {"holidays": []},
        {"surprise": 1},
    ],
)
def test_a_year_that_contradicts_itself_is_refused(change):
    with pytest.raises(ValidationError):
        CalendarYear.model_validate(library_year(2026).model_dump(mode="json") | change)


@pytest.mark.parametrize(
    "entry",
    [
        {"days": "mon-fri", "from": "18:00", "to": "09:00"},
        {"days": "fri-mon", "from": "09:00", "to": "18:00"},
        {"days": "monday", "from": "09:00", "to": "18:00"},
        {"days": "mon", "from": "9", "to": "18:00"},
        {"days": "mon", "from": "09:00", "to": "24:30"},
        {"days": "mon", "from": "09:00", "to": "18:00", "lunch": {"from": "17:30", "to": "18:30"}},
        {"days": "mon", "from": "13:00", "to": "14:00", "lunch": {"from": "13:00", "to": "14:00"}},
        {"days": "mon", "from": "09:00", "to": "18:00", "brunch": 1},
        [],
        [{"days": "mon", "from": "09:00", "to": "13:00"}, {"days": "mon,tue", "from": "12:00", "to": "18:00"}],
    ],
)
def test_hours_that_contradict_themselves_are_refused(entry):
    with pytest.raises(ValidationError):
        Hours.parse(entry)


def test_hours_are_read_and_written_alike():
    data = {"days": "mon-thu,sat", "from": "8:00", "to": "24:00", "lunch": {"from": "12:00", "to": "12:45"}}
    hours = Hours.parse(data)
    assert sum(minutes_of(day) for day in hours.week()) == 5 * (16 * 60 - 45)
    assert hours.model_dump(mode="json")["entries"][0]["from"] == "08:00"
    assert Hours.parse(hours.model_dump(mode="json")) == hours


def test_whoever_works_on_saturdays_has_the_eve_on_saturday_too():
    six_days = Hours.parse({"days": "mon-sat", "from": "09:00", "to": "16:00"})
    schedule = Schedule("Europe/Moscow", six_days, FEDERAL.calendar)
    assert kind_and_hours(schedule, "2026-03-07") == ("short", 6)
    assert kind_and_hours(schedule, "2026-03-14") == ("working", 7)


def test_a_day_knows_its_bounds_and_real_length():
    assert FEDERAL.bounds(date(2026, 11, 16)).duration == timedelta(hours=24)
    assert FEDERAL.day(date(2026, 11, 16)).working_time == wh(8)
