"""A replica of workflow comes and another goes while people work: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections import Counter, defaultdict
from typing import Any

import httpx

from schemas.envelope import Envelope
from services.workflow.__main__ import run as run_workflow
from tests.conftest import free_port
from tests.contract.rig import until
from tests.integration.partner import TRIAGE, Partner, new, records

PEOPLE = 6
ENOUGH = 12
"""Messages that were worked to their approval since the last change."""


class Crowd:
    """People who take messages through one of two doors, and ask again under the same id until they have an answer."""

    def __init__(self, partner: Partner, doors: list[str], agency: str) -> None:
        self.partner = partner
        self.agency = agency
        self.done: list[str] = []
        self.leaving = False
        self._doors = itertools.cycle(doors)

    async def work(self, person: int) -> None:
        for number in itertools.count():
            if self.leaving:
                return
            message = await self.partner.detect(f"crowd-{person}-{number}")
            await self.command(message, "triage", **TRIAGE)
            await self.command(message, "route", assignments=[{"agency": self.agency}])
            draft = await self.command(message, "submit_draft", by=self.agency, kind="answer", text="Завтра")
            await self.command(message, "approve_draft", draft_id=new(draft, "draft_id"), quality=5)
            self.done.append(message)

    async def command(self, message: str, kind: str, by: str | None = None, **data: Any) -> dict[str, Any]:
        headers = self.partner.auth("executor" if by else "coordinator", by) | {"Idempotency-Key": str(uuid.uuid4())}
        for door in self._doors:
            url = f"{door}/v1/messages/{message}/commands"
            try:
                answer = await self.partner.http.post(url, json={"type": kind, "data": data}, headers=headers)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code in {503, 504} or (answer.status_code, kind) == (404, "triage"):
                # A message is registered a moment after its post was taken.
                headers["Idempotency-Key"] = (
                    str(uuid.uuid4()) if answer.status_code == 404 else headers["Idempotency-Key"]
                )
                await asyncio.sleep(0.05)
                continue
            assert answer.status_code == 200, answer.text
            return dict(answer.json())
        raise AssertionError("doors are endless")

    async def enough(self) -> None:
        before = len(self.done)

        async def more() -> bool:
            return len(self.done) >= before + ENOUGH

        await until(more, "work goes on")


async def test_a_replica_comes_and_another_goes_under_load_and_nothing_is_lost_or_doubled(all_four: Partner) -> None:
    settings, port = all_four.settings, free_port()
    other = f"http://{settings.http_host}:{port}"
    agency = (await all_four.get("/v1/authorities/kbr")).json()["agencies"][0]["id"]
    crowd = Crowd(all_four, [settings.url("workflow"), other], agency)
    people = [asyncio.create_task(crowd.work(person)) for person in range(PEOPLE)]
    await crowd.enough()
    second = asyncio.create_task(run_workflow(settings, port))
    await until(lambda: _shares(all_four, other), "the second replica has a partition of its own")
    await crowd.enough()
    await all_four.services.stop("workflow")
    await crowd.enough()
    await all_four.services.start("workflow")
    await crowd.enough()
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    await crowd.enough()
    crowd.leaving = True
    await asyncio.gather(*people)
    told: dict[str, list[Envelope]] = defaultdict(list)
    for record in await records(settings, "events", settings.partitions):
        event = Envelope.from_bytes(record.value or b"")
        told[event.subject or ""].append(event)
    for message in crowd.done:
        events = told[message]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert max(Counter(event.type for event in events).values()) == 1
        shown = (await all_four.get(f"/v1/messages/{message}")).json()
        assert (shown["status"], shown["sequence"]) == ("approved", len(events))


async def _shares(partner: Partner, other: str) -> bool:
    try:
        both = [
            (await partner.http.get(f"{url}/readyz")).json()["checks"]
            for url in (partner.settings.url("workflow"), other)
        ]
    except httpx.TransportError:
        return False
    return all(any(name.startswith("partition") and one["ok"] for name, one in checks.items()) for checks in both)
