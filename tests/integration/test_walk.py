"""A partner walks messages through the gates: over HTTP, by topics, twice, wrongly."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from schemas.envelope import Envelope
from schemas.ids import message_id, period_id
from services.runtime.log import Record
from services.runtime.partitioner import partition_of
from tests.integration.partner import TRIAGE, Partner, eventually, installation, new, records, write


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def partner(kafka: str, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Partner]:
    async with installation(kafka, postgres, tmp_path_factory.mktemp("otklik")) as opened:
        yield opened


def told(response: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    assert body["type"] == f"urn:otklik:problem:{slug}"
    return body


async def agencies(partner: Partner) -> list[str]:
    return [agency["id"] for agency in (await partner.get("/v1/authorities/kbr")).json()["agencies"]]


async def triaged(partner: Partner, external_id: str) -> str:
    message = await partner.detect(external_id)
    await partner.get(f"/v1/messages/{message}?at_least=1")
    await partner.done(message, "triage", **TRIAGE)
    return message


async def test_a_message_goes_from_detection_to_publication(partner: Partner) -> None:
    first, second = (await agencies(partner))[:2]
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


async def test_a_repeat_gets_the_first_outcome_and_another_body_is_refused(partner: Partner) -> None:
    message = await partner.detect("repeat-1")
    await partner.get(f"/v1/messages/{message}?at_least=1")
    key = str(uuid.uuid4())
    first = (await partner.command(message, "triage", key=key, **TRIAGE)).json()
    again = (await partner.command(message, "triage", key=key, **TRIAGE)).json()
    assert again == first | {"repeated": True}
    other = await partner.command(message, "triage", key=key, **TRIAGE | {"location": "Баксан"})
    assert told(other, 409, "command-id-reused")["command_id"] == key
    status = (await partner.get(f"/v1/commands/{key}")).json()
    assert (status["status"], status["outcome"]["sequence"]) == ("accepted", first["sequence"])
    assert "fingerprint" not in json.dumps(status)


async def test_an_id_used_for_a_message_of_another_partition_is_refused(partner: Partner) -> None:
    names = [f"across-{number}" for number in range(20)]
    apart = {partition_of(message_id("kbr", "vk", name).encode(), 2): name for name in names}
    one, two = await partner.detect(apart[0]), await partner.detect(apart[1])
    await partner.get(f"/v1/messages/{one}?at_least=1")
    await partner.get(f"/v1/messages/{two}?at_least=1")
    key = str(uuid.uuid4())
    assert (await partner.command(one, "triage", key=key, **TRIAGE)).status_code == 200
    told(await partner.command(two, "triage", key=key, **TRIAGE), 409, "command-id-reused")


async def test_every_fault_of_a_command_is_told_at_once(partner: Partner) -> None:
    message = str(uuid.uuid4())
    url = f"{partner.settings.url('workflow')}/v1/messages/{message}/commands"
    body = {"type": "triage", "data": {"topics": [], "importance": "huge"}, "expected_sequence": -1, "colour": 1}
    response = await partner.http.post(url, json=body, headers=partner.auth("coordinator"))
    pointers = {fault["pointer"] for fault in told(response, 422, "invalid")["errors"]}
    assert pointers == {"/expected_sequence", "/colour", "/data/topics", "/data/location", "/data/importance"}
    response = await partner.http.post(url, json={"type": "fly"}, headers=partner.auth("coordinator"))
    assert told(response, 422, "invalid")["errors"][0]["pointer"] == "/type"
    headers = partner.auth("coordinator") | {"content-type": "text/plain"}
    told(await partner.http.post(url, content=b"{}", headers=headers), 415, "unsupported-media-type")
    headers = partner.auth("coordinator") | {"Idempotency-Key": "no uuid"}
    response = await partner.http.post(url, json={"type": "reopen", "data": {"reason": "x"}}, headers=headers)
    assert told(response, 422, "invalid")["errors"][0]["pointer"] == "/header/Idempotency-Key"


async def test_what_is_unknown_or_somebody_elses_is_not_found(partner: Partner) -> None:
    nowhere = str(uuid.uuid4())
    assert (await partner.get(f"/v1/messages/{nowhere}")).status_code == 404
    assert (await partner.get(f"/v1/commands/{nowhere}")).status_code == 404
    message = await triaged(partner, "hidden-1")
    first, second = (await agencies(partner))[:2]
    await partner.done(message, "route", assignments=[{"agency": first}])
    assert (await partner.get(f"/v1/messages/{message}", "executor", first)).status_code == 200
    assert (await partner.get(f"/v1/messages/{message}", "executor", second)).status_code == 404
    foreign = partner.auth("coordinator", authority="nenets")
    url = f"{partner.settings.url('workflow')}/v1/messages/{message}"
    assert (await partner.http.get(url, headers=foreign)).status_code == 404
    body = {"type": "reopen", "data": {"reason": "x"}}
    assert (await partner.http.post(f"{url}/commands", json=body, headers=foreign)).status_code == 404
    key = str(uuid.uuid4())
    assert (await partner.command(message, "reopen", key=key, reason="x")).status_code == 409
    status = f"{partner.settings.url('workflow')}/v1/commands/{key}"
    assert (await partner.get(f"/v1/commands/{key}")).json()["status"] == "refused"
    assert (await partner.get(f"/v1/commands/{key}", "executor", first)).status_code == 404
    assert (await partner.http.get(status, headers=foreign)).status_code == 404


async def test_messages_are_listed_page_by_page_to_who_may_see_them(partner: Partner) -> None:
    made = [await triaged(partner, f"listed-{number}") for number in range(5)]
    (agency, *_) = await agencies(partner)
    await partner.done(made[0], "route", assignments=[{"agency": agency}])
    seen: list[str] = []
    after = ""
    while True:
        page = (await partner.get(f"/v1/messages?authority=kbr&limit=2{after}")).json()
        assert len(page["items"]) <= 2
        seen += [item["message_id"] for item in page["items"]]
        if "next" not in page:
            break
        after = f"&after={page['next']}"
    assert len(seen) == len(set(seen)) and set(made) <= set(seen)
    assert [message for message in seen if message in made] == made[::-1]
    status = (await partner.get("/v1/messages?authority=kbr&status=in_work")).json()["items"]
    assert made[0] in {item["message_id"] for item in status}
    theirs = (await partner.get("/v1/messages", "executor", agency)).json()["items"]
    assert made[0] in {item["message_id"] for item in theirs} and made[1] not in {item["message_id"] for item in theirs}
    assert (await partner.get("/v1/messages?authority=nenets")).status_code == 404
    assert (await partner.get("/v1/messages", "monitor")).status_code == 403
    assert (await partner.get("/v1/messages?after=nonsense")).status_code == 422


def command(kind: str, subject: str, data: Any, **more: Any) -> bytes:
    envelope = Envelope(
        id=str(uuid.uuid4()),
        source="/agency",
        type=f"otklik.command.{kind.replace('_', '-')}.v1",
        subject=subject,
        time="2026-11-16T09:00:00+03:00",
        data=data,
    ).model_copy(update=more)
    return envelope.to_bytes()


async def test_an_agency_commands_by_its_topic_and_reads_the_outcome_there(partner: Partner) -> None:
    message = await triaged(partner, "door-1")
    agency = (await agencies(partner))[0]
    await partner.done(message, "route", assignments=[{"agency": agency}])
    bare = command("submit_draft", message, {"kind": "answer", "text": "Починим"})
    await write(partner.settings, f"commands.kbr.{agency}", bare)
    outcome = await eventually(partner.settings, f"assignments.kbr.{agency}", _outcome_of(bare))
    assert Envelope.from_bytes(outcome.value or b"").type == "otklik.command.accepted.v1"
    seen = (await partner.get(f"/v1/messages/{message}")).json()
    assert (seen["status"], seen["drafts"][0]["by"]) == ("in_review", agency)
    wrong = command("submit_draft", message, {"type": "submit_draft", "data": {"kind": "poem"}})
    await write(partner.settings, f"commands.kbr.{agency}", wrong)
    refusal = await eventually(partner.settings, f"assignments.kbr.{agency}", _outcome_of(wrong))
    problem = Envelope.from_bytes(refusal.value or b"").data["problem"]
    assert {fault["pointer"] for fault in problem["errors"]} == {"/data/kind", "/data/text"}
    (letter,) = [one for one in await records(partner.settings, "dead-letters") if b"poem" in (one.value or b"")]
    assert letter.headers["otklik-detail"].decode() == (
        "/data/kind: возможно только 'answer', 'interim' или 'clarification'; /data/text: обязательное поле"
    )
    # Its own people and those who read every message may ask what became of it; another agency may not.
    path = f"/v1/commands/{Envelope.from_bytes(bare).id}"
    other = (await agencies(partner))[1]
    answers = [await partner.get(path, "executor", agency), await partner.get(path, "auditor")]
    assert [answer.json()["status"] for answer in answers] == ["accepted", "accepted"]
    assert (await partner.get(path, "executor", other)).status_code == 404


async def test_a_command_on_a_topic_needs_no_time_and_may_expect_a_sequence(partner: Partner) -> None:
    message = await triaged(partner, "door-3")
    agency = (await agencies(partner))[0]
    await partner.done(message, "route", assignments=[{"agency": agency}])
    draft = {"kind": "answer", "text": "Починим"}
    statuses = []
    for more in ({"expectedsequence": 3}, {"expected_sequence": 3}, {"expectedsequence": 4}):
        said = json.loads(command("submit_draft", message, draft)) | more
        said["datacontenttype"] = "application/json; charset=utf-8"
        del said["time"]
        await write(partner.settings, f"commands.kbr.{agency}", json.dumps(said).encode())
        outcome = await eventually(
            partner.settings,
            f"assignments.kbr.{agency}",
            _outcome_of(json.dumps(said).encode()),
        )
        data = Envelope.from_bytes(outcome.value or b"").data
        statuses.append(data["problem"]["type"] if "problem" in data else data["sequence"])
    assert statuses == ["urn:otklik:problem:sequence-conflict"] * 2 + [5]


def _outcome_of(value: bytes) -> Any:
    command_id = json.loads(value)["id"]
    return lambda record: Envelope.from_bytes(record.value or b"").causationid == command_id


async def test_an_agency_cannot_speak_for_another_by_its_topic(partner: Partner) -> None:
    message = await triaged(partner, "door-2")
    first, second = (await agencies(partner))[:2]
    await partner.done(message, "route", assignments=[{"agency": first}])
    said = command("submit_draft", message, {"kind": "answer", "text": "Чужое"})
    forged = json.loads(said) | {
        "actor": {"sub": "x", "roles": ["coordinator"], "authorities": ["kbr"], "agency": first}
    }
    await write(partner.settings, f"commands.kbr.{second}", json.dumps(forged).encode())
    refusal = await eventually(partner.settings, f"assignments.kbr.{second}", _outcome_of(said))
    assert Envelope.from_bytes(refusal.value or b"").data["problem"]["status"] == 404


async def test_what_is_no_command_is_a_dead_letter_with_its_reason(partner: Partner) -> None:
    agency = (await agencies(partner))[0]
    garbage = b"\xff" * (1 << 20)
    for value, reason in (
        (garbage, "not-a-cloudevent"),
        (command("fly", str(uuid.uuid4()), {}), "unknown-command"),
        (command("reopen", "no uuid", {}), "invalid-data"),
        (command("reopen", str(uuid.uuid4()), {"reason": "a\0"}), "invalid-data"),
    ):
        await write(partner.settings, f"commands.kbr.{agency}", value)

        def is_it(record: Record, value: bytes = value) -> bool:
            return record.value == value

        letter = await eventually(partner.settings, "dead-letters", is_it)
        assert letter.headers["otklik-reason"].decode() == reason
    # And the door still works.
    await test_an_agency_cannot_speak_for_another_by_its_topic(partner)


async def test_a_detection_may_come_by_the_topic(partner: Partner) -> None:
    post = {
        "authority": "kbr",
        "source": {"network": "ok", "external_id": "topic-1", "url": "https://ok.example/1"},
        "author": {"name": "Житель"},
        "text": "Нет воды",
    }
    envelope = {
        "specversion": "1.0", "id": str(uuid.uuid4()), "source": "/monitor", "type": "otklik.detection.v1",
    }  # fmt: skip
    await write(partner.settings, "detections", json.dumps(envelope | {"data": post}).encode(), b"any key")
    message = message_id("kbr", "ok", "topic-1")
    seen = (await partner.get(f"/v1/messages/{message}?at_least=1")).json()
    assert seen["post"]["text"] == "Нет воды"
    foreign = json.dumps(envelope | {"data": post | {"authority": "atlantis"}}).encode()
    await write(partner.settings, "detections", foreign)
    letter = await eventually(partner.settings, "dead-letters", lambda record: record.value == foreign)
    assert letter.headers["otklik-reason"] == b"not-found"


async def test_reading_waits_for_the_sequence_asked_for(partner: Partner) -> None:
    message = await triaged(partner, "wait-1")
    waiting = asyncio.create_task(partner.get(f"/v1/messages/{message}?at_least=3"))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await partner.done(message, "dismiss", ground="no_response_needed")
    assert (await waiting).json()["status"] == "dismissed"


async def amended(partner: Partner, kind: str, data: dict[str, Any], **headers: str) -> httpx.Response:
    return await partner.http.post(
        f"{partner.settings.url('workflow')}/v1/authorities/kbr/amendments",
        json={"kind": kind, "reason": "распоряжение", "basis": "№ 1", "data": data},
        headers=partner.auth("operator") | headers,
    )


async def test_an_amendment_counts_in_every_partition_when_it_is_answered(partner: Partner) -> None:
    before = (await partner.get("/v1/authorities/kbr")).json()["amendments"][-1]["number"]
    day = {"date": "2026-12-25", "kind": "off", "name": "Региональный день"}
    response = await amended(partner, "calendar_day", day)
    assert response.status_code == 200, response.text
    assert response.json()["number"] == before + 1
    law = (await partner.get("/v1/authorities/kbr")).json()
    assert law["amendments"][-1]["kind"] == "calendar_day"
    assert "2026-12-25" in {one["date"] for one in law["regional_days"]}
    events = [Envelope.from_bytes(one.value or b"") for one in await records(partner.settings, "events", 2)]
    told_in = [one for one in events if one.causationid == response.json()["amendment_id"]]
    assert len(told_in) == 2 and {one.data["number"] for one in told_in} == {before + 1}


async def test_a_wrong_amendment_is_refused_with_its_faults_and_only_operators_amend(partner: Partner) -> None:
    response = await amended(partner, "calendar_day", {"date": "25 декабря", "kind": "off"})
    assert response.status_code == 422 and response.json()["errors"][0]["pointer"] == "/data/date", response.text
    response = await amended(partner, "calendar_day", {}, **partner.auth("coordinator"))
    told(response, 403, "forbidden")


async def test_a_new_agency_has_its_topics_before_the_log_knows_it(partner: Partner) -> None:
    # The fields of the contract, and no other.
    agency = {
        "id": "new-agency",
        "name": "Новое ведомство",
        "topics": ["culture"],
        "official": "заместитель руководителя",
    }
    agency |= {"executors": ["главный специалист"], "substitutes": [], "accounts": []}
    response = await amended(partner, "agency", agency)
    assert response.status_code == 200, response.text
    assert [one["pointer"] for one in response.json()["warnings"]] == ["/data/official_level"]
    assert "new-agency" in await agencies(partner)
    message = await triaged(partner, "new-agency-1")
    await partner.done(message, "route", assignments=[{"agency": "new-agency"}])
    said = command("submit_draft", message, {"kind": "answer", "text": "Мы новые"})
    await write(partner.settings, "commands.kbr.new-agency", said)
    # The doors look for new topics every half a minute.
    await eventually(partner.settings, "assignments.kbr.new-agency", _outcome_of(said), seconds=60)


async def test_a_period_that_is_not_the_one_in_the_address_is_refused(partner: Partner) -> None:
    url = f"{partner.settings.url('workflow')}/v1/periods"
    body = {"type": "deliver_summary", "data": {"authority": "kbr", "period": "2026-10"}}
    headers = partner.auth("coordinator")
    wrong = await partner.http.post(f"{url}/{uuid.uuid4()}/commands", json=body, headers=headers)
    assert told(wrong, 422, "invalid")["errors"][0]["pointer"] == "/data/period"
    right = f"{url}/{period_id('kbr', 'summary', '2026-10')}/commands"
    response = await partner.http.post(right, json=body, headers=headers)
    assert response.status_code == 200, response.text


async def test_the_address_alone_tells_the_period(partner: Partner) -> None:
    url = f"{partner.settings.url('workflow')}/v1/periods"
    body = {"type": "deliver_summary", "data": {"note": "Бумагой"}}
    mine, foreign = period_id("kbr", "summary", "2026-09"), period_id("buryatia", "summary", "2026-Q3")
    headers = partner.auth("coordinator")
    response = await partner.http.post(f"{url}/{mine}/commands", json=body, headers=headers)
    assert response.status_code == 200, response.text
    assert response.json()["events"][0]["data"]["period"] == "2026-09"
    for other in (foreign, period_id("kbr", "rating", "2026-09"), str(uuid.uuid4())):
        told(await partner.http.post(f"{url}/{other}/commands", json=body, headers=headers), 404, "not-found")


async def test_messages_are_found_by_what_they_owe(partner: Partner) -> None:
    message, other = await triaged(partner, "due-1"), await triaged(partner, "due-2")

    async def said(kind: str, due_at: str) -> None:
        data = {
            "deadline_id": str(uuid.uuid5(uuid.NAMESPACE_URL, message)), "rule": "answer", "occurrence": 1,
            "regulation": "kbr-2022-137", "paragraph": "10", "owed_by": {"role": "coordinator"},
            "starts_at": "2026-11-16T09:00:00+03:00", "due_at": due_at, "clock": "working",
        }  # fmt: skip
        envelope = Envelope(
            id=str(uuid.uuid4()), source="/sla", type=f"otklik.deadline.{kind}.v1", subject=message,
            time="2026-11-16T09:00:00+03:00", data=data,
        )  # fmt: skip
        await write(partner.settings, "deadlines", envelope.to_bytes(), message.encode())

    async def found(before: str) -> set[str]:
        page = (await partner.get(f"/v1/messages?due_before={before}&limit=1000")).json()
        return {item["message_id"] for item in page["items"]}

    async def becomes(before: str, there: bool) -> None:
        async with asyncio.timeout(20):
            while True:
                if (message in await found(before)) == there:
                    return
                await asyncio.sleep(0.1)

    await said("set", "2026-11-16T18:00:00+03:00")
    await becomes("2026-11-16T18:00:01%2B03:00", True)
    assert message not in await found("2026-11-16T18:00:00%2B03:00")
    await said("moved", "2026-11-17T18:00:00+03:00")
    await becomes("2026-11-16T18:00:01%2B03:00", False)
    await said("breached", "2026-11-17T18:00:00+03:00")
    await becomes("2026-11-18T00:00:00Z", True)
    await said("met-late", "2026-11-17T18:00:00+03:00")
    await becomes("2026-11-18T00:00:00Z", False)
    assert other not in await found("2030-01-01T00:00:00Z")


async def test_whatever_stands_on_the_inbox_names_its_schema(partner: Partner) -> None:
    inbox = [Envelope.from_bytes(one.value or b"") for one in await records(partner.settings, "inbox", 2)]
    sources = {one.source for one in inbox}
    assert sources >= {"/otklik/intake", "/otklik/law-apply", "/otklik/workflow/doors", "/otklik/workflow/gate"}
    assert [one for one in inbox if one.dataschema != f"urn:otklik:schema:{one.type}"] == []
