"""An exactly-once forwarder without state, for the topics that partners write: what comes is shaped, and passed on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from services.runtime import telemetry
from services.runtime.clock import Clock
from services.runtime.dead_letters import FAILED, Problem, dead_letter, described, told_of
from services.runtime.decider import Unreadable
from services.runtime.feed import Feed
from services.runtime.group_runner import GroupRunner, Units
from services.runtime.headers import Cause
from services.runtime.health import Health, PartitionHealth
from services.runtime.log import Log, LogError, Member, Outgoing, Record, Session, TopicPartition
from services.runtime.transaction import Limits

logger = logging.getLogger(__name__)

Transform = Callable[[Record], Sequence[Outgoing]]
"""Pure. Raises `Unreadable`, with a slug and a detail, for what is not to be passed on."""


class Relay(GroupRunner):
    """Consume, transform, and write with the consumed offset in one transaction. `topics`, or all that match `pattern`
    (a regular expression of names without the prefix, such as `commands\\..+`).

    `name` is of its group and transactional ids, and no other's. A transactional producer is only made once a partition
    has something: agencies are many, and most of them are silent."""

    def __init__(
        self,
        name: str,
        log: Log,
        transform: Transform,
        *,
        topics: Collection[str] = (),
        pattern: str | None = None,
        clock: Clock | None = None,
        health: Health | None = None,
        limits: Limits | None = None,
        unrecoverable: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(name, log, topics, pattern, health, unrecoverable)
        self._transform = transform
        self._clock = clock
        self._limits = limits or Limits()

    def units(self, partitions: frozenset[TopicPartition]) -> Units:
        return {f"{at.topic}/{at.partition}": frozenset({at}) for at in partitions}

    async def check(self) -> None:
        """Partners' topics may have any number of partitions."""

    async def work(self, unit: str, leaving: asyncio.Event, health: PartitionHealth) -> None:
        topic, _, number = unit.rpartition("/")
        source = TopicPartition(topic, int(number))
        member = self.member
        if member is None:
            raise LogError("копия не состоит в группе")
        identity = (await self.log.identity([topic]))[topic]
        session: Session | None = None
        following = await self._resume(await self.log.committed(self.service, source), source)
        feed = member.feed({source: following})
        health.state, health.detail = "running", ""
        try:
            while True:
                health.next_offset = following
                health.end_offset = max(health.end_offset, following)
                records = await self.take(unit, feed, leaving, self._limits)
                if records is None:
                    return
                if session is None:
                    session = await self.log.session(self.service, source, per_topic=True)
                    # Only now, with every earlier one fenced, is the committed offset final.
                    settled = await self._resume(await session.committed(), source)
                    if settled != following:
                        following, feed = settled, self._placed(member, feed, source, settled)
                        continue
                letters: list[str] = []
                with self.batch(unit, records):
                    outgoing = [out for record in records for out in self._transformed(record, identity, letters)]
                    following = records[-1].offset + 1
                    await session.commit(outgoing, following)
                telemetry.transactions_total.labels(self.service).inc()
                for reason in letters:
                    telemetry.dead_letters_total.labels(self.service, reason).inc()
                health.at = records[-1].stamp
        finally:
            feed.close()
            if session is not None:
                await session.close()

    def _placed(self, member: Member, feed: Feed, source: TopicPartition, offset: int) -> Feed:
        feed.close()
        return member.feed({source: offset})

    async def _resume(self, committed: int | None, source: TopicPartition) -> int:
        beginning = (await self.log.beginnings([source]))[source]
        if committed is None:
            logger.info("%s: %s has no committed offset: from its beginning", self.service, source)
            return beginning
        if committed < beginning:
            logger.error("%s: %s lost what lies from %d to %d", self.service, source, committed, beginning)
        return max(committed, beginning)

    def _transformed(self, record: Record, identity: str, letters: list[str]) -> list[Outgoing]:
        problem: Problem | None = None
        outgoing: list[Outgoing] = []
        try:
            outgoing = list(self._transform(record))
        except Unreadable as error:
            problem = Problem(error.reason, error.detail)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - architecture.md, "Dead letters": its neighbours live
            problem = Problem(FAILED, described(error))
        if problem is not None:
            outgoing = [dead_letter(record, problem, {}, partners=True)]
            letters.append(problem.reason)
            told_of(logger, record, None, problem.reason)
        stamp = self._clock.now() if self._clock is not None and self._clock.simulated else None
        marked: list[Outgoing] = []
        for index, out in enumerate(outgoing):
            cause = Cause(record.topic, record.partition, record.offset, identity, index, record.stamp)
            marked.append(replace(out, headers={**out.headers, **cause.to_headers()}, stamp=out.stamp or stamp))
        return marked
