"""`otklik demo`: the play, on a system that is up; and what `otklik up --demo` needs of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console

from services.cli import token
from services.cli.showing import Token
from services.cli.telling import Refused, told
from services.runtime.settings import Settings, load_settings

if TYPE_CHECKING:
    from services.demo.script import Told


def demo() -> None:
    """Провести через систему показательные сообщения (нужен `otklik up`); второй раз ничего не меняет."""
    # Imported here: the other commands need neither the posts nor their client.
    import httpx

    from services.cli.clock import time_of
    from services.demo.desk import Refusal

    with told() as console:
        settings = load_settings()
        try:
            now = asyncio.run(time_of(settings))
            asyncio.run(play_by_real_clock(settings, token.maker(settings), now, console))
        except (Refusal, httpx.HTTPError) as error:
            raise Refused(str(error) or repr(error)) from error


async def play_by_real_clock(settings: Settings, given: Token, now: datetime, console: Console) -> None:
    """The steps of the play at once, the clock left alone. Raises `Refusal`, httpx's errors."""
    from services.cli.law import files_of
    from services.demo.script import play

    say(await play(settings, given, files_of(settings.law_folders), now=now, console=console), console)


async def play_the_days(settings: Settings, given: Token, now: datetime, console: Console) -> None:
    """The play over the last working days by the simulated clock, up to `now`; returns when all that brings is stored.
    Raises `Refusal`, `ClockError`, `LogError`, httpx's errors."""
    from services.cli import clock
    from services.cli.law import files_of
    from services.demo.script import play

    law = files_of(settings.law_folders)
    async with clock.opened(settings) as moved:
        say(await play(settings, given, law, now=now, set_time=moved.set, console=console), console)
        stands_at = moved.now()
    with console.status("время доходит до настоящего, сроки досчитываются …"):
        await clock.move(settings, max(now, stands_at))


@asynccontextmanager
async def running_clock(settings: Settings) -> AsyncIterator[None]:
    """While the block runs, the simulated clock does, where the settings say so."""
    from services.cli import clock
    from services.runtime.tasks import end_task

    if settings.clock == "real" or not settings.clock_runs:
        yield
        return
    task = asyncio.create_task(clock.run(settings), name="running clock")
    try:
        yield
    finally:
        await end_task(task)


def say(played: Told, console: Console) -> None:
    """What the play has left behind, in one or two lines."""
    if not played.posts:
        console.print(f"Показательные сообщения уже здесь ({played.known}): ничего не добавлено.", highlight=False)
        return
    console.print(f"Показ: сообщений {played.posts.total()}, действий {played.steps}.", highlight=False)
