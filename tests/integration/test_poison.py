"""Whatever comes in, by any door: no 500, no partition that stops, no neighbour that is lost, and no citizen's words in logs,
metrics or problems."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.failures import FailureGroup
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from schemas.commands import cloud_type
from schemas.envelope import CONTENT_TYPE
from schemas.ids import message_id
from schemas.inbox import AMENDMENT, DETECTION, TICK
from services.cli import token
from services.runtime.installation import open_log
from services.runtime.log import LogError, Outgoing
from tests.contract.rig import until
from tests.integration.partner import ALL, TRIAGE, Partner, new

EXAMPLES = 5
TOPIC_EXAMPLES = 40
PROBLEM = "application/problem+json"
ROLES = ["monitor", "coordinator", "deputy", "head", "committee", "auditor", "operator"]
OPENAPI = Path(__file__).parents[2] / "schemas" / "openapi"
REPEATABLE = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=EXAMPLES,
)


@schemathesis.serializer("application/x-ndjson")
def as_it_is(_: Any, value: Any) -> bytes:
    """A stream of lines is sent as drawn: no line of it is anything."""
    return str(value).encode("utf-8", "surrogatepass")


@pytest.fixture
def partner(all_four: Partner) -> Partner:
    return all_four


async def walked(partner: Partner, name: str) -> None:
    """A good message goes all the way, in every service."""
    message = await partner.detect(name)
    assert (await partner.get(f"/v1/messages/{message}?at_least=1")).status_code == 200
    agency = (await partner.get("/v1/authorities/kbr")).json()["agencies"][0]["id"]
    await partner.done(message, "triage", **TRIAGE)
    await partner.done(message, "route", assignments=[{"agency": agency}])
    draft = await partner.done(message, "submit_draft", agency, kind="answer", text="Завтра")
    done = await partner.done(message, "approve_draft", draft_id=new(draft, "draft_id"), quality=5)
    auth = partner.auth("coordinator")
    owed = await partner.http.get(
        f"{partner.settings.url('sla')}/v1/messages/{message}/deadlines?at_least={done['sequence']}", headers=auth
    )
    assert owed.status_code == 200 and owed.json()["items"], owed.text

    async def shown() -> bool:
        url = f"{partner.settings.url('reporting')}/v1/register?authority=kbr&limit=1000"
        rows = (await partner.http.get(url, headers=auth)).json()["items"]
        return any(row["message_id"] == message for row in rows)

    await until(shown, "the register shows it")
    for service in ALL:

        async def ready(service: str = service) -> bool:
            body = (await partner.http.get(f"{partner.settings.url(service)}/readyz")).json()
            assert not any("остановлена" in one["detail"] for one in body["checks"].values()), body
            return bool(body["status"] == "ready")

        await until(ready, f"{service} is ready")


@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@pytest.mark.parametrize("service", ALL)
async def test_no_request_that_its_openapi_allows_or_forbids_makes_a_service_fail(
    partner: Partner, service: str
) -> None:
    known = {"message_id": await partner.detect("anchor"), "authority": "kbr", "year": "2026", "period": "2026-11"}
    agency = (await partner.get("/v1/authorities/kbr")).json()["agencies"][0]["id"]
    made = token.make(partner.settings, [*ROLES, "executor"], ["kbr"], agency, sub="fuzz")
    strategies = _strategies(service, known)
    faults = await asyncio.to_thread(_fuzzed, strategies, partner.settings.url(service), made)
    assert not faults, "\n".join(faults)
    await walked(partner, f"after-{service}")


Asking = st.SearchStrategy[schemathesis.Case]


def _strategies(service: str, known: dict[str, str]) -> list[Asking]:
    """Of each operation what its document allows and what it forbids; where the path names something, of that which is
    there, and of what is not."""
    schema = schemathesis.openapi.from_path(OPENAPI / f"{service}.json")
    found: list[Asking] = []
    for operation in (one.ok() for one in schema.get_all_operations()):
        names = {one.name for one in operation.path_parameters}
        anchored = {name: value for name, value in known.items() if name in names} or None
        found += [operation.as_strategy(mode, path_parameters=anchored) for mode in GenerationMode]
        if anchored is not None:
            found.append(operation.as_strategy(GenerationMode.NEGATIVE))
    return found


def _fuzzed(strategies: Sequence[Asking], url: str, made: str) -> list[str]:
    faults: list[str] = []
    headers = {"Authorization": f"Bearer {made}"}
    with requests.Session() as session:

        @REPEATABLE
        @given(st.data())
        def ask(data: st.DataObject) -> None:
            for strategy in strategies:
                case = data.draw(strategy)
                if str((case.query or {}).get("at_least", "")).isdigit():
                    # A sequence that is not there yet is waited for, and 504 is the answer: five seconds each.
                    case.query["at_least"] = 1
                answer = case.call(url, session=session, headers=headers, timeout=40)
                told = answer.headers.get("content-type", [""])[0]
                if answer.status_code >= 500 or (answer.status_code >= 400 and not told.startswith(PROBLEM)):
                    faults.append(f"{answer.status_code} {case.as_curl_command()} {answer.text[:500]}")
                    continue
                try:
                    case.validate_response(answer, checks=[content_type_conformance, response_schema_conformance])
                except FailureGroup as failures:
                    faults.extend(f"{one.title}: {one.message} {case.as_curl_command()}" for one in failures.exceptions)

        ask()
    return faults


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
SUBJECT = message_id("kbr", "vk", "neighbour-0")


def _envelope(kind: str, data: Any, **more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(uuid.UUID(int=7)),
        "source": "/partner",
        "type": kind,
        "subject": SUBJECT,
        "time": datetime(2026, 11, 16, 9, tzinfo=UTC).isoformat(),
        "authority": "kbr",
        "actor": {"sub": "partner", "roles": ["monitor"], "authorities": ["kbr"]},
        "data": data,
    } | more


def _detection(name: str) -> dict[str, Any]:
    return {
        "authority": "kbr",
        "source": {"network": "vk", "external_id": name, "url": "https://vk.example/1"},
        "author": {"name": "Житель"},
        "text": "Яма",
    }


WHOLE = {
    DETECTION: _detection("mutant"),
    cloud_type("triage"): {"type": "triage", "data": TRIAGE},
    cloud_type("return"): {"assignment_id": SUBJECT},
    AMENDMENT: {"kind": "calendar_day", "reason": "проверка", "data": {"date": "2026-12-07", "kind": "off"}},
    TICK: {"why": "проверка"},
}


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """A record as it ought to be, with one thing in it that is something else."""
    kind = draw(st.sampled_from(sorted(WHOLE)))
    whole: Any = json.loads(json.dumps(_envelope(kind, WHOLE[kind])))
    at = whole
    while True:
        name = draw(st.sampled_from(sorted(at)))
        if not isinstance(at[name], dict) or not at[name] or draw(st.booleans()):
            break
        at = at[name]
    if draw(st.booleans()):
        at[name] = draw(JSON)
    else:
        del at[name]
    return json.dumps(whole, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


RECORDS = st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()) | mutants() | mutants()


def drawn(strategy: st.SearchStrategy[bytes]) -> list[bytes]:
    found: list[bytes] = []

    @settings(REPEATABLE, max_examples=TOPIC_EXAMPLES)
    @given(strategy)
    def draw(value: bytes) -> None:
        found.append(value)

    draw()
    return found


async def test_poison_on_any_topic_that_is_read_harms_no_neighbour(partner: Partner) -> None:
    agency = (await partner.get("/v1/authorities/kbr")).json()["agencies"][0]["id"]
    poison = drawn(RECORDS)
    neighbours = []
    async with open_log(partner.settings) as log:
        writer = await log.writer()
        for topic in ("detections", f"commands.kbr.{agency}", "inbox"):
            for number, value in enumerate(poison):
                key = None if number % 3 else value[:20]
                headers = {} if number % 2 else {"content-type": CONTENT_TYPE, "otklik-cause": value[:30]}
                partition = number % 2 if topic == "inbox" else 0
                await _written(writer.append([Outgoing(topic, key, value, headers, partition)]))
            name = f"neighbour-{topic}"
            good = _envelope(DETECTION, _detection(name), id=str(uuid.uuid4())) | {"subject": None}
            await _written(writer.append([Outgoing("detections", None, json.dumps(good).encode(), {}, 0)]))
            neighbours.append(message_id("kbr", "vk", name))
        await writer.close()
    for message in neighbours:

        async def registered(message: str = message) -> bool:
            return (await partner.get(f"/v1/messages/{message}")).status_code == 200

        await until(registered, f"{message} is registered")
    await walked(partner, "after-topics")


async def _written(appending: Any) -> None:
    for one in await appending:
        assert not isinstance(one, LogError), one
