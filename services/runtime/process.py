"""One service as a process: settings, signals, and an end that is told."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Awaitable, Callable

import structlog

from services.runtime import telemetry
from services.runtime.kafka_admin import Unsuitable
from services.runtime.log import LogError
from services.runtime.settings import Settings, SettingsError, load_settings
from services.runtime.store import StoreError

Run = Callable[[Settings, int], Awaitable[None]]
"""Runs a service on a port until cancelled."""

UNSUITABLE, UNREACHABLE = 2, 3
"""Exit codes: what only a human mends, and what a supervisor may try again."""

STOP_SECONDS = 15.0

GARBAGE_EVERY = 50_000
"""Allocations between collections: states are trees of small objects without cycles, and looking through them every few
hundred made up half of what folding costs."""

_log = structlog.get_logger("process")


def main(service: str, run: Run, port: int | None = None) -> None:
    """Run until SIGTERM or SIGINT, then stop in order. Exits with 2 on settings or topics that cannot be worked with, 3
    when Kafka or PostgreSQL cannot be reached."""
    try:
        settings = load_settings()
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(UNSUITABLE)
    telemetry.configure(service, settings)
    gc.freeze()
    gc.set_threshold(GARBAGE_EVERY, 20, 20)
    try:
        asyncio.run(_until_signalled(run(settings, port or settings.http_port(service))))
    except Unsuitable as error:
        _log.error("unsuitable", faults=list(error.faults))
        sys.exit(UNSUITABLE)
    except (LogError, StoreError, OSError) as error:
        _log.error("unreachable", error=str(error))
        sys.exit(UNREACHABLE)


async def _until_signalled(running: Awaitable[None]) -> None:
    task = asyncio.ensure_future(running)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def first_to_end(*working: Awaitable[None]) -> None:
    """Run several for ever. When one ends or raises, or at cancellation, they are cancelled one after the other from the
    last to the first: put first what the others need. The error of the one that ended is raised."""
    tasks = [asyncio.ensure_future(one) for one in working]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in reversed(tasks):
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=STOP_SECONDS)


async def stopped_in_order(running: Awaitable[None], stop: Callable[[], Awaitable[None]]) -> None:
    """Run; at cancellation `stop` is called, and what runs gets the time to end by itself."""
    task = asyncio.ensure_future(running)
    try:
        await asyncio.shield(task)
    finally:
        if not task.done():
            await stop()
            await asyncio.wait({task}, timeout=STOP_SECONDS)
            task.cancel()
