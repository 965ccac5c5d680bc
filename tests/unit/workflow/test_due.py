"""What is due: the fold of `deadlines` behind `due_before`, in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from schemas import topics
from schemas.deadlines import DeadlineData, Kind, OwedBy, cloud_type
from schemas.envelope import Envelope
from schemas.ids import deadline_id, message_id
from services.runtime.log import Outgoing, TopicPartition
from services.runtime.memory_log import MemoryLog
from services.runtime.migrate import upgrade
from services.workflow.due import DueFollower

NINE = datetime.fromisoformat("2026-11-16T09:00:00+03:00")
MESSAGE = message_id("kbr", "vk", "-1_1")


@pytest_asyncio.fixture(loop_scope="session")
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(database)
    await upgrade(engine, "workflow")
    yield engine
    await engine.dispose()


def said(kind: Kind, rule: str, minutes: int) -> Outgoing:
    """`minutes`: from nine until it is due."""
    data = DeadlineData(
        deadline_id=deadline_id(MESSAGE, rule, 1), rule=rule, occurrence=1, regulation="kbr-2022-137", paragraph="10",
        owed_by=OwedBy(role="coordinator"), starts_at=NINE, due_at=NINE + timedelta(minutes=minutes), clock="plain",
    )  # fmt: skip
    envelope = Envelope(
        id=f"{kind}/{rule}", source="/otklik/sla", type=cloud_type(kind), subject=MESSAGE, time=NINE, authority="kbr",
        data=data.model_dump(mode="json", exclude_none=True),
    )  # fmt: skip
    return Outgoing(topics.DEADLINES, MESSAGE.encode(), envelope.to_bytes(), {}, 0)


async def owed(engine: AsyncEngine, *records: Outgoing) -> dict[str, datetime]:
    """When each of the message's deadlines is due, after these records, folded in one piece and in many."""
    found: list[dict[str, datetime]] = []
    for pieces in ([records], [[one] for one in records]):
        log = MemoryLog({topics.DEADLINES: 1}, lambda: NINE, cluster=f"of {len(pieces)} pieces")
        follower, writer = DueFollower(log, engine, 1), await log.writer()
        for piece in pieces:
            await writer.append(list(piece))
            await follower.fold(await ends(log))
        async with engine.connect() as connection:
            rows = await connection.execute(text("SELECT deadline_id, due_at FROM workflow.due"))
            found.append({row.deadline_id: row.due_at for row in rows})
    assert found[0] == found[1]
    return found[0]


async def ends(log: MemoryLog) -> dict[int, int]:
    place = TopicPartition(topics.DEADLINES, 0)
    return {0: (await log.ends([place]))[place]}


def due(rule: str, minutes: int) -> dict[str, datetime]:
    return {deadline_id(MESSAGE, rule, 1): NINE + timedelta(minutes=minutes)}


async def test_what_was_set_is_owed_until_it_is_closed(engine: AsyncEngine) -> None:
    assert await owed(engine, said("set", "route", 30), said("moved", "route", 40)) == due("route", 40)
    assert await owed(engine, said("set", "route", 30), said("breached", "route", 30)) == due("route", 30)
    assert await owed(engine, said("set", "route", 30), said("met", "route", 30)) == {}


async def test_an_ignored_excuse_makes_nothing_owed(engine: AsyncEngine) -> None:
    assert await owed(engine, said("excuse-ignored", "publish", 5)) == {}
    closed = (said("set", "route", 30), said("met", "route", 30), said("excuse-ignored", "route", 30))
    assert await owed(engine, *closed) == {}


async def test_an_ignored_excuse_leaves_what_is_owed(engine: AsyncEngine) -> None:
    assert await owed(engine, said("set", "route", 30), said("excuse-ignored", "route", 5)) == due("route", 30)
