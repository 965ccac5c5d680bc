"""A command over HTTP, from append to outcome, at 20 a second, against one turn of a bare transactional loop.

`python -m tests.bench.bench_commands`. Ours: workflow as a process of its own, commands sent evenly, each waited for: from
the request sent to its answer read, so tokens, shapes and HTTP are counted too, though the aim speaks of less. Bare: the
same client library with the same settings on the same broker: a record in hand, a transaction of two records on two topics
(as an event and an outcome) and the offset, committed; at the same pace. Blocks alternate.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from statistics import median

from schemas.ids import message_id
from services.runtime import installation
from services.runtime.kafka_admin import Wanted, ensure_topics
from services.runtime.kafka_log import KafkaLog
from services.runtime.log import Outgoing, Session, TopicPartition
from tests.bench.bench_intake import law_folded
from tests.bench.house import House, note
from tests.bench.ratio import Ratio, of_rounds, show
from tests.bench.wire import Wire

A_SECOND, A_BLOCK, BLOCKS, WARM_UP = 20, 60, 8, 3
AIM = 3.0
IN, OUT, OUTCOMES = "bench-in", "bench-out", "bench-outcomes"
VALUE = b"x" * 700
COMMAND = {
    "type": "triage",
    "data": {"topics": ["utilities"], "location": "Нальчик", "importance": "ordinary", "reduced": False},
}


async def paced(one: Callable[[int], Awaitable[float]], first: int) -> list[float]:
    """Run a block, each when its time has come, whether or not those before have ended."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    tasks = []
    for number in range(A_BLOCK):
        await asyncio.sleep(max(0.0, begun + number / A_SECOND - loop.time()))
        tasks.append(asyncio.ensure_future(one(first + number)))
    return list(await asyncio.gather(*tasks))


class Commands:
    """Triages messages that were registered before; connections are kept and taken in turn."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._free: list[Wire] = []
        self._headers = {
            "Authorization": f"Bearer {house.token('coordinator', 'kbr')}",
            "Content-Type": "application/json",
        }

    async def register(self, count: int) -> None:
        """Detect `count` posts and wait until the last of them can be read."""
        wire = await Wire.open(self._house.settings.url("intake"))
        headers = {"Authorization": f"Bearer {self._house.token('monitor', 'kbr')}", "Content-Type": "application/json"}
        for number in range(count):
            source = {"network": "vk", "external_id": f"c{number}", "url": f"https://vk.example/c{number}"}
            post = {
                "authority": "kbr",
                "source": source,
                "author": {"name": "Марина К."},
                "text": "Третий день нет света",
            }
            status, answer = await wire.post("/v1/detections", json.dumps(post).encode(), headers)
            assert status == 202, answer
        await wire.close()

    async def one(self, number: int) -> float:
        """Seconds that one command took."""
        message = message_id("kbr", "vk", f"c{number}")
        wire = self._free.pop() if self._free else await Wire.open(self._house.settings.url("workflow"))
        body = json.dumps(COMMAND).encode()
        begun = time.perf_counter()
        status, answer = await wire.post(f"/v1/messages/{message}/commands", body, self._headers)
        taken = time.perf_counter() - begun
        self._free.append(wire)
        assert status == 200, answer
        return taken

    async def close(self) -> None:
        for wire in self._free:
            await wire.close()


class Turns:
    """The bare loop: one partition, one transaction at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._busy = asyncio.Lock()

    async def one(self, number: int) -> float:
        async with self._busy:
            begun = time.perf_counter()
            outgoing = [Outgoing(topic, b"key", VALUE, {}, 0) for topic in (OUT, OUTCOMES)]
            await self._session.commit(outgoing, number + 1)
            return time.perf_counter() - begun


async def compare(house: House) -> list[Ratio]:
    """In a furnished house whose intake and workflow run."""
    kafka = installation.kafka_settings(house.settings)
    await ensure_topics(kafka, [Wanted(topic, 1, 1, {}) for topic in (IN, OUT, OUTCOMES)])
    commands = Commands(house)
    note(f"commands: {BLOCKS} blocks of {A_BLOCK} at {A_SECOND} a second")
    await commands.register((WARM_UP + BLOCKS) * A_BLOCK)
    log = KafkaLog(kafka)
    session = await log.session("bench", TopicPartition(IN, 0))
    try:
        turns = Turns(session)
        # The first blocks are for connections, caches, the broker's compiler, and what is left of the registrations.
        for block in range(WARM_UP):
            await paced(commands.one, block * A_BLOCK)
            await paced(turns.one, block * A_BLOCK)
        rounds, tails = [], []
        for block in range(WARM_UP, WARM_UP + BLOCKS):
            mine = sorted(await paced(commands.one, block * A_BLOCK))
            theirs = sorted(await paced(turns.one, block * A_BLOCK))
            rounds.append((median(mine) * 1000, median(theirs) * 1000))
            tails.append((mine[A_BLOCK * 95 // 100] * 1000, theirs[A_BLOCK * 95 // 100] * 1000))
            note(
                f"  p50 {rounds[-1][0]:.1f} ms, bare {rounds[-1][1]:.1f} ms; p95 {tails[-1][0]:.0f}, {tails[-1][1]:.0f}"
            )
    finally:
        await session.close()
        await log.close()
        await commands.close()
    mine_ms, theirs_ms, ratio = of_rounds(rounds)
    tail = of_rounds(tails)
    return [
        Ratio(
            "a command over HTTP at 20 a second, p50",
            f"{mine_ms:.1f} ms",
            f"{theirs_ms:.1f} ms a turn",
            ratio,
            f"at most {AIM:.0f}",
            ratio <= AIM,
        ),
        Ratio("the same, p95", f"{tail[0]:.1f} ms", f"{tail[1]:.1f} ms a turn", tail[2]),
    ]


async def measure() -> list[Ratio]:
    """In a house of its own."""
    async with House() as house:
        await law_folded(house)
        return await compare(house)


if __name__ == "__main__":
    show(asyncio.run(measure()))
