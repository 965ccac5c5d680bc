"""Intake put together: the gate, the topic `detections`, the law in force."""

from __future__ import annotations

from schemas import topics
from services.intake.api import make_app
from services.intake.detections import Intake
from services.intake.law import AuthoritiesInForce
from services.intake.store import SCHEMA, AuthorityStore
from services.intake.topic import admitted
from services.runtime import opening, process
from services.runtime.database import DatabaseProbe
from services.runtime.health import Check
from services.runtime.http import health_of, serve
from services.runtime.relay import Relay
from services.runtime.settings import Settings


async def run(settings: Settings, port: int) -> None:
    """Until cancelled. Raises `Unsuitable`, `LogError`, `StoreError` when it cannot begin."""
    async with (
        opening.ground(settings, SCHEMA, 2) as (log, engine),
        opening.appending(settings, log) as (clock, appender),
    ):
        law = AuthoritiesInForce(log, AuthorityStore(engine))
        intake = Intake(appender, law.ages, clock.now, law.next_change)
        relay = Relay("intake", log, lambda record: admitted(intake, record), topics=(topics.DETECTIONS,), clock=clock)
        relay.health.lag_limit = settings.lag_limit

        async def relaying() -> None:
            # Before the law is read every detection would be a dead letter.
            await law.caught_up()
            await relay.run()

        def appending() -> dict[str, Check]:
            return {"appender": Check(ok=appender.failing is None, detail=appender.failing or "")}

        health = health_of(relay.health, law.checks, appending, database=DatabaseProbe(engine))
        app = make_app(settings, lambda: intake, health)
        await process.first_to_end(
            law.run(),
            process.stopped_in_order(relaying(), relay.stop),
            serve(app, settings, port),
        )


if __name__ == "__main__":
    process.main("intake", run)
