"""How this installation reaches its cluster, and what every aiokafka client of ours is made with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, TypeVar

from aiokafka.errors import KafkaError, ProducerFenced

from services.runtime.log import Fenced, LogError

logger = logging.getLogger(__name__)

T = TypeVar("T")

REQUEST_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """`bootstrap` is `host:port,…`. Security as aiokafka names it. Times in seconds."""

    bootstrap: str
    prefix: str
    security_protocol: str = "PLAINTEXT"
    ssl_context: SSLContext | None = None
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    transaction_timeout_s: float = 10.0
    session_timeout_s: float = 6.0
    heartbeat_s: float = 0.5

    def full(self, topic: str) -> str:
        return f"{self.prefix}.{topic}"

    def short(self, topic: str) -> str:
        return topic.removeprefix(f"{self.prefix}.")

    def client(self) -> dict[str, Any]:
        """Arguments of every client."""
        return {
            "bootstrap_servers": self.bootstrap.split(","),
            "security_protocol": self.security_protocol,
            "ssl_context": self.ssl_context,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password,
            "request_timeout_ms": int(REQUEST_TIMEOUT_S * 1000),
            "retry_backoff_ms": 50,
            "metadata_max_age_ms": 30_000,
        }


@asynccontextmanager
async def log_errors(doing: str) -> AsyncIterator[None]:
    """Every failure of the client or the network becomes a `LogError` that says what was being done."""
    try:
        yield
    except LogError:
        raise
    except ProducerFenced as error:
        raise Fenced(f"{doing}: another producer has taken over") from error
    except (KafkaError, TimeoutError, OSError, AssertionError) as error:
        # aiokafka asserts where the broker's answer or a rebalance surprises it.
        raise LogError(f"{doing}: {type(error).__name__} {error}") from error


async def bounded(awaitable: Awaitable[T], seconds: float, doing: str) -> T:
    """Wait for it, but no longer; raises `LogError`."""
    async with log_errors(doing):
        return await asyncio.wait_for(awaitable, seconds)
    raise AssertionError("unreachable")


async def discard_producer(producer: Any, *, may_abort: bool) -> None:
    """Get rid of a producer in bounded time, and leave nothing of it running.

    `may_abort` only while its commit has not begun: an abort sent after a commit of unknown fate could end a later
    transaction. Otherwise the next producer of the same id ends what is open. A cancelled `stop()` of aiokafka leaves
    its sender running, which would go on writing; so the sender is cancelled until it is gone (each cancellation
    ends one of the requests that it waits for).
    """
    manager = producer._txn_manager
    try:
        if may_abort and manager is not None and manager.is_in_transaction():
            with suppress(KafkaError, TimeoutError, AssertionError, OSError):
                await asyncio.wait_for(producer.abort_transaction(), CLOSE_TIMEOUT_S / 2)
    finally:
        # Also when who gives it up is cancelled meanwhile: nobody else holds it any more.
        await _ended(producer)


async def _ended(producer: Any) -> None:
    try:
        await asyncio.wait_for(producer.stop(), CLOSE_TIMEOUT_S)
    except (KafkaError, TimeoutError, OSError, AssertionError) as error:
        logger.warning("a producer did not stop by itself: %r", error)
    finally:
        sender = producer._sender.sender_task
        for _ in range(100):
            if sender is None or sender.done():
                break
            sender.cancel()
            await asyncio.wait({sender}, timeout=0.1)
        with suppress(KafkaError, TimeoutError, OSError, AssertionError):
            await asyncio.wait_for(producer.client.close(), CLOSE_TIMEOUT_S)
