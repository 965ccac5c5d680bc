"""A real PostgreSQL with reporting's tables in it, fresh for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services.reporting import tables


@pytest_asyncio.fixture(loop_scope="session")
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(database)
    async with engine.begin() as connection:
        await connection.execute(text(f"create schema {tables.SCHEMA}"))
        await connection.run_sync(tables.metadata.create_all)
    yield engine
    await engine.dispose()
