"""What identifies a citizen stands in the log and in answers to whoever may see it, and nowhere beside: not in logs of the
services, not in metrics, not in problems, not in what is told of dead letters."""

from __future__ import annotations

import io
import json
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from schemas.commands import cloud_type
from schemas.inbox import DETECTION
from services.runtime import telemetry
from services.runtime.database import create_engine
from services.runtime.decider import Due, Input, Output, States
from services.runtime.headers import DETAIL
from services.runtime.postgres_positions import transaction
from services.runtime.store import StoreError
from services.sla.decider import Sla
from services.workflow.decider import WorkflowDecider
from tests.contract.rig import until
from tests.integration.partner import ALL, Partner, records, write

MARK = "7731маркер"
PERSON: dict[str, Any] = {
    "author": {"name": f"Мирослава {MARK}", "url": f"https://vk.example/{MARK}"},
    "text": f"Улица Мира, подъезд {MARK}",
    "attachments": [{"url": f"https://files.example/{MARK}.jpg", "media_type": "image/jpeg"}],
}


@pytest.fixture
def partner(all_four: Partner) -> Partner:
    return all_four


class Told:
    """What the services have said besides their answers to whoever may see it."""

    def __init__(self, partner: Partner, logs: io.StringIO) -> None:
        self._partner = partner
        self._logs = logs
        self.problems: list[str] = []

    async def ask(self, service: str, path: str, **request: Any) -> int:
        """A post to a gate; what it refuses is kept."""
        url = f"{self._partner.settings.url(service)}{path}"
        role = {"intake": "monitor"}.get(service, "coordinator")
        headers = self._partner.auth(role) | request.pop("headers", {})
        answer = await self._partner.http.post(url, headers=headers, **request)
        if answer.status_code >= 400 or path.endswith("/batch"):
            self.problems.append(answer.text)
        return answer.status_code

    async def everything(self) -> dict[str, str]:
        settings = self._partner.settings
        found = {"logs": self._logs.getvalue(), "problems": "\n".join(self.problems)}
        for service in ALL:
            for path in ("metrics", "readyz"):
                answer = await self._partner.http.get(f"{settings.url(service)}/{path}")
                found[f"{service} {path}"] = answer.text
        letters = await records(settings, "dead-letters")
        found["dead letters"] = "\n".join(letter.headers[DETAIL].decode() for letter in letters)
        outcomes = await records(settings, "outcomes", settings.partitions)
        found["outcomes"] = "\n".join((one.value or b"").decode() for one in outcomes)
        return found


def detection(name: str, **more: Any) -> dict[str, Any]:
    source = {"network": "vk", "external_id": name, "url": "https://vk.example/1"}
    return {"authority": "kbr", "source": source} | PERSON | more


def envelope(kind: str, data: Any, **more: Any) -> bytes:
    said = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": "/partner",
        "type": kind,
        "time": datetime(2026, 11, 16, 9, tzinfo=UTC).isoformat(),
        "data": data,
    } | more
    return json.dumps(said, ensure_ascii=False).encode()


MALFORMED: Sequence[dict[str, Any]] = (
    detection("bad-1", author=PERSON["text"]),
    detection("bad-2", text={"is": PERSON["text"]}),
    detection("bad-3", text=PERSON["text"] * 100_000),
    detection("bad-4", author={"name": PERSON["author"]["name"] * 1000, "url": 5}),
    detection("bad-5", attachments=PERSON["text"]),
    detection("bad-6", detected_at=PERSON["text"]),
    detection("bad-7", text=f"{PERSON['text']}\0"),
    detection("bad-8", change=PERSON["text"]),
    detection("bad-9", authority="nowhere"),
)


async def test_no_citizens_words_in_logs_metrics_or_problems(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = io.StringIO()
    monkeypatch.setattr(sys, "stderr", logs)
    telemetry.configure("all", partner.settings.model_copy(update={"log_level": "debug"}))
    told = Told(partner, logs)
    message = await partner.detect("good", **PERSON)
    await _http(told, message)
    agency = (await partner.get("/v1/authorities/kbr")).json()["agencies"][0]["id"]
    count = await _topics(partner, agency)
    _fail(monkeypatch)
    await partner.detect("sick-decider", **PERSON)
    sick = await partner.detect("sick-fold", **PERSON)

    async def put_aside() -> bool:
        return len(await records(partner.settings, "dead-letters")) >= count + 1

    async def quarantined() -> bool:
        ready = await partner.http.get(f"{partner.settings.url('sla')}/readyz")
        return sick in ready.text

    await until(put_aside, "all that is malformed is a dead letter")
    await until(quarantined, "a message is in quarantine")
    found = await told.everything()
    assert message in found["logs"], "lines bear the message's id"
    assert '"command_id"' in found["logs"]
    assert '"event": "dead letter"' in found["logs"]
    assert "ArithmeticError" in found["logs"], "what broke is told all the same"
    assert {name: _around(text) for name, text in found.items() if MARK in text} == {}


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("SELECT CAST(:words AS integer)", "DataError"),
        ("SELECT CAST(CAST(:words AS text) AS integer)", "22P02"),
        ("INSERT INTO once VALUES (:words), (:words)", "23505"),
        ("SELECT :words FROM nowhere", "nowhere"),
    ],
)
async def test_errors_of_the_database_quote_nobody(database: str, statement: str, state: str) -> None:
    engine = create_engine(database, "test", 1)
    async with transaction(engine, "making a table") as connection:
        await connection.execute(text("CREATE TABLE once (words text PRIMARY KEY)"))
    with pytest.raises(StoreError) as raised:
        async with transaction(engine, "writing") as connection:
            await connection.execute(text(statement), {"words": MARK})
    await engine.dispose()
    assert state in str(raised.value)
    assert MARK not in str(raised.value)


async def _http(told: Told, message: str) -> None:
    for one in MALFORMED:
        assert await told.ask("intake", "/v1/detections", json=one) in {404, 413, 422}
    lines = "\n".join(json.dumps(one, ensure_ascii=False) for one in (*MALFORMED, detection("line")))
    stream = {"headers": {"Content-Type": "application/x-ndjson"}, "content": f"{lines}\n{{{PERSON['text']}".encode()}
    assert await told.ask("intake", "/v1/detections/batch", **stream) == 200
    plain = {"Content-Type": "application/json"}
    assert await told.ask("intake", "/v1/detections", content=f'{{"text": "{MARK}'.encode(), headers=plain) == 422
    commands = f"/v1/messages/{message}/commands"
    for body in (
        {"type": "dismiss", "data": {"ground": MARK}},
        {"type": MARK, "data": {}},
        {"type": "route", "data": MARK},
    ):
        assert await told.ask("workflow", commands, json=body) == 422
    assert await told.ask("workflow", f"/v1/messages/{MARK}/commands", json={}) == 422
    body = {"type": "return", "data": {"assignment_id": message, "justification": PERSON["text"]}}
    assert await told.ask("workflow", commands, json=body) in {403, 404, 409, 422}
    assert await told.ask("sla", "/v1/deadlines/calculate", json={"authority": MARK, "facts": [MARK]}) in {404, 422}


async def _topics(partner: Partner, agency: str) -> int:
    """How many of the records can only be dead letters."""
    bad = [
        PERSON["text"].encode(),
        envelope(DETECTION, MARK),
        envelope(DETECTION, detection("topic"), id=PERSON["text"]),
        *(envelope(DETECTION, one) for one in MALFORMED),
    ]
    for value in bad:
        await write(partner.settings, "detections", value)
    await write(partner.settings, "detections", envelope(DETECTION, detection("topic", change="edited")))
    doors = [
        PERSON["text"].encode(),
        envelope(cloud_type("return"), {"justification": PERSON["text"]}, subject=PERSON["text"]),
        envelope(cloud_type("return"), {"justification": f"{PERSON['text']}\0"}, subject=str(uuid.uuid4())),
    ]
    for value in doors:
        await write(partner.settings, f"commands.kbr.{agency}", value)
    refused = envelope(cloud_type("return"), {"justification": [PERSON["text"]]}, subject=str(uuid.uuid4()))
    await write(partner.settings, f"commands.kbr.{agency}", refused)
    return len(bad) + len(doors)


def _fail(patch: pytest.MonkeyPatch) -> None:
    """Faults of the code in each place, which quote what they were given, as `KeyError` and `ValueError` do."""
    decide, duties = WorkflowDecider.decide, Sla.decide

    def sick(self: WorkflowDecider, states: States, given: Input, due: Due | None) -> Sequence[Output]:
        if "sick-decider" in str(given.envelope.data):
            raise KeyError(given.envelope.data)
        return decide(self, states, given, due)

    def sick_duties(self: Sla, states: States, given: Input, due: Due | None) -> Sequence[Output]:
        if "sick-fold" in str(given.envelope.data):
            raise ArithmeticError(str(given.envelope.data))
        return duties(self, states, given, due)

    patch.setattr(WorkflowDecider, "decide", sick)
    patch.setattr(Sla, "decide", sick_duties)


def _around(text: str) -> str:
    at = text.index(MARK)
    return text[max(0, at - 300) : at + 100]
