"""What the doors of reporting share: the database, the law, the settings, the clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.reporting.reports.law import Laws
from services.reporting.store import latest_instant
from services.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """`clock`: the present as reports know it; `wall`: the machine's time, by which tokens live. Both aware, and the same but
    in tests; asked for only where people look at a running installation. `reached`: the instant up to which all is told;
    None before there is one."""

    settings: Settings
    engine: AsyncEngine
    clock: Callable[[], datetime]
    wall: Callable[[], datetime]
    reached: Callable[[], Awaitable[datetime | None]]
    laws: Laws = field(default_factory=Laws)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """One reading transaction, so that the parts of a report agree with each other."""
        async with self.engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    async def now(self, connection: AsyncConnection) -> datetime:
        """The present: the log's own time where the clock is simulated, else the machine's, beside which a simulated clock
        may run."""
        if self.settings.clock == "real":
            return self.clock()
        latest = await latest_instant(connection)
        if latest is None or (self.settings.clock_runs and latest < self.clock()):
            return self.clock()
        return latest
