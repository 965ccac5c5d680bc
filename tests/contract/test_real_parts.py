"""What only the real Kafka and PostgreSQL can show."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiokafka.producer.sender as sender
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.structs import OffsetAndMetadata
from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.runtime import group_runner, postgres_positions
from services.runtime.database import create_engine, wait_for_database
from services.runtime.decider import UnknownEvent
from services.runtime.kafka_admin import Unsuitable, Wanted, check_cluster, describe, ensure_topics
from services.runtime.kafka_client import KafkaSettings
from services.runtime.kafka_log import KafkaLog
from services.runtime.kafka_producer import make_producer
from services.runtime.log import LogError, Outgoing, Record, TopicPartition
from services.runtime.migrate import upgrade
from services.runtime.postgres_tables import position_table
from services.runtime.projection_loop import ProjectionRunner
from services.runtime.store import OwnershipLost, Place
from tests.contract.rig import until


@pytest.fixture
def settings(kafka: str, prefix: str) -> KafkaSettings:
    return KafkaSettings(kafka, prefix)


@pytest_asyncio.fixture(loop_scope="session")
async def log(settings: KafkaSettings) -> AsyncIterator[KafkaLog]:
    narrow = Wanted("narrow", 1, 1, {"max.message.bytes": "1000"})
    await ensure_topics(settings, [narrow, *(Wanted(name, 2, 1) for name in ("inbox", "events", "deadlines"))])
    log = KafkaLog(settings)
    yield log
    await log.close()


@pytest_asyncio.fixture(loop_scope="session")
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(database, "test")
    await wait_for_database(engine)
    yield engine
    await engine.dispose()


def test_aiokafka_still_sleeps_where_we_shorten_it() -> None:
    source = Path(sender.__file__).read_text()
    assert "return BACKOFF_OVERRIDE" in source
    assert sender.BACKOFF_OVERRIDE == 0.001


def test_aiokafka_still_has_what_we_take_apart() -> None:
    source = Path(sender.__file__).parent.parent
    names = {
        "consumer/group_coordinator.py": ["_coordination_task", "_heartbeat_task", "_commit_refresh_task"],
        "consumer/fetcher.py": ["_fetch_task", "OffsetRequest(-1, self._isolation_level"],
        "producer/producer.py": ["self._sender", "self._txn_manager", "self.client"],
        "producer/sender.py": ["def sender_task", "_in_flight"],
    }
    for file, wanted in names.items():
        body = (source / file).read_text()
        assert [name for name in wanted if name not in body] == []


async def test_a_failed_send_fails_the_transaction(log: KafkaLog) -> None:
    """aiokafka's commit would have succeeded without the record."""
    session = await log.session("s", TopicPartition("inbox", 0))
    with pytest.raises(LogError):
        await session.commit(
            [Outgoing("events", b"k", b"good", {}, 0), Outgoing("narrow", b"k", b"x" * 2_000, {}, 0)], 5
        )
    with pytest.raises(LogError):
        await session.commit([], 6)
    heir = await log.session("s", TopicPartition("inbox", 0))
    place = TopicPartition("events", 0)
    end = (await log.ends([place]))[place]
    assert [records async for records in log.read(place, 0, end)] == []
    assert await heir.committed() is None
    await heir.close()


async def test_a_cancelled_commit_ends_its_session_and_leaves_no_task(log: KafkaLog) -> None:
    session = await log.session("s", TopicPartition("inbox", 0))
    before = asyncio.all_tasks()
    committing = asyncio.create_task(session.commit([Outgoing("events", b"k", b"v", {}, 0)] * 50, 1))
    for _ in range(3):
        await asyncio.sleep(0)
    committing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await committing
    with pytest.raises(LogError):
        await session.commit([], 2)
    heir = await log.session("s", TopicPartition("inbox", 0))
    place = TopicPartition("events", 0)
    end = (await log.ends([place]))[place]
    written = [record async for records in log.read(place, 0, end) for record in records]
    assert len(written) in {0, 50}
    assert await heir.committed() == (1 if written else None)
    await heir.close()

    async def gone() -> bool:
        return not {task for task in asyncio.all_tasks() - before if "sender" in repr(task.get_coro())}

    await until(gone, "no sender is left")


async def test_the_committed_offset_is_settled(log: KafkaLog, settings: KafkaSettings) -> None:
    """While a transaction that moves it is open, the old value is no answer."""
    source = TopicPartition("inbox", 0)
    producer: AIOKafkaProducer = await make_producer(settings, f"{settings.prefix}-s-0")
    await producer.begin_transaction()
    offsets = {KafkaPartition(settings.full("inbox"), 0): OffsetAndMetadata(9, "")}
    await producer.send_offsets_to_transaction(offsets, f"{settings.prefix}-s")
    asking = asyncio.create_task(log.committed("s", source))
    await asyncio.wait({asking}, timeout=0.5)
    assert not asking.done()
    await producer.commit_transaction()
    assert await asyncio.wait_for(asking, 10) == 9
    await producer.stop()


async def test_topics_are_made_once_and_their_number_of_partitions_is_for_life(settings: KafkaSettings) -> None:
    wanted = [Wanted("inbox", 3, 1, {"retention.ms": "1000"})]
    assert await ensure_topics(settings, wanted) == ["inbox"]
    before = await describe(settings)
    assert before["inbox"].partitions == 3
    assert await ensure_topics(settings, [Wanted("inbox", 3, 1, {"retention.ms": "2000"})]) == []
    assert await describe(settings) == before
    with pytest.raises(Unsuitable, match="3 partitions, not 4"):
        await ensure_topics(settings, [Wanted("inbox", 4, 1)])


async def test_production_refuses_a_cluster_that_may_lose_what_it_acknowledged(settings: KafkaSettings) -> None:
    await ensure_topics(settings, [Wanted("inbox", 1, 1, {"unclean.leader.election.enable": "true"})])
    with pytest.raises(Unsuitable) as error:
        await check_cluster(settings, ["inbox", "events"])
    text_of = " | ".join(error.value.faults)
    for word in ("events does not exist", "replication 1", "min.insync.replicas", "unclean"):
        assert word in text_of


class Rows:
    """A projection: every record is a row, and a repeat would be two."""

    name = "rows"
    topics: tuple[str, ...] = ("events", "deadlines")

    async def apply(self, connection: AsyncConnection, partition: int, records: Sequence[Record]) -> None:
        for record in records:
            if record.value == b"unknown":
                raise UnknownEvent("unknown")
            await connection.execute(
                text("INSERT INTO rows.rows (partition, topic, value) VALUES (:partition, :topic, :value)"),
                {"partition": partition, "topic": record.topic, "value": (record.value or b"").decode()},
            )

    async def wipe(self, connection: AsyncConnection, partition: int) -> None:
        await connection.execute(text("DELETE FROM rows.rows WHERE partition = :partition"), {"partition": partition})


async def _tables(engine: AsyncEngine) -> None:
    metadata = MetaData(schema="rows")
    position_table(metadata)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA rows"))
        await connection.run_sync(metadata.create_all)
        await connection.execute(text("CREATE TABLE rows.rows (partition int, topic text, value text)"))


async def _rows(engine: AsyncEngine) -> list[tuple[str, str]]:
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT topic, value FROM rows.rows ORDER BY topic, value"))
        return [(row.topic, row.value) for row in found]


async def _append(log: KafkaLog, *records: tuple[str, int, bytes]) -> None:
    writer = await log.writer()
    written = await writer.append([Outgoing(topic, b"k", value, {}, partition) for topic, partition, value in records])
    await writer.close()
    assert not [one for one in written if isinstance(one, LogError)]


async def test_a_projection_stores_rows_and_positions_together(log: KafkaLog, engine: AsyncEngine) -> None:
    await _tables(engine)
    await _append(log, ("events", 0, b"1"), ("events", 1, b"2"), ("deadlines", 0, b"3"))
    first = ProjectionRunner(Rows(), log, engine)
    task = asyncio.create_task(first.run())

    async def three() -> bool:
        return len(await _rows(engine)) >= 3

    await until(three, "three rows")
    await first.stop()
    await asyncio.wait_for(task, 20)
    await _append(log, ("events", 0, b"4"), ("deadlines", 1, b"5"))
    second = ProjectionRunner(Rows(), log, engine)
    task = asyncio.create_task(second.run())

    async def five() -> bool:
        return len(await _rows(engine)) >= 5

    await until(five, "five rows")
    assert await _rows(engine) == [
        ("deadlines", "3"),
        ("deadlines", "5"),
        ("events", "1"),
        ("events", "2"),
        ("events", "4"),
    ]
    # Positions of another cluster: the rows are of a log that is not there.
    await second.stop()
    await asyncio.wait_for(task, 20)
    async with engine.begin() as connection:
        await connection.execute(text("""UPDATE rows.positions SET identity = '{"cluster": "another"}'"""))
        await connection.execute(text("INSERT INTO rows.rows VALUES (0, 'events', 'foreign')"))
    third = ProjectionRunner(Rows(), log, engine)
    task = asyncio.create_task(third.run())

    async def anew() -> bool:
        rows = await _rows(engine)
        return len(rows) == 5 and ("events", "foreign") not in rows

    await until(anew, "folded anew")
    await _append(log, ("events", 1, b"unknown"), ("events", 1, b"6"))

    async def stopped() -> bool:
        return third.health.of("1").state == "stopped"

    await until(stopped, "an unknown event stops the partition")
    assert len(await _rows(engine)) == 5
    await third.stop()
    await asyncio.wait_for(task, 20)


async def test_rows_dropped_under_an_idle_projection_are_folded_anew(
    log: KafkaLog, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_runner, "LOOK_EVERY_S", 0.2)
    await _tables(engine)
    await _append(log, ("events", 0, b"1"), ("deadlines", 0, b"2"))
    runner = ProjectionRunner(Rows(), log, engine)
    task = asyncio.create_task(runner.run())

    async def both() -> bool:
        return len(await _rows(engine)) == 2

    await until(both, "both rows")
    async with engine.begin() as connection:
        await connection.execute(text("TRUNCATE rows.rows, rows.positions"))
    await until(both, "both rows again")
    await runner.stop()
    await asyncio.wait_for(task, 20)


async def test_a_projection_that_was_overtaken_stores_nothing(engine: AsyncEngine) -> None:
    await _tables(engine)
    async with postgres_positions.transaction(engine, "claim") as connection:
        place = await postgres_positions.claim(connection, "rows", 0, "first")
    async with postgres_positions.transaction(engine, "claim") as connection:
        await postgres_positions.claim(connection, "rows", 0, "second")
    with pytest.raises(OwnershipLost):
        async with postgres_positions.transaction(engine, "store") as connection:
            await connection.execute(text("INSERT INTO rows.rows VALUES (0, 'events', 'lost')"))
            await postgres_positions.move(connection, "rows", 0, "first", place, Place())
    assert await _rows(engine) == []


async def test_migrations_are_applied_once_though_replicas_start_together(engine: AsyncEngine, tmp_path: Path) -> None:
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text("from services.runtime.migrate import run_migrations\n\nrun_migrations()\n")
    (tmp_path / "versions" / "one.py").write_text(
        "from alembic import op\nfrom sqlalchemy import MetaData\n\n"
        "from services.runtime.postgres_tables import decider_tables\n\n"
        "revision = 'one'\ndown_revision = None\n\n\n"
        "def upgrade() -> None:\n    metadata = MetaData(schema='counter')\n    decider_tables(metadata)\n"
        "    metadata.create_all(op.get_bind())\n"
    )
    await asyncio.gather(*(upgrade(engine, "counter", tmp_path) for _ in range(3)))
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT version_num FROM counter.alembic_version"))
        assert found.scalar_one() == "one"
        assert (await connection.execute(text("SELECT count(*) FROM counter.agenda"))).scalar_one() == 0
