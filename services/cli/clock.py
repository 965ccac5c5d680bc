"""`otklik clock`: the simulated time of an installation, moved and waited for."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas import topics
from schemas.envelope import CONTENT_TYPE
from schemas.inbox import Tick
from services.cli.telling import Refused, told
from services.runtime import installation
from services.runtime.broadcast import Broadcast, broadcast
from services.runtime.clock import ClockNotSet, SimulatedClock
from services.runtime.database import create_engine
from services.runtime.kafka_log import KafkaLog
from services.runtime.log import LogError, Position, TopicPartition
from services.runtime.postgres_positions import transaction
from services.runtime.settings import Settings, load_settings
from services.runtime.store import StoreError

FLOW = (("workflow", topics.EVENTS), ("sla", topics.DEADLINES), ("reporting", None))
"""Who has to have stored what came before, and on which topic it says what the next has to read."""
PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.05
BEAT_SECONDS = 1.0
"""How often a running clock is moved on."""
BEATS_A_TICK = 60
"""SLA ticks what is due by itself; without a tick a minute a quiet log would not tell how late it is."""

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Условные часы (otklik up --clock simulated).")
_durations = TypeAdapter(timedelta)

logger = logging.getLogger(__name__)


class ClockError(Refused):
    """Time cannot be moved so; the text says in Russian why."""


@app.command("show")
def show() -> None:
    """Напечатать, сколько сейчас времени, по каким бы часам установка ни жила."""
    _run(time_of)


@app.command("set")
def set_(instant: Annotated[str, typer.Argument(help="момент вида 2026-11-16T09:00+03:00")]) -> None:
    """Перевести часы вперёд; вернуться, когда сделано всё, что к этому сроку было должно."""
    _run(lambda settings: _set(settings, instant))


@app.command("advance")
def advance(duration: Annotated[str, typer.Argument(help="длительность: PT30M, P1D, 30m, 2h, 1d")]) -> None:
    """Перевести часы вперёд на длительность."""
    _run(lambda settings: _advance(settings, duration))


def _run(command: Callable[[Settings], Coroutine[Any, Any, datetime]]) -> None:
    with told():
        print(asyncio.run(command(load_settings())).isoformat())


def duration_of(text: str) -> timedelta:
    """`PT30M`, `P1D` (ISO 8601), or `30m`, `2h`, `1d`, `45s`. Raises ClockError."""
    short = re.fullmatch(r"(\d+)([smhd])", text)
    if short:
        unit = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[short[2]]
        return timedelta(**{unit: int(short[1])})
    try:
        found = _durations.validate_python(text)
    except ValidationError:
        raise ClockError(f"«{text}» — не длительность: нужно PT30M, P1D, 30m, 2h или 1d") from None
    if found < timedelta(0):
        raise ClockError("назад время не идёт")
    return found


def instant_of(text: str) -> datetime:
    """An aware instant. Raises ClockError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ClockError(f"«{text}» — не момент: нужно вида 2026-11-16T09:00+03:00") from None
    if found.tzinfo is None:
        raise ClockError(f"«{text}»: укажите смещение от UTC, например {found:%Y-%m-%dT%H:%M}+03:00")
    return found


async def time_of(settings: Settings) -> datetime:
    """The installation's time: the machine's, or where the simulated clock stands."""
    async with installation.open_log(settings) as log:
        living = await installation.living(settings, log)
    return datetime.now(UTC) if living.clock == "real" else await _show(settings)


async def _opened(log: KafkaLog) -> SimulatedClock:
    clock = SimulatedClock(log)
    await clock.start()
    try:
        clock.now()
    except ClockNotSet:
        await clock.stop()
        raise ClockError("Эта установка живёт по настоящим часам: их не переводят.") from None
    return clock


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[SimulatedClock]:
    """The installation's simulated clock. Raises `ClockError` where it lives by the real one, `LogError`."""
    async with installation.open_log(settings) as log:
        clock = await _opened(log)
        try:
            yield clock
        finally:
            await clock.stop()


async def _show(settings: Settings) -> datetime:
    async with opened(settings) as clock:
        return clock.now()


async def _set(settings: Settings, text: str) -> datetime:
    return await move(settings, instant_of(text))


async def _advance(settings: Settings, text: str) -> datetime:
    return await move(settings, duration_of(text))


async def move(settings: Settings, to: datetime | timedelta) -> datetime:
    """Move time on, tick every partition, and return when workflow, sla and reporting have stored all that it brings.

    Raises ClockError for an instant that lies behind, or when a service does not come so far in two minutes."""
    async with installation.open_log(settings) as log:
        clock = await _opened(log)
        try:
            now = clock.now()
            instant = to if isinstance(to, datetime) else now + to
            if instant < now:
                raise ClockError(f"Часы стоят на {now.isoformat()}: назад время не идёт.")
            await clock.set(instant)
            ticks = await _tick(log, clock)
        finally:
            await clock.stop()
        await _stored(settings, log, instant, ticks)
    return instant


async def run(settings: Settings) -> None:
    """Let the simulated clock run with the machine's until cancelled: set on every second, ticked every minute. While
    Kafka is away it waits; a clock that was moved ahead by hand stands until its time has come."""
    beats = 0
    while True:
        try:
            async with installation.open_log(settings) as log, installation.open_clock(settings, log) as clock:
                assert isinstance(clock, SimulatedClock)
                while True:
                    await clock.set(datetime.now(UTC))
                    if beats % BEATS_A_TICK == 0:
                        await _tick(log, clock)
                    beats += 1
                    await asyncio.sleep(BEAT_SECONDS)
        except LogError as error:
            logger.warning("the running clock waits: %s", error)
            await asyncio.sleep(BEAT_SECONDS)


async def _tick(log: KafkaLog, clock: SimulatedClock) -> list[Position]:
    tick = Tick(why="otklik clock").enveloped("/otklik/clock", clock.now())
    said = Broadcast(b"tick", tick.to_bytes(), {"content-type": CONTENT_TYPE})
    # A transactional id of its own: it must not fence an amendment that is on its way.
    (ticks,) = await broadcast(log, topics.INBOX, [said], name="clock", clock=clock)
    return ticks


async def _stored(settings: Settings, log: KafkaLog, instant: datetime, ticks: list[Position]) -> None:
    """Wait along the flow: workflow has stored the ticks, and with them how far `events` are written; sla has stored all of
    those, and how far `deadlines` are; and then reporting."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    engine = create_engine(settings.postgres, "clock", 1)
    wanted = {TopicPartition(tick.topic, tick.partition): tick.offset + 1 for tick in ticks}
    try:
        for service, says in FLOW:
            while (stored := await _stored_by(engine, service)) is None or not _includes(stored, wanted):
                await _again(settings, service, instant, deadline)
            if says is None:
                return
            written = {place: offset for place, offset in stored.items() if place.topic == says and offset}
            while (readable := await _readable(log, written)) is None:
                await _again(settings, service, instant, deadline)
            wanted = {place: offset for place, offset in wanted.items() if place.topic != topics.INBOX} | readable
    finally:
        await engine.dispose()


async def _again(settings: Settings, service: str, instant: datetime, deadline: float) -> None:
    """A moment later; ClockError when it has taken too long."""
    if time.monotonic() > deadline:
        raise ClockError(
            f"{service} не дошла до {instant.isoformat()} за {PATIENCE_SECONDS:g} с: "
            f"работает ли она? {settings.url(service)}/readyz"
        )
    await asyncio.sleep(LOOK_SECONDS)


async def _readable(log: KafkaLog, written: dict[TopicPartition, int]) -> dict[TopicPartition, int] | None:
    """What a reader has to have stored so that it has read all that was `written`; None as long as some of it cannot be read.

    A transaction is readable only after its commit is answered, so the ends that the log tells at once may lie before it. All
    is written in transactions, so the last thing in a partition is the mark that ends one, which no reader ever stores."""
    ends = await log.ends(sorted(written))
    if any(ends[place] < offset for place, offset in written.items()):
        return None
    return {place: min(offset, ends[place] - 1) for place, offset in written.items()}


async def _stored_by(engine: AsyncEngine, service: str) -> dict[TopicPartition, int] | None:
    """How far a service has read its topics, and written its own; None where that cannot be asked just now."""
    try:
        async with transaction(engine, "asking for positions") as connection:
            rows = await connection.execute(text(f'SELECT partition, offsets FROM "{service}".positions'))
            return {
                TopicPartition(topic, row.partition): int(offset)
                for row in rows
                for topic, offset in row.offsets.items()
            }
    except StoreError:
        return None


def _includes(stored: dict[TopicPartition, int], wanted: dict[TopicPartition, int]) -> bool:
    return all(stored.get(place, 0) >= offset for place, offset in wanted.items())
