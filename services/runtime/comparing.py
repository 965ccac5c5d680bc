"""Live tables compared, row by row, with tables that were just folded from the log.

The live ones move while they are looked at, so they are read in one snapshot, and the others folded to just its position.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

SCRATCH = "pg_temp"
"""PostgreSQL's name for the tables of a connection of ours: they need no right, and are gone with it, however it ends."""

PIECE = 1000


@dataclass(frozen=True, slots=True)
class Table:
    """A table, its primary key, and all of its columns in order."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of a table are compared, in SQL (`live` and `scratch` may differ), and which columns are not."""

    where: str = "TRUE"
    without: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not as the log says. `what`: `missing`, `surplus` or `differs`; `columns`: those that differ."""

    table: str
    key: Mapping[str, str]
    what: str
    columns: tuple[str, ...] = ()


async def tables_of(connection: AsyncConnection, schema: str) -> list[Table]:
    """The tables of a schema, but for alembic's. A table without a primary key cannot be compared: ValueError."""
    rows = await connection.execute(
        text(
            "SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns, "
            "array_agg(a.attname::text ORDER BY array_position(i.indkey::int2[], a.attnum)) "
            "FILTER (WHERE a.attnum = ANY(i.indkey::int2[])) AS key FROM pg_class AS c "
            "JOIN pg_namespace AS n ON n.oid = c.relnamespace "
            "JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
            "LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary "
            "WHERE n.nspname = :schema AND c.relkind = 'r' AND c.relname <> 'alembic_version' "
            "GROUP BY c.relname ORDER BY c.relname"
        ),
        {"schema": schema},
    )
    found = [Table(row.name, tuple(row.key or ()), tuple(row.columns)) for row in rows]
    lacking = [one.name for one in found if not one.key]
    if lacking:
        raise ValueError(f"{schema}: {', '.join(lacking)} without a primary key")
    return found


async def make_scratch(connection: AsyncConnection, schema: str, tables: Sequence[Table]) -> None:
    """Tables like these, empty, of this connection alone."""
    for table in tables:
        await connection.execute(text(f'DROP TABLE IF EXISTS {SCRATCH}."{table.name}"'))
        await connection.execute(
            text(f'CREATE TEMP TABLE "{table.name}" (LIKE "{schema}"."{table.name}" INCLUDING ALL)')
        )


async def compare(
    live: AsyncConnection,
    schema: str,
    scratch: AsyncConnection,
    table: Table,
    selection: Selection,
    given: Mapping[str, Any],
) -> AsyncIterator[Difference | None]:
    """Merge the rows of both in the order of their keys. Yields each difference, and None for each row that is equal."""
    columns = [column for column in table.columns if column not in {*table.key, *selection.without}]
    ours = _rows(live, schema, table, columns, selection.where, given)
    theirs = _rows(scratch, SCRATCH, table, columns, selection.where, given)
    one, other = await anext(ours, None), await anext(theirs, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None
            yield Difference(table.name, _named(table, one[0]), "surplus")
            one = await anext(ours, None)
        elif one is None or other[0] < one[0]:
            yield Difference(table.name, _named(table, other[0]), "missing")
            other = await anext(theirs, None)
        else:
            wrong = tuple(name for name, a, b in zip(columns, one[1], other[1], strict=True) if a != b)
            yield Difference(table.name, _named(table, one[0]), "differs", wrong) if wrong else None
            one, other = await anext(ours, None), await anext(theirs, None)


def _named(table: Table, key: tuple[str, ...]) -> dict[str, str]:
    return dict(zip(table.key, key, strict=True))


async def _rows(
    connection: AsyncConnection,
    schema: str,
    table: Table,
    columns: Sequence[str],
    where: str,
    given: Mapping[str, Any],
) -> AsyncIterator[tuple[tuple[str, ...], tuple[str | None, ...]]]:
    """Keys as text, in the order of their code points; of everything else a digest is enough to see a difference."""
    keys = [f'"{name}"::text COLLATE "C"' for name in table.key]
    rest = [f'md5("{name}"::text)' for name in columns]
    query = (
        f'SELECT {", ".join((*keys, *rest))} FROM "{schema}"."{table.name}" WHERE {where} ORDER BY {", ".join(keys)}'
    )
    used = {name: value for name, value in given.items() if f":{name}" in query}
    result = await connection.stream(text(query), used, execution_options={"yield_per": PIECE})
    async for row in result:
        yield tuple(row[: len(keys)]), tuple(row[len(keys) :])
