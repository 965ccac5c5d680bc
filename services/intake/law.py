"""Which authorities are in force, and how far back each lets a detection state its time: followed from the log."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import structlog
from pydantic import ValidationError

from regulations.directory import Directory, evolve
from schemas import topics
from schemas.envelope import Envelope
from schemas.events import Amended
from services.intake.store import AuthorityStore
from services.runtime.health import Check
from services.runtime.log import Log, LogError, OutOfRange, Record, TopicPartition
from services.runtime.store import StoreError

RETRY_SECONDS = 0.5
SAVE_EVERY_RECORDS = 10_000
"""The position is stored with each amendment, and now and then between them, so that a start reads little."""

_PLACE = TopicPartition(topics.EVENTS, 0)
_TYPE = Amended.type.encode()
_log = structlog.get_logger("law")


class AmendmentFold:
    """What the amendments in `events` make of the authorities."""

    def __init__(self) -> None:
        self.known: dict[str, Directory] = {}

    def take(self, record: Record) -> Directory | None:
        """The authority that the record changes, as it is then; None for any other record. Raises ValidationError or
        LookupError on an amendment that cannot be read."""
        # Most events are of messages: they need not even be decoded.
        if record.value is None or _TYPE not in record.value:
            return None
        envelope = Envelope.from_bytes(record.value)
        if envelope.type != Amended.type or envelope.authority is None:
            return None
        data = Amended.model_validate(envelope.data)
        directory = evolve(self.known.get(envelope.authority), envelope.authority, data, envelope.time)
        self.known[directory.id] = directory
        return directory


class AuthoritiesInForce:
    """`run` follows partition 0 of `events`: amendments stand in every partition, in the same order."""

    def __init__(self, log: Log, store: AuthorityStore) -> None:
        self._log = log
        self._store = store
        self._fold = AmendmentFold()
        self._ages: dict[str, timedelta] = {}
        self._identity: Mapping[str, str] = {}
        self._next = 0
        self._saved = 0
        self._unreadable = ""
        self._caught_up = asyncio.Event()
        self._changed = asyncio.Event()
        self._failing = ""

    def ages(self) -> Mapping[str, timedelta]:
        """How far back a detection may state its time, by authority in force."""
        return self._ages

    def checks(self) -> dict[str, Check]:
        """Lines of `/readyz`: a gate that has not read the law would refuse everybody."""
        wrong = self._failing or self._unreadable
        return {"law": Check(ok=self._caught_up.is_set() and not wrong, detail=wrong or f"органов: {len(self._ages)}")}

    async def next_change(self) -> None:
        """Return when an amendment has come."""
        await self._changed.wait()

    async def caught_up(self) -> None:
        """Return once what stood on the log at the start is read."""
        await self._caught_up.wait()

    async def run(self) -> None:
        """Until cancelled; errors of Kafka and PostgreSQL are retried for ever."""
        while True:
            try:
                await self._follow()
            except OutOfRange as error:
                raise LogError(f"тема events хранится вечно, и всё же {error}") from error
            except (LogError, StoreError) as error:
                self._failing = str(error)
                _log.warning("following the law", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        self._identity = await self._log.identity((topics.EVENTS,))
        self._next, self._fold.known = await self._store.load(self._identity)
        self._saved = self._next
        end = (await self._log.ends([_PLACE]))[_PLACE]
        if self._next > end:
            self._next, self._fold.known, self._saved = 0, {}, 0
        async for records in self._log.read(_PLACE, self._next, end):
            await self._take(records)
        self._tell()
        self._failing = ""
        self._caught_up.set()
        async for records in self._log.follow({_PLACE: self._next}):
            await self._take(records)

    async def _take(self, records: list[Record]) -> None:
        changed = False
        for record in records:
            self._next = record.offset + 1
            try:
                changed |= self._fold.take(record) is not None
            except (ValidationError, LookupError) as error:
                # The law as it stood goes on to count at this gate; workflow stops, and somebody has to look.
                self._unreadable = f"events/0/{record.offset}: {type(error).__name__}"
                _log.error("unreadable amendment", offset=record.offset, error=type(error).__name__)
        if changed:
            self._tell()
        if changed or self._next - self._saved >= SAVE_EVERY_RECORDS:
            # All of them and not only the changed: the tables may have been dropped since, and a position stands for all.
            await self._store.save(self._identity, self._next, self._fold.known)
            self._saved = self._next

    def _tell(self) -> None:
        self._ages = {one.id: one.max_detection_age for one in self._fold.known.values() if one.in_force}
        self._changed.set()
        self._changed = asyncio.Event()
