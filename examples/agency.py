"""An agency's own system in one page: it reads its topic, answers, and survives being killed at any moment.

    python examples/agency.py --kafka 127.0.0.1:8092 --authority kbr --agency minzdrav

It drafts an answer for each assignment that it is to draft, contributes where it is to contribute, reworks what is sent
back, and reports the publication of what is approved. Two things make it safe: the ids of its commands are derived from
what they answer (so a repeat is the same command), and its own position is committed only after its commands are stored.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import uuid
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition


def command_for(event: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """What this agency does about an event of its topic: a command's type and data, or nothing."""
    kind, data = event["type"], event["data"]
    if kind == "otklik.message.assignment-issued.v1":
        if data.get("contributes"):
            return "contribute", {"assignment_id": data["assignment_id"], "text": "По нашей части: работы назначены."}
        if data.get("drafts") and data["role"] == "lead":
            return "submit_draft", {"kind": "answer", "text": "Здравствуйте! Приняли в работу, сделаем до пятницы."}
    if kind == "otklik.message.draft-sent-back.v1":
        return "submit_draft", {"kind": data["kind"], "text": f"Исправлено по замечанию: {data['comments']}"}
    if kind == "otklik.message.draft-approved.v1":
        url = f"https://vk.example/answer/{data['draft_id']}"
        return "report_publication", {"draft_id": data["draft_id"], "url": url, "place": "same"}
    return None


def envelope(event: dict[str, Any], kind: str, data: dict[str, Any], agency: str) -> dict[str, Any]:
    """The command as a CloudEvent; the same event always gives the same command_id."""
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid5(uuid.UUID(event["id"]), kind)),
        "source": f"/agency/{agency}",
        "type": f"otklik.command.{kind.replace('_', '-')}.v1",
        "subject": event["subject"],
        "time": event["time"],
        "data": {"type": kind, "data": data},
    }


async def work(kafka: str, prefix: str, authority: str, agency: str) -> None:
    inbound = f"{prefix}.assignments.{authority}.{agency}"
    outbound = f"{prefix}.commands.{authority}.{agency}"
    consumer = AIOKafkaConsumer(
        inbound,
        bootstrap_servers=kafka,
        group_id=f"{prefix}.agency.{authority}.{agency}",
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    await consumer.start()
    await producer.start()
    try:
        async for record in consumer:
            event = json.loads(record.value)
            if event["type"].startswith("otklik.command."):
                word = "принято" if ".accepted." in event["type"] else "ОТКАЗ: " + event["data"]["problem"]["detail"]
                print(f"{event['data'].get('command')} {event['subject']}: {word}", flush=True)
            todo = command_for(event)
            if todo is not None:
                value = json.dumps(envelope(event, *todo, agency), ensure_ascii=False).encode()
                await producer.send_and_wait(outbound, value, key=event["subject"].encode())
            await consumer.commit({TopicPartition(record.topic, record.partition): record.offset + 1})
    finally:
        await producer.stop()
        await consumer.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", default="127.0.0.1:8092")
    parser.add_argument("--prefix", default="otklik")
    parser.add_argument("--authority", required=True)
    parser.add_argument("--agency", required=True)
    arguments = parser.parse_args()
    asyncio.run(work(arguments.kafka, arguments.prefix, arguments.authority, arguments.agency))


if __name__ == "__main__":
    main()
