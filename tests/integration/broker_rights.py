"""Asking the broker itself what a user may do: its answers are the authorizer's, not ours."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import CoordinationType
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import (
    AlterConfigsRequest,
    CreateTopicsRequest,
    DescribeAclsRequest,
    DescribeConfigsRequest,
    DescribeGroupsRequest_v3,
    DescribeGroupsResponse_v3,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.protocol.types import (
    Array,
    Boolean,
    Bytes,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from deploy.wire import ALLOW, CreateAcls
from services.runtime.kafka_wire import MetadataRequestV12

OPERATIONS = {
    3: "read",
    4: "write",
    5: "create",
    6: "delete",
    7: "alter",
    8: "describe",
    9: "cluster-action",
    10: "describe-configs",
    11: "alter-configs",
    12: "idempotent-write",
    15: "two-phase-commit",
}
"""Kafka's numbers of what may be done, all of them: one that is missing here would be a hole in the table."""
OK, TOPIC_DENIED, GROUP_DENIED, CLUSTER_DENIED, TRANSACTIONAL_ID_DENIED = 0, 29, 30, 31, 53
TRANSACTION_TIMEOUT_MS = 1_000
RETRY_S = 0.05
_TOPIC, _BROKER, _LITERAL, _READ = 2, 4, 3, 3


class RightsRequest(Request[MetadataRequestV12]):  # type: ignore[misc]
    """Metadata of topics with what the asker may do to each."""

    API_KEY = 3

    def __init__(self, topics: Iterable[str]) -> None:
        self._topics = list(topics)

    def build(self, request_struct_class: type[MetadataRequestV12]) -> MetadataRequestV12:
        return request_struct_class([(uuid.UUID(int=0), name, {}) for name in self._topics], False, True, {})


class GroupsRequestV3(RequestStruct):  # type: ignore[misc]
    """aiokafka's own reads the answer as that of the version before, which says nothing of rights."""

    API_KEY = 15
    API_VERSION = 3
    RESPONSE_TYPE = DescribeGroupsResponse_v3
    SCHEMA = DescribeGroupsRequest_v3.SCHEMA


class GroupsRequest(Request[GroupsRequestV3]):  # type: ignore[misc]
    API_KEY = 15

    def __init__(self, groups: Iterable[str]) -> None:
        self._groups = list(groups)

    def build(self, request_struct_class: type[GroupsRequestV3]) -> GroupsRequestV3:
        return request_struct_class(self._groups, True)


_TEXT = CompactString("utf-8")


class ProduceResponseV3(Response):  # type: ignore[misc]
    API_KEY = 0
    API_VERSION = 3
    SCHEMA = Schema(
        (
            "topics",
            Array(
                ("topic", String("utf-8")),
                (
                    "partitions",
                    Array(("partition", Int32), ("error_code", Int16), ("offset", Int64), ("timestamp", Int64)),
                ),
            ),
        ),
        ("throttle_time_ms", Int32),
    )


class ProduceRequestV3(RequestStruct):  # type: ignore[misc]
    API_KEY = 0
    API_VERSION = 3
    RESPONSE_TYPE = ProduceResponseV3
    SCHEMA = Schema(
        ("transactional_id", String("utf-8")),
        ("required_acks", Int16),
        ("timeout", Int32),
        (
            "topics",
            Array(("topic", String("utf-8")), ("partitions", Array(("partition", Int32), ("messages", Bytes)))),
        ),
    )


class RawProduce(Request[ProduceRequestV3]):  # type: ignore[misc]
    """A batch as its bytes are, under a transactional id or none, whatever the batch says of itself."""

    API_KEY = 0

    def __init__(self, topic: str, batch: bytes, transactional_id: str | None) -> None:
        self._topic, self._batch, self._transactional_id = topic, batch, transactional_id

    def build(self, request_struct_class: type[ProduceRequestV3]) -> ProduceRequestV3:
        return request_struct_class(self._transactional_id, -1, 5000, [(self._topic, [(0, self._batch)])])


class TransactionMarkersResponseV1(Response):  # type: ignore[misc]
    API_KEY = 27
    API_VERSION = 1
    _PARTITIONS = CompactArray(("partition", Int32), ("error_code", Int16), ("tags", TaggedFields))
    SCHEMA = Schema(
        (
            "markers",
            CompactArray(
                ("producer_id", Int64),
                (
                    "topics",
                    CompactArray(("topic", _TEXT), ("partitions", _PARTITIONS), ("tags", TaggedFields)),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class TransactionMarkersRequestV1(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 27
    API_VERSION = 1
    RESPONSE_TYPE = TransactionMarkersResponseV1
    SCHEMA = Schema(
        (
            "markers",
            CompactArray(
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                ("result", Boolean),
                (
                    "topics",
                    CompactArray(("topic", _TEXT), ("partitions", CompactArray(Int32)), ("tags", TaggedFields)),
                ),
                ("coordinator_epoch", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class TransactionMarkers(Request[TransactionMarkersRequestV1]):  # type: ignore[misc]
    """What only a coordinator may write: the end of somebody's transaction."""

    API_KEY = 27

    def __init__(self, producer_id: int, topic: str) -> None:
        self._producer_id, self._topic = producer_id, topic

    def build(self, request_struct_class: type[TransactionMarkersRequestV1]) -> TransactionMarkersRequestV1:
        return request_struct_class([(self._producer_id, 0, True, [(self._topic, [0], {})], 0, {})], {})


def _named(bits: int) -> frozenset[str]:
    # The broker says the smallest number where it was not asked, and nothing where nothing is allowed.
    return frozenset(OPERATIONS[bit] for bit in range(31) if bits > 0 and bits >> bit & 1)


@asynccontextmanager
async def client_of(arguments: Mapping[str, Any]) -> AsyncIterator[Any]:
    """The bare client of a user, to send any request."""
    admin = AIOKafkaAdminClient(**arguments, request_timeout_ms=10_000)
    try:
        await admin.start()
        yield admin._client
    finally:
        await admin.close()


async def on_topics(client: Any, topics: Iterable[str]) -> dict[str, frozenset[str]]:
    """What the user may do to each of these topics; topics that it may not even see are absent."""
    answer = await client.send(client.get_random_node(), RightsRequest(topics))
    found = {}
    for code, name, *_, operations, _tags in answer.topics:
        if code not in {OK, TOPIC_DENIED}:
            raise for_code(code)(name)
        if code == OK:
            found[name] = _named(operations)
    return found


async def on_cluster(client: Any, topic: str) -> frozenset[str]:
    """What the user may do to the cluster, by trying it in ways that change nothing of ours; `topic` is any that exists.

    Kafka tells whoever may not describe the cluster nothing of his rights to it."""
    node = client.get_random_node()
    stranger = (_TOPIC, "stranger", _LITERAL, "User:nobody", "*", _READ, ALLOW)
    broker = str(next(iter(client.cluster.brokers())).nodeId)
    seen = await client.send(node, DescribeAclsRequest(1, None, 1, None, None, 1, 1))
    given = await client.send(node, CreateAcls([stranger]))
    made = await client.send(node, CreateTopicsRequest([("stranger", 1, 1, [], [])], 5000, True))
    looked = await client.send(node, DescribeConfigsRequest([(_BROKER, broker, None)]))
    altered = await client.send(node, AlterConfigsRequest([(_BROKER, broker, [])], True))
    codes = {
        "describe": seen.error_code,
        "alter": given.creation_responses[0][0],
        "create": made.topic_errors[0][1],
        "describe-configs": looked.resources[0][0],
        "alter-configs": altered.resources[0][0],
        "cluster-action": await mark_transaction(client, topic),
    }
    return frozenset(name for name, code in codes.items() if code not in {TOPIC_DENIED, CLUSTER_DENIED})


async def on_groups(client: Any, groups: Iterable[str]) -> dict[str, frozenset[str]]:
    """What the user may do to each of these groups; those that it may not even see are absent."""
    asked = set(groups)
    found = {}
    while asked:
        # One broker: it coordinates every group.
        answer = await client.send(client.get_random_node(), GroupsRequest(asked))
        for code, group, *_, operations in answer.groups:
            if code and for_code(code).retriable:
                await asyncio.sleep(RETRY_S)
                continue
            asked.discard(group)
            if code not in {OK, GROUP_DENIED}:
                raise for_code(code)(group)
            if code == OK:
                found[group] = _named(operations)
    return found


async def make_coordinators(client: Any) -> None:
    """A cluster makes the topics of its coordinators when somebody first asks for one."""
    for kind in (CoordinationType.GROUP, CoordinationType.TRANSACTION):
        while True:
            try:
                await client.coordinator_lookup(kind, "first")
                break
            except KafkaError as error:
                if not error.retriable:
                    raise
                await asyncio.sleep(RETRY_S)


async def on_transactional_ids(client: Any, ids: Iterable[str]) -> frozenset[str]:
    """Those of the ids under which the user may open transactions. An id that is allowed is taken over by asking."""
    return frozenset([one for one in ids if await init_transactions(client, one) == OK])


async def init_transactions(client: Any, transactional_id: str) -> int:
    """The broker's code for «begin to write under this id»."""
    return int((await _begun(client, transactional_id)).error_code)


async def _begun(client: Any, transactional_id: str | None) -> Any:
    """The broker's final answer: a new cluster's coordinator is not there at once, ends what an earlier one of the id had
    open, and now and then fetches a new block of producer ids."""
    while True:
        answer = await client.send(
            client.get_random_node(), InitProducerIdRequest(transactional_id, TRANSACTION_TIMEOUT_MS)
        )
        if not (answer.error_code and for_code(answer.error_code).retriable):
            return answer
        await asyncio.sleep(RETRY_S)


async def transactional_batch(client: Any) -> bytes:
    """One record in a batch that says of itself that it belongs to a transaction, under a producer id of the user's own."""
    answer = await _begun(client, None)
    if answer.error_code:
        raise for_code(answer.error_code)
    batch = DefaultRecordBatchBuilder(2, 0, 1, answer.producer_id, answer.producer_epoch, 0, 1000)
    batch.append(0, 1_700_000_000_000, None, b"smuggled", [])
    return bytes(batch.build())


def plain_batch() -> bytes:
    """One record, as the simplest producer would send it."""
    batch = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1000)
    batch.append(0, 1_700_000_000_000, None, b"plain", [])
    return bytes(batch.build())


async def produce_raw(client: Any, topic: str, batch: bytes, transactional_id: str | None) -> int:
    """The broker's code for a batch as it is."""
    answer = await client.send(client.get_random_node(), RawProduce(topic, batch, transactional_id))
    ((_, ((_, code, _, _),)),) = answer.topics
    return int(code)


async def fetch_raw(client: Any, topic: str) -> int:
    """The broker's code for reading the topic from its beginning."""
    answer = await client.send(client.get_random_node(), FetchRequest(0, 0, 1 << 20, 0, [(topic, [(0, 0, 1 << 20)])]))
    ((_, ((_, code, *_),)),) = answer.topics
    return int(code)


async def mark_transaction(client: Any, topic: str) -> int:
    """The broker's code for writing the end of somebody's transaction."""
    answer = await client.send(client.get_random_node(), TransactionMarkers(0, topic))
    return int(answer.markers[0][1][0][1][0][1])
