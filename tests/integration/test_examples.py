"""The partners' programs in `examples/`, run as they would run them, against an installation that has bad moments."""

from __future__ import annotations

import ast
import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.installation import Client, Installation

EXAMPLES = Path(__file__).parents[2] / "examples"
TRIAGE: dict[str, Any] = {"topics": ["roads"], "location": "Нальчик", "importance": "ordinary", "reduced": False}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    async with Installation(tmp_path_factory.mktemp("partners")) as made:
        yield made


@asynccontextmanager
async def program(name: str, *arguments: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """One of the examples as a process of its own, in a folder that is not the project's; killed at the end."""
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / name),
        *arguments,
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_knows_the_contract_alone(path: Path) -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            imported.add((node.module or "").partition(".")[0])
    assert imported - sys.stdlib_module_names <= {"httpx", "aiokafka"}


# The monitor


class BadLine:
    """A way to intake that first answers 503, then breaks off in the middle of an answer, then of a request, then works."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.met: list[str] = []
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None] | None] = set()

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await asyncio.gather(*(line for line in self._lines if line is not None), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fate = ("503", "broken answer", "broken request", "fine")[min(len(self.met), 3)]
        self.met.append(fate)
        self._lines.add(asyncio.current_task())
        try:
            if fate == "503":
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n")
                writer.write(b"Connection: close\r\n\r\n")
                await writer.drain()
                # Until the client has sent all, lest a reset of the connection overtakes the answer.
                async with asyncio.timeout(1):
                    while await reader.read(65536):
                        pass
            else:
                await self._forward(reader, writer, fate)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fate: str) -> None:
        from_intake, to_intake = await asyncio.open_connection("127.0.0.1", self._port)

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter, limit: float) -> None:
            passed = 0
            while passed < limit and (part := await source.read(2048)):
                target.write(part)
                await target.drain()
                passed += len(part)

        there = asyncio.create_task(pump(reader, to_intake, 20_000 if fate == "broken request" else float("inf")))
        back = asyncio.create_task(pump(from_intake, writer, 6_000 if fate == "broken answer" else float("inf")))
        try:
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            if fate == "fine":
                await asyncio.wait({back})
        finally:
            for task in (there, back):
                task.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
            to_intake.close()


def detection(number: int, **more: Any) -> dict[str, Any]:
    return {
        "authority": "kemerovo",
        "source": {"network": "ok", "external_id": f"monitor-{number}", "url": f"https://ok.example/{number}"},
        "author": {"name": "Житель"},
        "text": f"Яма номер {number} на дороге",
    } | more


async def test_the_monitor_meets_503_and_broken_connections_and_loses_nothing(
    running: Installation, tmp_path: Path
) -> None:
    client = Client(running, "kemerovo")
    lines = [json.dumps(detection(number), ensure_ascii=False) for number in range(600)]
    lines.insert(300, json.dumps(detection(1000, text=7)))
    token = running.token("monitor", "kemerovo")
    line = BadLine(running.base + 1)
    async with (
        line as url,
        program("monitor.py", "--url", url, "--token", token, folder=tmp_path) as monitor,
        asyncio.timeout(120),
    ):
        out, err = await monitor.communicate("\n".join(lines).encode())
    told = err.decode()
    assert line.met[:4] == ["503", "broken answer", "broken request", "fine"], told
    assert json.loads(out) == {"pushed": 601, "refused": 1}, told
    assert monitor.returncode == 1 and "monitor-1000" in told, told
    wanted = {client.message_id(f"monitor-{number}", "ok") for number in range(600)}
    async with asyncio.timeout(60):
        while True:
            found = await listed(client)
            if wanted <= found.keys():
                break
            await asyncio.sleep(0.3)
    assert len(found) == 600
    # Pushed again after each break, and registered once.
    assert {one["sequence"] for one in found.values()} == {1}


async def listed(client: Client) -> dict[str, dict[str, Any]]:
    """Every message, page by page; none of them twice."""
    found: dict[str, dict[str, Any]] = {}
    after = ""
    while True:
        page = await client.get("workflow", f"/v1/messages?authority={client.authority}&limit=500{after}")
        for item in page["items"]:
            assert item["message_id"] not in found
            found[item["message_id"]] = item
        if not page.get("next"):
            return found
        after = f"&after={page['next']}"


# The agency's system


async def _route_all(client: Client, agency: str, messages: list[str], number: int) -> None:
    """Messages one after the other, each assigned to the agency, whose system drafts its answers meanwhile."""
    for place in range(number):
        message = await client.detect(f"-1_agency_{place}")
        await client.message(message)
        await client.command(message, "triage", **TRIAGE)
        await client.command(message, "route", assignments=[{"agency": agency, "role": "lead"}])
        messages.append(message)


async def _approve_all(client: Client, messages: list[str]) -> None:
    for message in messages:
        (draft,) = (await client.message(message))["drafts"]
        await client.command(message, "approve_draft", draft_id=draft["draft_id"])


async def until(client: Client, messages: list[str], status: str) -> None:
    """Waits; a session of Kafka's outlives its killed member by ten seconds."""
    async with asyncio.timeout(90):
        while True:
            found = await listed(client)
            if {found[message]["status"] for message in messages} == {status}:
                return
            await asyncio.sleep(0.3)


async def test_an_agency_system_that_is_killed_answers_every_assignment_once(
    running: Installation, tmp_path: Path
) -> None:
    client = Client(running, "kbr")
    agency = (await client.agencies())[0]
    arguments = ("--kafka", running.bootstrap, "--authority", "kbr", "--agency", agency)
    messages: list[str] = []
    async with program("agency.py", *arguments, folder=tmp_path) as system:
        working = asyncio.create_task(_route_all(client, agency, messages, 12))
        assert system.stdout is not None
        # It has had its first outcome, and more assignments are on their way.
        assert "принято" in (await asyncio.wait_for(system.stdout.readline(), 60)).decode()
        system.send_signal(signal.SIGKILL)
        await working
    async with program("agency.py", *arguments, folder=tmp_path) as system:
        await until(client, messages, "in_review")
        approving = asyncio.create_task(_approve_all(client, messages))
        assert system.stdout is not None
        async with asyncio.timeout(60):
            while b"report_publication" not in await system.stdout.readline():
                pass
        system.send_signal(signal.SIGKILL)
        await approving
    async with program("agency.py", *arguments, folder=tmp_path):
        await until(client, messages, "answered")
    for message in messages:
        history = (await client.get("workflow", f"/v1/messages/{message}/history"))["items"]
        kinds = [event["type"].split(".")[2] for event in history]
        assert (kinds.count("draft-submitted"), kinds.count("published")) == (1, 1), kinds
        assert [event["sequence"] for event in history] == list(range(1, len(history) + 1))
