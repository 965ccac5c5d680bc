"""`python -m tests.chaos.run --seconds 300 --seed 1`: load, faults, then calm, catch-up and the checker. Exit 1 on a violation."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.load import Load, Told
from tests.chaos.nemesis import Nemesis
from tests.checker.invariants import answers_agree, check_log, registers_agree
from tests.checker.raw_log import RawLog, read
from tests.e2e.installation import OTKLIK, Client, Installation

AUTHORITIES = ["kbr", "kemerovo", "nenets", "kursky", "buryatia"]
TOPICS = ["inbox", "events", "outcomes", "deadlines", "dead-letters"]


@dataclass
class Report:
    seed: int
    seconds: float
    faults: Counter[str]
    told: Told
    records: dict[str, int]
    catch_up_s: float
    violations: list[str] = field(default_factory=list)

    def line(self) -> str:
        return json.dumps(
            {
                "seed": self.seed, "seconds": round(self.seconds), "faults": dict(sorted(self.faults.items())),
                "acknowledged": len(self.told.acknowledged), "commands": self.told.commands, "refused": self.told.refused,
                "retries": self.told.retries, "records": self.records, "catch_up_s": round(self.catch_up_s, 1),
                "violations": len(self.violations),
            },
            ensure_ascii=False,
        )  # fmt: skip


async def caught_up(installation: Installation, told: Told, patience_s: float) -> RawLog:
    """Liveness: once the faults end, every acknowledged post is registered and every command record has its outcome."""
    deadline = time.monotonic() + patience_s
    while True:
        with contextlib.suppress(AssertionError):
            await installation.ready(patience_s=max(1, deadline - time.monotonic()))
            log = await read(installation.bootstrap, "otklik", TOPICS)
            registered = {
                event["subject"] for _, event in log.json("events") if event["type"].endswith("registered.v1")
            }
            commands = sum(event["type"].startswith("otklik.command.") for _, event in log.json("inbox"))
            if told.acknowledged <= registered and commands <= len(log.of("outcomes")):
                return log
            print(
                f"  ещё не всё: {len(told.acknowledged - registered)} постов, {commands - len(log.of('outcomes'))} исходов",
                flush=True,
            )
        if time.monotonic() > deadline:
            return await read(installation.bootstrap, "otklik", TOPICS)
        await asyncio.sleep(1)


async def rows_of(installation: Installation, authority: str) -> list[dict[str, Any]]:
    client = Client(installation, authority)
    rows: list[dict[str, Any]] = []
    after = ""
    while True:
        page = await client.get("reporting", f"/v1/register?authority={authority}&limit=500{after}")
        rows += page["items"]
        if not page.get("next"):
            return rows
        after = f"&after={page['next']}"


async def states_agree(installation: Installation, log: RawLog, sample: int = 200) -> list[str]:
    """3. What workflow tells of a message is what the log says of it: its sequence, and its whole history."""
    wanted: dict[str, list[dict[str, Any]]] = {}
    for _, event in log.json("events"):
        if event["type"].startswith("otklik.message."):
            wanted.setdefault(event["subject"], []).append(event)
    found: list[str] = []
    clients = {authority: Client(installation, authority) for authority in AUTHORITIES}
    for message, events in list(wanted.items())[:sample]:
        client = clients[events[0]["authority"]]
        view = await client.message(message)
        if view["sequence"] != events[-1]["sequence"]:
            found.append(f"{message}: workflow says {view['sequence']}, the log {events[-1]['sequence']}")
        history = (await client.get("workflow", f"/v1/messages/{message}/history"))["items"]
        if [event["id"] for event in history] != [event["id"] for event in events]:
            found.append(f"{message}: history of {len(history)} events, on the log {len(events)}")
    return found


async def reports_agree(installation: Installation, log: RawLog, patience_s: float = 30) -> list[str]:
    """5. The register of all authorities, given reporting's time to fold what is there."""
    deadline = time.monotonic() + patience_s
    while True:
        rows = [row for authority in AUTHORITIES for row in await rows_of(installation, authority)]
        found = registers_agree(log, rows)
        if not found or time.monotonic() > deadline:
            return found
        await asyncio.sleep(1)


async def run(folder: Path, seed: int, seconds: float, *, citizens: int = 8, replicas: bool = True) -> Report:
    """One run. The seed decides the load and the faults; the machine decides how they meet."""
    installation = Installation(folder)
    extra: list[subprocess.Popen[bytes]] = []
    try:
        await installation.start()
        if replicas:
            for number, service in enumerate(("workflow", "sla")):
                port = str(installation.base + 11 + number)
                extra.append(_replica(installation, service, port))
        load = Load(installation, AUTHORITIES, seed)
        await load.prepare()
        nemesis = Nemesis(installation, seed)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(citizens))
            await nemesis.run(seconds)
            load.finish()
        calm = time.monotonic()
        log = await caught_up(installation, load.told, patience_s=120)
        catch_up_s = time.monotonic() - calm
        violations = check_log(log, load.told.acknowledged) + answers_agree(log, load.told.answers)
        with contextlib.suppress(httpx.HTTPError):
            violations += await states_agree(installation, log) + await reports_agree(installation, log)
        records = {topic: len(log.of(topic)) for topic in TOPICS}
        return Report(seed, seconds, nemesis.done, load.told, records, catch_up_s, violations)
    finally:
        for process in extra:
            process.terminate()
        for process in extra:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
        await installation.stop()


def _replica(installation: Installation, service: str, port: str) -> subprocess.Popen[bytes]:
    """A second replica beside the supervised one; a loop of the shell's kind brings it back after a kill."""
    environment = installation.env | {"OTKLIK_ENVIRONMENT": "embedded", "OTKLIK_PARTITIONS": "4"}
    log = (installation.folder / f"replica-{service}.log").open("ab")
    keep = (
        "import subprocess, sys, signal\n"
        "child = None\n"
        "def end(*_):\n"
        "    child and child.kill(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "while True:\n"
        f"    child = subprocess.Popen([{OTKLIK!r}, 'serve', '{service}', '--port', '{port}'])\n"
        "    child.wait()\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", keep], env=environment, stdout=log, stderr=log, cwd=installation.folder
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("OTKLIK_CHAOS_SEED", "1")))
    parser.add_argument("--citizens", type=int, default=8)
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    bad = 0
    for seed in range(arguments.seed, arguments.seed + arguments.runs):
        folder = Path(tempfile.mkdtemp(prefix=f"otklik-chaos-{seed}-"))
        report = asyncio.run(run(folder, seed, arguments.seconds, citizens=arguments.citizens))
        print(report.line(), flush=True)
        for violation in report.violations[:50]:
            print("  " + violation)
        if report.violations:
            print(f"  журналы и данные: {folder}")
            bad = 1
    return bad


if __name__ == "__main__":
    sys.exit(main())
