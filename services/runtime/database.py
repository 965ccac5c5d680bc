"""PostgreSQL: the engine of a service, and waiting for the server."""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services.runtime.store import StoreError

logger = logging.getLogger(__name__)

FIRST_RETRY_S = 0.1
LAST_RETRY_S = 2.0
CONNECT_S = 5.0
PROBE_EVERY_S = 1.0
PROBE_S = 3.0
STATEMENT_S = 30.0
"""No statement of ours takes so long: one that does is stuck, and what it waited for is tried anew."""


def create_engine(url: str, service: str, pool: int = 10, *, recycle_s: int = 1800) -> AsyncEngine:
    """An engine with at most `pool` connections. `url` is `postgresql+asyncpg://…`; no connection is used for longer than
    `recycle_s` seconds (-1: for as long as it lasts)."""
    return create_async_engine(
        url,
        pool_size=pool,
        # Parameters are bodies of posts: no error may quote them.
        hide_parameters=True,
        max_overflow=0,
        pool_timeout=10.0,
        # The connection used last knows the statements; the others may rest.
        pool_use_lifo=True,
        pool_recycle=recycle_s,
        connect_args={
            "timeout": CONNECT_S,
            "command_timeout": STATEMENT_S,
            "server_settings": {
                "application_name": f"otklik-{service}",
                "timezone": "UTC",
                "idle_in_transaction_session_timeout": "60000",
                # What is lost in a crash of the server is folded from the log, so a commit need not wait for the disk.
                "synchronous_commit": "off",
            },
        },
    )


class DatabaseProbe:
    """Whether the server answers just now; asked at most once a second, however often that is wanted."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._wrong = ""
        self._asked_at = float("-inf")
        self._one_at_a_time = asyncio.Lock()

    async def __call__(self) -> str:
        """Why it does not answer; empty when it does."""
        now = asyncio.get_running_loop().time
        async with self._one_at_a_time:
            if now() - self._asked_at >= PROBE_EVERY_S:
                try:
                    async with asyncio.timeout(PROBE_S), self._engine.connect() as connection:
                        await connection.execute(text("SELECT 1"))
                except (SQLAlchemyError, OSError, TimeoutError) as error:
                    self._wrong = f"не отвечает: {type(error).__name__}"
                else:
                    self._wrong = ""
                self._asked_at = now()
            return self._wrong


async def wait_for_database(engine: AsyncEngine, seconds: float = 60.0) -> None:
    """Return as soon as the server answers; raises `StoreError` when it does not in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    delay = FIRST_RETRY_S
    while True:
        try:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            if loop.time() + delay > deadline:
                raise StoreError(f"PostgreSQL не отвечает: {error}") from error
            logger.info("waiting for PostgreSQL: %s", type(error).__name__)
            await asyncio.sleep(delay)
            delay = min(2 * delay, LAST_RETRY_S)
        else:
            return
