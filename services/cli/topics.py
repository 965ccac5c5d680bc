"""`otklik topics`: the topics of the installation, made or looked at."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from schemas import topics as contract
from services.cli.telling import told
from services.runtime import installation
from services.runtime.kafka_admin import Unsuitable
from services.runtime.settings import Settings, load_settings


def topics(
    check: Annotated[bool, typer.Option("--check", help="только посмотреть, ничего не создавать")] = False,
) -> None:
    """Создать недостающие темы; существующие проверить."""
    with told():
        asyncio.run(_topics(load_settings(), Console(soft_wrap=True), make=not check))


async def _topics(settings: Settings, console: Console, *, make: bool) -> None:
    async with installation.open_log(settings) as log:
        settings = await installation.living(settings, log)
    if make:
        for name in await installation.ensure(settings):
            console.print(f"создана {contract.full(settings.prefix, name)}", highlight=False)
    await installation.check(settings)
    there = await installation.existing(settings)
    faults = []
    for spec in contract.STANDING:
        wanted = spec.partitions or settings.partitions
        if spec.name not in there:
            faults.append(f"{contract.full(settings.prefix, spec.name)}: темы нет (otklik topics)")
        elif there[spec.name] != wanted:
            faults.append(f"{contract.full(settings.prefix, spec.name)}: партиций {there[spec.name]}, а нужно {wanted}")
    if faults:
        raise Unsuitable(faults)
    for name in sorted(there):
        console.print(f"{contract.full(settings.prefix, name)}: партиций {there[name]}", highlight=False)
