"""`otklik demo`: the play, on a system that is up."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from services.cli import token
from services.runtime.settings import SettingsError, load_settings


def demo(count: Annotated[int, typer.Option(help="сообщений на орган власти")] = 12) -> None:
    """Передать показательные сообщения и провести их через систему (нужен `otklik up`)."""
    # Imported here: the other commands need neither the posts nor their client.
    import httpx

    from services.cli.clock import time_of
    from services.demo.script import Refusal, play

    console = Console(stderr=True)
    try:
        settings = load_settings()
        now = asyncio.run(time_of(settings))
        told = asyncio.run(play(settings, token.maker(settings), count=count, now=now, console=console))
    except (SettingsError, Refusal, httpx.HTTPError) as error:
        console.print(escape(str(error) or repr(error)), highlight=False)
        raise typer.Exit(1) from error
    for story, number in sorted(told.items()):
        console.print(f"{story}: {number}", highlight=False)
