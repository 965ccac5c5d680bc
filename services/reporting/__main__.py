"""Reporting put together: the projection, its API, its pages."""

from __future__ import annotations

from services.reporting.api import app_of
from services.reporting.progress import Progress
from services.reporting.projection import Reporting
from services.reporting.tables import SCHEMA
from services.runtime import opening, process
from services.runtime.database import DatabaseProbe
from services.runtime.http import Health, Ready, health_of, serve
from services.runtime.log import LogError
from services.runtime.projection_loop import ProjectionRunner
from services.runtime.settings import Settings
from services.runtime.store import StoreError
from services.runtime.transaction import Limits


def health_by(runner: ProjectionRunner, progress: Progress, database: DatabaseProbe) -> Health:
    """The runner's readiness; `reached` is that of both topics, over all partitions and replicas."""
    told = health_of(runner.health, database=database)

    async def health() -> Ready:
        ready = await told()
        if not (ready.checks["kafka"].ok and ready.checks["postgres"].ok):
            return ready
        try:
            return ready.model_copy(update={"reached": await progress.reached()})
        except (LogError, StoreError):
            # Which of the two does not answer any more, the checks tell in a moment.
            return ready.model_copy(update={"reached": None})

    return health


async def run(settings: Settings, port: int) -> None:
    """Until cancelled. Raises `Unsuitable`, `LogError`, `StoreError` when it cannot begin."""
    async with opening.ground(settings, SCHEMA, settings.database_pool) as (log, engine):
        runner = ProjectionRunner(Reporting(), log, engine, limits=Limits(batch_max=settings.batch_max))
        runner.health.lag_limit = settings.lag_limit
        progress = Progress(log, engine, settings.partitions)
        app = app_of(settings, engine, health_by(runner, progress, DatabaseProbe(engine)), progress.reached)
        await process.first_to_end(
            process.stopped_in_order(runner.run(), runner.stop),
            serve(app, settings, port),
        )


if __name__ == "__main__":
    process.main("reporting", run)
