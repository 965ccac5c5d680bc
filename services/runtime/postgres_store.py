"""What a decider's runtime keeps, in PostgreSQL: the service's own schema."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.runtime import postgres_positions as positions
from services.runtime.decider import WORLD, Agenda
from services.runtime.postgres_positions import reading, transaction
from services.runtime.store import AgendaEntry, Changes, Held, Kept, OwnershipLost, Place, Quarantined, Stored

Project = Callable[[AsyncConnection, Changes], Awaitable[None]]
"""Writes a service's derived tables, in the transaction of a save."""
Wipe = Callable[[AsyncConnection, int], Awaitable[None]]
"""Empties a service's derived tables of a partition, because it is folded anew."""

_TABLES = ("states", "history", "agenda", "quarantine", "parked")


_KEPT_ROWS = (
    '(partition, key, topic, "offset", source, "index", at, body) '
    "SELECT :partition, row.* FROM unnest(CAST(:row_keys AS text[]), CAST(:row_topics AS text[]), "
    "CAST(:row_offsets AS bigint[]), CAST(:row_sources AS bigint[]), CAST(:row_indexes AS integer[]), "
    "CAST(:row_ats AS timestamptz[]), CAST(:row_bodies AS bytea[])) AS row"
)

_CORE = f"""
WITH moved AS ({positions.MOVE} RETURNING 1),
written AS (
    INSERT INTO "{{schema}}".states (partition, key, version, body)
    SELECT :partition, new.key, :version, new.body
    FROM unnest(CAST(:keys AS text[]), CAST(:bodies AS bytea[])) AS new(key, body) WHERE EXISTS (SELECT FROM moved)
    ON CONFLICT (partition, key) DO UPDATE SET version = excluded.version, body = excluded.body
),
gone AS (DELETE FROM "{{schema}}".states WHERE partition = :partition AND key = ANY(CAST(:gone AS text[]))),
cleared AS (DELETE FROM "{{schema}}".agenda WHERE partition = :partition AND key = ANY(CAST(:cleared AS text[]))),
kept AS (INSERT INTO "{{schema}}".history {_KEPT_ROWS} WHERE EXISTS (SELECT FROM moved) ON CONFLICT DO NOTHING)
SELECT (SELECT count(*) FROM moved) AS moved, pg_notify(:channel, :payload)
"""

_AGENDA = """
WITH new AS MATERIALIZED (
    SELECT * FROM unnest(CAST(:names AS text[]), CAST(:ats AS timestamptz[]), CAST(:items AS text[]),
        CAST(:keys AS text[])) AS new(name, at, item, key)
),
old AS MATERIALIZED (
    SELECT ctid AS place, name, at, item, key FROM "{schema}".agenda
    WHERE partition = :partition AND key = ANY(CAST(:changed AS text[]))
),
gone AS (
    DELETE FROM "{schema}".agenda WHERE ctid = ANY(ARRAY(
        SELECT place FROM old LEFT JOIN new USING (name, at, item, key) WHERE new.key IS NULL
    ))
)
INSERT INTO "{schema}".agenda (partition, name, at, item, key)
SELECT :partition, name, at, item, key FROM new EXCEPT SELECT :partition, name, at, item, key FROM old
"""
"""Only what differs is written: of a state that changes most entries stay, and each is a row in two indexes."""


def _columns(rows: Sequence[Kept]) -> dict[str, list[Any]]:
    return {
        "row_keys": [row.key for row in rows],
        "row_topics": [row.topic for row in rows],
        "row_offsets": [row.offset for row in rows],
        "row_sources": [row.source for row in rows],
        "row_indexes": [row.index for row in rows],
        "row_ats": [row.at for row in rows],
        "row_bodies": [row.body for row in rows],
    }


async def _nothing(connection: AsyncConnection, what: object) -> None:
    """A service without derived tables."""


class PostgresStore:
    """`schema` is the service's name; `source` the topic whose position is notified. Both are ours, not input."""

    def __init__(
        self, engine: AsyncEngine, schema: str, source: str, project: Project = _nothing, wipe: Wipe = _nothing
    ) -> None:
        self.engine = engine
        self.schema = schema
        self._source = source
        self._project = project
        self._wipe = wipe
        self._core = text(_CORE.format(schema=schema))
        self._agenda = text(_AGENDA.format(schema=schema))

    async def claim(self, partition: int, owner: str) -> Place:
        async with transaction(self.engine, f"claiming {self.schema} {partition}") as connection:
            return await positions.claim(connection, self.schema, partition, owner)

    async def wipe(self, partition: int, owner: str) -> Place:
        async with transaction(self.engine, f"wiping {self.schema} {partition}") as connection:
            old = await positions.claim(connection, self.schema, partition, owner)
            await positions.move(connection, self.schema, partition, owner, old, Place())
            for table in _TABLES:
                await connection.execute(
                    text(f'DELETE FROM "{self.schema}".{table} WHERE partition = :partition'), {"partition": partition}
                )
            await self._wipe(connection, partition)
        return Place(old.serial + 1)

    async def states(self, partition: int, keys: Sequence[str], held: Held | None = None) -> dict[str, Stored]:
        return await self._states("key = ANY(CAST(:keys AS text[]))", partition, held, keys=list(keys))

    async def world(self, partition: int, held: Held | None = None) -> dict[str, Stored]:
        where = 'key >= :low COLLATE "C" AND key < :high COLLATE "C"'
        return await self._states(where, partition, held, low=WORLD, high=f"{WORLD[:-1]}0")

    async def _states(self, where: str, partition: int, held: Held | None, **given: Any) -> dict[str, Stored]:
        rows = await self._rows("states", "key, version, body", where, partition, held, given)
        return {row.key: Stored(row.version, row.body) for row in rows}

    async def kept(self, partition: int, keys: Sequence[str], held: Held | None = None) -> dict[str, list[Kept]]:
        found: dict[str, list[Kept]] = {key: [] for key in keys}
        for row in await self._kept("history", partition, keys, held):
            found[row.key].append(row)
        return found

    async def parked(self, partition: int, key: str, held: Held | None = None) -> list[Kept]:
        return await self._kept("parked", partition, [key], held)

    async def _kept(self, table: str, partition: int, keys: Sequence[str], held: Held | None) -> list[Kept]:
        columns = 'key, topic, "offset", source, "index", at, body'
        where = "key = ANY(CAST(:keys AS text[]))"
        rows = await self._rows(table, columns, where, partition, held, {"keys": list(keys)})
        return sorted((Kept(*row) for row in rows), key=Kept.order)

    async def agenda(
        self,
        partition: int,
        name: str,
        until: datetime | None,
        after: tuple[datetime, str, str] | None,
        limit: int,
        held: Held | None = None,
    ) -> list[AgendaEntry]:
        where, given = ["name = :name"], {"name": name, "limit": limit}
        more: dict[str, Any] = {}
        if until is not None:
            where.append("at <= :until")
            more["until"] = until
        if after is not None:
            where.append("(at, item, key) > (:after_at, :after_item, :after_key)")
            more |= {"after_at": after[0], "after_item": after[1], "after_key": after[2]}
        wanted = f"{' AND '.join(where)} ORDER BY at, item, key LIMIT :limit"
        rows = await self._rows("agenda", "at, item, key", wanted, partition, held, given | more)
        return sorted((AgendaEntry(Agenda(name, row.at, row.item), row.key) for row in rows), key=AgendaEntry.order)

    async def quarantined(self, partition: int, held: Held | None = None) -> list[Quarantined]:
        columns = 'key, topic, "offset", reason, detail, version'
        rows = await self._rows("quarantine", columns, "true", partition, held, {})
        return sorted((Quarantined(*row) for row in rows), key=lambda row: row.key)

    async def _rows(
        self, table: str, columns: str, where: str, partition: int, held: Held | None, given: dict[str, Any]
    ) -> list[Any]:
        """Rows of a table, in no order. With `held` the position is looked at in the same statement, so in the same
        snapshot: its row stands beside each of them, and alone where there are none."""
        wanted = f'SELECT {columns} FROM "{self.schema}".{table} WHERE partition = :partition AND {where}'
        given = given | {"partition": partition}
        if held is not None:
            wanted = (
                f'SELECT wanted.* FROM "{self.schema}".positions AS p LEFT JOIN LATERAL ({wanted}) AS wanted ON true '
                "WHERE p.partition = :partition AND p.owner = :owner AND p.serial = :serial"
            )
            given |= {"owner": held.owner, "serial": held.serial}
        async with reading(self.engine, f"loading {table}") as connection:
            rows = list(await connection.execute(text(wanted), given))
        if held is None:
            return rows
        if not rows:
            raise OwnershipLost(f"{self.schema} {partition}: таблицы не такие, какими оставлены")
        return [row for row in rows if row[0] is not None]

    async def next_at(self, partition: int, names: Sequence[str]) -> datetime | None:
        async with reading(self.engine, "looking for what is due") as connection:
            result = await connection.execute(
                text(
                    f"SELECT min(at) FROM unnest(CAST(:names AS text[])) AS wanted(name), LATERAL (SELECT at FROM "
                    f'"{self.schema}".agenda AS a WHERE a.partition = :partition AND a.name = wanted.name '
                    "ORDER BY at LIMIT 1) AS first"
                ),
                {"partition": partition, "names": list(names)},
            )
            found: datetime | None = result.scalar_one()
            return found

    async def place(self, partition: int) -> Place | None:
        async with reading(self.engine, "looking at a position") as connection:
            return await positions.look(connection, self.schema, partition)

    async def save(self, changes: Changes) -> None:
        async with transaction(self.engine, f"storing {self.schema} {changes.partition}") as connection:
            await self._save_core(connection, changes)
            await self._save_agenda(connection, changes)
            await self._save_quarantine(connection, changes)
            await self._project(connection, changes)

    async def _save_core(self, connection: AsyncConnection, changes: Changes) -> None:
        """What nearly every save has, in one round trip. All of it hangs on the position, which is moved or not."""
        kept, new = changes.kept, changes.new
        agenda_stays = any(changes.agenda.values())
        result = await connection.execute(
            self._core,
            positions.moving(changes.partition, changes.owner, changes.old, new)
            | {
                "version": changes.version,
                "keys": list(changes.bodies),
                "bodies": list(changes.bodies.values()),
                "gone": [key for key, state in changes.states.items() if state is None],
                # Within one statement a row cannot be deleted and inserted: then `_save_agenda` does both.
                "cleared": [] if agenda_stays else list(changes.states),
                "channel": f"{self.schema}_stored",
                "payload": f"{changes.partition}:{new.offsets.get(self._source, 0)}",
            }
            | _columns(kept),
        )
        if result.one().moved != 1:
            raise OwnershipLost(f"{self.schema} {changes.partition}: партиция уже не наша")

    async def _save_agenda(self, connection: AsyncConnection, changes: Changes) -> None:
        entries = [(entry, key) for key, agenda in changes.agenda.items() for entry in agenda]
        if not entries:
            return
        await connection.execute(
            self._agenda,
            {
                "partition": changes.partition,
                "changed": list(changes.states),
                "names": [entry.name for entry, _ in entries],
                "ats": [entry.at for entry, _ in entries],
                "items": [entry.item for entry, _ in entries],
                "keys": [key for _, key in entries],
            },
        )

    async def _save_parked(self, connection: AsyncConnection, partition: int, rows: list[Kept]) -> None:
        if rows:
            statement = f'INSERT INTO "{self.schema}".parked {_KEPT_ROWS} ON CONFLICT DO NOTHING'
            await connection.execute(text(statement), {"partition": partition} | _columns(rows))

    async def _save_quarantine(self, connection: AsyncConnection, changes: Changes) -> None:
        if changes.released:
            await self._delete(connection, "quarantine", changes.partition, changes.released)
            await self._delete(connection, "parked", changes.partition, changes.released)
        await self._save_parked(connection, changes.partition, changes.parked)
        for row in changes.quarantined:
            await connection.execute(
                text(
                    f'INSERT INTO "{self.schema}".quarantine '
                    '(partition, key, topic, "offset", reason, detail, version) '
                    "VALUES (:partition, :key, :topic, :offset, :reason, :detail, :version) "
                    "ON CONFLICT (partition, key) DO UPDATE SET detail = excluded.detail, version = excluded.version"
                ),
                {
                    "partition": changes.partition,
                    "key": row.key,
                    "topic": row.topic,
                    "offset": row.offset,
                    "reason": row.reason,
                    # An exception's text may hold what PostgreSQL's text may not.
                    "detail": row.detail.replace("\x00", "␀"),
                    "version": row.version,
                },
            )

    async def _delete(self, connection: AsyncConnection, table: str, partition: int, keys: list[str]) -> None:
        await connection.execute(
            text(
                f'DELETE FROM "{self.schema}".{table} WHERE partition = :partition AND key = ANY(CAST(:keys AS text[]))'
            ),
            {"partition": partition, "keys": keys},
        )
