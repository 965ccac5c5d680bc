"""Open deadlines by the hundred thousand: the states that sla itself would have stored, made from a few that it did make.

What sla says of a registered message is worked out once for each instant of registration; the other messages of that
instant get the same state under their own ids. So a million deadlines stand ready in a minute, and are the real thing to
the last byte.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from schemas.ids import deadline_id, message_id
from services.runtime.decider import Agenda
from services.runtime.partitioner import partition_of
from services.sla.decider import Sla
from services.sla.state import MESSAGE, Subject
from tests.unit.sla import happenings
from tests.unit.sla.given import World

AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Template:
    """The state of a message registered at an instant, and the names of its deadlines (`rule/occurrence`) by id."""

    subject: str
    body: bytes
    names: dict[str, str]
    agenda: tuple[Agenda, ...]


def template(world: World, registered_at: datetime, subject: str) -> Template:
    """Let sla judge one registration."""
    world.event(happenings.registered(world, registered_at.isoformat()), registered_at, subject)
    state = world.states[MESSAGE + subject]
    assert isinstance(state, Subject) and state.said is not None
    names = {one.data.deadline_id: f"{one.data.rule}/{one.data.occurrence}" for one in state.said.deadlines.values()}
    agenda = tuple(world.decider.agenda(MESSAGE + subject, state))
    return Template(subject, world.decider.encode(MESSAGE + subject, state), names, agenda)


def templates(first: datetime, count: int, apart: timedelta) -> list[Template]:
    """Of registrations one after the other."""
    world = World()
    return [template(world, first + number * apart, message_id("kbr", "vk", f"t{number}")) for number in range(count)]


def ids(prefix: str, count: int, partitions: int, of: int | None = None) -> Iterator[tuple[str, int]]:
    """`count` message ids with their partitions; only those of partition `of`, if given."""
    number = found = 0
    while found < count:
        one = message_id("kbr", "vk", f"{prefix}{number}")
        partition = partition_of(one.encode(), partitions)
        number += 1
        if of is None or partition == of:
            found += 1
            yield one, partition


def rows(
    given: Iterable[tuple[str, int]], of: list[Template]
) -> Iterator[tuple[tuple[Any, ...], list[tuple[Any, ...]]]]:
    """For each message its row of `states` and its rows of `agenda`; the templates are taken in turn."""
    version = Sla(1).state_version
    for number, (subject, partition) in enumerate(given):
        one = of[number % len(of)]
        body = one.body.replace(one.subject.encode(), subject.encode())
        renamed = {old: deadline_id(subject, *_rule(name)) for old, name in one.names.items()}
        for old, new in renamed.items():
            body = body.replace(old.encode(), new.encode())
        key = MESSAGE + subject
        entries = [(partition, entry.name, entry.at, renamed[entry.item], key) for entry in one.agenda]
        yield (partition, key, version, body), entries


def _rule(name: str) -> tuple[str, int]:
    rule, _, occurrence = name.rpartition("/")
    return rule, int(occurrence)


async def store(dsn: str, given: Iterable[tuple[str, int]], of: list[Template]) -> int:
    """Copy the messages into sla's tables; returns how many deadlines that made."""
    connection = await asyncpg.connect(dsn.replace("+asyncpg", ""))
    states: list[tuple[Any, ...]] = []
    agenda: list[tuple[Any, ...]] = []
    made = number = 0

    async def copy() -> None:
        await connection.copy_records_to_table(
            "states", schema_name="sla", records=states, columns=["partition", "key", "version", "body"]
        )
        await connection.copy_records_to_table(
            "agenda", schema_name="sla", records=agenda, columns=["partition", "name", "at", "item", "key"]
        )
        states.clear()
        agenda.clear()

    try:
        for state, entries in rows(given, of):
            states.append(state)
            agenda += entries
            made += len(of[number % len(of)].names)
            number += 1
            if len(states) >= AT_ONCE:
                await copy()
        await copy()
    finally:
        await connection.close()
    return made


@asynccontextmanager
async def without_indexes(dsn: str) -> AsyncIterator[None]:
    """A million rows in no order are sorted into an index at its making many times faster than put in one by one. Nobody
    else may use the tables meanwhile. Afterwards all is done that autovacuum would do later, so that it disturbs no round."""
    connection = await asyncpg.connect(dsn.replace("+asyncpg", ""))
    found = await connection.fetch(
        "SELECT i.indexname AS name, i.tablename AS of, i.indexdef AS made, c.conname IS NOT NULL AS key "
        "FROM pg_indexes i LEFT JOIN pg_constraint c ON c.conname = i.indexname AND c.connamespace = 'sla'::regnamespace "
        "WHERE i.schemaname = 'sla' AND i.tablename IN ('states', 'agenda')"
    )
    try:
        for index in found:
            drop = f"ALTER TABLE sla.{index['of']} DROP CONSTRAINT " if index["key"] else "DROP INDEX sla."
            await connection.execute(f'{drop}"{index["name"]}"')
        yield
        await connection.execute("SET maintenance_work_mem = '512MB'")
        for index in found:
            await connection.execute(index["made"])
            if index["key"]:
                name = f'"{index["name"]}"'
                await connection.execute(
                    f"ALTER TABLE sla.{index['of']} ADD CONSTRAINT {name} PRIMARY KEY USING INDEX {name}"
                )
        await connection.execute("VACUUM (ANALYZE) sla.states, sla.agenda")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
