"""`otklik export`: the whole log copied into a folder, while the installation works or while it rests."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from schemas import topics
from services.cli.telling import Refused, kafka_at_hand, progress, told
from services.runtime import installation, kafka_export
from services.runtime.archive import Manifest
from services.runtime.kafka_export import Reader
from services.runtime.settings import Settings, load_settings


def export(folder: Annotated[Path, typer.Argument(help="пустая папка для копии; её может ещё не быть")]) -> None:
    """Скопировать весь журнал в папку: потерять журнал — потерять всё."""
    with told() as console:
        manifest = asyncio.run(copy(load_settings(), folder, console))
        console.print(f"записей: {manifest.records}, тем: {len(manifest.topics)}; копия — {folder}", highlight=False)


async def copy(settings: Settings, folder: Path, console: Console) -> Manifest:
    """Raises `Refused`, `ArchiveError`, `LogError`."""
    async with kafka_at_hand(settings, console), installation.open_log(settings) as log:
        await installation.check_whole(settings)
        there = {name: count for name, count in (await installation.existing(settings)).items() if ours(name)}
        lacking = [spec.name for spec in topics.STANDING if spec.name not in there]
        if lacking:
            raise Refused(f"В Kafka ({settings.kafka}) нет тем {', '.join(lacking)}: копировать нечего.")
        living = await installation.living(settings, log)
        with progress(console, "копия журнала") as moved:
            return await kafka_export.export(
                log,
                folder,
                there,
                readers(there),
                version("otklik"),
                datetime.now(UTC),
                moved,
                simulated=living.clock == "simulated",
            )


def ours(topic: str) -> bool:
    """Whether the topic is of the contract."""
    return topic in {spec.name for spec in topics.STANDING} or is_agencys(topic)


def is_agencys(topic: str) -> bool:
    try:
        topics.agency_of(topic)
    except ValueError:
        return False
    return True


def readers(there: dict[str, int]) -> list[Reader]:
    """Who consumes what, downstream first. Reporting's positions stand in its tables, and are folded anew."""
    commands = tuple(name for name in there if is_agencys(name) and name == topics.commands(*topics.agency_of(name)))
    return [
        Reader("sla", (topics.EVENTS,)),
        Reader("workflow", (topics.INBOX,)),
        Reader("intake", (topics.DETECTIONS,)),
        Reader("workflow-doors", commands),
    ]
