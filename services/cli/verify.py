"""`otklik verify`: the log folded anew into tables that nobody sees, and the live ones compared with them row by row."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas import topics
from services.cli.rebuild import parts_of
from services.cli.telling import REFUSED, progress, told
from services.intake import rebuild as intake
from services.intake.store import AuthorityStore
from services.reporting.projection import Reporting
from services.runtime import beside, installation
from services.runtime import postgres_positions as positions
from services.runtime.assignment import catch_up
from services.runtime.comparing import SCRATCH, Difference, Selection, Table, compare, make_scratch, tables_of
from services.runtime.database import create_engine, wait_for_database
from services.runtime.decider import Decider
from services.runtime.kafka_log import KafkaLog
from services.runtime.log import TopicPartition
from services.runtime.postgres_positions import transaction
from services.runtime.settings import SERVICE_PORTS, Settings, load_settings
from services.runtime.store import DeciderStore, Place, StoreError
from services.sla.decider import Sla
from services.sla.store import make_store as sla_store
from services.workflow.decider import WorkflowDecider
from services.workflow.due import DueFollower
from services.workflow.store import OUTCOMES_KEPT
from services.workflow.store import make_store as workflow_store

Tell = Callable[["Found"], None]
Progress = Callable[[int, int], None]

WORDS = {"surplus": "лишняя", "missing": "не хватает", "differs": "отличается"}
OF_THE_RUNTIME = {
    # A state of an earlier version is folded anew at its first touch; what it is folded from stands in `history`.
    "states": Selection(
        "partition = :partition AND version = :version AND NOT (key = ANY(CAST(:quarantined AS text[]))) "
        "AND (key NOT LIKE 'command/%' OR (convert_from(body, 'UTF8')::jsonb->>'at')::timestamptz >= :since)"
    ),
    "history": Selection("partition = :partition AND NOT (key = ANY(CAST(:quarantined AS text[])))"),
    "agenda": Selection("partition = :partition AND NOT (key = ANY(CAST(:quarantined AS text[])))"),
    # Of the log alone nobody can tell what a version of the code could not judge.
    "quarantine": Selection("FALSE"),
    "parked": Selection("FALSE"),
    "positions": Selection("FALSE"),
}
OF_WORKFLOW = {
    # Outcomes are forgotten after a while, in the log and in the table, and not at the same instant.
    "outcomes": Selection("partition = :partition AND at >= :since"),
    "pending": Selection("FALSE"),
    "due_position": Selection("FALSE"),
}
OF_REPORTING = {"positions": Selection("FALSE")}
FORGOTTEN = timedelta(hours=1)
"""How far from the edge of what is forgotten the comparison keeps."""


@dataclass(frozen=True, slots=True)
class Found:
    """A difference, or a note on what could not be compared (`difference` None). `not_folded`: the partition's rows are
    not of this log, or not there, which nobody may take for verified."""

    service: str
    partition: int
    difference: Difference | None
    note: str = ""
    not_folded: bool = False

    @property
    def wrong(self) -> bool:
        return self.not_folded or self.difference is not None


def verify(
    service: Annotated[str | None, typer.Option(help="только эта служба")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="каждое отличие — строкой JSON")] = False,
) -> None:
    """Сверить таблицы с журналом построчно: состояния, исходы, сроки, реестр. Код 1 — есть отличия или несвёрнутое."""
    with told() as console:
        if service is not None and service not in SERVICE_PORTS:
            raise typer.BadParameter(f"службы {service} нет; есть {', '.join(SERVICE_PORTS)}")
        services = tuple(SERVICE_PORTS) if service is None else (service,)

        def tell(found: Found) -> None:
            print(_line(found, as_json=as_json), flush=True)

        rows, differences = asyncio.run(run(load_settings(), services, tell, console))
        console.print(f"строк сверено: {rows}; отличий: {differences}", highlight=False)
    if differences:
        raise typer.Exit(REFUSED)


async def run(settings: Settings, services: tuple[str, ...], tell: Tell, console: Console) -> tuple[int, int]:
    """How many rows were compared, and how many rows or whole partitions are not as the log says. Raises `LogError`, `StoreError`,
    `PartitionStopped`."""
    await installation.check_whole(settings)
    total = wrong = 0
    async with installation.open_log(settings) as log:
        for service in services:
            async with AsyncExitStack() as stack:
                live = create_engine(settings.postgres, "verify", 2)
                stack.push_async_callback(live.dispose)
                # One connection that lasts: the tables for comparison are its own.
                scratch = create_engine(settings.postgres, "verify", 1, recycle_s=-1)
                stack.push_async_callback(scratch.dispose)
                await wait_for_database(live)
                moved = stack.enter_context(progress(console, f"{service}: сверка"))
                async for found in _CHECKS[service](settings, log, live, scratch, moved):
                    total += 1
                    if found is not None:
                        tell(found)
                        wrong += found.wrong
    return total, wrong


Compared = AsyncIterator[Found | None]


async def _intake(
    settings: Settings, log: KafkaLog, live: AsyncEngine, scratch: AsyncEngine, moved: Progress
) -> Compared:
    identity = await log.identity((topics.EVENTS,))
    following, stored = await AuthorityStore(live).load(identity)
    _, known = await intake.refold(log, following, moved)
    for name in sorted({*stored, *known}):
        if name not in known:
            yield Found("intake", 0, Difference("authorities", {"id": name}, "surplus"))
        elif name not in stored:
            yield Found("intake", 0, Difference("authorities", {"id": name}, "missing"))
        elif stored[name] != known[name]:
            yield Found("intake", 0, Difference("authorities", {"id": name}, "differs", ("directory",)))
        else:
            yield None


async def _workflow(
    settings: Settings, log: KafkaLog, live: AsyncEngine, scratch: AsyncEngine, moved: Progress
) -> Compared:
    due = DueFollower(log, scratch, settings.partitions, SCRATCH)
    decider = WorkflowDecider()
    async for found in _decider(settings, log, live, scratch, decider, workflow_store(scratch, SCRATCH), moved, due):
        yield found


async def _sla(settings: Settings, log: KafkaLog, live: AsyncEngine, scratch: AsyncEngine, moved: Progress) -> Compared:
    decider = Sla(settings.partitions)
    async for found in _decider(settings, log, live, scratch, decider, sla_store(scratch, SCRATCH), moved, None):
        yield found


async def _decider(
    settings: Settings,
    log: KafkaLog,
    live: AsyncEngine,
    scratch: AsyncEngine,
    decider: Decider,
    store: DeciderStore,
    moved: Progress,
    due: DueFollower | None,
) -> Compared:
    schema, parts = decider.name, parts_of(settings, decider, log, store)
    tables = await _tables(live, scratch, schema)
    selections = OF_THE_RUNTIME | (OF_WORKFLOW if schema == "workflow" else {})
    for number in range(settings.partitions):
        owner = f"verify-{uuid.uuid4().hex}"

        async def fold(place: Place, number: int = number, owner: str = owner) -> None:
            async def committed() -> int | None:
                return place.offsets.get(decider.source)

            await catch_up(parts, number, owner, committed, {topic: place.offsets[topic] for topic in decider.said})

        place = await _place(live, schema, number)
        if place is not None:
            # The long way first; in the snapshot only what has come since is left.
            await fold(place)
        async with _snapshot(live) as snapshot:
            place = await positions.look(snapshot, schema, number)
            if place is None or not await _is_of(log, parts.topics, place):
                yield Found(schema, number, None, "ещё не свёрнута по этому журналу", not_folded=True)
                continue
            await fold(place)
            if due is not None:
                rows = await snapshot.execute(text("SELECT partition, next FROM workflow.due_position"))
                await due.fold({row.partition: row.next for row in rows if row.partition == number})
            quarantined = list(
                await snapshot.scalars(
                    text(f'SELECT key FROM "{schema}".quarantine WHERE partition = :partition'), {"partition": number}
                )
            )
            if quarantined:
                yield Found(schema, number, None, f"в карантине, не сверено: {', '.join(sorted(quarantined))}")
            given = {
                "partition": number,
                "version": decider.state_version,
                "quarantined": quarantined,
                "since": await _since(log, number, place),
            }
            async for difference in _compared(snapshot, schema, scratch, tables, selections, given):
                yield None if difference is None else Found(schema, number, difference)
        moved(number + 1, settings.partitions)


async def _reporting(
    settings: Settings, log: KafkaLog, live: AsyncEngine, scratch: AsyncEngine, moved: Progress
) -> Compared:
    schema, projection = "reporting", Reporting()
    tables = await _tables(live, scratch, schema)
    translated = scratch.execution_options(schema_translate_map={schema: SCRATCH})
    for number in range(settings.partitions):
        owner = f"verify-{uuid.uuid4().hex}"
        place = await _place(live, schema, number)
        if place is not None:
            await beside.fold_projection(projection, log, translated, SCRATCH, number, owner, place.offsets)
        async with _snapshot(live) as snapshot:
            place = await positions.look(snapshot, schema, number)
            if place is None or not await _is_of(log, projection.topics, place):
                yield Found(schema, number, None, "ещё не свёрнута по этому журналу", not_folded=True)
                continue
            await beside.fold_projection(projection, log, translated, SCRATCH, number, owner, place.offsets)
            given = {"partition": number}
            async for difference in _compared(snapshot, schema, scratch, tables, OF_REPORTING, given):
                yield None if difference is None else Found(schema, number, difference)
        moved(number + 1, settings.partitions)


_CHECKS: Mapping[str, Callable[[Settings, KafkaLog, AsyncEngine, AsyncEngine, Progress], Compared]] = {
    "intake": _intake,
    "workflow": _workflow,
    "sla": _sla,
    "reporting": _reporting,
}


async def _tables(live: AsyncEngine, scratch: AsyncEngine, schema: str) -> list[Table]:
    async with transaction(live, "looking at the tables") as connection:
        tables = await tables_of(connection, schema)
    if not tables:
        raise StoreError(f"в базе нет таблиц службы {schema}: она ещё не запускалась?")
    async with transaction(scratch, "making tables to compare with") as connection:
        await make_scratch(connection, schema, tables)
    return tables


async def _place(live: AsyncEngine, schema: str, partition: int) -> Place | None:
    async with transaction(live, "looking at a position") as connection:
        return await positions.look(connection, schema, partition)


async def _is_of(log: KafkaLog, read: tuple[str, ...], place: Place) -> bool:
    return place.identity == await log.identity(read)


async def _since(log: KafkaLog, partition: int, place: Place) -> datetime:
    """From when on outcomes are in the log for sure, and are kept in the tables for sure."""
    first = TopicPartition(topics.OUTCOMES, partition)
    beginning, end = (await log.beginnings([first]))[first], (await log.ends([first]))[first]
    since = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    if place.at is not None:
        since = max(since, place.at - OUTCOMES_KEPT + FORGOTTEN)
    if beginning > 0:
        async with aclosing(log.read(first, beginning, end)) as pieces:
            async for records in pieces:
                return max(since, records[0].stamp + FORGOTTEN)
    return since


@asynccontextmanager
async def _snapshot(live: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One instant of the tables, whatever is stored meanwhile."""
    async with transaction(live, "comparing") as connection:
        await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        yield connection


async def _compared(
    snapshot: AsyncConnection,
    schema: str,
    scratch: AsyncEngine,
    tables: list[Table],
    selections: Mapping[str, Selection],
    given: Mapping[str, Any],
) -> AsyncIterator[Difference | None]:
    async with transaction(scratch, "comparing") as connection:
        for table in tables:
            selection = selections.get(table.name, Selection("partition = :partition"))
            async for difference in compare(snapshot, schema, connection, table, selection, given):
                yield difference


def _line(found: Found, *, as_json: bool) -> str:
    difference = found.difference
    if as_json:
        what: dict[str, Any] = {"note": found.note}
        if difference is not None:
            what = {
                "table": difference.table,
                "key": dict(difference.key),
                "what": difference.what,
                "columns": difference.columns,
            }
        return json.dumps({"service": found.service, "partition": found.partition} | what, ensure_ascii=False)
    if difference is None:
        return f"{found.service}, партиция {found.partition}: {found.note}"
    key = ", ".join(f"{name}={value}" for name, value in difference.key.items() if name != "partition")
    columns = f" ({', '.join(difference.columns)})" if difference.columns else ""
    return f"{found.service}, партиция {found.partition}, {difference.table}: {WORDS[difference.what]} строка {key}{columns}"
