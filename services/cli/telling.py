"""What the commands share: their exit codes, their progress bar, and Kafka at hand.

Exit codes: 0 done; 1 a refusal, or differences found; 2 settings or topics that only a human mends; 3 Kafka or PostgreSQL
cannot be reached, so try again. Progress and words for people go to stderr, what a program reads to stdout.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from services.runtime.archive import ArchiveError
from services.runtime.child import StartError
from services.runtime.embedded_kafka import EmbeddedKafka
from services.runtime.kafka_admin import Unsuitable
from services.runtime.log import LogError
from services.runtime.process import UNREACHABLE, UNSUITABLE
from services.runtime.settings import Settings, SettingsError
from services.runtime.states import PartitionStopped
from services.runtime.store import StoreError
from services.runtime.supervisor import Supervisor

REFUSED = 1
IS_IT_UP = "Поднята ли установка, и эта ли? Порты и адреса — otklik settings (OTKLIK_PORT_BASE, OTKLIK_KAFKA, OTKLIK_POSTGRES)."


class Refused(Exception):
    """The command does not do it; the text says in Russian why."""


@contextmanager
def told() -> Iterator[Console]:
    """A console on stderr; errors become a word and an exit code."""
    console = Console(stderr=True)
    # What the client tries again by itself is no word for an operator; what it gives up comes as an error.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

    def say(error: Exception, of: str = "", also: str = "") -> None:
        console.print(of + escape(str(error) or type(error).__name__), highlight=False, soft_wrap=True)
        if also:
            console.print(also, highlight=False, soft_wrap=True)

    try:
        yield console
    except (Refused, ArchiveError) as error:
        say(error)
        raise typer.Exit(REFUSED) from error
    except Unsuitable as error:
        for fault in error.faults:
            console.print(f"[red]•[/] {escape(fault)}", highlight=False, soft_wrap=True)
        raise typer.Exit(UNSUITABLE) from error
    except (SettingsError, PartitionStopped) as error:
        say(error)
        raise typer.Exit(UNSUITABLE) from error
    except LogError as error:
        say(error, "Журнал (Kafka): ", IS_IT_UP)
        raise typer.Exit(UNREACHABLE) from error
    except StoreError as error:
        say(error, "База (PostgreSQL): ", IS_IT_UP)
        raise typer.Exit(UNREACHABLE) from error
    except (StartError, OSError) as error:
        say(error)
        raise typer.Exit(UNREACHABLE) from error


@contextmanager
def progress(console: Console, what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar; say how far, of how much."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f}"))
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(what, total=1)

        def moved(done: int, total: int) -> None:
            # An empty log is done from the start.
            bar.update(task, completed=done if total else 1, total=total or 1)

        yield moved


@asynccontextmanager
async def kafka_at_hand(settings: Settings, console: Console) -> AsyncIterator[None]:
    """Where the embedded Kafka is meant and does not run, it runs while the block does: a copy is made of a stopped
    installation too, and restored to one that must not start yet."""
    async with AsyncExitStack() as stack:
        ours = settings.environment == "embedded" and settings.kafka == f"127.0.0.1:{settings.kafka_port}"
        if ours and not await _answers(settings.kafka_port):
            supervisor = await stack.enter_async_context(Supervisor(settings.data.resolve(), console=console))
            await supervisor.start(
                EmbeddedKafka(
                    settings.data.resolve(), settings.kafka_port, settings.kafka_controller_port, console=console
                )
            )
        yield


async def _answers(port: int) -> bool:
    with suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True
    return False
