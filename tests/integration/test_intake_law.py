"""What intake knows of the law, on the real tables."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from sqlalchemy import text

from schemas.envelope import Envelope
from schemas.events import Amended
from services.intake.law import AuthoritiesInForce
from services.intake.store import SCHEMA, AuthorityStore
from services.runtime.database import create_engine
from services.runtime.log import Outgoing
from services.runtime.memory_log import MemoryLog
from services.runtime.migrate import upgrade
from services.runtime.tasks import end_task
from tests.contract.rig import until
from tests.unit.sla.law import amendments

NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)


async def test_a_position_never_outlives_the_authorities_that_it_stands_for(database: str) -> None:
    engine = create_engine(database, SCHEMA, 2)
    await upgrade(engine, SCHEMA)
    log = MemoryLog({"events": 1}, lambda: NOW)
    await _amend(log, "kbr")
    law = AuthoritiesInForce(log, AuthorityStore(engine))
    running = asyncio.create_task(law.run())
    await law.caught_up()
    async with engine.begin() as connection:
        await connection.execute(text("TRUNCATE intake.authorities, intake.position"))
    await _amend(log, "buryatia")

    async def known() -> bool:
        return set(law.ages()) == {"kbr", "buryatia"}

    await until(known, "buryatia is in force")
    await end_task(running)
    later = AuthoritiesInForce(log, AuthorityStore(engine))
    running = asyncio.create_task(later.run())
    await later.caught_up()
    await end_task(running)
    await engine.dispose()
    assert set(later.ages()) == {"kbr", "buryatia"}


async def _amend(log: MemoryLog, authority: str) -> None:
    writer = await log.writer()
    for amended in amendments(authority, (2026,)):
        envelope = Envelope(
            id=amended.amendment_id,
            source="/test",
            type=Amended.type,
            time=NOW,
            authority=authority,
            data=amended.model_dump(mode="json", exclude_none=True),
        )
        await writer.append([Outgoing("events", b"law", envelope.to_bytes(), {}, 0)])
