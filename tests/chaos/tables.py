"""What happens to PostgreSQL's content: a service's tables dropped, the whole database restored from an older copy."""

from __future__ import annotations

import asyncpg

from tests.e2e.installation import Installation

COPY = "otklik_copy"
DATABASE = "otklik"


async def drop(installation: Installation, service: str) -> None:
    """Every table of the service, and its schema; an empty schema stays, as docs/operations.md says. Raises asyncpg's errors."""
    connection = await _connect(installation, DATABASE)
    try:
        # Whoever holds a lock must not hold up the fault for ever.
        await connection.execute("set lock_timeout = '5s'")
        async with connection.transaction():
            await connection.execute(f'drop schema if exists "{service}" cascade')
            await connection.execute(f'create schema "{service}"')
    finally:
        await connection.close(timeout=5)


async def copy(installation: Installation) -> None:
    """Take a copy of the whole database as it is now; everybody is thrown out for that moment."""
    await _as_copy(installation, DATABASE, COPY)


async def restore(installation: Installation) -> None:
    """Put the copy in the database's place."""
    await _as_copy(installation, COPY, DATABASE)


async def copied(installation: Installation) -> bool:
    connection = await _connect(installation, "postgres")
    try:
        return bool(await connection.fetchval("select 1 from pg_database where datname = $1", COPY))
    finally:
        await connection.close(timeout=5)


async def _as_copy(installation: Installation, source: str, target: str) -> None:
    """`target` becomes what `source` is: one `create database … template`, in a moment when nobody is connected."""
    connection = await _connect(installation, "postgres")
    try:
        await connection.execute(f"alter database {DATABASE} allow_connections false")
        try:
            for name in (source, target):
                await connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name
                )
            await connection.execute(f"drop database if exists {target} with (force)")
            await connection.execute(f"create database {target} template {source}")
        finally:
            await connection.execute(f"alter database {DATABASE} allow_connections true")
    finally:
        await connection.close(timeout=5)


async def history(installation: Installation, service: str) -> list[tuple[str, int, int, bytes]]:
    """The records that a decider keeps: (topic, partition, offset, body)."""
    connection = await _connect(installation, DATABASE)
    try:
        rows = await connection.fetch(f'select topic, partition, "offset", body from {service}.history')
        return [(row[0], row[1], row[2], bytes(row[3])) for row in rows]
    finally:
        await connection.close(timeout=5)


async def positions(installation: Installation, service: str) -> list[tuple[str, int, int]]:
    """Up to where a service has stored each topic: (topic, partition, offset)."""
    connection = await _connect(installation, DATABASE)
    try:
        await connection.set_type_codec("jsonb", encoder=str, decoder=_offsets, schema="pg_catalog")
        rows = await connection.fetch(f"select partition, offsets from {service}.positions")
        return [(topic, row[0], offset) for row in rows for topic, offset in row[1].items()]
    finally:
        await connection.close(timeout=5)


def _offsets(text: str) -> dict[str, int]:
    import json

    return {str(name): int(offset) for name, offset in json.loads(text).items()}


async def _connect(installation: Installation, database: str) -> asyncpg.Connection:
    return await asyncpg.connect(
        host="127.0.0.1", port=installation.base + 32, user="postgres", database=database, timeout=5, ssl=False
    )
