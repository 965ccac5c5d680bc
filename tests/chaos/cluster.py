"""Three brokers on one machine, as in production: three copies of everything, two of which acknowledge."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from services.runtime.child import StartError
from services.runtime.embedded import EmbeddedKafka, fetch_kafka

COUNT = 3
CLUSTER = "Y2hhb3NjaGFvc2NoYW9zMQ"
"""The cluster's id: all nodes are formatted with the same."""


class _Node(EmbeddedKafka):
    @property
    def cluster_id(self) -> str | None:
        return CLUSTER


class Cluster:
    """Nodes 1 to 3, each a broker and a controller; whoever dies is started again after a while."""

    def __init__(self, folder: Path, base: int) -> None:
        ports = [(base + 92, base + 93), (base + 94, base + 95), (base + 96, base + 97)]
        voters = ",".join(f"{number}@127.0.0.1:{controller}" for number, (_, controller) in enumerate(ports, 1))
        overrides = {
            "controller.quorum.voters": voters,
            "default.replication.factor": "3",
            "min.insync.replicas": "2",
            "offsets.topic.replication.factor": "3",
            "transaction.state.log.replication.factor": "3",
            "transaction.state.log.min.isr": "2",
            # The default waits half a minute before a dead follower is left behind.
            "replica.lag.time.max.ms": "6000",
            "broker.session.timeout.ms": "4000",
        }
        self._nodes = {
            number: _Node(folder / "kafka", port, controller, node_id=number, overrides=overrides)
            for number, (port, controller) in enumerate(ports, 1)
        }
        self._watching: list[asyncio.Task[None]] = []

    @property
    def bootstrap(self) -> str:
        return ",".join(node.bootstrap for node in self._nodes.values())

    async def start(self) -> None:
        await fetch_kafka(next(iter(self._nodes.values()))._console)
        await asyncio.gather(*(node.start() for node in self._nodes.values()))
        self._watching = [asyncio.create_task(self._watch(node)) for node in self._nodes.values()]

    async def stop(self) -> None:
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await asyncio.gather(*(node.stop() for node in self._nodes.values()))

    async def leader(self, topic: str, partition: int) -> int | None:
        """The process of the broker that leads the partition now, if anybody tells."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5000)
        try:
            await admin.start()
            described = await admin.describe_topics([topic])
        except (KafkaError, OSError):
            return None
        finally:
            with contextlib.suppress(KafkaError, OSError):
                await admin.close()
        leaders = {part["partition"]: part["leader"] for part in described[0]["partitions"]}
        node = self._nodes.get(leaders.get(partition, -1))
        return node.pid if node is not None else None

    async def _watch(self, node: EmbeddedKafka) -> None:
        while True:
            await node.wait()
            await asyncio.sleep(3)
            with contextlib.suppress(StartError):
                await node.start()
