"""The two pairs of parts that the contract suite runs on — in memory and real — and the faults that befall either."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int16, Int32, Schema, String
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncEngine

from schemas.envelope import Envelope
from services.runtime.decider import Decider
from services.runtime.decider_loop import DeciderRunner
from services.runtime.health import Health
from services.runtime.kafka_admin import Wanted, describe, ensure_topics
from services.runtime.kafka_log import KafkaLog
from services.runtime.kafka_producer import KafkaSession
from services.runtime.log import Log, LogError, Outgoing, Position, Record, TopicPartition
from services.runtime.memory_log import MemoryLog
from services.runtime.memory_store import MemoryStore
from services.runtime.postgres_store import PostgresStore
from services.runtime.postgres_tables import decider_tables
from services.runtime.store import Changes, DeciderStore
from services.runtime.transaction import Limits
from tests.contract.counter import envelope

SHARED = frozenset({"inbox", "events", "outcomes", "deadlines"})
START = datetime(2026, 11, 16, 9, tzinfo=UTC)
PATIENCE_S = 60.0
# Stamps are invented: without a word on retention the broker's seven days would eat them unread.
LARGE = {
    "max.message.bytes": str(4 << 20),
    "message.timestamp.after.max.ms": str((1 << 63) - 1),
    "retention.ms": "-1",
}


class _DeleteGroupsResponse(Response):  # type: ignore[misc]
    API_KEY = 42
    API_VERSION = 1
    SCHEMA = Schema(("throttle_time_ms", Int32), ("results", Array(("group", String("utf-8")), ("error_code", Int16))))


class _DeleteGroupsRequest(RequestStruct):  # type: ignore[misc]
    API_KEY = 42
    API_VERSION = 1
    RESPONSE_TYPE = _DeleteGroupsResponse
    SCHEMA = Schema(("groups", Array(String("utf-8"))))


class DeleteGroups(Request[_DeleteGroupsRequest]):  # type: ignore[misc]
    """A request that aiokafka does not speak."""

    API_KEY = 42

    def __init__(self, groups: list[str]) -> None:
        self._groups = groups

    def build(self, request_struct_class: type[_DeleteGroupsRequest]) -> _DeleteGroupsRequest:
        return request_struct_class(self._groups)


class Crash(BaseException):
    """The process dies here: no handler runs that would not run after SIGKILL."""


class Faults:
    """What happens when a point is passed for the nth time from now."""

    def __init__(self) -> None:
        self._armed: dict[str, list[tuple[int, BaseException]]] = defaultdict(list)
        self.struck: list[str] = []

    def arm(self, point: str, error: BaseException, nth: int = 1) -> None:
        self._armed[point].append((nth, error))

    def clear(self) -> None:
        self._armed.clear()

    def __call__(self, point: str) -> None:
        rest: list[tuple[int, BaseException]] = []
        strike: BaseException | None = None
        for count, error in self._armed[point]:
            if count == 1:
                strike = error
            else:
                rest.append((count - 1, error))
        self._armed[point] = rest
        if strike is not None:
            self.struck.append(point)
            raise strike


class FaultySession:
    def __init__(self, inner: Any, faults: Faults, left: list[Any]) -> None:
        self.inner = inner
        self._faults = faults
        self._left = left
        self._dead = False
        if isinstance(inner, KafkaSession) and inner._producer is not None:
            producer, commit = inner._producer, inner._producer.commit_transaction

            async def commit_transaction() -> None:
                self._faults("commit.appended")
                await commit()

            producer.commit_transaction = commit_transaction

    async def commit(self, outgoing: Sequence[Outgoing], consumed: int | None) -> list[Position]:
        try:
            self._faults("commit.before")
            positions: list[Position] = await self.inner.commit(outgoing, consumed)
            self._faults("commit.after")
        except Crash:
            self._dead = True
            raise
        return positions

    async def committed(self) -> int | None:
        offset: int | None = await self.inner.committed()
        return offset

    async def close(self) -> None:
        if self._dead:
            self._left.append(self.inner)
        else:
            await self.inner.close()


class FaultyLog:
    def __init__(self, inner: Log, faults: Faults) -> None:
        self.inner = inner
        self.faults = faults
        self.left: list[Any] = []
        self.sessions: list[FaultySession] = []
        self.readings: list[TopicPartition] = []
        """Each is a consumer of its own."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def read(self, start: TopicPartition, offset: int, end: int) -> AsyncGenerator[list[Record], None]:
        self.readings.append(start)
        async with aclosing(self.inner.read(start, offset, end)) as pieces:
            async for records in pieces:
                yield records

    async def session(self, service: str, source: TopicPartition, *, per_topic: bool = False) -> FaultySession:
        inner = await self.inner.session(service, source, per_topic=per_topic)
        session = FaultySession(inner, self.faults, self.left)
        self.sessions.append(session)
        try:
            self.faults("session.after")
        except BaseException:
            # Whoever asked died before he held it: it stays open as a dead process leaves it, and is closed with the rig.
            self.left.append(inner)
            raise
        return session


class FaultyStore:
    def __init__(self, inner: DeciderStore, faults: Faults) -> None:
        self.inner = inner
        self.faults = faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def save(self, changes: Changes) -> None:
        self.faults("save.before")
        await self.inner.save(changes)
        self.faults("save.after")


async def until(met: Callable[[], Awaitable[bool]], what: str) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_S
    while not await met():
        if loop.time() > deadline:
            raise AssertionError(f"in vain: {what}")
        await asyncio.sleep(0.01)


class Running:
    """A replica of a service."""

    def __init__(self, runner: DeciderRunner) -> None:
        self.runner = runner
        self.task = asyncio.create_task(runner.run())

    @property
    def health(self) -> Health:
        return self.runner.health

    async def died(self) -> None:
        """Wait until one of its partitions has met with `Crash`, then end the rest of the process."""

        async def dead() -> bool:
            return any(
                task.done() and not task.cancelled() and isinstance(task.exception(), Crash)
                for task in self.runner._tasks.values()
            )

        await until(dead, "a crash")
        await self.stop()

    async def stop(self) -> None:
        await self.runner.stop()
        await asyncio.wait_for(self.task, 20)


class Rig:
    def __init__(self, log: Log, kind: str, partitions: int, engine: AsyncEngine | None = None) -> None:
        self.faults = Faults()
        self.log = FaultyLog(log, self.faults)
        self.kind = kind
        self.partitions = partitions
        self.engine = engine
        self.stores: dict[str, FaultyStore] = {}
        self.running: list[Running] = []
        self.now = START
        self._numbers = 0
        if isinstance(log, MemoryLog):
            # The other points are those of the wrappers, the same for either log.
            log.fault = lambda point: self.faults(point) if point == "commit.appended" else None

    async def store(self, decider: Decider) -> FaultyStore:
        name = decider.name
        if name not in self.stores:
            inner: DeciderStore = MemoryStore()
            if self.engine is not None:
                metadata = MetaData(schema=name)
                decider_tables(metadata)
                async with self.engine.begin() as connection:
                    await connection.execute(text(f'CREATE SCHEMA "{name}"'))
                    await connection.run_sync(metadata.create_all)
                inner = PostgresStore(self.engine, name, decider.source)
            self.stores[name] = FaultyStore(inner, self.faults)
        return self.stores[name]

    async def forget_tables(self, decider: Decider) -> None:
        """What dropping the tables does, or the loss of PostgreSQL."""
        store = await self.store(decider)
        if isinstance(store.inner, MemoryStore):
            store.inner.partitions.clear()
        elif self.engine is not None:
            async with self.engine.begin() as connection:
                for table in ("positions", "states", "history", "agenda", "quarantine", "parked"):
                    await connection.execute(text(f'TRUNCATE "{decider.name}".{table}'))

    async def run(self, decider: Decider, *, code_version: str = "1", limits: Limits | None = None) -> Running:
        runner = DeciderRunner(
            decider,
            self.log,
            await self.store(decider),
            shared=SHARED,
            code_version=code_version,
            limits=limits,
        )
        running = Running(runner)
        self.running.append(running)
        return running

    async def send(
        self,
        kind: str,
        subject: str = "a",
        *,
        partition: int = 0,
        identity: str | None = None,
        stamp: datetime | None = None,
        **data: Any,
    ) -> int:
        self._numbers += 1
        asked = envelope(kind, subject, identity or f"c{self._numbers}", START, **data)
        return await self.write("inbox", subject.encode(), asked.to_bytes(), partition=partition, stamp=stamp)

    async def write(
        self, topic: str, key: bytes | None, value: bytes, *, partition: int = 0, stamp: datetime | None = None
    ) -> int:
        self.now += timedelta(seconds=1)
        writer = await self.log.inner.writer()
        try:
            (written,) = await writer.append([Outgoing(topic, key, value, {}, partition, stamp or self.now)])
        finally:
            await writer.close()
        if isinstance(written, LogError):
            raise written
        return written.offset

    async def read(self, topic: str, partition: int = 0) -> list[Record]:
        place = TopicPartition(topic, partition)
        end = (await self.log.inner.ends([place]))[place]
        begin = (await self.log.inner.beginnings([place]))[place]
        found: list[Record] = []
        async for records in self.log.inner.read(place, begin, end):
            found += records
        return found

    async def events(self, topic: str = "events", partition: int = 0) -> list[Envelope]:
        return [Envelope.from_bytes(record.value or b"") for record in await self.read(topic, partition)]

    async def settled(self, decider: Decider, partition: int = 0, *, readable: bool = True) -> None:
        """Wait until everything on the source is stored, and (unless a stranger's transaction holds it up) readable."""
        store = await self.store(decider)
        identity = await self.log.inner.identity([decider.source, *decider.said])
        last = max((record.offset for record in await self.read(decider.source, partition)), default=-1)

        async def stored() -> bool:
            place = await store.inner.place(partition)
            if place is None or place.identity != identity or place.offsets.get(decider.source, 0) <= last:
                return False
            if not readable:
                return True
            # The broker answers the end of a transaction before its markers let others read it.
            said = [TopicPartition(topic, partition) for topic in decider.said]
            ends = await self.log.inner.ends(said)
            return all(ends[at] >= place.offsets.get(at.topic, 0) for at in said)

        await until(stored, f"{decider.name} {partition} stores up to {last}")

    async def state(self, decider: Decider, key: str, partition: int = 0) -> Any:
        stored = await (await self.store(decider)).inner.states(partition, [key])
        return decider.decode(key, stored[key].body) if key in stored else None

    async def lose_the_log(self) -> None:
        """The brokers' data is deleted, and the topics made anew; PostgreSQL knows nothing of it."""
        if isinstance(self.log.inner, MemoryLog):
            self.log.inner.recreate()
            return
        assert isinstance(self.log.inner, KafkaLog)
        settings = self.log.inner.settings
        there = await describe(settings)
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap)
        await admin.start()
        await admin.delete_topics([settings.full(topic) for topic in there])
        await admin.close()
        wanted = [Wanted(name, topic.partitions, 1, LARGE) for name, topic in there.items()]

        async def made_anew() -> bool:
            with suppress(LogError):
                await ensure_topics(settings, wanted, alter=False)
            now = await describe(settings)
            return set(now) == set(there) and all(now[name].id != there[name].id for name in there)

        await until(made_anew, "topics made anew")

    async def drop_before(self, topic: str, offset: int) -> None:
        """What retention does to partition 0."""
        if isinstance(self.log.inner, MemoryLog):
            self.log.inner.drop_before(TopicPartition(topic, 0), offset)
            return
        assert isinstance(self.log.inner, KafkaLog)
        settings = self.log.inner.settings
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap)
        await admin.start()
        await admin.delete_records({KafkaPartition(settings.full(topic), 0): RecordsToDelete(before_offset=offset)})
        await admin.close()

    async def lose_offsets(self, decider: Decider) -> None:
        """What an idle week does to a group's committed offsets."""
        if isinstance(self.log.inner, MemoryLog):
            self.log.inner.expire_offsets()
            return
        assert isinstance(self.log.inner, KafkaLog)
        settings = self.log.inner.settings
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap)
        await admin.start()
        group = f"{settings.prefix}-{decider.name}"

        async def deleted() -> bool:
            node = await admin.find_coordinator(group)
            answer = await admin._client.send(node, DeleteGroups([group]))
            return all(code in {0, 69} for _, code in answer.results)

        await until(deleted, "the group is deleted")
        await admin.close()

    async def close(self) -> None:
        for running in self.running:
            if not running.task.done():
                await running.stop()
        for session in self.log.left:
            with suppress(LogError):
                await session.close()
        await self.log.inner.close()
        if self.engine is not None:
            await self.engine.dispose()
        assert isinstance(self.log.inner, MemoryLog | KafkaLog)
