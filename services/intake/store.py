"""What intake keeps: the authorities in force, a fold of the amendments in partition 0 of `events`."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from regulations.directory import Directory
from services.runtime.postgres_positions import transaction

SCHEMA = "intake"
VERSION = 2
"""Of what is stored: raised when the shape or the fold of a directory changes, so that all is folded anew."""


class AuthorityStore:
    """Every replica folds the same into it; the later position wins. Raises `StoreError`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def load(self, identity: Mapping[str, str]) -> tuple[int, dict[str, Directory]]:
        """The next offset to read and what is folded up to it; (0, {}) when it was of another log or another version."""
        async with transaction(self._engine, "loading the authorities") as connection:
            position = (await connection.execute(text("SELECT * FROM intake.position"))).one_or_none()
            if position is None or position.identity != dict(identity) or position.version != VERSION:
                return 0, {}
            rows = await connection.execute(text("SELECT directory FROM intake.authorities"))
            found = [Directory.model_validate_json(row.directory) for row in rows]
            return position.next, {one.id: one for one in found}

    async def save(self, identity: Mapping[str, str], next_offset: int, known: Mapping[str, Directory]) -> None:
        """Store the directories as they are folded up to the position, and the position."""
        async with transaction(self._engine, "storing the authorities") as connection:
            moved = await connection.execute(
                text(
                    "INSERT INTO intake.position (one, identity, next, version) "
                    "VALUES (1, CAST(:identity AS jsonb), :next, :version) "
                    "ON CONFLICT (one) DO UPDATE SET identity = excluded.identity, next = excluded.next, "
                    "version = excluded.version WHERE position.identity <> excluded.identity "
                    "OR position.version <> excluded.version OR position.next < excluded.next"
                ),
                {"identity": json.dumps(dict(identity)), "next": next_offset, "version": VERSION},
            )
            if moved.rowcount == 0:
                return  # Another replica is further on already.
            await _put(connection, known)

    async def replace(self, identity: Mapping[str, str], next_offset: int, known: Mapping[str, Directory]) -> None:
        """Let this stand, whatever stood there: it was folded from the whole log."""
        async with transaction(self._engine, "replacing the authorities") as connection:
            # Whoever loads reads two tables: neither may change between them.
            await connection.execute(text("LOCK TABLE intake.position IN ACCESS EXCLUSIVE MODE"))
            await connection.execute(text("DELETE FROM intake.authorities"))
            await connection.execute(text("DELETE FROM intake.position"))
            await connection.execute(
                text(
                    "INSERT INTO intake.position (one, identity, next, version) "
                    "VALUES (1, CAST(:identity AS jsonb), :next, :version)"
                ),
                {"identity": json.dumps(dict(identity)), "next": next_offset, "version": VERSION},
            )
            await _put(connection, known)


async def _put(connection: AsyncConnection, directories: Mapping[str, Directory]) -> None:
    for directory in directories.values():
        await connection.execute(
            text(
                "INSERT INTO intake.authorities (id, version, directory) VALUES (:id, :version, :directory) "
                "ON CONFLICT (id) DO UPDATE SET version = excluded.version, directory = excluded.directory"
            ),
            {"id": directory.id, "version": directory.number, "directory": directory.model_dump_json(by_alias=True)},
        )
