"""Workflow put together: the decider, its doors, its API."""

from __future__ import annotations

from contextlib import AsyncExitStack
from importlib.metadata import version

from schemas import topics
from services.runtime import installation, process
from services.runtime.appender import Appender
from services.runtime.database import DatabaseProbe, create_engine, wait_for_database
from services.runtime.decider_loop import DeciderRunner
from services.runtime.gate import StoredWaiter
from services.runtime.http import Check, health_of, serve
from services.runtime.migrate import upgrade
from services.runtime.relay import Relay
from services.runtime.settings import Settings
from services.runtime.transaction import Limits
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
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(installation.open_log(settings))
        await installation.check(settings)
        clock = await stack.enter_async_context(installation.open_clock(settings, log))
        engine = create_engine(settings.postgres, SCHEMA, settings.database_pool)
        stack.push_async_callback(engine.dispose)
        await wait_for_database(engine)
        await upgrade(engine, SCHEMA)
        decider = WorkflowDecider()
        appender = Appender(log, clock)
        await appender.start()
        stack.push_async_callback(appender.stop)
        waiter = await stack.enter_async_context(StoredWaiter(settings.postgres, SCHEMA, topics.INBOX))
        reads = WorkflowReads(engine)
        commands = CommandGate(appender, waiter, reads, clock, settings.outcome_timeout)
        store = make_store(engine, written=commands.hand_over)
        runner = DeciderRunner(
            decider,
            log,
            store,
            shared=topics.SHARED,
            code_version=version("otklik"),
            limits=Limits(batch_max=settings.batch_max),
        )
        runner.health.lag_limit = settings.lag_limit

        async def new_agency(authority: str, agency: str) -> None:
            await installation.ensure_agencies(settings, [(authority, agency)])

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
            } | {f"doors: {name}": Check(ok=one.ok, detail=one.detail) for name, one in doors.health.checks().items()}

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
