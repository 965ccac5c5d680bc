"""Ticks: enough of them, not more than needed, and whose clock is wrong only makes them early or late."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from schemas.envelope import Envelope
from schemas.inbox import TICK
from services.runtime.log import LogError, Outgoing, Position
from services.sla.ticks import Ticker

NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)


class Hand:
    """A clock moved by hand; `real` says whether it is taken for the machine's own."""

    def __init__(self, *, simulated: bool = False) -> None:
        self.simulated = simulated
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    async def wait_until(self, instant: datetime, wake_s: float) -> None:
        self.at = max(self.at, instant)


class Inbox:
    """Remembers what is appended; its broker's clock is `ahead` of ours."""

    def __init__(self, clock: Hand, ahead: timedelta = timedelta(0)) -> None:
        self.clock = clock
        self.ahead = ahead
        self.ticks: list[Outgoing] = []
        self.failing = False

    async def append(self, outgoing: Outgoing) -> Position:
        if self.failing:
            raise LogError("away")
        self.ticks.append(outgoing)
        return Position(outgoing.topic, outgoing.partition or 0, len(self.ticks), self.clock.now() + self.ahead)

    async def append_all(self, outgoing: Sequence[Outgoing]) -> list[Position | LogError]:
        return [await self.append(one) for one in outgoing]


class Set:
    def __init__(self, due: dict[int, datetime | None], clock: Hand, ahead: timedelta = timedelta(0)) -> None:
        self.due = due
        self.clock = clock
        self.inbox = Inbox(clock, ahead)
        self.owned = list(due)
        self.reached: datetime | None = None
        self.ticker = Ticker(self.next_at, self.inbox, clock, lambda: dict.fromkeys(self.owned, self.reached))

    async def next_at(self, partition: int) -> datetime | None:
        return self.due[partition]

    async def look(self, after: timedelta = timedelta(0)) -> int:
        self.clock.at += after
        return await self.ticker.look()


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


async def test_what_is_due_is_ticked_in_its_own_partition() -> None:
    stand = Set({0: NOW + minutes(5), 3: NOW - minutes(1)}, Hand())
    await stand.look()
    assert [one.partition for one in stand.inbox.ticks][-1] == 3
    tick = Envelope.from_bytes(stand.inbox.ticks[-1].value)
    assert (tick.type, stand.inbox.ticks[-1].topic) == (TICK, "inbox")
    assert tick.dataschema == f"urn:otklik:schema:{TICK}"


async def test_at_the_very_due_instant_it_is_not_past_yet() -> None:
    stand = Set({0: NOW}, Hand(simulated=True))
    assert await stand.look() == 0
    assert await stand.look(timedelta(milliseconds=1)) == 1


async def test_a_tick_on_its_way_is_not_repeated_at_once_and_then_ever_less_often() -> None:
    stand = Set({0: NOW - minutes(1)}, Hand())
    ticked = [number for number in range(300) if await stand.look(timedelta(seconds=1))]
    assert ticked == [0, 2, 6, 14, 30, 62, 122, 182, 242]


async def test_while_anything_is_open_a_minute_does_not_pass_without_a_tick() -> None:
    stand = Set({0: NOW + minutes(600)}, Hand())
    assert sum([await stand.look(timedelta(seconds=10)) for _ in range(60)]) == 10


async def test_with_nothing_open_an_hour_does() -> None:
    stand = Set({0: None}, Hand())
    assert sum([await stand.look(minutes(5)) for _ in range(36)]) == 3


async def test_simulated_time_is_ticked_only_for_what_is_due() -> None:
    stand = Set({0: NOW + minutes(60), 1: None}, Hand(simulated=True))
    assert sum([await stand.look(minutes(5)) for _ in range(12)]) == 0
    assert await stand.look(minutes(5)) == 1


async def test_partitions_of_others_are_left_alone() -> None:
    stand = Set({0: NOW - minutes(1), 1: NOW - minutes(1)}, Hand())
    stand.owned = [1]
    await stand.look()
    assert [one.partition for one in stand.inbox.ticks] == [1]


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)])
async def test_after_one_tick_the_logs_own_clock_is_known(ahead: timedelta) -> None:
    stand = Set({0: NOW + ahead + minutes(10)}, Hand(), ahead)
    await stand.look()
    before = len(stand.inbox.ticks)
    for _ in range(9):
        await stand.look(minutes(1))
    waited = len(stand.inbox.ticks) - before
    assert await stand.look(minutes(1) + timedelta(seconds=1)) == 1
    # By our own clock it would have been due long before, or only in an hour.
    assert waited <= 10


async def test_a_log_that_is_away_is_tried_again() -> None:
    stand = Set({0: NOW - minutes(1)}, Hand())
    stand.inbox.failing = True
    with pytest.raises(LogError):
        await stand.look()
    stand.inbox.failing = False
    assert await stand.look() == 1


async def test_a_clock_that_is_set_back_holds_no_tick_back() -> None:
    stand = Set({0: NOW + timedelta(days=9)}, Hand())
    await stand.look(timedelta(days=3))
    before = len(stand.inbox.ticks)
    await stand.look(-timedelta(days=3))
    assert len(stand.inbox.ticks) == before + 1


async def test_an_append_that_hung_tells_nothing_of_the_logs_clock() -> None:
    stand = Set({0: NOW + timedelta(days=9)}, Hand())
    append = stand.inbox.append

    async def hanging(outgoing: Outgoing) -> Position:
        stand.clock.at += timedelta(hours=5)
        return await append(outgoing)

    stand.inbox.append = hanging  # type: ignore[method-assign]
    await stand.look()
    assert stand.ticker.now() == stand.clock.now()
