"""Sla put together: the decider, its ticks, its API."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas import topics
from services.runtime import opening, process
from services.runtime.database import DatabaseProbe
from services.runtime.gate import StoredWaiter
from services.runtime.health import Check
from services.runtime.http import health_of, serve
from services.runtime.settings import Settings
from services.runtime.store import StoreError
from services.sla.api import make_app
from services.sla.decider import Sla
from services.sla.store import SCHEMA, Reader, make_store, running_deadlines, waiting_for_a_year
from services.sla.ticks import Ticker, agenda_of

logger = logging.getLogger(__name__)

COUNT_EVERY_S = 15.0
_waiting = Gauge("otklik_sla_deadlines_waiting", "Deadlines that wait for a calendar year", ("authority",))
_open = Gauge("otklik_sla_deadlines_open", "Deadlines that are running, of all replicas together")


class DeadlineCounts:
    """Tells how many deadlines run, and of those that nobody can compute until a calendar year is given: in health, in
    metrics, in the log.

    The service stays ready: all other deadlines run on, and it is workflow that takes the amendment.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._told: dict[str, int] = {}

    async def run(self) -> None:
        while True:
            try:
                found = await waiting_for_a_year(self._engine)
                running = await running_deadlines(self._engine)
            except StoreError as error:
                logger.warning("counting deadlines: %s", error)
            else:
                _open.set(running)
                for authority in {*found, *self._told}:
                    _waiting.labels(authority).set(found.get(authority, 0))
                if found and found != self._told:
                    logger.error("a calendar year is missing, deadlines wait: %s", found)
                self._told = found
            await asyncio.sleep(COUNT_EVERY_S)

    def check(self) -> dict[str, Check]:
        told = "; ".join(
            f"{authority}: {number} сроков ждут календаря года" for authority, number in self._told.items()
        )
        return {"calendar": Check(ok=True, detail=told)}


async def run(settings: Settings, port: int) -> None:
    """Until cancelled. Raises `Unsuitable`, `LogError`, `StoreError` when it cannot begin."""
    async with (
        opening.ground(settings, SCHEMA, settings.database_pool) as (log, engine),
        opening.appending(settings, log) as (clock, appender),
        StoredWaiter(settings.postgres, SCHEMA, topics.EVENTS) as waiter,
    ):
        decider = Sla(settings.partitions)
        store = make_store(engine)
        runner = opening.runner_of(settings, decider, log, store)

        def owned() -> dict[int, datetime | None]:
            return {int(name): one.at for name, one in runner.health.partitions.items() if one.state == "running"}

        reader = Reader(store, decider, waiter, settings.partitions)
        counts = DeadlineCounts(engine)
        ticker = Ticker(agenda_of(store), appender, clock, owned)
        app = make_app(
            settings,
            lambda: reader,
            health_of(runner.health, counts.check, ticker.checks, database=DatabaseProbe(engine)),
        )
        await process.first_to_end(
            process.stopped_in_order(runner.run(), runner.stop),
            ticker.run(),
            counts.run(),
            serve(app, settings, port),
        )


if __name__ == "__main__":
    process.main("sla", run)
