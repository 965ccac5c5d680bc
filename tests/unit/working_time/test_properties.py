"""Laws of the algebra, for any instant, term and zone. Instants are compared in UTC, where order is real order."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regulations.working_time import Hours, LocalSegment, PlainTime, Schedule, Segment, WorkingTime
from tests.unit.working_time.given import federal

ZONES = ("Europe/Moscow", "Asia/Novokuznetsk", "Asia/Irkutsk", "Europe/Berlin", "America/New_York",
         "Australia/Lord_Howe", "Asia/Kolkata")  # fmt: skip
OFFICE = {"days": "mon-fri", "from": "09:00", "to": "18:00", "lunch": {"from": "13:00", "to": "14:00"}}
# Works through the nights in which clocks change, with a lunch in the very hour.
NIGHTS = {"days": "mon-sun", "from": "00:30", "to": "05:00", "lunch": {"from": "02:15", "to": "02:45"}}
ROUND_THE_CLOCK = {"days": "mon-sun", "from": "00:00", "to": "24:00"}


@cache
def work_of(zone, name):
    hours = {"office": OFFICE, "nights": NIGHTS, "always": ROUND_THE_CLOCK}[name]
    return WorkingTime(Schedule(zone, Hours.parse(hours), federal().calendar))


works = st.builds(work_of, st.sampled_from(ZONES), st.sampled_from(("office", "nights", "always")))
instants = st.datetimes(datetime(2023, 12, 1), datetime(2026, 2, 1), timezones=st.just(UTC))  # noqa: DTZ001
terms = st.timedeltas(timedelta(microseconds=1), timedelta(hours=400))


def utc(at):
    return at.astimezone(UTC)


@given(works, instants, terms)
def test_adding_then_measuring_gives_the_term_back(work, start, term):
    assert work.between(start, work.add(start, term)) == term


@given(works, instants, terms)
def test_going_back_then_measuring_gives_the_term_back(work, due, term):
    assert work.between(work.latest_before(due, term), due) == term


@given(works, instants, terms)
def test_the_answer_is_the_earliest_and_the_latest(work, at, term):
    moment = timedelta(microseconds=1)
    assert work.between(at, utc(work.add(at, term)) - moment) < term
    assert work.between(utc(work.latest_before(at, term)) + moment, at) < term


@given(works, instants, instants, terms)
def test_adding_and_going_back_are_adjoint(work, start, due, term):
    assert (utc(work.add(start, term)) <= due) == (start <= utc(work.latest_before(due, term)))


@given(works, instants, instants, terms)
def test_order_is_kept(work, one, other, term):
    first, second = sorted((one, other))
    assert utc(work.add(first, term)) <= utc(work.add(second, term))
    assert utc(work.latest_before(first, term)) <= utc(work.latest_before(second, term))
    assert work.between(first, second) >= timedelta(0)


@given(works, instants, terms, terms)
def test_terms_add_up(work, start, one, other):
    assert utc(work.add(work.add(start, one), other)) == utc(work.add(start, one + other))
    assert utc(work.add(start, one)) < utc(work.add(start, one + other))


@given(works, instants, instants, instants)
def test_a_span_split_in_two_adds_up(work, one, two, three):
    assert work.between(one, two) + work.between(two, three) == work.between(one, three)


@settings(max_examples=30, deadline=None)
@given(works, instants, st.timedeltas(timedelta(0), timedelta(days=20)))
def test_the_stretches_that_counted_add_up_and_leave_no_gap(work, start, length):
    stretches = work.stretches(start, start + length)
    counted = sum((one.duration for one in stretches if one.counted), timedelta(0))
    assert counted == work.between(start, start + length)
    assert sum((one.duration for one in stretches), timedelta(0)) == length
    assert all(utc(a.to_at) == utc(b.from_at) for a, b in pairwise(stretches))


@given(works, instants, st.integers(1, 40))
def test_n_working_days_are_one_more_than_n_less_one(work, start, days):
    due = work.add_working_days(start, days + 1)
    # A day that ends at 24:00 ends when the next one begins; a moment before, it is still that day.
    day_before = utc(work.add_working_days(start, days)) - timedelta(microseconds=1)
    assert due == work.add_working_days(day_before, 1)
    assert utc(due) > day_before


@settings(deadline=None)
@given(works, instants, terms)
def test_a_walk_segment_by_segment_finds_the_same_instant(work, start, term):
    day, left = start.astimezone(work.schedule.zone).date(), term
    while True:
        for segment in work.schedule.day(day).segments:
            first = max(segment.from_at, start)
            if first < segment.to_at:
                if left <= segment.to_at - first:
                    assert utc(work.add(start, term)) == first + left
                    return
                left -= segment.to_at - first
        day += timedelta(days=1)


@given(st.sampled_from(ZONES), instants, terms)
def test_the_plain_clock_is_real_time(zone, start, term):
    plain = PlainTime(zone)
    assert utc(plain.add(start, term)) == start + term
    assert utc(plain.latest_before(plain.add(start, term), term)) == start


minutes = st.integers(0, 1440)
local_segments = st.lists(minutes, min_size=2, max_size=2, unique=True).map(lambda two: LocalSegment(*sorted(two)))


@given(local_segments, local_segments)
def test_a_segment_is_what_it_shares_and_what_it_does_not(one, other):
    shared = one.intersect(other)
    rest = sum(part.minutes for part in one.subtract(other))
    assert rest + (shared.minutes if shared else 0) == one.minutes


@given(instants, instants, instants, instants)
def test_a_segment_of_instants_is_what_it_shares_and_what_it_does_not(a, b, c, d):
    one, other = Segment(*sorted((a, b))), Segment(*sorted((c, d)))
    shared = one.intersect(other)
    rest = sum((part.duration for part in one.subtract(other)), timedelta(0))
    assert rest + (shared.duration if shared else timedelta(0)) == one.duration


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2025, 3, 30), 23),
        ("Europe/Berlin", date(2025, 10, 26), 25),
        ("America/New_York", date(2025, 3, 9), 23),
        ("Australia/Lord_Howe", date(2025, 10, 5), 23.5),
        ("Australia/Lord_Howe", date(2025, 4, 6), 24.5),
        ("Europe/Moscow", date(2025, 3, 30), 24),
    ],
)
def test_a_change_of_clocks_in_a_working_day_is_counted_in_real_time(zone, day, hours):
    always = work_of(zone, "always").schedule.day(day)
    assert always.working_time == timedelta(hours=hours)
    assert always.working_minutes == 24 * 60


def test_hours_that_begin_or_end_in_a_skipped_hour_do_so_at_the_jump():
    berlin = ZoneInfo("Europe/Berlin")
    jump = datetime(2025, 3, 30, 1, tzinfo=UTC)
    for start, end, real in (("02:30", "06:00", 3), ("00:00", "02:30", 2), ("02:15", "03:30", 0.5)):
        hours = Hours.parse({"days": "mon-sun", "from": start, "to": end})
        (segment,) = Schedule(berlin, hours, federal().calendar).day(date(2025, 3, 30)).segments
        assert segment.duration == timedelta(hours=real)
        assert jump in (segment.from_at, segment.to_at)


def test_a_term_across_the_repeated_hour_is_answered_with_the_right_offset():
    work = work_of("Europe/Berlin", "always")
    start = datetime(2025, 10, 25, 23, 30, tzinfo=UTC)
    answers = [work.add(start, timedelta(hours=hours)).isoformat()[11:] for hours in (0.75, 1.25, 2.25)]
    assert answers == ["02:15:00+02:00", "02:45:00+02:00", "02:45:00+01:00"]
