"""After the faults: the system must catch up, and then everything is compared with the log."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tests.chaos import tables
from tests.chaos.load import Told
from tests.checker.answers import answers_agree
from tests.checker.invariants import check_log, registers_agree
from tests.checker.messages import deadlines_agree, histories, histories_agree, reads_agree, tables_agree
from tests.checker.raw_log import RawLog, read
from tests.checker.working_time import deadlines_recomputed
from tests.e2e.installation import Client, Installation, Problem

TOPICS = ["inbox", "events", "outcomes", "deadlines", "dead-letters"]
SAMPLE = 150
"""Of so many messages everything is asked over HTTP; of all others, histories are compared in the tables."""


async def caught_up(installation: Installation, told: Told, patience_s: float) -> RawLog:
    """Liveness: once the faults end, every acknowledged post is registered and every command record has its outcome."""
    deadline = time.monotonic() + patience_s
    while True:
        with contextlib.suppress(AssertionError):
            await installation.ready(patience_s=max(1, deadline - time.monotonic()))
            log = await read(installation.bootstrap, "otklik", TOPICS)
            left = _left(log, told)
            if not left:
                return log
            print(f"  ещё не всё: {left}", flush=True)
        if time.monotonic() > deadline:
            return await read(installation.bootstrap, "otklik", TOPICS)
        await asyncio.sleep(1)


def _left(log: RawLog, told: Told) -> str:
    registered = {event["subject"] for _, event in log.json("events") if event["type"].endswith("registered.v1")}
    answered = {raw.headers.get("otklik-source", b"").decode() for raw in log.of("outcomes")}
    commands = {raw.place for raw, event in log.json("inbox") if event["type"].startswith("otklik.command.")} - answered
    posts = told.acknowledged - registered
    return f"{len(posts)} постов, {len(commands)} исходов" if posts or commands else ""


async def verdict(installation: Installation, told: Told, authorities: list[str], patience_s: float = 60) -> list[str]:
    """Everything that is wrong and stays so, in words. Ticks go on, and the log, the tables and the doors are read one after
    the other: what differs since one is a moment older than the next agrees at the next look."""
    deadline = time.monotonic() + patience_s
    while True:
        log = await read(installation.bootstrap, "otklik", TOPICS)
        found = await _compared(installation, log, told, authorities)
        if not found or time.monotonic() > deadline:
            return found
        await asyncio.sleep(1)


async def _compared(installation: Installation, log: RawLog, told: Told, authorities: list[str]) -> list[str]:
    clients = {authority: Client(installation, authority) for authority in authorities}
    found = [
        *told.wrong,
        *check_log(log, told.acknowledged),
        *deadlines_recomputed(log),
        *answers_agree(log, told.answers),
        *reads_agree(log, told.reads),
    ]
    sample = list(histories(log).items())[:: max(1, len(histories(log)) // SAMPLE)]
    told_of = {message: clients[events[0]["authority"]] for message, events in sample}

    async def workflow_agrees() -> list[str]:
        views = [await client.message(message) for message, client in told_of.items()]
        stories = {
            message: (await client.get("workflow", f"/v1/messages/{message}/history"))["items"]
            for message, client in told_of.items()
        }
        last = {message: events[-1]["sequence"] for message, events in sample}
        late = [
            f"{one['message_id']}: workflow says {one['sequence']}, the log {last[one['message_id']]}"
            for one in views
            if one["sequence"] != last[one["message_id"]]
        ]
        return late + reads_agree(log, views) + histories_agree(log, stories)

    async def sla_agrees() -> list[str]:
        said = {
            message: (await client.get("sla", f"/v1/messages/{message}/deadlines"))["items"]
            for message, client in told_of.items()
        }
        return deadlines_agree(log, said)

    async def registers() -> list[str]:
        return registers_agree(log, [row for client in clients.values() for row in await _rows(client)])

    async def kept(service: str, topics: set[str]) -> list[str]:
        positions = [one for one in await tables.positions(installation, service) if one[0] in topics]
        return tables_agree(log, await tables.history(installation, service), positions)

    checks: list[Callable[[], Awaitable[list[str]]]] = [
        workflow_agrees,
        sla_agrees,
        registers,
        lambda: kept("workflow", {"inbox", "events", "outcomes"}),
        lambda: kept("sla", {"events", "deadlines"}),
    ]
    for check in checks:
        try:
            found += await check()
        except Problem as problem:
            found.append(f"a reader was refused: {problem}")
    return found


async def _rows(client: Client) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after = ""
    while True:
        page = await client.get("reporting", f"/v1/register?authority={client.authority}&limit=500{after}")
        rows += page["items"]
        if not page.get("next"):
            return rows
        after = f"&after={page['next']}"
