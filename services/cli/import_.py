"""`otklik import`: a copy of the log laid out on a cluster that has nothing of the installation."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from schemas import topics
from schemas.topics import TopicSpec
from services.cli.export import is_agencys
from services.cli.telling import Refused, kafka_at_hand, progress, told
from services.runtime import archive, installation, kafka_import
from services.runtime.archive import ArchiveError, Manifest
from services.runtime.kafka_admin import Described, delete_topics, describe, own_settings, put_settings
from services.runtime.log import LogError, TopicPartition
from services.runtime.settings import Settings, load_settings

FOR_EVER = str((1 << 63) - 1)
WHILE_RESTORING = {
    # Every record keeps its stamp, however long ago; and nothing is too old to be kept while it is being written.
    "message.timestamp.type": "CreateTime",
    "message.timestamp.after.max.ms": FOR_EVER,
    "message.timestamp.before.max.ms": FOR_EVER,
    "retention.ms": "-1",
}
LOOK_S = 0.1

app = typer.Typer(add_completion=False)


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="папка, сделанная otklik export")],
    again: Annotated[
        bool, typer.Option("--again", help="прошлая загрузка прервалась: удалить загруженное и начать заново")
    ] = False,
) -> None:
    """Загрузить копию журнала в пустой кластер; службы при этом стоят."""
    with told() as console:
        manifest = asyncio.run(restore(load_settings(), folder, console, again=again))
        console.print(
            f"записей: {manifest.records}, тем: {len(manifest.topics)}; можно запускать службы", highlight=False
        )


async def restore(settings: Settings, folder: Path, console: Console, *, again: bool = False) -> Manifest:
    """Raises `Refused`, `ArchiveError`, `Unsuitable`, `LogError`. What is broken off keeps the services from starting, and
    is begun again with `again`."""
    manifest = archive.load(folder)
    _check_files(folder, manifest, console)
    if manifest.counts.get(topics.INBOX) != settings.partitions:
        raise Refused(
            f"В копии {manifest.counts.get(topics.INBOX)} партиций, а здесь {settings.partitions}: "
            "задайте столько же (OTKLIK_PARTITIONS)."
        )
    settings = settings.model_copy(update={"clock": "simulated" if manifest.simulated else "real"})
    async with kafka_at_hand(settings, console):
        await _clear(settings, again=again)
        marker = TopicSpec(topics.IMPORT, 1, None)
        await installation.ensure(settings, [marker])
        kafka, specs = installation.kafka_settings(settings), [spec_of(name) for name in manifest.topics]
        before = await own_settings(kafka, sorted(set(manifest.topics) & set(await installation.existing(settings))))
        # Made with these settings from the first: a topic that is altered takes records by the old ones for a while.
        await installation.ensure(settings, specs, WHILE_RESTORING)
        ids = {name: one.id for name, one in (await _made(settings, manifest)).items()}
        with progress(console, "загрузка") as moved:
            await kafka_import.lay_out(kafka, folder, manifest, ids, moved)
        await kafka_import.commit(kafka, manifest.committed)
        wanted = installation.wanted_of(settings, specs)
        await put_settings(kafka, {one.name: before.get(one.name, {}) | one.config for one in wanted})
        await delete_topics(kafka, [topics.IMPORT])
    return manifest


def spec_of(topic: str) -> TopicSpec:
    """Raises ArchiveError for a topic that is none of the contract's."""
    for spec in topics.STANDING:
        if spec.name == topic:
            return spec
    if is_agencys(topic):
        for spec in topics.of_agency(*topics.agency_of(topic)):
            if spec.name == topic:
                return spec
    raise ArchiveError(f"Темы {topic} в «Отклике» нет: копия сделана другой версией?")


def _check_files(folder: Path, manifest: Manifest, console: Console) -> None:
    with progress(console, "проверка копии") as moved:
        found = []
        for number, fault in enumerate(archive.faults(folder, manifest), start=1):
            moved(number, len(manifest.parts))
            if fault is not None:
                found.append(fault)
    if found:
        raise ArchiveError("Копия испорчена:\n" + "\n".join(found))


async def _clear(settings: Settings, *, again: bool) -> None:
    """The cluster must have nothing of the installation, or just what an import that was broken off has left."""
    there = await installation.existing(settings)
    if topics.IMPORT in there:
        if not again:
            raise Refused("Прошлая загрузка прервалась: --again удалит то, что она успела, и начнёт заново.")
        await delete_topics(installation.kafka_settings(settings), [name for name in there if name != topics.IMPORT])
        return
    async with installation.open_log(settings) as log:
        places = [TopicPartition(name, number) for name, count in there.items() for number in range(count)]
        ends = await log.ends(places) if places else {}
    used = sorted({place.topic for place, end in ends.items() if end > 0})
    if used:
        raise Refused(
            f"В Kafka ({settings.kafka}) уже есть журнал: {', '.join(topics.full(settings.prefix, one) for one in used)}. "
            "Копия загружается только в пустой кластер или под другим OTKLIK_PREFIX."
        )


async def _made(settings: Settings, manifest: Manifest) -> dict[str, Described]:
    """The topics as they are, once every broker that is asked knows them."""
    try:
        async with asyncio.timeout(30):
            while True:
                there = await describe(installation.kafka_settings(settings))
                if set(manifest.topics) <= set(there):
                    break
                await asyncio.sleep(LOOK_S)
    except TimeoutError as error:
        raise LogError("the topics were made, and are not there") from error
    wrong = [name for name, count in manifest.counts.items() if there[name].partitions != count]
    if wrong:
        raise Refused(f"Число партиций не то, что в копии: {', '.join(wrong)}")
    return {name: there[name] for name in manifest.topics}
