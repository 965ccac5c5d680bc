"""A rebuild without a gap: all of the log folded into tables beside the old ones, which then take their place at once.

`python -m services.reporting.rebuild`, while the service runs: after a change of what is counted, or to prove the tables."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting.projection import Reporting
from services.reporting.store import TOPICS
from services.reporting.tables import SCHEMA
from services.runtime import installation, process
from services.runtime.database import create_engine, wait_for_database
from services.runtime.log import Log, TopicPartition
from services.runtime.migrate import SERVICES, upgrade
from services.runtime.postgres_positions import transaction
from services.runtime.projection_loop import ProjectionRunner
from services.runtime.settings import Settings
from services.runtime.transaction import Limits

BESIDE, OLD = f"{SCHEMA}_beside", f"{SCHEMA}_old"
LOOK_SECONDS = 0.2

_log = structlog.get_logger("rebuild")


async def rebuild(settings: Settings, port: int = 0) -> None:
    """Return when the new tables have taken the old ones' place. `port` is not used: a rebuild answers nobody.

    Raises `LogError`, `StoreError`; the old tables then stay as they are. One at a time: another one begun meanwhile
    starts from nothing again."""
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(installation.open_log(settings))
        engine = create_engine(settings.postgres, BESIDE, settings.database_pool)
        stack.push_async_callback(engine.dispose)
        await wait_for_database(engine)
        async with transaction(engine, "clearing the place beside") as connection:
            await connection.execute(text(f"DROP SCHEMA IF EXISTS {BESIDE} CASCADE"))
        await upgrade(engine, BESIDE, SERVICES / SCHEMA / "migrations")
        # The code names its tables in the schema of the service; here the same statements go to the place beside.
        beside = engine.execution_options(schema_translate_map={SCHEMA: BESIDE})
        runner = ProjectionRunner(Reporting(BESIDE), log, beside, limits=Limits(batch_max=settings.batch_max))
        running = asyncio.ensure_future(process.stopped_in_order(runner.run(), runner.stop))
        try:
            await _caught_up(log, engine, settings.partitions, running)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        await _switch(engine)
        _log.info("rebuilt")


async def _caught_up(log: Log, engine: AsyncEngine, partitions: int, running: asyncio.Future[None]) -> None:
    """Until everything that stands on the log now is folded; what comes later the service folds itself."""
    places = [TopicPartition(topic, number) for topic in TOPICS for number in range(partitions)]
    wanted = {}
    for place, end in (await log.ends(places)).items():
        wanted[place] = 0
        # The last thing in a partition may be the mark of a transaction, which no reader stores: the last record counts.
        async for records in log.read(place, max(0, end - _MARKS), end):
            wanted[place] = records[-1].offset + 1 if records else wanted[place]
    while True:
        async with transaction(engine, "asking for positions") as connection:
            rows = await connection.execute(text(f"SELECT partition, offsets FROM {BESIDE}.positions"))
            stands = {row.partition: row.offsets for row in rows}
        if all(int(stands.get(at.partition, {}).get(at.topic, 0)) >= offset for at, offset in wanted.items()):
            return
        if running.done():
            running.result()
        await asyncio.sleep(LOOK_SECONDS)


_MARKS = 1000
"""How far before the end the last record is looked for; nothing found there means that the last ones are all marks."""


async def _switch(engine: AsyncEngine) -> None:
    """In one transaction, so that every question is answered by the old tables or by the new ones. The service then loses
    the old positions' ownership, claims the new ones, and goes on from where they stand."""
    async with transaction(engine, "switching over") as connection:
        await connection.execute(text(f"DROP SCHEMA IF EXISTS {OLD} CASCADE"))
        await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        await connection.execute(text(f"ALTER SCHEMA {SCHEMA} RENAME TO {OLD}"))
        await connection.execute(text(f"ALTER SCHEMA {BESIDE} RENAME TO {SCHEMA}"))
    async with transaction(engine, "letting the old tables go") as connection:
        await connection.execute(text(f"DROP SCHEMA {OLD} CASCADE"))


if __name__ == "__main__":
    process.main(SCHEMA, rebuild)
