"""The parts of the contract suite."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.runtime.database import create_engine
from services.runtime.kafka_admin import Wanted, ensure_topics
from services.runtime.kafka_client import KafkaSettings
from services.runtime.kafka_log import KafkaLog
from services.runtime.memory_log import MemoryLog
from tests.contract.rig import LARGE, Rig

PARTITIONS = 2


@pytest.fixture(params=["memory", "real"])
def addresses(request: pytest.FixtureRequest) -> tuple[str, str] | None:
    """Of the real Kafka and PostgreSQL, which are not started for tests in memory."""
    if request.param == "memory":
        return None
    return request.getfixturevalue("kafka"), request.getfixturevalue("database")


@pytest_asyncio.fixture(loop_scope="session")
async def rig(addresses: tuple[str, str] | None, prefix: str) -> AsyncIterator[Rig]:
    topics = dict.fromkeys(("inbox", "events", "outcomes", "deadlines"), PARTITIONS) | {"dead-letters": 1, "clock": 1}
    if addresses is None:
        made = Rig(MemoryLog(topics, lambda: made.now, frozenset(topics)), "memory", PARTITIONS)
    else:
        settings = KafkaSettings(addresses[0], prefix)
        await ensure_topics(settings, [Wanted(name, count, 1, LARGE) for name, count in topics.items()])
        engine = create_engine(addresses[1], "test")
        made = Rig(KafkaLog(settings), "real", PARTITIONS, engine)
    yield made
    await made.close()
