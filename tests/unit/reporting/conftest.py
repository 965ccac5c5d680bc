"""A real PostgreSQL with reporting's tables in it, made by its migrations, fresh for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services.runtime.migrate import upgrade


@pytest_asyncio.fixture(loop_scope="session")
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(database)
    await upgrade(engine, "reporting")
    yield engine
    await engine.dispose()
