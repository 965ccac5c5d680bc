"""What every service opens before it begins, in the one order in which it is closed again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from sqlalchemy.ext.asyncio import AsyncEngine

from schemas import topics
from services.runtime import installation
from services.runtime.appender import Appender
from services.runtime.clock import Clock
from services.runtime.database import create_engine, wait_for_database
from services.runtime.decider import Decider
from services.runtime.decider_loop import DeciderRunner
from services.runtime.kafka_log import KafkaLog
from services.runtime.log import Log
from services.runtime.migrate import upgrade
from services.runtime.settings import Settings
from services.runtime.store import DeciderStore
from services.runtime.transaction import Limits


@asynccontextmanager
async def ground(settings: Settings, schema: str, pool: int) -> AsyncIterator[tuple[KafkaLog, AsyncEngine]]:
    """The log, whole and suitable, and the tables of `schema`, brought up to date, with at most `pool` connections.

    Raises `Unsuitable`, `LogError`, `StoreError`."""
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(installation.open_log(settings))
        await installation.check(settings)
        engine = create_engine(settings.postgres, schema, pool)
        stack.push_async_callback(engine.dispose)
        await wait_for_database(engine)
        await upgrade(engine, schema)
        yield log, engine


@asynccontextmanager
async def appending(settings: Settings, log: KafkaLog) -> AsyncIterator[tuple[Clock, Appender]]:
    """The installation's clock, and an appender by it that runs. Raises `LogError`."""
    async with installation.open_clock(settings, log) as clock:
        appender = Appender(log, clock)
        await appender.start()
        try:
            yield clock, appender
        finally:
            await appender.stop()


def runner_of(settings: Settings, decider: Decider, log: Log, store: DeciderStore) -> DeciderRunner:
    """The decider as one of its service's replicas, not yet running."""
    runner = DeciderRunner(
        decider,
        log,
        store,
        shared=topics.SHARED,
        code_version=version("otklik"),
        limits=Limits(batch_max=settings.batch_max),
    )
    runner.health.lag_limit = settings.lag_limit
    return runner
