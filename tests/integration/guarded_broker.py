"""A broker with the doors of production: `deploy/kafka/server.properties` as it is, on one node, and our rights applied;
and the four services on it, each under its own name."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.acls import Partners, acls, users
from deploy.cluster import apply_acls, set_passwords, set_quotas, wanted_topics
from deploy.vault import Secrets, partners_of
from services.cli.bootstrap import bootstrap
from services.intake.__main__ import run as run_intake
from services.reporting.__main__ import run as run_reporting
from services.runtime import installation
from services.runtime.embedded import EmbeddedKafka
from services.runtime.kafka_admin import Wanted, administering, ensure_topics
from services.runtime.kafka_client import KafkaSettings
from services.runtime.settings import Settings, load_settings
from services.sla.__main__ import run as run_sla
from services.workflow.__main__ import run as run_workflow
from tests.integration.broker_rights import make_coordinators
from tests.ports import free_port, free_port_base

PROPERTIES = Path(__file__).parents[2] / "deploy" / "kafka" / "server.properties"
PREFIX = "otklik"
# Names that begin like others are where a right would leak: to the neighbour, and to the namesake elsewhere.
AGENCIES = (("kbr", "minzdrav"), ("kbr", "minzdrav-2"), ("buryatia", "minzdrav"))
PARTNERS = Partners(monitors=("scanner",), trusted=("archive",), leadership=("board",))
USERS = users(PREFIX, AGENCIES, PARTNERS)
ACLS = acls(PREFIX, AGENCIES, PARTNERS)
PARTITIONS = 2
SERVICES: Mapping[str, Callable[[Settings, int], Awaitable[None]]] = {
    "workflow": run_workflow,
    "sla": run_sla,
    "reporting": run_reporting,
    "intake": run_intake,
}


@dataclass(frozen=True, slots=True)
class GuardedBroker:
    """`clients` is the door of services, `partners` that of others' systems, `internal` that of brokers and `admin`."""

    broker: EmbeddedKafka
    clients: str
    partners: str
    internal: str
    tls: ssl.SSLContext = field(repr=False)
    secrets: Secrets = field(repr=False)

    def arguments(self, user: str, password: str | None = None) -> dict[str, Any]:
        """aiokafka's arguments of a client that comes as `user`."""
        return {
            "bootstrap_servers": self.partners if user in partners_of(PREFIX, USERS) else self.clients,
            "security_protocol": "SASL_SSL",
            "ssl_context": self.tls,
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": user,
            "sasl_plain_password": password or self.secrets.read(user),
        }

    def settings(self, user: str) -> KafkaSettings:
        """The same as our services are started with."""
        return KafkaSettings(
            self.clients,
            PREFIX,
            security_protocol="SASL_SSL",
            ssl_context=self.tls,
            sasl_mechanism="SCRAM-SHA-512",
            sasl_username=user,
            sasl_password=self.secrets.read(user),
        )

    def admin(self) -> KafkaSettings:
        return KafkaSettings(
            self.internal,
            PREFIX,
            security_protocol="SASL_SSL",
            ssl_context=self.tls,
            sasl_username="admin",
            sasl_password=self.secrets.read("kafka_admin"),
        )


def _properties(secrets: Path, ports: Mapping[str, int]) -> dict[str, str]:
    """The file of production; only addresses, paths and the number of copies are this machine's."""
    lines = (line.strip() for line in PROPERTIES.read_text(encoding="utf-8").splitlines())
    said = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    own_place = {"log.dirs"}
    said = {name: value.replace("/run/secrets", str(secrets)) for name, value in said.items() if name not in own_place}
    addresses = [f"{name}://127.0.0.1:{port}" for name, port in ports.items()]
    copies = {name: "1" for name, value in said.items() if name.endswith((".replication.factor", "min.isr"))}
    return said | copies | {
        "min.insync.replicas": "1",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{ports['CONTROLLER']}",
        "listeners": ",".join(addresses),
        "advertised.listeners": ",".join(one for one in addresses if not one.startswith("CONTROLLER")),
        "ssl.keystore.location": str(secrets / "kafka-1"),
        "ssl.truststore.location": str(secrets / "kafka_ca"),
    }  # fmt: skip


@asynccontextmanager
async def guarded_broker(place: Path) -> AsyncIterator[GuardedBroker]:
    """Started, with topics, users, quotas and rights as `python -m deploy apply` makes them."""
    secrets = Secrets(place / "secrets")
    secrets.make(USERS, {"kafka-1": ["localhost", "127.0.0.1"]})
    ports = {name: free_port() for name in ("CLIENTS", "PARTNERS", "CONTROLLER", "INTERNAL")}
    tls = ssl.create_default_context(cafile=str(secrets.path("kafka_ca")))
    admin = {
        "security_protocol": "SASL_SSL",
        "ssl_context": tls,
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "admin",
        "sasl_plain_password": secrets.read("kafka_admin"),
    }
    overrides = _properties(place / "secrets", ports)
    broker = EmbeddedKafka(place, ports["INTERNAL"], ports["CONTROLLER"], overrides=overrides, client=admin)
    await broker.start()
    try:
        clients, partners = (f"127.0.0.1:{ports[name]}" for name in ("CLIENTS", "PARTNERS"))
        guarded = GuardedBroker(broker, clients, partners, broker.bootstrap, tls, secrets)
        other = [Wanted("events", 1, 1)]
        await ensure_topics(guarded.admin(), wanted_topics(AGENCIES, partitions=PARTITIONS, replication=1), alter=False)
        # Another installation on the same cluster, whose name begins like ours.
        await ensure_topics(KafkaSettings(**_of_other(guarded.admin())), other, alter=False)
        async with administering(guarded.admin()) as client:
            await set_passwords(client, {user: secrets.read(user) for user in USERS})
            await set_quotas(client, partners_of(PREFIX, USERS))
            await apply_acls(client, PREFIX, ACLS)
            await make_coordinators(client._client)
        yield guarded
    finally:
        await broker.stop()


def _of_other(settings: KafkaSettings) -> dict[str, Any]:
    names = ("bootstrap", "security_protocol", "ssl_context", "sasl_mechanism", "sasl_username", "sasl_password")
    return {name: getattr(settings, name) for name in names} | {"prefix": f"{PREFIX}2"}


@asynccontextmanager
async def services_on(
    guarded: GuardedBroker, database: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Settings]:
    """The law applied by `operator`, then the four services in this process, each as its own user; ready."""
    user: ContextVar[str] = ContextVar("user")
    monkeypatch.setattr(installation, "kafka_settings", lambda _: guarded.settings(f"{PREFIX}.{user.get()}"))
    settings = load_settings(
        kafka=guarded.clients,
        postgres=database,
        prefix=PREFIX,
        data=data,
        port_base=free_port_base(),
        partitions=PARTITIONS,
        log_level="warning",
    )
    user.set("operator")
    await bootstrap(settings, "real", None)
    tasks: list[asyncio.Task[None]] = []
    try:
        async with httpx.AsyncClient() as http, asyncio.timeout(120):
            # One after the other: alembic's context is one for a process.
            for service, run in SERVICES.items():
                user.set(service)
                tasks.append(asyncio.ensure_future(run(settings, settings.http_port(service))))
                while not await _ready(http, f"{settings.url(service)}/readyz"):
                    for task in tasks:
                        if task.done():
                            task.result()
                    await asyncio.sleep(0.1)
        yield settings
    finally:
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ready(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).status_code == 200
    except httpx.HTTPError:
        return False
