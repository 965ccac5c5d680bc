from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from regulations.working_time import (
    FORTY_HOUR_WEEK,
    Calendar,
    Hours,
    NaiveInstant,
    NoWorkingTime,
    PlainTime,
    RegionalDay,
    Schedule,
    WorkingTime,
    YearUnknown,
)
from regulations.working_time.library_years import library_year
from tests.unit.working_time.given import at, clock, federal, wh

WORK = clock()


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-11-16T09:00", 4, "2026-11-16T13:00"),  # reading 4: not 14:00
        ("2026-11-16T09:00", 8, "2026-11-16T18:00"),
        ("2026-11-16T09:00", 9, "2026-11-17T10:00"),
        ("2026-11-16T13:20", 1, "2026-11-16T15:00"),
        ("2026-11-16T13:00", 0.5, "2026-11-16T14:30"),
        ("2026-11-16T18:00", 0.5, "2026-11-17T09:30"),
        ("2026-11-16T03:00", 0.5, "2026-11-16T09:30"),
        ("2026-11-20T19:00", 8, "2026-11-23T18:00"),
        ("2026-04-30T14:00", 8, "2026-05-04T15:00"),
        ("2026-04-30T17:00", 1, "2026-05-04T10:00"),
        ("2024-12-28T17:30", 1, "2025-01-09T09:30"),
        ("2025-12-30T17:30", 1, "2026-01-12T09:30"),
        ("2026-01-01T00:00", 8, "2026-01-12T18:00"),
    ],
)
def test_a_term_ends_at_the_earliest_instant_by_which_it_has_passed(start, hours, due):
    assert WORK.add(at(start), wh(hours)) == at(due)


@pytest.mark.parametrize(
    ("due", "hours", "limit"),
    [
        ("2026-11-16T18:00", 4, "2026-11-16T14:00"),  # reading 4: the latest, not 13:00
        ("2026-11-16T18:00", 8, "2026-11-16T09:00"),
        ("2026-11-17T10:00", 4, "2026-11-16T15:00"),
        ("2026-11-16T13:30", 4, "2026-11-16T09:00"),
        ("2026-11-16T20:00", 1, "2026-11-16T17:00"),
        ("2026-11-16T09:00", 1, "2026-11-13T17:00"),
        ("2026-01-12T14:45", 4, "2026-01-12T09:45"),
        ("2026-01-12T09:00", 2, "2025-12-30T16:00"),
        ("2026-05-04T10:00", 2, "2026-04-30T16:00"),
    ],
)
def test_no_later_than_n_before_is_the_latest_instant_that_leaves_n(due, hours, limit):
    assert WORK.latest_before(at(due), wh(hours)) == at(limit)


def test_no_term_ends_where_it_starts_even_outside_working_time():
    night = at("2026-11-15T03:00")
    assert WORK.add(night, timedelta(0)) == night == WORK.latest_before(night, timedelta(0))


def test_microseconds_are_kept():
    start = at("2026-11-16T17:59:59.999999")
    assert WORK.add(start, timedelta(microseconds=1)) == at("2026-11-16T18:00")
    assert WORK.add(start, timedelta(microseconds=2)) == at("2026-11-17T09:00:00.000001")


def test_any_offset_of_the_start_is_the_same_instant_and_the_answer_is_local():
    due = WORK.add(datetime(2025, 12, 31, 21, 30, tzinfo=UTC), wh(1))
    assert due.isoformat() == "2026-01-12T10:00:00+03:00"


def test_working_days_do_not_count_the_day_of_the_start():
    assert WORK.add_working_days(at("2026-11-16T00:00"), 7) == at("2026-11-25T18:00")
    assert WORK.add_working_days(at("2025-12-30T16:31"), 7) == at("2026-01-20T18:00")
    assert WORK.add_working_days(at("2026-11-02T23:59"), 1) == at("2026-11-03T17:00")
    assert WORK.add_working_days(at("2026-11-21T12:00"), 1) == at("2026-11-23T18:00")


def test_working_days_follow_the_local_day_not_that_of_the_offset():
    assert WORK.add_working_days(datetime(2026, 11, 16, 21, 30, tzinfo=UTC), 1) == at("2026-11-18T18:00")


def test_a_due_day_that_is_off_falls_on_the_last_working_day_before():
    assert WORK.last_working_day_on_or_before(date(2026, 1, 10)) == at("2025-12-30T18:00")
    assert WORK.last_working_day_on_or_before(date(2026, 11, 10)) == at("2026-11-10T18:00")
    assert WORK.last_working_day_on_or_before(date(2026, 5, 1)) == at("2026-04-30T17:00")


def test_a_day_off_has_no_end():
    with pytest.raises(ValueError, match=r"01\.05\.2026"):
        WORK.end_of_working_day(date(2026, 5, 1))


def test_measuring_backwards_is_negative():
    assert WORK.between(at("2026-11-16T09:00"), at("2027-02-01T09:00")) == -WORK.between(
        at("2027-02-01T09:00"), at("2026-11-16T09:00")
    )


def test_stretches_tell_what_counted_and_why_the_rest_did_not():
    found = WORK.stretches(at("2026-04-30T12:00"), at("2026-05-02T00:00"))
    assert [(s.counted, s.why, s.duration) for s in found] == [
        (True, found[0].day.why, wh(1)),
        (False, "обед", wh(1)),
        (True, found[0].day.why, wh(3)),
        (False, "после окончания рабочего дня", wh(7)),
        (False, "выходной: Праздник Весны и Труда", wh(24)),
    ]


def test_the_plain_clock_runs_day_and_night():
    plain = PlainTime("Asia/Irkutsk")
    start = at("2026-11-20T16:40", ZoneInfo("Asia/Irkutsk"))
    due = plain.add(start, wh(8))
    assert due.isoformat() == "2026-11-21T00:40:00+08:00"
    assert plain.latest_before(due, wh(8)) == start
    assert plain.between(start, due) == wh(8)
    assert [s.duration for s in plain.stretches(start, due)] == [wh(8)]


def test_a_naive_instant_is_refused_by_every_method():
    naive = datetime(2026, 11, 16, 9)  # noqa: DTZ001 – that is the point
    good = at("2026-11-16T09:00")
    for call in (
        lambda: WORK.add(naive, wh(1)),
        lambda: WORK.add(naive, wh(0)),
        lambda: WORK.latest_before(naive, wh(1)),
        lambda: WORK.between(naive, good),
        lambda: WORK.between(good, naive),
        lambda: WORK.add_working_days(naive, 1),
        lambda: WORK.stretches(naive, good),
        lambda: PlainTime("UTC").add(naive, wh(1)),
    ):
        with pytest.raises(NaiveInstant, match="смещением"):
            call()


def test_a_negative_term_and_no_working_day_are_refused():
    for call in (lambda: WORK.add(at("2026-11-16T09:00"), wh(-1)), lambda: WORK.add_working_days(at("2026-11-16"), 0)):
        with pytest.raises(ValueError, match=r"отрицательным|от одного"):
            call()


def test_a_year_that_nobody_gave_is_refused_only_when_it_is_needed():
    work = WorkingTime(Schedule("Europe/Moscow", FORTY_HOUR_WEEK, Calendar([library_year(2026)])))
    assert work.add(at("2026-12-30T16:00"), wh(2)) == at("2026-12-30T18:00")
    assert work.latest_before(at("2026-01-12T10:00"), wh(1)) == at("2026-01-12T09:00")
    for call, year in (
        (lambda: work.add(at("2026-12-30T16:00"), wh(2) + timedelta(microseconds=1)), 2027),
        (lambda: work.add(at("2027-01-01T00:00"), wh(1)), 2027),
        (lambda: work.latest_before(at("2026-01-12T10:00"), wh(2)), 2025),
        (lambda: work.add_working_days(at("2026-12-30T16:00"), 1), 2027),
        (lambda: work.last_working_day_on_or_before(date(2026, 1, 10)), 2025),
        (lambda: work.between(at("2024-12-02T10:00"), at("2026-12-02T10:00")), 2024),
    ):
        with pytest.raises(YearUnknown) as refused:
            call()
        assert refused.value.year == year


def test_a_schedule_without_working_time_is_refused_instead_of_searched_for_ever():
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    closed = [RegionalDay(date=day, basis="закрыто") for day in days]
    work = WorkingTime(Schedule("UTC", FORTY_HOUR_WEEK, Calendar([library_year(2026)], closed)))
    with pytest.raises(NoWorkingTime, match="2026"):
        work.add(at("2026-11-16T09:00"), wh(1))


def test_other_hours_other_answers():
    hours = Hours.parse(
        [
            {"days": "mon-thu", "from": "8:30", "to": "17:30", "lunch": {"from": "12:30", "to": "13:18"}},
            {"days": ["fri"], "from": "08:30", "to": "16:30", "lunch": {"from": "12:30", "to": "13:18"}},
        ]
    )
    work = WorkingTime(Schedule("Europe/Moscow", hours, federal().calendar))
    assert work.add(at("2026-11-20T16:00"), wh(1)) == at("2026-11-23T09:00")
    assert work.add(at("2026-11-16T12:00"), wh(1)) == at("2026-11-16T13:48")
    # Friday before Saturday 9 May is an eve: an hour shorter at its end.
    assert work.end_of_working_day(date(2026, 5, 8)) == at("2026-05-08T15:30")
