"""Real parts for tests: Kafka and PostgreSQL from the environment, from Docker, or embedded ones — the same anywhere."""

import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio
from testcontainers.core.container import DockerContainer
from testcontainers.core.waiting_utils import wait_for_logs

from services.runtime.embedded import KAFKA_VERSION, EmbeddedKafka, EmbeddedPostgres, broker_settings
from tests.ports import free_port

_SLOW = ("tests/bench", "tests/chaos/long")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave benchmarks and long chaos out, unless the command line names them."""
    if not _place(collection_path, config).startswith(_SLOW):
        return None
    named = [_place(Path(arg.partition("::")[0]), config) for arg in config.args]
    return None if any(place == "tests/chaos" or place.startswith(_SLOW) for place in named) else True


def _place(path: Path, config: pytest.Config) -> str:
    path = path.resolve()
    return path.relative_to(config.rootpath).as_posix() if path.is_relative_to(config.rootpath) else ""


def _docker_answers() -> bool:
    import docker  # type: ignore[import-untyped]
    from docker.errors import DockerException  # type: ignore[import-untyped]

    try:
        return bool(docker.from_env(timeout=2).ping())
    except (DockerException, OSError):
        return False


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The bootstrap address of a real broker, shared by the whole run: use `prefix` to keep tests apart."""
    if given := os.environ.get("OTKLIK_TEST_KAFKA"):
        yield given
        return
    if _docker_answers():
        port = free_port()
        settings = broker_settings() | {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": "1@localhost:9093",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://localhost:9093",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        }
        container = DockerContainer(f"apache/kafka:{KAFKA_VERSION}").with_bind_ports(port, port)
        for name, value in settings.items():
            container = container.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
        with container:
            wait_for_logs(container, "Kafka Server started", timeout=120)
            yield f"127.0.0.1:{port}"
        return
    broker = EmbeddedKafka(tmp_path_factory.mktemp("kafka"), free_port(), free_port())
    await broker.start()
    yield broker.bootstrap
    await broker.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a real server whose user may make databases: use `database` to keep tests apart."""
    if given := os.environ.get("OTKLIK_TEST_POSTGRES"):
        yield given
        return
    if _docker_answers():
        container = DockerContainer("postgres:18").with_env("POSTGRES_PASSWORD", "otklik").with_exposed_ports(5432)
        with container:
            wait_for_logs(container, "listening on IPv4", timeout=120)
            host, port = container.get_container_host_ip(), container.get_exposed_port(5432)
            yield f"postgresql+asyncpg://postgres:otklik@{host}:{port}/postgres"
        return
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), free_port())
    await server.start()
    yield server.dsn("postgres")
    await server.stop()


@pytest.fixture
def prefix() -> str:
    """A prefix of topics, groups and transactional ids that no other test has."""
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest_asyncio.fixture(loop_scope="session")
async def database(postgres: str) -> AsyncIterator[str]:
    """The address (`postgresql+asyncpg://…`) of a fresh database, dropped after the test."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    plain = postgres.replace("+asyncpg", "")
    admin = await asyncpg.connect(plain)
    try:
        await admin.execute(f'create database "{name}"')
        yield urlsplit(postgres)._replace(path=f"/{name}").geturl()
        await admin.execute(f'drop database "{name}" with (force)')
    finally:
        await admin.close()
