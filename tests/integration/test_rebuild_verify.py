"""The operator's eyes and hands on the tables: `otklik verify` finds every row that is not as the log says, and
`otklik rebuild` mends them while people read and write."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.cli.clock import move
from services.cli.export import copy
from services.cli.import_ import restore
from services.cli.rebuild import parts_of
from services.cli.rebuild import run as rebuild
from services.cli.telling import Refused
from services.cli.verify import Found
from services.cli.verify import run as verify
from services.runtime import beside, installation
from services.runtime.database import create_engine
from services.runtime.log import Fenced, Outgoing, TopicPartition
from services.runtime.migrate import upgrade
from services.runtime.settings import SERVICE_PORTS, Settings, load_settings
from services.sla.decider import Sla
from services.sla.store import make_store
from tests.checker import raw_log
from tests.checker.invariants import check_log
from tests.integration.test_reporting_log import SERVICES, House, house, seen, walked

__all__ = ["house"]

SILENT = Console(quiet=True)
EVENING = datetime.fromisoformat("2026-11-17T18:00:00+03:00")
TAMPERED = {
    ("intake", "authorities", "missing"): "DELETE FROM intake.authorities WHERE id = 'kbr'",
    ("workflow", "messages", "differs"): "UPDATE workflow.messages SET status = 'answered' WHERE status = 'registered'",
    ("workflow", "outcomes", "missing"): "DELETE FROM workflow.outcomes WHERE command_id = (SELECT min(command_id) FROM workflow.outcomes)",
    ("workflow", "states", "missing"): "DELETE FROM workflow.states WHERE key = (SELECT min(key) FROM workflow.states WHERE key LIKE 'message/%')",
    ("workflow", "due", "surplus"): "INSERT INTO workflow.due VALUES ('0', '0', 0, now())",
    ("sla", "agenda", "surplus"): "INSERT INTO sla.agenda VALUES (0, 'due', now(), 'x', 'message/x')",
    ("sla", "states", "differs"): "UPDATE sla.states SET body = body || ' '::bytea WHERE key = (SELECT min(key) FROM sla.states WHERE key LIKE 'message/%')",
    ("sla", "history", "missing"): "DELETE FROM sla.history WHERE \"offset\" = 0 AND topic = 'events'",
    ("reporting", "register", "differs"): "UPDATE reporting.register SET topics = '{}' WHERE sequence = 2",
    ("reporting", "deadlines", "missing"): "DELETE FROM reporting.deadlines WHERE rule = 'route'",
}  # fmt: skip


async def found(settings: Settings) -> tuple[int, list[Found]]:
    told: list[Found] = []
    rows, wrong = await verify(settings, tuple(SERVICE_PORTS), told.append, SILENT)
    assert wrong == len([one for one in told if one.wrong])
    return rows, told


async def test_every_row_that_is_not_as_the_log_says_is_found_and_mended_while_people_read_and_write(
    house: House,
) -> None:
    answered, forgotten = await walked(house)
    await move(house.settings, EVENING)
    before = await house.told()
    rows, told = await found(house.settings)
    assert (told, rows > 100) == ([], True)

    admin = await asyncpg.connect(house.settings.postgres.replace("+asyncpg", ""))
    for statement in TAMPERED.values():
        assert int((await admin.execute(statement)).split()[-1]) > 0, statement
    _, told = await found(house.settings)
    assert {(one.service, one.difference.table, one.difference.what) for one in told if one.difference} == set(TAMPERED)

    # A command whose outcome its sender is still owed: no fold of the log knows of it.
    await admin.execute("INSERT INTO workflow.pending VALUES ('0', 'somebody', NULL, 0, 0, now())")
    lived: list[str] = []
    living = asyncio.ensure_future(life(house, lived))
    for service in SERVICE_PORTS:
        await rebuild(house.settings, service, SILENT)
        went_on = len(lived)
        async with asyncio.timeout(60):
            while len(lived) == went_on and not living.done():
                await asyncio.sleep(0.05)
    living.cancel()
    await asyncio.gather(living, return_exceptions=True)
    assert living.cancelled(), living.exception()
    assert await admin.fetchval("SELECT count(*) FROM workflow.pending") == 1
    assert (
        await admin.fetchval(
            "SELECT count(*) FROM pg_namespace WHERE nspname LIKE '%\\_beside' OR nspname LIKE '%\\_old'"
        )
        == 0
    )
    await admin.close()

    # The services go on in the new tables, and they are as the log says.
    await house.do(forgotten, "dismiss", ground="no_response_needed")
    await move(house.settings, datetime.fromisoformat("2026-11-17T18:05:00+03:00"))
    rows, told = await found(house.settings)
    assert told == []
    assert [row for row in (await house.told())[0]["items"] if row["message_id"] == answered] == [
        row for row in before[0]["items"] if row["message_id"] == answered
    ]
    # A partition that is not folded at all is not taken for verified.
    wider = house.settings.model_copy(update={"partitions": house.settings.partitions + 1})
    told.clear()
    assert (await verify(wider, ("reporting",), told.append, SILENT))[1] == 1 and told[-1].not_folded
    assert check_log(await raw_log.read(house.settings.kafka, house.settings.prefix, CHECKED)) == []


CHECKED = ["inbox", "events", "outcomes", "deadlines"]


async def life(house: House, lived: list[str]) -> None:
    """Posts come in, are judged, and are read again, without a pause; every answer is whole, and what was written is read."""
    while True:
        message = await house.detect(f"-2_{len(lived)}")
        await seen(house, message, 1)
        await house.do(message, "dismiss", ground="no_response_needed")
        await seen(house, message, 2)
        listed = await house.ask("/v1/register")
        assert listed.status_code == 200, listed.text
        assert len(listed.json()["items"]) >= 2
        lived.append(message)


async def test_a_log_restored_elsewhere_is_folded_anew_and_goes_on_where_it_stood(
    house: House, tmp_path: Path, postgres: str
) -> None:
    """The copy is taken while people write. Over there nothing is judged twice, and what was not judged yet is."""
    answered, _ = await walked(house)
    await move(house.settings, EVENING)
    lived: list[str] = []
    living = asyncio.ensure_future(life(house, lived))
    folder = tmp_path / "copy"
    await copy(house.settings, folder, SILENT)
    living.cancel()
    await asyncio.gather(living, return_exceptions=True)
    for service in list(SERVICES)[::-1]:
        await house.stop(service)

    there = house.settings.model_copy(update={"prefix": f"{house.settings.prefix}-new"})
    await restore(there, folder, SILENT)
    restored = await raw_log.read(there.kafka, there.prefix, CHECKED)
    # The same tables: what stands in them is of another log, and is not believed.
    house.settings = there
    for service in SERVICES:
        await house.start(service)
    await move(there, datetime.fromisoformat("2026-11-17T18:05:00+03:00"))
    _, told = await found(there)
    assert told == []
    log = await raw_log.read(there.kafka, there.prefix, CHECKED)
    assert check_log(log) == []
    for topic in CHECKED:
        stood = {(one.partition, one.offset): one for one in restored.of(topic)}
        now = {(one.partition, one.offset): one for one in log.of(topic)}
        assert {place: now.get(place) for place in stood} == stood
    assert (await house.ask("/v1/register")).json()["items"]
    await seen(house, answered, 6)


async def test_a_replica_that_works_is_fenced_before_the_tables_change_and_none_may_begin_in_between(
    kafka: str, database: str, prefix: str
) -> None:
    """Else it would judge by tables that lack what it has itself said last."""
    settings = load_settings(kafka=kafka, postgres=database, prefix=prefix, partitions=1)
    await installation.ensure(settings)
    engine = create_engine(settings.postgres, "test", 4)
    await upgrade(engine, "sla")
    held_up: list[bool] = []
    async with installation.open_log(settings) as log:
        working = await log.session("sla", TopicPartition("events", 0))
        live = make_store(engine)
        await live.claim(0, "working")

        async def also(connection: AsyncConnection, schema: str) -> None:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(live.claim(0, "eager"), 0.3)
            # Whoever only looks is not.
            held_up.append(await live.place(0) is None)

        schema = await beside.make_beside(engine, "sla")
        parts = parts_of(settings, Sla(1), log, make_store(engine, schema))
        await beside.rebuild_decider("sla", parts, engine, 1, lambda done, of: None, also)
        assert held_up == [False]
        with pytest.raises(Fenced):
            await working.commit([Outgoing("deadlines", b"k", b"late", {}, 0)], None)
        await working.close()

        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO sla.quarantine VALUES (0, 'message/x', '', -1, '', '', '')"))
        with pytest.raises(Refused, match="карантине"):
            await rebuild(settings, "sla", SILENT)
    await engine.dispose()
