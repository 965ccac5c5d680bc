"""Topics of an installation: made once, and checked at every start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiokafka.errors as kafka_errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.topics import TopicSpec
from services.runtime.kafka_client import REQUEST_TIMEOUT_S, KafkaSettings, bounded, log_errors
from services.runtime.kafka_wire import TopicIdsRequest
from services.runtime.log import LogError


class Unsuitable(Exception):
    """The cluster or its topics are not as they have to be. `faults` says everything that is wrong."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic to be made: its name without the prefix, and its settings as Kafka names them."""

    name: str
    partitions: int
    replication: int
    config: dict[str, str] = field(default_factory=dict)


def wanted(spec: TopicSpec, *, partitions: int, replication: int, simulated: bool, production: bool = False) -> Wanted:
    """A topic of `schemas/topics.py`, with the installation's numbers; in production nothing acknowledged is lost."""
    config = spec.config(simulated=simulated)
    if production:
        config |= {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}
    return Wanted(spec.name, spec.partitions or partitions, replication, config)


@dataclass(frozen=True, slots=True)
class Described:
    """A topic as it is."""

    id: str
    partitions: int
    replication: int


@asynccontextmanager
async def administering(settings: KafkaSettings) -> AsyncIterator[Any]:
    """An admin client, started and closed. Raises `LogError`."""
    admin = AIOKafkaAdminClient(**settings.client())
    try:
        await bounded(admin.start(), 3 * REQUEST_TIMEOUT_S, "reaching Kafka")
        async with log_errors("administering Kafka"):
            yield admin
    finally:
        await admin.close()


async def describe(settings: KafkaSettings) -> dict[str, Described]:
    """The installation's topics (those with its prefix), by their names without it."""
    async with administering(settings) as admin:
        return await _described(admin, settings)


async def _described(admin: Any, settings: KafkaSettings) -> dict[str, Described]:
    client = admin._client
    answer = await client.send(client.get_random_node(), TopicIdsRequest(None))
    found: dict[str, Described] = {}
    for code, name, topic_id, _, partitions, *_ in answer.topics:
        if code == 0 and name.startswith(f"{settings.prefix}."):
            replication = min(len(partition[4]) for partition in partitions)
            found[settings.short(name)] = Described(topic_id.hex, len(partitions), replication)
    return found


async def ensure_topics(settings: KafkaSettings, wanted: Sequence[Wanted], *, alter: bool = True) -> list[str]:
    """Make the topics that are missing; returns their names. A topic that is there keeps its number of partitions for
    life: another number raises `Unsuitable`, as keys would change places. Other settings are put right (`alter`)."""
    async with administering(settings) as admin:
        there = await _described(admin, settings)
        faults = [
            f"{settings.full(one.name)}: {there[one.name].partitions} partitions, not {one.partitions}"
            for one in wanted
            if one.name in there and there[one.name].partitions != one.partitions
        ]
        if faults:
            raise Unsuitable(faults)
        missing = [one for one in wanted if one.name not in there]
        if missing:
            await _create(admin, settings, missing)
        if alter:
            await _alter(admin, settings, [one for one in wanted if one.name in there and one.config])
    return [one.name for one in missing]


async def _create(admin: Any, settings: KafkaSettings, missing: Sequence[Wanted]) -> None:
    answer = await admin.create_topics(
        [
            NewTopic(settings.full(one.name), one.partitions, one.replication, topic_configs=dict(one.config))
            for one in missing
        ]
    )
    for name, code, *rest in answer.topic_errors:
        error = kafka_errors.for_code(code)
        # Another replica may have been faster.
        if code and error is not kafka_errors.TopicAlreadyExistsError:
            raise LogError(f"making topic {name}: {error.__name__} {rest[0] if rest else ''}")


async def _alter(admin: Any, settings: KafkaSettings, present: Sequence[Wanted]) -> None:
    if not present:
        return
    current = await _configs(admin, [settings.full(one.name) for one in present])
    own = await _configs(admin, [settings.full(one.name) for one in present], only_own=True)
    # AlterConfigs replaces all that was set on a topic, so what an operator has set besides is sent along.
    different = [
        ConfigResource(ConfigResourceType.TOPIC, settings.full(one.name), own[settings.full(one.name)] | one.config)
        for one in present
        if any(current[settings.full(one.name)].get(name) != value for name, value in one.config.items())
    ]
    if different:
        await _alter_to(admin, different)


async def _alter_to(admin: Any, resources: Sequence[ConfigResource]) -> None:
    for answer in await admin.alter_configs(list(resources)):
        for code, message, *_ in answer.resources:
            if code:
                raise LogError(f"altering a topic: {kafka_errors.for_code(code).__name__} {message or ''}")


async def own_settings(settings: KafkaSettings, topics: Sequence[str]) -> dict[str, dict[str, str]]:
    """What was set on these topics, by their names without the prefix."""
    async with administering(settings) as admin:
        found = await _configs(admin, [settings.full(topic) for topic in topics], only_own=True)
    return {settings.short(name): config for name, config in found.items()}


async def put_settings(settings: KafkaSettings, configs: Mapping[str, Mapping[str, str]]) -> None:
    """Let just this be set on the topics, and nothing besides."""
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, settings.full(topic), dict(config))
        for topic, config in configs.items()
    ]
    async with administering(settings) as admin:
        await _alter_to(admin, resources)


async def delete_topics(settings: KafkaSettings, topics: Sequence[str]) -> None:
    """Delete topics with all that they hold, and return when they are gone."""
    if not topics:
        return
    async with administering(settings) as admin:
        answer = await admin.delete_topics([settings.full(topic) for topic in topics])
        for name, code, *_ in answer.topic_error_codes:
            error = kafka_errors.for_code(code)
            if code and error is not kafka_errors.UnknownTopicOrPartitionError:
                raise LogError(f"deleting {name}: {error.__name__}")
        async with asyncio.timeout(3 * REQUEST_TIMEOUT_S):
            while True:
                if not set(topics) & set(await _described(admin, settings)):
                    break
                await asyncio.sleep(0.1)


_SET_ON_TOPIC = 1
"""Kafka's DYNAMIC_TOPIC_CONFIG: where a setting comes from."""


async def _configs(admin: Any, topics: Sequence[str], *, only_own: bool = False) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics])
    for answer in answers:
        for code, message, _, name, entries in answer.resources:
            if code:
                raise LogError(f"asking for {name}: {kafka_errors.for_code(code).__name__} {message or ''}")
            found[name] = {entry[0]: entry[1] for entry in entries if not only_own or entry[3] == _SET_ON_TOPIC}
    return found


async def check_cluster(
    settings: KafkaSettings, topics: Sequence[str], *, replication: int = 3, min_insync: int = 2
) -> None:
    """What production has to have, so that what was acknowledged survives a broker; raises `Unsuitable` with all
    faults: replication, `min.insync.replicas`, no unclean election, no topics that make themselves."""
    faults: list[str] = []
    async with administering(settings) as admin:
        there = await _described(admin, settings)
        faults += [f"{settings.full(topic)} does not exist" for topic in topics if topic not in there]
        present = [topic for topic in topics if topic in there]
        for topic in present:
            if there[topic].replication < replication:
                faults.append(f"{settings.full(topic)}: replication {there[topic].replication}, not {replication}")
        for name, config in (await _configs(admin, [settings.full(topic) for topic in present])).items():
            if int(config.get("min.insync.replicas", "1")) < min_insync:
                faults.append(f"{name}: min.insync.replicas {config.get('min.insync.replicas')}, not {min_insync}")
            if config.get("unclean.leader.election.enable") == "true":
                faults.append(f"{name}: unclean.leader.election.enable is on")
        for broker in admin._client.cluster.brokers():
            resource = ConfigResource(ConfigResourceType.BROKER, str(broker.nodeId))
            for answer in await admin.describe_configs([resource]):
                for *_, entries in answer.resources:
                    if {entry[0]: entry[1] for entry in entries}.get("auto.create.topics.enable") == "true":
                        faults.append(f"broker {broker.nodeId}: auto.create.topics.enable is on")
    if faults:
        raise Unsuitable(faults)
