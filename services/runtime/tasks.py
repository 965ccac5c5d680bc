"""Ending tasks in bounded time, and noticing those that hang."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from services.runtime.dead_letters import described
from services.runtime.health import Health

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0
CANCEL_S = 10.0
EXIT_CODE = 70


async def end_task(task: asyncio.Task[Any], seconds: float = CANCEL_S) -> bool:
    """Cancel a task and wait until it is gone; False when it will not go. Its own error is logged, not raised."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        return False
    with suppress(asyncio.CancelledError):
        error = task.exception()
        if error is not None:
            logger.error("%s ended with %s", task.get_name(), described(error))
    return True


def exit_process(why: str) -> None:
    """End the process at once: nothing in it can be trusted to end by itself. Its supervisor starts another."""
    logger.critical("%s: the process ends", why)
    os._exit(EXIT_CODE)


class Watchdog:
    """Cancels a task that has work in hand and does not move; a task that cannot be cancelled ends the process."""

    def __init__(
        self,
        health: Health,
        task_of: Callable[[str], asyncio.Task[None] | None],
        restart: Callable[[str], None],
        unrecoverable: Callable[[str], None] | None = None,
    ) -> None:
        self._health = health
        self._task_of = task_of
        self._restart = restart
        self._unrecoverable = unrecoverable or exit_process

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        for name in self._health.stalled():
            task = self._task_of(name)
            if task is None:
                continue
            logger.error("partition %s stands still", name)
            if not await end_task(task):
                self._unrecoverable(f"partition {name} hangs, and cannot be cancelled")
                return
            self._health.moved(name, busy=False)
            self._restart(name)
