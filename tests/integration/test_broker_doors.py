"""Who may do what on the broker: the table of rights by hand, and the authorizer of a real broker asked for each of them.

The table (`broker_doors_table.py`) is written from the contract and knows nothing of `deploy/acls.py`: a right that is
taken out there, or given too many, is a difference here.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError

from deploy.acls import Acl, Operation, Pattern, Resource
from deploy.cluster import (
    Difference,
    apply_acls,
    create_acls,
    delete_acls,
    difference,
    present_acls,
    row,
)
from deploy.wire import ALLOW
from schemas.ids import message_id
from services.runtime.kafka_admin import administering
from services.runtime.kafka_log import KafkaLog
from services.runtime.log import TopicPartition as LogPartition
from tests.integration import broker_rights
from tests.integration.broker_doors_table import GROUPS, IDS, ON_GROUPS, ON_TOPICS, TOPICS, Rights, table_of
from tests.integration.guarded_broker import ACLS, PREFIX, USERS, GuardedBroker, guarded_broker, services_on
from tests.integration.partner import TRIAGE, Partner, Services


async def rights_of(client: Any) -> Rights:
    return Rights(
        await broker_rights.on_topics(client, (*TOPICS, "otklik2.events")),
        await broker_rights.on_groups(client, GROUPS),
        await broker_rights.on_transactional_ids(client, IDS),
        await broker_rights.on_cluster(client, TOPICS[0]),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GuardedBroker]:
    async with guarded_broker(tmp_path_factory.mktemp("guarded")) as broker:
        yield broker


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def admin(guarded: GuardedBroker) -> AsyncIterator[Any]:
    async with administering(guarded.admin()) as client:
        yield client


async def until(client: Any, *, equal: Rights | None = None, other_than: Rights | None = None) -> None:
    """A broker learns of an ACL a moment after the controller has stored it."""
    for _ in range(100):
        now = await rights_of(client)
        if (equal is not None and now == equal) or (other_than is not None and now != other_than):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"rights stay as they are: {now}")


def acls_of(user: str) -> list[Acl]:
    return [acl for acl in ACLS if acl.user == user]


def test_the_table_names_every_user() -> None:
    assert list(ON_TOPICS) == USERS
    assert list(ON_GROUPS) == USERS


@pytest.mark.parametrize("user", USERS)
async def test_a_user_may_do_what_the_table_says_and_nothing_else(guarded: GuardedBroker, user: str) -> None:
    async with broker_rights.client_of(guarded.arguments(user)) as client:
        assert await rights_of(client) == table_of(user)


@pytest.mark.parametrize("user", USERS)
async def test_every_single_right_is_missed_when_it_is_taken_out(guarded: GuardedBroker, admin: Any, user: str) -> None:
    table = table_of(user)
    async with broker_rights.client_of(guarded.arguments(user)) as client:
        for acl in acls_of(user):
            await delete_acls(admin, [row(acl)])
            try:
                await until(client, other_than=table)
            finally:
                await create_acls(admin, [row(acl)])
            await until(client, equal=table)


def widened(user: str) -> Iterable[Acl]:
    """Rights that a hasty hand would give."""
    for acl in acls_of(user):
        shorter = acl.name[:-1] if acl.name.endswith(".") else acl.name.rpartition(".")[0] + "."
        yield acl._replace(pattern=Pattern.PREFIXED, name=shorter)
        if acl.resource is Resource.TOPIC and acl.pattern is Pattern.LITERAL:
            yield acl._replace(operation=Operation.WRITE if acl.operation is Operation.READ else Operation.READ)
    yield Acl(user, Resource.TRANSACTIONAL_ID, Pattern.LITERAL, "minzdrav", Operation.WRITE)
    yield Acl(user, Resource.CLUSTER, Pattern.LITERAL, "kafka-cluster", Operation.CREATE)


@pytest.mark.parametrize("user", ["otklik.agency.kbr.minzdrav", "otklik.monitor.scanner", "otklik.leadership.board"])
async def test_a_right_too_many_is_noticed(guarded: GuardedBroker, admin: Any, user: str) -> None:
    table = table_of(user)
    async with broker_rights.client_of(guarded.arguments(user)) as client:
        for acl in widened(user):
            await create_acls(admin, [row(acl)])
            try:
                await until(client, other_than=table)
            finally:
                await delete_acls(admin, [row(acl)])
            await until(client, equal=table)


async def differing(admin: Any, *, as_long_as: Callable[[Difference], bool]) -> Difference:
    """What differs from our ACLs on the cluster, once the broker has learnt of the latest change."""
    for _ in range(100):
        found = difference(PREFIX, ACLS, await present_acls(admin))
        if not as_long_as(found):
            return found
        await asyncio.sleep(0.02)
    return found


async def test_what_stands_on_the_cluster_is_put_right_and_strangers_are_told_of(admin: Any) -> None:
    lost, given = ACLS[0], ACLS[0]._replace(name="otklik.clock")
    everybody = (Resource.TOPIC, "*", Pattern.LITERAL, "User:*", "*", Operation.READ, ALLOW)
    neighbour = (Resource.TOPIC, "otklik2.events", Pattern.LITERAL, "User:otklik2.sla", "*", Operation.READ, ALLOW)
    await delete_acls(admin, [row(lost)])
    await create_acls(admin, [row(given), everybody, neighbour])
    try:
        found = await differing(admin, as_long_as=lambda found: not (found.missing and found.foreign))
        assert found == Difference(missing=(row(lost),), surplus=(row(given),), foreign=(everybody,))
        await apply_acls(admin, PREFIX, ACLS)
        left = await differing(admin, as_long_as=lambda found: bool(found.missing or found.surplus))
        assert left == Difference(missing=(), surplus=(), foreign=(everybody,))
    finally:
        await delete_acls(admin, [everybody, neighbour])
    assert not await differing(admin, as_long_as=bool)


OWN = "otklik.agency.kbr.minzdrav"


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if topic != "otklik.commands.kbr.minzdrav"])
async def test_an_agency_writes_nowhere_but_its_commands(guarded: GuardedBroker, topic: str) -> None:
    async with broker_rights.client_of(guarded.arguments(OWN)) as client:
        code = await broker_rights.produce_raw(client, topic, broker_rights.plain_batch(), None)
        assert code == broker_rights.TOPIC_DENIED
        own = "otklik.commands.kbr.minzdrav"
        assert await broker_rights.produce_raw(client, own, broker_rights.plain_batch(), None) == broker_rights.OK


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if topic != "otklik.assignments.kbr.minzdrav"])
async def test_an_agency_reads_nothing_but_its_assignments(guarded: GuardedBroker, topic: str) -> None:
    async with broker_rights.client_of(guarded.arguments(OWN)) as client:
        assert await broker_rights.fetch_raw(client, topic) == broker_rights.TOPIC_DENIED
        assert await broker_rights.fetch_raw(client, "otklik.assignments.kbr.minzdrav") == broker_rights.OK


@pytest.mark.parametrize(
    "group", ["otklik.agency.kbr.minzdrav-2", "otklik.agency.buryatia.minzdrav", "otklik-workflow"]
)
async def test_an_agency_joins_no_group_but_its_own(guarded: GuardedBroker, group: str) -> None:
    consumer = AIOKafkaConsumer("otklik.assignments.kbr.minzdrav", **guarded.arguments(OWN), group_id=group)
    try:
        with pytest.raises(GroupAuthorizationFailedError):
            await asyncio.wait_for(consumer.start(), 10)
    finally:
        await consumer.stop()


async def end_of_commands(guarded: GuardedBroker) -> int:
    """Up to where workflow can read what the agency wrote."""
    place = LogPartition("commands.kbr.minzdrav", 0)
    log = KafkaLog(guarded.settings("otklik.workflow"))
    try:
        return (await log.ends([place]))[place]
    finally:
        await log.close()


@pytest.mark.parametrize("transactional_id", [None, OWN, "minzdrav", "otklik-workflow-0", "otklik-workflow-doors-0"])
async def test_an_agency_holds_up_no_reader_by_a_transaction(
    guarded: GuardedBroker, transactional_id: str | None
) -> None:
    own = "otklik.commands.kbr.minzdrav"
    async with broker_rights.client_of(guarded.arguments(OWN)) as client:
        if transactional_id is not None:
            begun = await broker_rights.init_transactions(client, transactional_id)
            assert begun == broker_rights.TRANSACTIONAL_ID_DENIED
        smuggled = await broker_rights.transactional_batch(client)
        code = await broker_rights.produce_raw(client, own, smuggled, transactional_id)
        assert code == broker_rights.TRANSACTIONAL_ID_DENIED
        assert await broker_rights.mark_transaction(client, own) == broker_rights.CLUSTER_DENIED
        before = await end_of_commands(guarded)
        assert await broker_rights.produce_raw(client, own, broker_rights.plain_batch(), None) == broker_rights.OK
        assert await end_of_commands(guarded) == before + 1


async def test_with_a_transactional_id_an_agency_would_hold_up_its_reader(guarded: GuardedBroker, admin: Any) -> None:
    """So the test before would notice: the right is all that keeps the door."""
    given = row(Acl(OWN, Resource.TRANSACTIONAL_ID, Pattern.LITERAL, "minzdrav", Operation.WRITE))
    before = await end_of_commands(guarded)
    await create_acls(admin, [given])
    try:
        async with broker_rights.client_of(guarded.arguments(OWN)) as client:
            await until(client, other_than=table_of(OWN))
            producer = AIOKafkaProducer(**guarded.arguments(OWN), transactional_id="minzdrav")
            await producer.start()
            async with producer.transaction():
                await producer.send_and_wait("otklik.commands.kbr.minzdrav", b"open", partition=0)
                plain = broker_rights.plain_batch()
                await broker_rights.produce_raw(client, "otklik.commands.kbr.minzdrav", plain, None)
                assert await end_of_commands(guarded) == before
            await producer.stop()
    finally:
        await delete_acls(admin, [given])
        async with broker_rights.client_of(guarded.arguments(OWN)) as client:
            await until(client, equal=table_of(OWN))


@pytest.mark.parametrize(
    "credentials",
    [
        {"sasl_plain_password": "guessed"},
        {"sasl_plain_username": "otklik.agency.kbr.nobody"},
        {"sasl_mechanism": "PLAIN"},
        {"sasl_plain_username": "admin", "sasl_mechanism": "PLAIN"},
        {"security_protocol": "SSL"},
        {"security_protocol": "PLAINTEXT"},
        {"security_protocol": "SASL_PLAINTEXT"},
    ],
    ids=str,
)
async def test_nobody_comes_in_without_his_name_and_password(
    guarded: GuardedBroker, credentials: dict[str, str]
) -> None:
    wrong = AIOKafkaAdminClient(**guarded.arguments(OWN) | credentials, request_timeout_ms=3000)
    try:
        with pytest.raises((KafkaError, OSError)):
            await asyncio.wait_for(wrong.start(), 10)
    finally:
        await wrong.close()


async def test_a_message_is_answered_with_everybody_behind_his_own_door(
    guarded: GuardedBroker, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The law is applied by the operator, the post comes by Kafka, the agency's system reads and answers by Kafka."""
    detection = {
        "authority": "kbr",
        "source": {"network": "vk", "external_id": "doors-1", "url": "https://vk.example/1"},
        "author": {"name": "Житель"},
        "text": "Яма на дороге",
    }
    message = message_id("kbr", "vk", "doors-1")
    async with services_on(guarded, database, tmp_path, monkeypatch) as settings, httpx.AsyncClient(timeout=30) as http:
        partner = Partner(settings, http, Services(settings))
        async with AIOKafkaProducer(**guarded.arguments("otklik.monitor.scanner"), enable_idempotence=True) as monitor:
            event = envelope("otklik.detection.v1", None, detection)
            await monitor.send_and_wait("otklik.detections", event)
        await eventually(lambda: partner.get(f"/v1/messages/{message}"), lambda answer: answer.status_code == 200)
        await partner.done(message, "triage", **TRIAGE)
        await partner.done(message, "route", assignments=[{"agency": "minzdrav"}])
        system = AIOKafkaConsumer(
            "otklik.assignments.kbr.minzdrav",
            **guarded.arguments(OWN),
            group_id=OWN,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
        )
        async with system, AIOKafkaProducer(**guarded.arguments(OWN), enable_idempotence=True) as sender:
            await heard(system, "otklik.message.assignment-issued.v1")
            draft = envelope("otklik.command.submit-draft.v1", message, {"kind": "answer", "text": "Засыплем завтра"})
            await sender.send_and_wait("otklik.commands.kbr.minzdrav", draft, key=message.encode())
            await heard(system, "otklik.command.accepted.v1")
            await system.commit()
        seen = (await partner.get(f"/v1/messages/{message}")).json()
        assert seen["status"] == "in_review"
        await eventually(
            lambda: http.get(
                f"{settings.url('sla')}/v1/messages/{message}/deadlines", headers=partner.auth("coordinator")
            ),
            lambda answer: "review" in {deadline["rule"] for deadline in answer.json()["items"]},
        )
        await eventually(
            lambda: http.get(
                f"{settings.url('reporting')}/v1/register?authority=kbr", headers=partner.auth("coordinator")
            ),
            lambda answer: [item["message_id"] for item in answer.json()["items"]] == [message],
        )


def envelope(kind: str, subject: str | None, data: dict[str, Any]) -> bytes:
    given = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/test",
        "type": kind,
        "time": "2026-11-23T09:00:00Z",
        "data": data,
    }
    return json.dumps(given | ({"subject": subject} if subject else {})).encode()


async def heard(consumer: AIOKafkaConsumer, kind: str) -> dict[str, Any]:
    """The next event of that kind on the agency's topic."""
    async with asyncio.timeout(30):
        async for record in consumer:
            event: dict[str, Any] = json.loads(record.value)
            if event["type"] == kind:
                return event
    raise AssertionError(f"no {kind}")


async def eventually(
    ask: Callable[[], Awaitable[httpx.Response]], fits: Callable[[httpx.Response], bool]
) -> httpx.Response:
    for _ in range(300):
        answer = await ask()
        if fits(answer):
            break
        await asyncio.sleep(0.1)
    assert fits(answer), answer.text
    return answer
