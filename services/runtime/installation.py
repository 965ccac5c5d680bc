"""An installation as its settings say: its log, its clock, its topics."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType

from schemas import topics
from schemas.topics import TopicSpec
from services.runtime.clock import Clock, RealClock, SimulatedClock
from services.runtime.kafka_admin import Unsuitable, Wanted, check_cluster, describe, ensure_topics
from services.runtime.kafka_client import KafkaSettings
from services.runtime.kafka_log import KafkaLog
from services.runtime.log import TopicPartition
from services.runtime.settings import Settings


def kafka_settings(settings: Settings) -> KafkaSettings:
    """How Kafka is reached."""
    secured = settings.kafka_security == "SASL_SSL"
    return KafkaSettings(
        settings.kafka,
        settings.prefix,
        security_protocol=settings.kafka_security,
        ssl_context=ssl.create_default_context(cafile=settings.kafka_ca) if secured else None,
        sasl_mechanism="SCRAM-SHA-512" if secured else "PLAIN",
        sasl_username=settings.kafka_user,
        sasl_password=settings.kafka_password.get_secret_value() if settings.kafka_password else None,
        transaction_timeout_s=settings.transaction_timeout,
        session_timeout_s=settings.session_timeout,
    )


async def living(settings: Settings, log: KafkaLog) -> Settings:
    """The settings with the clock by which the installation on that log does live: a command in another shell need not be
    told of it, and must not stamp records with the other time. Raises `LogError`."""
    if topics.CLOCK not in await existing(settings):
        return settings
    place = TopicPartition(topics.CLOCK, 0)
    simulated = (await log.ends([place]))[place] > 0
    return settings.model_copy(update={"clock": "simulated" if simulated else "real"})


@asynccontextmanager
async def open_log(settings: Settings) -> AsyncIterator[KafkaLog]:
    """The log; reached at its first use."""
    log = KafkaLog(kafka_settings(settings))
    try:
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def open_clock(settings: Settings, log: KafkaLog) -> AsyncIterator[Clock]:
    """The clock of the settings. Raises `LogError` when the simulated one cannot be read."""
    if settings.clock == "real":
        yield RealClock()
        return
    clock = SimulatedClock(log)
    await clock.start()
    try:
        yield clock
    finally:
        await clock.stop()


async def ensure(
    settings: Settings, specs: Sequence[TopicSpec] = topics.STANDING, over: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """Make what lacks, put the settings of the rest right (`over` goes over the specs'). Returns the names made. Raises
    `Unsuitable`, `LogError`."""
    return await ensure_topics(kafka_settings(settings), wanted_of(settings, specs, over))


def wanted_of(
    settings: Settings, specs: Sequence[TopicSpec], over: Mapping[str, str] = MappingProxyType({})
) -> list[Wanted]:
    """The topics as this installation has them, with `over` over the specs' settings."""
    wanted = []
    for spec in specs:
        config = spec.config(simulated=settings.clock == "simulated")
        if settings.replication >= 3:
            # Two copies acknowledge, so that one broker may be away without stopping anybody.
            config |= {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}
        wanted.append(
            Wanted(spec.name, spec.partitions or settings.partitions, settings.replication, config | dict(over))
        )
    return wanted


async def existing(settings: Settings) -> dict[str, int]:
    """The installation's topics, with the number of their partitions."""
    return {name: one.partitions for name, one in (await describe(kafka_settings(settings))).items()}


async def check(settings: Settings) -> None:
    """What a service looks at before it starts. Raises `Unsuitable` with every fault."""
    await check_whole(settings)
    if settings.environment == "production":
        await check_cluster(kafka_settings(settings), [spec.name for spec in topics.STANDING])


async def check_whole(settings: Settings) -> None:
    """Raises `Unsuitable` where the log is being restored, or was left half restored."""
    if topics.IMPORT in await existing(settings):
        name = topics.full(settings.prefix, topics.IMPORT)
        raise Unsuitable(
            [f"журнал загружается из копии или загружен наполовину (есть тема {name}): otklik import ПАПКА --again"]
        )
