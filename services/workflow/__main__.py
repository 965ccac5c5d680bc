"""Workflow put together: the decider, its doors, its API."""

from __future__ import annotations

from schemas import topics
from services.runtime import installation, opening, process
from services.runtime.database import DatabaseProbe
from services.runtime.gate import StoredWaiter
from services.runtime.health import Check
from services.runtime.http import health_of, serve
from services.runtime.relay import Relay
from services.runtime.settings import Settings
from services.workflow.api import Parts, make_app
from services.workflow.decider import WorkflowDecider
from services.workflow.doors import PATTERN, admitted
from services.workflow.due import DueFollower
from services.workflow.gate import AmendmentGate, CommandGate
from services.workflow.reads import MessageReader
from services.workflow.store import SCHEMA, WorkflowReads, make_store
from services.workflow.warm import Warm


async def run(settings: Settings, port: int) -> None:
    """Until cancelled. Raises `Unsuitable`, `LogError`, `StoreError` when it cannot begin."""
    async with (
        opening.ground(settings, SCHEMA, settings.database_pool) as (log, engine),
        opening.appending(settings, log) as (clock, appender),
        StoredWaiter(settings.postgres, SCHEMA, topics.INBOX) as waiter,
    ):
        decider = WorkflowDecider()
        reads = WorkflowReads(engine)
        commands = CommandGate(appender, waiter, reads, clock, settings.outcome_timeout)
        store = make_store(engine, written=commands.hand_over)
        runner = opening.runner_of(settings, decider, log, store)

        async def new_agency(authority: str, agency: str) -> None:
            await installation.ensure(settings, topics.of_agency(authority, agency))

        parts = Parts(
            commands,
            AmendmentGate(log, waiter, reads, clock, settings.outcome_timeout),
            MessageReader(store, decider, waiter, settings.partitions),
            reads,
            new_agency,
        )

        warm = Warm(log, waiter, settings.partitions)

        doors = Relay("workflow-doors", log, admitted, pattern=PATTERN, clock=clock)

        def more() -> dict[str, Check]:
            return {
                "appender": Check(ok=appender.failing is None, detail=appender.failing or ""),
                "warm": warm.check(),
            } | {f"doors: {name}": one for name, one in doors.health.checks().items()}

        app = make_app(settings, lambda: parts, health_of(runner.health, more, database=DatabaseProbe(engine)))
        await process.first_to_end(
            warm.run(),
            DueFollower(log, engine, settings.partitions).run(),
            process.stopped_in_order(doors.run(), doors.stop),
            process.stopped_in_order(runner.run(), runner.stop),
            serve(app, settings, port),
        )


if __name__ == "__main__":
    process.main("workflow", run)
