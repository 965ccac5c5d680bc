"""Intake's NDJSON batches against a bare idempotent producer of the same bytes.

`python -m tests.bench.bench_intake`. Ours: the service as a process of its own, posts pushed as NDJSON over a few
connections, from the first byte sent to the last answer read. Bare: aiokafka's producer with `acks=all`, given the very
records that intake wrote (read back from the inbox), in full batches. Rounds alternate. Nobody reads the inbox meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from urllib.parse import urlsplit

from aiokafka import AIOKafkaProducer

from schemas import topics
from services.runtime import installation
from services.runtime.kafka_admin import Wanted, ensure_topics
from services.runtime.kafka_producer import BATCH_BYTES, make_producer
from services.runtime.log import Record, TopicPartition
from services.runtime.settings import Settings
from tests.bench.house import House, note
from tests.bench.ratio import Ratio, of_rounds, show
from tests.bench.wire import Wire

CONNECTIONS, POSTS_EACH, ROUNDS = 2, 10_000, 7
AIM = 0.4
BARE_TOPIC = "bench-posts"
TEXT = (
    "Добрый вечер! На улице Кирова, дом {}, третий день нет горячей воды, в управляющей компании трубку не берут. "
    "Во дворе дети и пожилые люди, просим разобраться и сообщить, когда закончится ремонт."
)


def stream_of(round_number: int, connection: int) -> bytes:
    """Posts that nobody has seen before, one a line."""
    posts = []
    for number in range(POSTS_EACH):
        external_id = f"-{round_number}_{connection}_{number}"
        source = {"network": "vk", "external_id": external_id, "url": f"https://vk.example/wall{external_id}"}
        post = {
            "authority": "kbr",
            "source": source,
            "author": {"name": "Марина К.", "url": "https://vk.example/id1"},
            "text": TEXT.format(number),
            "location": "Нальчик",
            "topics": ["utilities"],
        }
        posts.append(json.dumps(post, ensure_ascii=False))
    return "\n".join(posts).encode() + b"\n"


async def push(url: str, token: str, stream: bytes) -> None:
    """One request; raises AssertionError unless every line of it was stored."""
    wire = await Wire.open(url)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
    status, answers = await wire.post(urlsplit(url).path, stream, headers)
    await wire.close()
    assert status == 200, answers[:500]
    assert answers.count(b'"detection_id"') == POSTS_EACH, answers[-500:]


async def ours(url: str, token: str, round_number: int) -> float:
    """Seconds for one round."""
    streams = [stream_of(round_number, connection) for connection in range(CONNECTIONS)]
    begun = time.perf_counter()
    await asyncio.gather(*(push(url, token, stream) for stream in streams))
    return time.perf_counter() - begun


async def records(settings: Settings, count: int) -> list[Record]:
    """The last `count` records of the inbox, partition by partition."""
    found: list[Record] = []
    async with installation.open_log(settings) as log:
        places = [TopicPartition(topics.INBOX, number) for number in range(settings.partitions)]
        ends = await log.ends(places)
        for place in places:
            async for some in log.read(place, max(0, ends[place] - count), ends[place]):
                found += [one for one in some if b"/wall-" in (one.value or b"")]
    return found[:count]


async def bare(producer: AIOKafkaProducer, topic: str, given: Sequence[Record]) -> float:
    """Seconds for the same records by the client alone: each partition's batches in order, the partitions at once."""
    by_partition: dict[int, list[Record]] = defaultdict(list)
    for record in given:
        by_partition[record.partition].append(record)

    async def partition(number: int, mine: list[Record]) -> None:
        batch = producer.create_batch()
        for record in mine:
            fields = {"key": record.key, "value": record.value, "headers": list(record.headers.items())}
            if batch.append(timestamp=None, **fields) is None:
                await (await producer.send_batch(batch, topic, partition=number))
                batch = producer.create_batch()
                batch.append(timestamp=None, **fields)
        await (await producer.send_batch(batch, topic, partition=number))

    begun = time.perf_counter()
    await asyncio.gather(*(partition(number, mine) for number, mine in by_partition.items()))
    return time.perf_counter() - begun


async def plain(producer: AIOKafkaProducer, topic: str, given: Sequence[Record]) -> float:
    """Seconds for the same records by `send()`, one a record, as most producers are written."""
    begun = time.perf_counter()
    sent = [
        await producer.send(topic, one.value, key=one.key, partition=one.partition, headers=list(one.headers.items()))
        for one in given
    ]
    await asyncio.gather(*sent)
    return time.perf_counter() - begun


async def compare(house: House) -> list[Ratio]:
    """In a furnished house whose intake runs, and whose workflow does not."""
    settings = house.settings
    kafka = installation.kafka_settings(settings)
    await ensure_topics(kafka, [Wanted(BARE_TOPIC, settings.partitions, 1, {})])
    url, token = f"{settings.url('intake')}/v1/detections/batch", house.token("monitor", "kbr")
    count = CONNECTIONS * POSTS_EACH
    note(f"intake: {ROUNDS} rounds of {count} posts, batches of the bare producer up to {BATCH_BYTES} bytes")
    await ours(url, token, 0)
    given = await records(settings, count)
    assert len(given) == count, len(given)
    producer = await make_producer(kafka, None)
    try:
        await bare(producer, kafka.full(BARE_TOPIC), given)
        await plain(producer, kafka.full(BARE_TOPIC), given)
        rounds, simple = [], []
        for number in range(1, ROUNDS + 1):
            mine = count / await ours(url, token, number)
            theirs = count / await bare(producer, kafka.full(BARE_TOPIC), given)
            sent = count / await plain(producer, kafka.full(BARE_TOPIC), given)
            note(f"  {mine:7.0f} posts/s by HTTP, {theirs:7.0f} bare in ready batches, {sent:7.0f} by send()")
            rounds.append((mine, theirs))
            simple.append((mine, sent))
    finally:
        await producer.stop()
    mine, theirs, ratio = of_rounds(rounds)
    _, sent, sent_ratio = of_rounds(simple)
    size = sum(len(one.value or b"") for one in given) / len(given)
    what = f"NDJSON batches through intake, records of {size:.0f} bytes"
    return [
        Ratio(what, f"{mine:.0f} posts/s", f"{theirs:.0f}/s", ratio, f"at least {AIM}", ratio >= AIM),
        Ratio("the same, bare by `send()`", f"{mine:.0f} posts/s", f"{sent:.0f}/s", sent_ratio),
    ]


async def law_folded(house: House) -> None:
    """Intake alone would know no authority: workflow has to have told it the law first."""
    await house.furnish()
    await house.start("workflow")
    await house.start("intake")
    wire = await Wire.open(house.settings.url("intake"))
    headers = {"Authorization": f"Bearer {house.token('monitor', 'kbr')}", "Content-Type": "application/x-ndjson"}
    for _ in range(60):
        status, answer = await wire.post("/v1/detections/batch", stream_of(10_000, 0).splitlines(True)[0], headers)
        if status == 200 and b'"detection_id"' in answer:
            break
        await asyncio.sleep(0.5)
    else:
        raise AssertionError(answer)
    await wire.close()


async def measure() -> list[Ratio]:
    """In a house of its own."""
    async with House() as house:
        await law_folded(house)
        await house.stop(f"{house.settings.prefix}-workflow")
        return await compare(house)


if __name__ == "__main__":
    show(asyncio.run(measure()))
