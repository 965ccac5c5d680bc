"""A client that knows only contract.md walks a message of Kabardino-Balkaria from detection to publication."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.checker.invariants import check_log
from tests.checker.raw_log import read
from tests.e2e.installation import Client, Installation, Problem, new


@pytest.fixture
def client(installation: Installation) -> Client:
    return Client(installation, "kbr")


def now(installation: Installation) -> datetime:
    told = datetime.fromisoformat(installation.cli("clock", "show").splitlines()[-1])
    return told.astimezone(ZoneInfo("Europe/Moscow"))


async def agency_topic(
    installation: Installation, authority: str, agency: str, message: str, until: str
) -> list[dict[str, Any]]:
    """What the agency's topic holds of the message, up to a record whose type ends so."""
    consumer = AIOKafkaConsumer(
        f"otklik.assignments.{authority}.{agency}",
        bootstrap_servers=installation.bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    await consumer.start()
    found: list[dict[str, Any]] = []
    try:
        async with asyncio.timeout(30):
            async for record in consumer:
                copy = json.loads(record.value)
                if copy["subject"] != message:
                    continue
                found.append(copy)
                if copy["type"].endswith(until):
                    return found
    finally:
        await consumer.stop()
    return found


async def triaged(client: Client, external_id: str) -> str:
    message = await client.detect(external_id)
    await client.message(message)
    await client.command(
        message, "triage", topics=["utilities"], location="Нальчик", importance="ordinary", reduced=False
    )
    return message


async def test_a_message_goes_from_detection_to_publication(client: Client, installation: Installation) -> None:
    first, second = (await client.agencies())[:2]
    message = await triaged(client, "-1_main")
    routed = await client.command(message, "route", assignments=[{"agency": first, "role": "lead"}])
    assignment = new(routed, "assignments") and routed["events"][0]["data"]["assignments"][0]["assignment_id"]
    await client.command(message, "return", by=first, assignment_id=assignment, justification="Не наше ведение")
    again = await client.command(message, "reassign", assignment_id=assignment, agency=second)
    issued = next(event for event in again["events"] if event["type"] == "otklik.message.assignment-issued.v1")
    assert issued["data"]["replaces"] == [assignment]
    draft = await client.command(message, "submit_draft", by=second, kind="answer", text="Свет дадут завтра")
    await client.command(message, "send_back_draft", draft_id=new(draft, "draft_id"), comments="Укажите адрес")
    better = await client.command(
        message, "submit_draft", by=second, kind="answer", text="Кирова, 5: свет дадут завтра"
    )
    await client.command(message, "approve_draft", draft_id=new(better, "draft_id"))
    done = await client.command(
        message,
        "report_publication",
        by=second,
        draft_id=new(better, "draft_id"),
        url="https://vk.example/answer",
        place="same",
    )
    seen = await client.message(message, done["sequence"])
    assert (seen["status"], seen["sequence"]) == ("answered", done["sequence"])
    history = (await client.get("workflow", f"/v1/messages/{message}/history?at_least={done['sequence']}"))["items"]
    assert [event["sequence"] for event in history] == list(range(1, done["sequence"] + 1))
    deadlines = await client.deadlines(message, done["sequence"])
    assert {rule: one["state"] for rule, one in deadlines.items()} == {
        "route": "met", "answer": "met", "draft": "met", "return": "cancelled" if deadlines["return"]["state"] == "cancelled" else "met",
        "review": "met", "rework": "met", "publish": "met",
    }  # fmt: skip
    assert all(one["explanation"] for one in deadlines.values())
    copies = await agency_topic(installation, "kbr", second, message, "draft-approved.v1")
    kinds = [copy["type"] for copy in copies]
    assert kinds[0] == "otklik.message.assignment-issued.v1"
    assert copies[0]["data"]["post"]["text"].startswith("На ул. Кирова")
    assert "otklik.message.draft-sent-back.v1" in kinds
    rows = await register(client, message, "answered")
    assert rows["answer_url"] == "https://vk.example/answer" and rows["agencies"] == [second]


async def register(client: Client, message: str, status: str) -> dict[str, Any]:
    """The row, once reporting has folded that far."""
    async with asyncio.timeout(20):
        while True:
            rows = (await client.get("reporting", "/v1/register?authority=kbr&limit=500"))["items"]
            for row in rows:
                if row["message_id"] == message and row["status"] == status:
                    return dict(row)
            await asyncio.sleep(0.1)


async def test_a_command_repeated_with_the_same_key_takes_effect_once(client: Client) -> None:
    message = await client.detect("-1_repeat")
    await client.message(message)
    key = str(uuid.uuid4())
    stated = {"topics": ["roads"], "location": "Баксан", "importance": "ordinary", "reduced": False}
    first = await client.command(message, "triage", key=key, **stated)
    second = await client.command(message, "triage", key=key, **stated)
    assert second == first | {"repeated": True}
    with pytest.raises(Problem) as other:
        await client.command(message, "triage", key=key, **stated | {"location": "Чегем"})
    assert other.value.status == 409
    told = await client.get("workflow", f"/v1/commands/{key}")
    assert told["status"] == "accepted" and told["outcome"]["sequence"] == first["sequence"]


async def test_refusals_name_the_paragraph(client: Client) -> None:
    message = await client.detect("-1_refusal")
    await client.message(message)
    with pytest.raises(Problem) as unstated:
        await client.command(message, "triage", topics=["roads"], location="Баксан", importance="ordinary")
    assert (unstated.value.status, unstated.value.body["paragraph"]) == (422, "8")
    with pytest.raises(Problem) as untriaged:
        await client.command(message, "route", assignments=[{"agency": (await client.agencies())[0]}])
    assert untriaged.value.status == 409
    with pytest.raises(Problem) as foreign:
        await client.message(message, role="executor", agency=(await client.agencies())[0])
    assert foreign.value.status == 404
    with pytest.raises(Problem) as stale:
        await client.command(message, "dismiss", ground="threat", expected_sequence=7)
    assert (stale.value.status, stale.value.body["sequence"]) == (409, 1)


async def test_a_repeat_names_an_answered_message_wherever_that_one_lives(client: Client) -> None:
    message = await triaged(client, "repeat")
    chosen = {"topics": ["utilities"], "location": "Нальчик", "importance": "ordinary", "reduced": False}
    # Of four at least one lives in another partition, of which the decider of the repeat knows nothing.
    for number in range(4):
        earlier = await client.detect(f"earlier-{number}")
        await client.message(earlier)
        with pytest.raises(Problem, match="на который уже дан ответ") as refused:
            await client.command(message, "triage", **chosen, repeat_of=earlier)
        assert (refused.value.status, refused.value.body["errors"][0]["pointer"]) == (422, "/data/repeat_of")
    with pytest.raises(Problem, match="Такого сообщения нет"):
        await client.command(message, "triage", **chosen, repeat_of=str(uuid.uuid4()))


async def test_an_agency_works_by_its_topic_over_a_weekend(client: Client, installation: Installation) -> None:
    agency = (await client.agencies())[2]
    friday = now(installation).replace(hour=16, minute=40, second=0, microsecond=0)
    while friday.weekday() != 4:
        friday += timedelta(days=1)
    installation.cli("clock", "set", friday.isoformat())
    message = await triaged(client, "-1_weekend")
    await client.command(message, "route", assignments=[{"agency": agency}])
    deadline = (await client.deadlines(message, 4))["answer"]
    monday = friday + timedelta(days=3, hours=1)
    assert datetime.fromisoformat(deadline["due_at"]) == monday
    command_id = str(uuid.uuid4())
    producer = AIOKafkaProducer(bootstrap_servers=installation.bootstrap, acks="all")
    await producer.start()
    try:
        event = {
            "specversion": "1.0", "id": command_id, "source": "/agency", "type": "otklik.command.submit-draft.v1",
            "subject": message, "time": friday.isoformat(),
            "data": {"type": "submit_draft", "data": {"kind": "answer", "text": "Починим в понедельник"}},
        }  # fmt: skip
        await producer.send_and_wait(f"otklik.commands.kbr.{agency}", json.dumps(event).encode(), key=message.encode())
    finally:
        await producer.stop()
    copies = await agency_topic(installation, "kbr", agency, message, "command.accepted.v1")
    assert copies[-1]["data"]["command_id"] == command_id
    assert (await client.message(message, 5))["status"] == "in_review"
    installation.cli("clock", "set", (monday + timedelta(minutes=1)).isoformat())
    late = (await client.deadlines(message))["answer"]
    assert late["state"] == "breached" and late["owed_by"] == {"role": "executor", "agency": agency}


async def test_the_raw_log_keeps_the_invariants(installation: Installation) -> None:
    log = await read(installation.bootstrap, "otklik", ["inbox", "events", "outcomes", "deadlines", "dead-letters"])
    assert len(log.of("events")) > 10
    assert check_log(log) == []
