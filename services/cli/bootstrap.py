"""What an installation needs before its services start: topics, the time, the local key, the law."""

from __future__ import annotations

from datetime import datetime

from schemas import topics
from services.cli import law
from services.runtime import installation
from services.runtime.clock import ClockNotSet, SimulatedClock
from services.runtime.kafka_log import KafkaLog
from services.runtime.log import TopicPartition
from services.runtime.settings import ClockKind, Settings, SettingsError
from services.runtime.tokens import ensure_local_key


async def bootstrap(settings: Settings, clock: ClockKind, now: datetime | None) -> None:
    """Make ready, or bring up to date; harmless to repeat. `now` (aware): where a simulated clock is to stand.

    Raises `SettingsError` when this installation lives by the other clock or `now` lies behind its time, `Unsuitable`
    for topics, `Refused` for files of the law, `LogError`."""
    settings = settings.model_copy(update={"clock": clock})
    async with installation.open_log(settings) as log:
        await installation.check_whole(settings)
        await _same_clock(settings, log)
        await installation.ensure(settings)
        if clock == "simulated":
            await _begin_time(log, now)
        if settings.local_key is not None:
            ensure_local_key(settings.local_key)
        async with installation.open_clock(settings, log) as opened:
            await law.apply(settings, log, opened, law.files_of(settings.law_folders))


async def lives_by(settings: Settings) -> ClockKind | None:
    """The clock by which the installation lives already; None for one in which nothing has happened. Raises `LogError`."""
    async with installation.open_log(settings) as log:
        made = await installation.existing(settings)
        if topics.CLOCK in made and await _holds(log, topics.CLOCK, 1):
            return "simulated"
        return "real" if topics.INBOX in made and await _holds(log, topics.INBOX, made[topics.INBOX]) else None


async def _same_clock(settings: Settings, log: KafkaLog) -> None:
    """An inbox whose stamps are of one clock must not go on with another's."""
    made = await installation.existing(settings)
    clock_is_set = topics.CLOCK in made and await _holds(log, topics.CLOCK, 1)
    inbox_in_use = topics.INBOX in made and await _holds(log, topics.INBOX, made[topics.INBOX])
    if settings.clock == "real" and clock_is_set:
        raise SettingsError(
            "Эта установка живёт по условным часам, как после `make run`: поднимайте её им же (otklik up --demo или"
            " --clock simulated) либо возьмите другой каталог и порты (OTKLIK_DATA, OTKLIK_PORT_BASE)."
        )
    if settings.clock == "simulated" and inbox_in_use and not clock_is_set:
        raise SettingsError(
            "Эта установка живёт по настоящим часам: для условных возьмите другой каталог (OTKLIK_DATA) и порты."
        )


async def _holds(log: KafkaLog, topic: str, partitions: int) -> bool:
    ends = await log.ends([TopicPartition(topic, number) for number in range(partitions)])
    return any(ends.values())


async def _begin_time(log: KafkaLog, now: datetime | None) -> None:
    clock = SimulatedClock(log)
    await clock.start()
    try:
        stands_at = _time_of(clock)
        if stands_at is None:
            if now is None:
                raise SettingsError("Условным часам нужно начало: --now 2026-11-16T09:00+03:00")
            await clock.set(now)
        elif now is not None and now < stands_at:
            raise SettingsError(f"Условные часы стоят на {stands_at.isoformat()} и назад не идут.")
        # A later start than the clock's own time is reached by `otklik clock set`, with everything due on the way.
    finally:
        await clock.stop()


def _time_of(clock: SimulatedClock) -> datetime | None:
    try:
        return clock.now()
    except ClockNotSet:
        return None
