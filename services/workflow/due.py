"""Which messages owe something by when: a small fold of `deadlines`, for the list's `due_before` alone.

No command is judged by it, so it may lag: what is owed is sla's to say. Every replica follows and offers the same; of two
that come with the same piece the first stores it, and the other goes on from there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence

import structlog
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas import topics
from schemas.deadlines import TYPES, DeadlineData
from schemas.envelope import Envelope
from services.runtime.log import Log, LogError, OutOfRange, Record, TopicPartition
from services.runtime.postgres_positions import transaction
from services.runtime.store import StoreError
from services.workflow.store import SCHEMA

RETRY_SECONDS = 1.0
_CLOSED = frozenset({"met", "met-late", "cancelled", "excused"})
"""After these nothing is owed any more; what is `breached` still is."""

_log = structlog.get_logger("due")


class _Overtaken(Exception):
    """Another replica has stored this piece: read the positions again."""


class DueFollower:
    """`run` follows all partitions until cancelled; errors are retried for ever. `schema`: where the tables stand."""

    def __init__(self, log: Log, engine: AsyncEngine, partitions: int, schema: str = SCHEMA) -> None:
        self._log = log
        self._engine = engine
        self._schema = schema
        self._places = [TopicPartition(topics.DEADLINES, number) for number in range(partitions)]

    async def run(self) -> None:
        while True:
            try:
                await self._follow()
            except _Overtaken:
                continue
            except (LogError, StoreError) as error:
                level = _log.error if isinstance(error, OutOfRange) else _log.warning
                level("following deadlines", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)

    async def fold(self, ends: Mapping[int, int]) -> None:
        """Fold each partition up to its end, and no further. Raises `LogError`, `StoreError`."""
        identity = await self._log.identity((topics.DEADLINES,))
        positions = await self._positions(identity)
        for place in self._places:
            end = ends.get(place.partition, 0)
            async for records in self._log.read(place, positions[place.partition], end):
                await self._store(identity, place.partition, positions[place.partition], records)
                positions[place.partition] = records[-1].offset + 1

    async def _follow(self) -> None:
        identity = await self._log.identity((topics.DEADLINES,))
        positions = await self._positions(identity)
        starts = {place: positions[place.partition] for place in self._places}
        async for records in self._log.follow(starts):
            by_partition: dict[int, list[Record]] = {}
            for record in records:
                by_partition.setdefault(record.partition, []).append(record)
            for partition, some in by_partition.items():
                await self._store(identity, partition, positions[partition], some)
                positions[partition] = some[-1].offset + 1

    async def _positions(self, identity: Mapping[str, str]) -> dict[int, int]:
        """Of each partition; one of another log is forgotten with all that came from it."""
        found: dict[int, int] = {}
        async with transaction(self._engine, "looking at the positions of due") as connection:
            rows = {
                row.partition: row
                for row in await connection.execute(text(f'SELECT * FROM "{self._schema}".due_position'))
            }
            for place in self._places:
                row = rows.get(place.partition)
                if row is not None and row.identity == dict(identity):
                    found[place.partition] = row.next
                    continue
                given = {"partition": place.partition, "identity": json.dumps(dict(identity))}
                await connection.execute(text(f'DELETE FROM "{self._schema}".due WHERE partition = :partition'), given)
                await connection.execute(
                    text(
                        f'INSERT INTO "{self._schema}".due_position (partition, identity, next) '
                        "VALUES (:partition, CAST(:identity AS jsonb), 0) "
                        "ON CONFLICT (partition) DO UPDATE SET identity = excluded.identity, next = 0"
                    ),
                    given,
                )
                found[place.partition] = 0
        return found

    async def _store(
        self, identity: Mapping[str, str], partition: int, expected: int, records: Sequence[Record]
    ) -> None:
        async with transaction(self._engine, "storing what is due") as connection:
            moved = await connection.execute(
                text(
                    f'UPDATE "{self._schema}".due_position SET next = :next WHERE partition = :partition AND next = :expected '
                    "AND identity = CAST(:identity AS jsonb)"
                ),
                {
                    "next": records[-1].offset + 1,
                    "partition": partition,
                    "expected": expected,
                    "identity": json.dumps(dict(identity)),
                },
            )
            if moved.rowcount == 0:
                raise _Overtaken
            await _apply(connection, self._schema, partition, records)


async def _apply(connection: AsyncConnection, schema: str, partition: int, records: Sequence[Record]) -> None:
    """The last word on each deadline of the piece counts."""
    owed: dict[str, dict[str, object]] = {}
    closed: set[str] = set()
    for record in records:
        try:
            envelope = Envelope.from_bytes(record.value or b"")
            kind = TYPES.get(envelope.type)
            if kind is None or envelope.subject is None:
                continue
            data = DeadlineData.model_validate(envelope.data)
        except ValidationError as error:
            # Nothing is judged by this table: what it cannot read must not keep commands out.
            _log.error("unreadable deadline", partition=partition, offset=record.offset, faults=error.error_count())
            continue
        if kind == "excuse-ignored":
            # A word about a deadline that is not breached, or never was: what is owed stays as it is.
            continue
        if kind in _CLOSED:
            closed.add(data.deadline_id)
            owed.pop(data.deadline_id, None)
        elif not data.window:
            closed.discard(data.deadline_id)
            row = {"id": data.deadline_id, "message": envelope.subject, "partition": partition, "due_at": data.due_at}
            owed[data.deadline_id] = row
    if closed:
        await connection.execute(
            text(f'DELETE FROM "{schema}".due WHERE deadline_id = ANY(CAST(:ids AS text[]))'), {"ids": sorted(closed)}
        )
    if owed:
        await connection.execute(
            text(
                f'INSERT INTO "{schema}".due (deadline_id, message_id, partition, due_at) '
                "VALUES (:id, :message, :partition, :due_at) "
                "ON CONFLICT (deadline_id) DO UPDATE SET due_at = excluded.due_at"
            ),
            list(owed.values()),
        )
