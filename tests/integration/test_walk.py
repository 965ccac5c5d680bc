"""A client of the contract walks a message over HTTP, on real Kafka and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.cli import token
from services.cli.bootstrap import bootstrap
from services.intake.__main__ import run as run_intake
from services.runtime.settings import Settings, load_settings
from services.workflow.__main__ import run as run_workflow
from tests.conftest import free_port_base


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    """Intake and workflow in this process, ready. One after the other: alembic's context is one for a process."""
    tasks: list[asyncio.Task[None]] = []
    try:
        async with httpx.AsyncClient() as http, asyncio.timeout(60):
            for service, run in (("intake", run_intake), ("workflow", run_workflow)):
                tasks.append(asyncio.create_task(run(settings, settings.http_port(service))))
                while not await _ready(http, settings.url(service)):
                    for task in tasks:
                        if task.done():
                            task.result()
                    await asyncio.sleep(0.1)
        yield
    finally:
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ready(http: httpx.AsyncClient, url: str) -> bool:
    try:
        ready = (await http.get(f"{url}/readyz")).json()
    except httpx.HTTPError:
        return False
    # Here intake comes up before workflow has folded the law, so it may be without any for a while.
    return bool(ready["status"] == "ready")


class Partner:
    """What a partner would write from the contract."""

    def __init__(self, settings: Settings, http: httpx.AsyncClient) -> None:
        self.settings = settings
        self.http = http

    def auth(self, role: str, agency: str | None = None, authority: str = "kbr", sub: str = "") -> dict[str, str]:
        made = token.make(self.settings, [role], [authority], agency, sub=sub)
        return {"Authorization": f"Bearer {made}"}

    async def detect(self, external_id: str, **more: Any) -> str:
        body = {
            "authority": "kbr",
            "source": {"network": "vk", "external_id": external_id, "url": "https://vk.example/1"},
            "author": {"name": "Житель"},
            "text": "Яма на дороге",
        } | more
        response = await self.http.post(
            f"{self.settings.url('intake')}/v1/detections", json=body, headers=self.auth("monitor")
        )
        assert response.status_code == 202, response.text
        return str(response.json()["message_id"])

    async def get(self, path: str, role: str = "coordinator", agency: str | None = None) -> httpx.Response:
        return await self.http.get(f"{self.settings.url('workflow')}{path}", headers=self.auth(role, agency))

    async def command(
        self, subject: str, command: str, by: str | None = None, key: str | None = None, **data: Any
    ) -> httpx.Response:
        headers = self.auth("executor" if by else "coordinator", by)
        return await self.http.post(
            f"{self.settings.url('workflow')}/v1/messages/{subject}/commands",
            json={"type": command, "data": data},
            headers=headers | ({"Idempotency-Key": key} if key else {}),
        )

    async def done(self, subject: str, command: str, by: str | None = None, **data: Any) -> dict[str, Any]:
        response = await self.command(subject, command, by, **data)
        assert response.status_code == 200, response.text
        return dict(response.json())


def new(outcome: dict[str, Any], field: str) -> str:
    return next(str(event["data"][field]) for event in outcome["events"] if field in event["data"])


TRIAGE = {"topics": ["roads"], "location": "Нальчик", "importance": "ordinary", "reduced": False}


@pytest_asyncio.fixture(loop_scope="session")
async def partner(
    kafka: str, database: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Partner]:
    settings = load_settings(
        kafka=kafka, postgres=database, prefix=prefix, data=tmp_path, port_base=free_port_base(), partitions=2
    )
    await bootstrap(settings, "real", None)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(settings))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        yield Partner(settings, http)


async def test_a_message_goes_from_detection_to_publication(partner: Partner) -> None:
    listed = (await partner.get("/v1/authorities/kbr")).json()
    first, second = [agency["id"] for agency in listed["agencies"]][:2]
    message = await partner.detect("walk-1")
    seen = (await partner.get(f"/v1/messages/{message}?at_least=1")).json()
    assert (seen["status"], seen["sequence"]) == ("registered", 1)
    await partner.done(message, "triage", **TRIAGE)
    routed = await partner.done(message, "route", assignments=[{"agency": first}])
    (assignment,) = next(event["data"] for event in routed["events"] if "assignments" in event["data"])["assignments"]
    about = {"assignment_id": assignment["assignment_id"]}
    await partner.done(message, "return", first, justification="Не наше", **about)
    await partner.done(message, "reassign", agency=second, **about)
    draft = await partner.done(message, "submit_draft", second, kind="answer", text="Завтра")
    await partner.done(message, "send_back_draft", draft_id=new(draft, "draft_id"), comments="Точнее")
    draft = await partner.done(message, "submit_draft", second, kind="answer", text="Завтра в 9")
    await partner.done(message, "approve_draft", draft_id=new(draft, "draft_id"), quality=5)
    done = await partner.done(
        message, "report_publication", second, draft_id=new(draft, "draft_id"), url="https://vk.example/a", place="same"
    )
    seen = (await partner.get(f"/v1/messages/{message}")).json()
    assert (seen["status"], seen["sequence"]) == ("answered", done["sequence"])
    history = (await partner.get(f"/v1/messages/{message}/history")).json()["items"]
    assert [event["sequence"] for event in history] == list(range(1, done["sequence"] + 1))
