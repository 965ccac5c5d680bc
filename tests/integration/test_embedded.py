"""The embedded parts keep their data, recover from any death, and say what to do when they cannot start."""

import asyncio
import os
import shutil
import signal
import socket
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import MessageSizeTooLargeError

from services.runtime import embedded_guards, kafka_jars
from services.runtime.child import StartError
from services.runtime.embedded import EmbeddedKafka, EmbeddedPostgres, fetch_kafka
from tests.ports import free_port, free_port_base


@pytest_asyncio.fixture(loop_scope="session")
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedKafka]:
    broker = EmbeddedKafka(tmp_path, free_port(), free_port())
    yield broker
    await broker.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path, free_port())
    yield server
    await server.stop()


def _jars_in(cache: Path) -> list[Path]:
    return list(cache.rglob("*.jar"))


async def _write(broker: EmbeddedKafka, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("kept", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, enable_idempotence=True) as producer:
        await producer.send_and_wait("kept", value)


async def _read(broker: EmbeddedKafka) -> bytes | None:
    async with AIOKafkaConsumer("kept", bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest") as consumer:
        value: bytes | None = (await asyncio.wait_for(consumer.getone(), 20)).value
        return value


async def _execute(server: EmbeddedPostgres, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(server.dsn().replace("+asyncpg", ""))
    try:
        return await connection.fetch(statement)
    finally:
        await connection.close()


async def test_kafka_finds_yesterdays_records_after_a_stop_and_after_a_kill(broker: EmbeddedKafka) -> None:
    await broker.start()
    cluster = broker.cluster_id
    await _write(broker, b"yesterday")
    await broker.restart()
    assert await _read(broker) == b"yesterday"
    await broker.restart(hard=True)
    assert await _read(broker) == b"yesterday"
    assert broker.cluster_id == cluster


async def test_postgres_finds_yesterdays_rows_after_a_stop_and_after_a_kill(server: EmbeddedPostgres) -> None:
    await server.start()
    await _execute(server, "create table kept as select 'yesterday' as word")
    await server.restart()
    assert (await _execute(server, "select word from kept"))[0]["word"] == "yesterday"
    await server.restart(hard=True)
    assert (await _execute(server, "select word from kept"))[0]["word"] == "yesterday"


async def test_children_of_a_killed_run_are_recognised_and_the_data_is_taken_over(tmp_path: Path) -> None:
    base = free_port_base()
    script = textwrap.dedent(f"""
        import asyncio, pathlib
        from services.runtime.embedded import EmbeddedKafka, EmbeddedPostgres
        async def main():
            data = pathlib.Path({str(tmp_path)!r})
            kafka, postgres = EmbeddedKafka(data, {base + 92}, {base + 93}), EmbeddedPostgres(data, {base + 32})
            await postgres.start()
            await kafka.start()
            print("ready", kafka.pid, postgres.pid, flush=True)
            await asyncio.Event().wait()
        asyncio.run(main())
    """)
    run = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    assert run.stdout is not None
    _, kafka_pid, postgres_pid = (await run.stdout.readline()).decode().split()
    # A suspended process cannot obey the signal of their parent's death, as a hung one would not.
    os.kill(int(kafka_pid), signal.SIGSTOP)
    run.kill()
    await run.wait()
    broker, server = EmbeddedKafka(tmp_path, base + 92, base + 93), EmbeddedPostgres(tmp_path, base + 32)
    await asyncio.gather(broker.start(), server.start())
    try:
        assert {broker.pid, server.pid}.isdisjoint({int(kafka_pid), int(postgres_pid)})
        assert not psutil.pid_exists(int(kafka_pid))
        assert not psutil.pid_exists(int(postgres_pid))
    finally:
        await broker.stop()
        await server.stop()


async def test_a_lock_file_that_names_somebody_elses_pid_does_not_stop_postgres(server: EmbeddedPostgres) -> None:
    await server.start()
    lock = server.cluster / "postmaster.pid"
    left = lock.read_text()
    await server.kill()
    lock.write_text("\n".join([str(os.getppid()), *left.splitlines()[1:]]) + "\n")
    await server.start()
    assert await _execute(server, "select 1")


async def test_a_taken_port_is_named_with_its_holder(broker: EmbeddedKafka, server: EmbeddedPostgres) -> None:
    for part in (broker, server):
        with socket.socket() as other:
            other.bind(("127.0.0.1", part.port))
            other.listen()
            with pytest.raises(StartError, match=rf"(?s){part.port}.*{os.getpid()}.*OTKLIK_PORT_BASE"):
                await part.start()
        assert part.pid is None


@pytest.mark.parametrize("lost", ["meta.properties", "__cluster_metadata-0"])
async def test_half_deleted_kafka_data_is_not_taken_for_empty(broker: EmbeddedKafka, lost: str) -> None:
    await broker.start()
    await _write(broker, b"yesterday")
    await broker.stop()
    gone = broker.logs / lost
    if gone.is_dir():
        shutil.rmtree(gone)
    else:
        gone.unlink()
    with pytest.raises(StartError, match=f"(?s){lost}.*наполовину.*rm -rf"):
        await broker.start()
    assert (broker.logs / "kept-0").is_dir()


async def test_half_deleted_postgres_data_gets_a_clear_word(server: EmbeddedPostgres) -> None:
    await server.start()
    await server.stop()
    (server.cluster / "PG_VERSION").unlink()
    shutil.rmtree(server.cluster / "global")
    with pytest.raises(StartError, match=r"(?s)PG_VERSION, global/pg_control.*наполовину.*rm -rf"):
        await server.start()


async def test_a_first_start_that_was_killed_midway_is_begun_anew(
    broker: EmbeddedKafka, server: EmbeddedPostgres
) -> None:
    for part in (broker.logs, server.cluster):
        half = part.with_name(part.name + ".new")
        half.mkdir(parents=True)
        (half / "half").write_text("")
    await asyncio.gather(broker.start(), server.start())
    assert broker.pid is not None
    assert server.pid is not None


async def test_a_full_disk_is_said_before_anything_is_written(
    broker: EmbeddedKafka, server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_guards, "_SPACE_BYTES_MIN", 1 << 62)
    for part in (broker, server):
        with pytest.raises(StartError, match="Освободите место"):
            await part.start()


async def test_no_network_on_the_first_fetch_is_said_and_leaves_no_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M2_REPO", str(tmp_path))
    monkeypatch.setattr(kafka_jars, "MAVEN_CENTRAL_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StartError, match=r"(?s)Не удалось скачать.*OTKLIK_KAFKA"):
        await fetch_kafka()
    assert not _jars_in(tmp_path)


async def test_a_jar_cut_short_by_a_kill_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jars = await fetch_kafka()
    cache = next(parent for parent in jars[0].parents if parent.name == "org").parent
    await asyncio.to_thread(
        shutil.copytree, cache, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".otklik-*")
    )
    monkeypatch.setenv("M2_REPO", str(tmp_path))
    monkeypatch.setattr(kafka_jars, "MAVEN_CENTRAL_URL", f"http://127.0.0.1:{free_port()}")
    whole = await fetch_kafka()
    whole[0].write_bytes(whole[0].read_bytes()[: 1 << 20])
    with pytest.raises(StartError, match="Не удалось скачать"):
        await fetch_kafka()


async def test_what_a_killed_fetch_had_got_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jars = await fetch_kafka()
    cache = next(parent for parent in jars[0].parents if parent.name == "org").parent
    # A pid beyond what Linux gives: a process that is dead for certain.
    left = tmp_path / ".otklik-fetch-99999999"
    await asyncio.to_thread(shutil.copytree, cache, left, ignore=shutil.ignore_patterns(".otklik-*"))
    monkeypatch.setenv("M2_REPO", str(tmp_path))
    monkeypatch.setattr(kafka_jars, "MAVEN_CENTRAL_URL", f"http://127.0.0.1:{free_port()}")
    assert len(await fetch_kafka()) == len(jars)
    assert not left.exists()


async def test_overrides_reach_the_broker(tmp_path: Path) -> None:
    broker = EmbeddedKafka(tmp_path, free_port(), free_port(), overrides={"message.max.bytes": "1000"})
    await broker.start()
    try:
        with pytest.raises(MessageSizeTooLargeError):
            await _write(broker, b"x" * 2000)
    finally:
        await broker.stop()
