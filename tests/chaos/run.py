"""`python -m tests.chaos.run --seconds 300 --seed 1`: load, faults, then calm, catch-up and the checker. Exit 1 on a violation.

`--runs N` plays N seeds one after another, and `--results FILE` gets a row of each as soon as it is judged. `--messages 2000`
ends when so many messages are done, with SIGKILL of every part in the middle. `--brokers 3`: loss and pause of leaders.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.clocks import Clocks
from tests.chaos.cluster import Cluster
from tests.chaos.judge import TOPICS, caught_up, verdict
from tests.chaos.load import Load
from tests.chaos.nemesis import Nemesis
from tests.chaos.report import Report
from tests.chaos.vandal import vandalise
from tests.chaos.watch import Watch
from tests.e2e.installation import OTKLIK, Installation, die_with_parent, free_port_base

AUTHORITIES = ["kbr", "kemerovo", "nenets", "kursky", "buryatia"]
REPLICAS = {"workflow": 11, "sla": 12}
"""A second replica of each, at this offset of the ports."""
DAY_S = 86_400
WORTH_A_LOOK_S = 60.0
"""Where nobody worked a partition for so long, what is left of the run is kept, as after a violation."""


@dataclass(frozen=True)
class Asked:
    """What a run is to be. `messages`: so many in all instead of `seconds`. `tables`: they are dropped, and restored."""

    seed: int
    seconds: float = 300
    citizens: int = 8
    messages: int | None = None
    brokers: int = 1
    tables: bool = False
    base: int | None = None
    breath: tuple[float, float] = (2, 8)


async def run(folder: Path, asked: Asked) -> Report:
    """One run. The seed decides the load and the faults; the machine decides how they meet."""
    async with _alive(folder, asked) as (installation, clocks, cluster):
        working = _working(installation)
        bases = {"intake": [installation.url("intake")], "workflow": working["workflow"]}
        load = Load(installation, AUTHORITIES, asked.seed, bases)
        await load.prepare()
        nemesis = Nemesis(installation, asked.seed, clocks, tables=asked.tables, cluster=cluster)
        watch = Watch(installation, working)
        began = time.monotonic()
        async with _beside(watch.run()):
            async with asyncio.TaskGroup() as group:
                loading = group.create_task(load.run(asked.citizens, asked.messages))
                group.create_task(vandalise(load))
                if asked.messages is None:
                    await nemesis.run(asked.seconds, asked.breath)
                    load.stop.set()
                else:
                    wanted = asked.messages
                    await nemesis.each_once(lambda: load.done / wanted)
                    await loading
            calm = time.monotonic()
            log = await caught_up(installation, load.told, patience_s=180)
            catch_up_s = time.monotonic() - calm
        violations = await verdict(installation, load.told, AUTHORITIES)
        records = {topic: len(log.of(topic)) for topic in TOPICS}
        breaches = sum(event["type"].endswith("breached.v1") for _, event in log.json("deadlines"))
        return Report(
            asked.seed,
            calm - began,
            nemesis.done,
            watch.seen,
            load.told,
            records,
            breaches,
            catch_up_s,
            violations,
            clocks.available,
        )


def _working(installation: Installation) -> dict[str, list[str]]:
    """The addresses of all that work partitions, by service."""
    second = {service: [f"http://127.0.0.1:{installation.base + offset}"] for service, offset in REPLICAS.items()}
    return {service: [installation.url(service), *second.get(service, [])] for service in (*REPLICAS, "reporting")}


@asynccontextmanager
async def _beside(what: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """It runs as long as the block does."""
    task = asyncio.create_task(what)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def _alive(folder: Path, asked: Asked) -> AsyncIterator[tuple[Installation, Clocks, Cluster | None]]:
    """An installation with its second replicas, on one broker of its own or on three."""
    base = asked.base or free_port_base()
    clocks = Clocks(folder)
    # Tokens outlast every wrong clock: what is tried here are times on the log, not who may come in.
    now = int(time.time())
    claims = {"iat": now - DAY_S, "nbf": now - DAY_S, "exp": now + DAY_S}
    more = dict(clocks.environment)
    async with contextlib.AsyncExitStack() as stack:
        cluster: Cluster | None = None
        if asked.brokers > 1:
            cluster = Cluster(folder, base)
            stack.push_async_callback(cluster.stop)
            with _environment(clocks.environment):
                await cluster.start()
            more |= {"OTKLIK_KAFKA": cluster.bootstrap, "OTKLIK_REPLICATION": str(asked.brokers)}
        installation = Installation(folder, base=base, claims=claims)
        installation.env |= more
        stack.push_async_callback(installation.stop)
        await installation.start()
        for service, offset in REPLICAS.items():
            stack.callback(_stop, _replica(installation, service, str(base + offset)))
        yield installation, clocks, cluster


@contextlib.contextmanager
def _environment(more: dict[str, str]) -> Iterator[None]:
    kept = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _replica(installation: Installation, service: str, port: str) -> subprocess.Popen[bytes]:
    """A second replica beside the supervised one; a loop of the shell's kind brings it back after a kill."""
    environment = installation.env | {"OTKLIK_ENVIRONMENT": "embedded", "OTKLIK_PARTITIONS": "4"}
    keep = (
        "import subprocess, sys, signal\n"
        "child = None\n"
        "def end(*_):\n"
        "    child and child.kill(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "signal.signal(signal.SIGINT, end)\n"
        "while True:\n"
        f"    child = subprocess.Popen([{OTKLIK!r}, 'serve', '{service}', '--port', '{port}'])\n"
        "    child.wait()\n"
    )
    with (installation.folder / f"replica-{service}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", keep],
            env=environment,
            stdout=log,
            stderr=log,
            cwd=installation.folder,
            preexec_fn=die_with_parent,
        )


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    process.kill()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300, help="how long faults and load last")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--runs", type=int, default=1, help="how many seeds, one after another")
    parser.add_argument("--citizens", type=int, default=8, help="how many clients at once")
    parser.add_argument("--messages", type=int, help="end when so many are done, each part killed in the middle")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1)
    parser.add_argument(
        "--tables",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="tables are dropped and PostgreSQL restored under services",
    )
    parser.add_argument("--port-base", type=int, help="ports of this driver; free ones by default")
    parser.add_argument("--results", type=Path, help="a Markdown file that gets a row of every run")
    asked = parser.parse_args()
    # That a broker is away is what is tried here, and no news.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    bad = 0
    for seed in range(asked.seed, asked.seed + asked.runs):
        folder = Path(tempfile.mkdtemp(prefix=f"otklik-chaos-{seed}-"))
        wanted = Asked(
            seed, asked.seconds, asked.citizens, asked.messages, asked.brokers, asked.tables, asked.port_base
        )
        report = asyncio.run(run(folder, wanted))
        print(report.line(), flush=True)
        for violation in report.violations[:50]:
            print("  " + violation[:400])
        if asked.results:
            report.append_to(asked.results)
        bad |= bool(report.violations)
        if report.violations or report.seen.longest_s > WORTH_A_LOOK_S:
            print(f"  журналы и данные: {folder}", flush=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return bad


if __name__ == "__main__":
    sys.exit(main())
