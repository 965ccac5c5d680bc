"""The real parts that a benchmark needs and no more: broker, database, chosen services, each a process of its own.

The machine has few cores: a service that works through what another one is measured by would be measured too.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from services.cli.bootstrap import bootstrap
from services.runtime import installation
from services.runtime.child import ChildProcess, answers
from services.runtime.embedded import EmbeddedKafka, EmbeddedPostgres
from services.runtime.settings import ENV_PREFIX, Settings, load_settings
from services.runtime.tokens import Claims, ensure_local_key, local_token
from tests.ports import free_port_base

TOKEN_TTL = timedelta(hours=2)


class House:
    """To be used as `async with`; everything is stopped and its folder removed at the end."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._services: dict[str, ChildProcess] = {}

    async def __aenter__(self) -> Self:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="otklik-bench-"))
        self.folder = Path(folder)
        # The database drops root's rights, and has to reach its folder.
        self.folder.chmod(0o755)
        self.settings = load_settings(data=self.folder, port_base=free_port_base(), environment="embedded")
        try:
            kafka = EmbeddedKafka(self.folder, self.settings.kafka_port, self.settings.kafka_controller_port)
            self._stack.push_async_callback(kafka.stop)
            await kafka.start()
            postgres = EmbeddedPostgres(self.folder, self.settings.postgres_port, options={"max_wal_size": "8GB"})
            self._stack.push_async_callback(postgres.stop)
            await postgres.start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._services):
            await self.stop(name)
        await self._stack.aclose()

    async def furnish(self) -> None:
        """Topics, the local key, the law on the log (workflow has still to fold it)."""
        await bootstrap(self.settings, clock="real", now=None)

    async def annexe(self, prefix: str, offset: int) -> Settings:
        """Another installation on the same broker and server, with topics and a database of its own, but no law."""
        admin = await asyncpg.connect(self.settings.postgres.replace("+asyncpg", ""))
        try:
            await admin.execute(f'CREATE DATABASE "{prefix}"')
        finally:
            await admin.close()
        values = {
            "prefix": prefix,
            "kafka": self.settings.kafka,
            "postgres": self.settings.postgres.rpartition("/")[0] + f"/{prefix}",
            "port_base": self.settings.port_base + offset,
            "data": self.folder,
            "environment": "embedded",
        }
        settings = load_settings(**values)
        await installation.ensure(settings)
        if settings.local_key is not None:
            ensure_local_key(settings.local_key)
        return settings

    async def start(self, service: str, settings: Settings | None = None) -> None:
        """Start a service and return when it is ready."""
        settings = settings or self.settings
        decided = (
            "environment",
            "partitions",
            "replication",
            "clock",
            "data",
            "kafka",
            "postgres",
            "port_base",
            "prefix",
        )
        values = settings.model_dump()
        name = f"{settings.prefix}-{service}"
        child = ChildProcess(
            name,
            [sys.executable, "-m", f"services.{service}"],
            run=self.folder / "run",
            log=self.folder / "logs" / f"{name}.log",
            # One sender here stands for a region's: what is measured is not how he is held back.
            environment=dict(os.environ)
            | {ENV_PREFIX + one.upper(): str(values[one]) for one in decided}
            | {f"{ENV_PREFIX}REQUESTS_PER_SECOND": "0"},
            ready=answers(f"{settings.url(service)}/readyz"),
        )
        self._services[name] = child
        await child.start()

    async def stop(self, name: str) -> None:
        await self._services.pop(name).stop()

    def token(self, role: str, authority: str) -> str:
        key = self.settings.local_key
        assert key is not None
        claims = Claims(sub=f"bench-{role}", authorities=(authority,), roles=(role,))
        return local_token(key, claims, now=datetime.now(UTC), ttl=TOKEN_TTL)


def note(text: str) -> None:
    """Tell what goes on, beside the table."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
