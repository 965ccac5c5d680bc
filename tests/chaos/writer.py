"""A careful producer: one for many writers, thrown away whole after any error, and every write asked again until it stands."""

from __future__ import annotations

import asyncio
import contextlib

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError


class Writer:
    """`retries` counts what had to be asked again."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()
        self.retries = 0

    async def write(self, topic: str, value: bytes) -> bool:
        """Until the log has it. False: the broker takes no record of that size."""
        while True:
            producer: AIOKafkaProducer | None = None
            try:
                producer = await self._opened()
                await producer.send_and_wait(topic, value)
                return True
            except MessageSizeTooLargeError:
                return False
            except (KafkaError, OSError, TimeoutError):
                self.retries += 1
                if producer is not None:
                    await self._drop(producer)
                await asyncio.sleep(0.5)

    async def close(self) -> None:
        if self._producer is not None:
            await self._drop(self._producer)

    async def _opened(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                fresh = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap, acks="all", request_timeout_ms=5000, max_request_size=8 << 20
                )
                try:
                    await fresh.start()
                except BaseException:
                    await _stopped(fresh)
                    raise
                self._producer = fresh
            return self._producer

    async def _drop(self, producer: AIOKafkaProducer) -> None:
        if self._producer is producer:
            self._producer = None
        await _stopped(producer)


async def _stopped(producer: AIOKafkaProducer) -> None:
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        await asyncio.wait_for(producer.stop(), 3)
