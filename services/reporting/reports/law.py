"""The law in force, as the log told it: folded from the amendments when somebody asks, and kept until there is another."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from regulations.directory import Directory, evolve
from schemas.events import Amended
from services.reporting import tables
from services.runtime import problems


class Laws:
    """Directories of the authorities. One a process; an amendment is seen by the next question."""

    def __init__(self) -> None:
        self._known: dict[str, Directory] = {}

    async def of(self, connection: AsyncConnection, authority: str) -> Directory:
        """The authority's directory. Raises ProblemError 404 for one whose law the log does not know."""
        directory = (await self.all(connection)).get(authority)
        if directory is None:
            raise problems.not_found()
        return directory

    async def all(self, connection: AsyncConnection) -> dict[str, Directory]:
        """Those in force, by id."""
        await self._refresh(connection)
        return {authority: directory for authority, directory in self._known.items() if directory.in_force}

    async def _refresh(self, connection: AsyncConnection) -> None:
        table = tables.amendments
        newest = await connection.execute(
            select(table.c.authority, func.max(table.c.number)).group_by(table.c.authority)
        )
        for authority, number in newest:
            known = self._known.get(authority)
            if known is not None and known.number > number:
                # It is another log than before, folded anew.
                known = None
            if known is None or known.number < number:
                self._known[authority] = await self._folded(connection, authority, known)

    async def _folded(self, connection: AsyncConnection, authority: str, known: Directory | None) -> Directory:
        table = tables.amendments
        after = 0 if known is None else known.number
        # Every partition tells the same amendments; each began to count when the first of them told it.
        rows = await connection.execute(
            select(table.c.data, table.c.at)
            .where(table.c.authority == authority, table.c.number > after)
            .ext(distinct_on(table.c.number))
            .order_by(table.c.number, table.c.at, table.c.partition)
        )
        directory = known
        for data, at in rows:
            when: datetime = at.astimezone(UTC)
            directory = evolve(directory, authority, Amended.model_validate(data), when)
        assert directory is not None
        return directory
