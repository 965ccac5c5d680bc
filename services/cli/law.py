"""`otklik law`: the files of the law brought onto the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from regulations import law
from regulations.directory import Directory, amended, evolve, faults
from regulations.load import SHIPPED, LawFiles, WrongLaw, load
from regulations.working_time.library_years import library_years
from schemas import topics
from schemas.envelope import CONTENT_TYPE, Envelope
from schemas.events import Amended
from schemas.inbox import AMENDMENT, Amendment
from services.cli.telling import Refused, told
from services.runtime import installation
from services.runtime.broadcast import Broadcast, broadcast
from services.runtime.clock import Clock
from services.runtime.database import create_engine
from services.runtime.kafka_log import KafkaLog
from services.runtime.log import Record, TopicPartition
from services.runtime.postgres_store import PostgresStore
from services.runtime.settings import Settings, load_settings
from services.runtime.store import StoreError
from services.workflow.decider import WorkflowDecider

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def law_() -> None:
    """Право: файлы актов, органов власти и календарных лет."""


@app.command("apply")
def apply_command(
    folder: Annotated[
        list[Path] | None,
        typer.Option("--folder", help="папка с acts/, authorities/, calendar/ поверх поставляемых и OTKLIK_LAW"),
    ] = None,
) -> None:
    """Записать в журнал поправками то, чем файлы отличаются от действующего права."""
    with told() as console:
        made = asyncio.run(_apply(load_settings(), tuple(folder or ())))
        console.print(f"поправок записано: {made}" if made else "файлы и действующее право совпадают")


async def _apply(settings: Settings, folders: Sequence[Path]) -> int:
    files = files_of((*settings.law_folders, *folders))
    async with installation.open_log(settings) as log:
        settings = await installation.living(settings, log)
        async with installation.open_clock(settings, log) as clock:
            return len(await apply(settings, log, clock, files))


def files_of(folders: Sequence[Path]) -> LawFiles:
    """The shipped law with these folders over it. Raises `Refused` with every fault."""
    try:
        return load(SHIPPED, *folders) if folders else load()
    except WrongLaw as error:
        raise Refused(str(error)) from error


async def apply(settings: Settings, log: KafkaLog, clock: Clock, files: LawFiles) -> list[tuple[str, Amendment]]:
    """Append what differs, all in one Kafka transaction; returns it by authority. Agencies' topics are made first."""
    known = await in_force(settings, log)
    wanted: list[tuple[str, Amendment]] = []
    values: list[Broadcast] = []
    years = files.years_over(library_years())
    for authority in files.authorities.values():
        found = law.differences(known.get(authority.id), authority, files.acts, years)
        for position, amendment in enumerate(found):
            wanted.append((authority.id, amendment))
            values.append(_value(known.get(authority.id), authority.id, position, amendment, clock.now()))
    agencies = [(one.id, agency) for one in files.authorities.values() for agency in one.agencies]
    agencies += [(one.id, agency) for one in known.values() if one.in_force for agency in one.agencies]
    await installation.ensure(settings, [spec for one in dict.fromkeys(agencies) for spec in topics.of_agency(*one)])
    if values:
        await broadcast(log, topics.INBOX, values, clock=clock)
    return wanted


def _value(
    directory: Directory | None, authority: str, position: int, amendment: Amendment, now: datetime
) -> Broadcast:
    # Two that apply the same files at once give the same ids, and the second has no effect.
    identity = law.amendment_id(directory, authority, position, amendment)
    envelope = amendment.enveloped(identity, "/otklik/law-apply", authority, now)
    return Broadcast(authority.encode(), envelope.to_bytes(), {"content-type": CONTENT_TYPE})


async def in_force(settings: Settings, log: KafkaLog) -> dict[str, Directory]:
    """The law as the log has it: what workflow has stored of partition 0, the events since, the amendments not yet read."""
    decider = WorkflowDecider()
    known: dict[str, Directory] = {}
    offsets: Mapping[str, int] = {}
    engine = create_engine(settings.postgres, "law", 1)
    try:
        store = PostgresStore(engine, decider.name, decider.source)
        place = await store.place(0)
        identity = await log.identity((decider.source, *decider.said))
        stored = await store.world(0) if place is not None and place.identity == identity else {}
        if place is not None and stored and all(one.version == decider.state_version for one in stored.values()):
            offsets = place.offsets
            decoded = [decider.decode(key, one.body) for key, one in stored.items()]
            known = {one.id: one for one in decoded if isinstance(one, Directory)}
    except StoreError:
        # No tables yet, or no database: the log alone tells, only slower.
        offsets, known = {}, {}
    finally:
        await engine.dispose()
    async for record in _records(log, topics.EVENTS, offsets):
        _fold_event(known, record)
    async for record in _records(log, topics.INBOX, offsets):
        _fold_amendment(known, record)
    return known


async def _records(log: KafkaLog, topic: str, offsets: Mapping[str, int]) -> AsyncIterator[Record]:
    place = TopicPartition(topic, 0)
    beginning = (await log.beginnings([place]))[place]
    end = (await log.ends([place]))[place]
    async for records in log.read(place, max(beginning, offsets.get(topic, 0)), end):
        for record in records:
            yield record


def _fold_event(known: dict[str, Directory], record: Record) -> None:
    if Amended.type.encode() not in (record.value or b""):
        return
    envelope = Envelope.from_bytes(record.value or b"")
    if envelope.type == Amended.type and envelope.authority is not None:
        data = Amended.model_validate(envelope.data)
        known[envelope.authority] = evolve(known.get(envelope.authority), envelope.authority, data, envelope.time)


def _fold_amendment(known: dict[str, Directory], record: Record) -> None:
    if AMENDMENT.encode() not in (record.value or b""):
        return
    try:
        envelope = Envelope.from_bytes(record.value or b"")
        amendment = Amendment.model_validate(envelope.data)
    except ValidationError:
        return  # A dead letter to be: workflow will say so.
    authority = envelope.authority
    if envelope.type != AMENDMENT or authority is None:
        return
    directory = known.get(authority)
    seen = directory is not None and any(note.amendment_id == envelope.id for note in directory.amendments)
    if not seen and not faults(directory, authority, amendment):
        known[authority] = evolve(directory, authority, amended(directory, envelope.id, amendment), record.stamp)
