"""The projection of the runtime's shape: records of both topics in, rows out, in the transaction of their positions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Envelope
from services.reporting import store
from services.reporting.projections.fold import Told
from services.reporting.tables import SCHEMA
from services.runtime.decider import UnknownEvent
from services.runtime.headers import AT
from services.runtime.log import Record


class Reporting:
    """Folds `events` and `deadlines`, partition by partition. `name`: of the group and of the schema."""

    topics = store.TOPICS

    def __init__(self, name: str = SCHEMA) -> None:
        self.name = name

    async def apply(self, connection: AsyncConnection, partition: int, records: Sequence[Record]) -> None:
        """Raises UnknownEvent on a record that this version does not know or cannot read: reports that skip something
        would be wrong without a word, so the partition stops with one."""
        told = [_told(record) for record in records]
        try:
            await store.apply(connection, told)
        except (ValidationError, ValueError, KeyError) as error:
            raise UnknownEvent(f"{type(error).__name__}: {error}") from error

    async def wipe(self, connection: AsyncConnection, partition: int) -> None:
        await store.wipe(connection, partition)


def _told(record: Record) -> Told:
    try:
        envelope = Envelope.from_bytes(record.value or b"")
    except ValidationError as error:
        place = f"{record.topic}/{record.partition}/{record.offset}"
        # The fault's input is not repeated: it may hold what a citizen wrote.
        raise UnknownEvent(f"{place}: не CloudEvent (ошибок: {error.error_count()})") from None
    return Told(record.topic, record.partition, record.offset, envelope, _stated(record.headers.get(AT)))


def _stated(header: bytes | None) -> datetime | None:
    """The event time of what caused a deadline's record, as its writer stated it."""
    return None if header is None else datetime.fromisoformat(header.decode())
