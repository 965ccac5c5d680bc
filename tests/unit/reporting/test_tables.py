"""The migrations make the tables that the code knows."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting import tables


async def test_the_migrations_make_what_the_code_knows(engine: AsyncEngine) -> None:
    def differences(connection: Connection) -> list[Any]:
        ours = {"include_schemas": True, "include_name": _ours, "version_table_schema": tables.SCHEMA}
        return compare_metadata(MigrationContext.configure(connection, opts=ours), tables.metadata)

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []


def _ours(name: str | None, kind: str, _: Any) -> bool:
    if kind == "schema":
        return name == tables.SCHEMA
    return kind != "table" or name not in {"alembic_version", "positions"}
