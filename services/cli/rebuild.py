"""`otklik rebuild`: a service's tables folded anew from the log beside the live ones, which they then replace at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas import topics
from services.cli.telling import Refused, progress, told
from services.intake import rebuild as intake
from services.intake.store import AuthorityStore
from services.reporting.projection import Reporting
from services.runtime import beside, installation
from services.runtime.assignment import Parts
from services.runtime.database import create_engine, wait_for_database
from services.runtime.decider import Decider
from services.runtime.kafka_log import KafkaLog
from services.runtime.log import TopicPartition
from services.runtime.settings import SERVICE_PORTS, Settings, load_settings
from services.runtime.store import DeciderStore
from services.runtime.transaction import Limits
from services.sla.decider import Sla
from services.sla.store import make_store as sla_store
from services.workflow.decider import WorkflowDecider
from services.workflow.due import DueFollower
from services.workflow.store import make_store as workflow_store

Progress = Callable[[int, int], None]


def rebuild(
    service: Annotated[str, typer.Argument(help=f"служба: {', '.join(SERVICE_PORTS)}")],
) -> None:
    """Свернуть таблицы службы из журнала заново, рядом с прежними, и разом заменить их; служба при этом работает."""
    with told() as console:
        if service not in SERVICE_PORTS:
            raise typer.BadParameter(f"службы {service} нет; есть {', '.join(SERVICE_PORTS)}")
        asyncio.run(run(load_settings(), service, console))
        console.print(f"таблицы {service} свёрнуты заново и заменены", highlight=False)


async def run(settings: Settings, service: str, console: Console) -> None:
    """Raises `Refused`, `Unsuitable`, `LogError`, `StoreError`, `PartitionStopped`: the old tables then stay."""
    await installation.check(settings)
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(installation.open_log(settings))
        engine = create_engine(settings.postgres, f"rebuild-{service}", 4)
        stack.push_async_callback(engine.dispose)
        await wait_for_database(engine)
        moved = stack.enter_context(progress(console, f"{service}: свёртка"))
        if service == "intake":
            await intake.rebuild(log, AuthorityStore(engine), moved)
            return
        schema = await beside.make_beside(engine, service)
        if service == "reporting":
            # The code names its tables in the schema of the service; here the same statements go to the place beside.
            translated = engine.execution_options(schema_translate_map={service: schema})
            await beside.rebuild_projection(Reporting(), log, engine, translated, settings.partitions, moved)
            return
        await _decider(settings, service, log, engine, schema, moved)


async def _decider(
    settings: Settings, service: str, log: KafkaLog, engine: AsyncEngine, schema: str, moved: Progress
) -> None:
    decider: Decider
    store: DeciderStore
    also = _nothing
    if service == "workflow":
        decider, store = WorkflowDecider(), workflow_store(engine, schema)
        places = [TopicPartition(topics.DEADLINES, number) for number in range(settings.partitions)]
        ends = {place.partition: end for place, end in (await log.ends(places)).items()}
        await DueFollower(log, engine, settings.partitions, schema).fold(ends)
        also = _pending
    else:
        decider, store = Sla(settings.partitions), sla_store(engine, schema)
    parts = parts_of(settings, decider, log, store)
    try:
        await beside.rebuild_decider(service, parts, engine, settings.partitions, moved, also)
    except beside.Quarantine as found:
        raise Refused(
            f"В карантине сообщений: {found.count}. Что ждёт там решения, стоит только в этих таблицах, и свёртка забыла бы "
            "его: сначала обновите службу, чтобы карантин разошёлся (/readyz), потом повторите."
        ) from found


def parts_of(settings: Settings, decider: Decider, log: KafkaLog, store: DeciderStore) -> Parts:
    """What a partition of the decider is folded with, as its service does."""
    code = f"{version('otklik')}/{decider.state_version}"
    return Parts(decider, log, store, topics.SHARED, code, Limits(batch_max=settings.batch_max))


async def _nothing(connection: AsyncConnection, schema: str) -> None:
    """All of sla's tables are folds."""


async def _pending(connection: AsyncConnection, schema: str) -> None:
    """Who was told that his command's outcome is not known yet: no fold of the log, but what the gate noted."""
    await connection.execute(text("LOCK TABLE workflow.pending IN EXCLUSIVE MODE"))
    await connection.execute(text(f'INSERT INTO "{schema}".pending SELECT * FROM workflow.pending'))
