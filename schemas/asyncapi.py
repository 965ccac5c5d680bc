"""AsyncAPI 3 of the topics, into `schemas/asyncapi.yaml`: `python -m schemas.asyncapi`; with `--check` a difference fails.

Who writes what stands in `schemas/topics.py`, the shapes in `schemas/json/`: here they are only put together, so that a
partner's tools can read them. Operations are told from our side: `receive` is what partners write, `send` what they read.
It needs what the extra `dev` installs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from schemas import inbox, outcomes, topics
from schemas.asyncapi_check import faults
from schemas.commands import COMMANDS, cloud_type
from schemas.deadlines import PENDING, TYPES, PendingData
from schemas.envelope import CONTENT_TYPE
from schemas.events import EVENTS
from schemas.export import bundle
from schemas.generated import write_or_check

HERE = Path(__file__).parent / "asyncapi.yaml"

TO_AGENCIES = tuple(
    f"otklik.message.{name}.v1"
    for name in (
        *("assignment-issued", "assignment-recalled", "contributed", "contribution-approved", "contribution-sent-back"),
        *("draft-approved", "draft-sent-back", "published", "notified", "post-edited", "post-removed"),
    )
)
TO_LEADERSHIP = tuple(
    f"otklik.message.{name}.v1"
    for name in ("escalated", "escalation-forwarded", "referred-to-law-enforcement", "shortcoming-reported")
)
"""Copies of events: the event itself, with what its reader needs beside it."""

OUTCOMES = (outcomes.ACCEPTED, outcomes.REFUSED)
BY_AGENCIES = tuple(cloud_type(name) for name, data in COMMANDS.items() if data.subject == "message")

WORDS: dict[str, tuple[str, str]] = {
    topics.DETECTIONS: (
        "receive",
        "Выявленные сообщения от систем мониторинга, которым Kafka удобнее HTTP; ключ любой",
    ),
    topics.INBOX: ("receive", "Всё поступившее по порядку; пишут только шлюзы Отклика и sla (тики)"),
    topics.EVENTS: ("send", "Истина: каждое событие каждого сообщения, хранится всегда"),
    topics.OUTCOMES: ("send", "Исход каждой команды: принята или отклонена"),
    topics.DEADLINES: ("send", "События сроков"),
    topics.ESCALATIONS: ("send", "Доклады руководству, обращения в правоохранительные органы, недостатки"),
    topics.DEAD_LETTERS: ("send", "Непринятое: исходные байты; причина и происхождение — в заголовках"),
    topics.CLOCK: ("send", "Где стоят учебные часы (установка с --clock simulated)"),
    "commands": ("receive", "Команды исполнителей органа; пишет только его система, что обеспечивает ACL темы"),
    "assignments": ("send", "Что касается органа: назначения, исходы его команд, его сроки; читает только его система"),
}
CARRIED: dict[str, tuple[str, ...]] = {
    topics.DETECTIONS: (inbox.DETECTION,),
    topics.INBOX: (f"{inbox.DETECTION}/inbox", *map(cloud_type, COMMANDS), inbox.TICK, inbox.AMENDMENT),
    topics.EVENTS: tuple(EVENTS),
    topics.OUTCOMES: OUTCOMES,
    topics.DEADLINES: (*TYPES, PENDING),
    topics.ESCALATIONS: TO_LEADERSHIP,
    topics.DEAD_LETTERS: ("dead-letter", "dead-letter-note"),
    topics.CLOCK: ("clock",),
    "commands": BY_AGENCIES,
    "assignments": (*TO_AGENCIES, *OUTCOMES, *TYPES),
}
"""Topic → what may stand on it, by CloudEvents type. The detection of the inbox has its post apart."""

_DEAD_LETTER_HEADERS = {
    "otklik-reason": "Причина: слово для машин",
    "otklik-detail": "Причина словами",
    "otklik-origin": "тема/партиция/смещение исходной записи",
    "otklik-first-appended-at": "Когда исходная запись поступила впервые, RFC 3339",
    "otklik-cut": "Только у урезанных: сколько байт было",
}
_NOTE_HEADERS = {
    "otklik-settles": "Смещение письма в этой теме, о котором заметка",
    "otklik-settled": "Что с ним сделано: replayed — подано снова, dismissed — отклонено",
}


def document() -> dict[str, Any]:
    """The whole document, as YAML is to bear it."""
    specs = {spec.name: spec for spec in topics.STANDING}
    commands, assignments = topics.of_agency("{authority}", "{agency}")
    specs |= {"commands": commands, "assignments": assignments}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Отклик: темы Kafka",
            "version": "1",
            "description": "Значения — CloudEvents 1.0 в JSON (structured mode). Время каждого события — время записи "
            "в журнале, которая его вызвала. Неизвестный тип читатель вправе пропустить, неизвестное поле — обязан.",
        },
        "defaultContentType": CONTENT_TYPE.decode(),
        "servers": {
            "embedded": {
                "host": "127.0.0.1:8092",
                "protocol": "kafka",
                "description": "Установка «make run»: порт — OTKLIK_PORT_BASE + 92",
            },
            "production": {
                "host": "{bootstrap}",
                "protocol": "kafka-secure",
                "variables": {"bootstrap": {"description": "Адреса брокеров, host:port"}},
                "security": [{"$ref": "#/components/securitySchemes/scram"}],
            },
        },
        "channels": {name: _channel(spec, CARRIED[name]) for name, spec in specs.items()},
        "operations": {_operation_id(name): _operation(name) for name in specs},
        "components": {
            "messages": {_message_id(kind): _message(kind) for kind in _each(CARRIED.values())},
            "schemas": _own_schemas(),
            "securitySchemes": {"scram": {"type": "scramSha512", "description": "Пользователь и пароль партнёра"}},
        },
    }


def _each(lists: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(one for kinds in lists for one in kinds))


def _message_id(kind: str) -> str:
    """`otklik.message.draft-approved.v1` → `message.draft-approved`."""
    return kind.removeprefix("otklik.").replace(".v1/inbox", ".inbox").removesuffix(".v1")


def _operation_id(topic: str) -> str:
    return f"{WORDS[topic][0]}-{topic}"


def _operation(topic: str) -> dict[str, Any]:
    action, words = WORDS[topic]
    return {"action": action, "channel": {"$ref": f"#/channels/{topic}"}, "summary": words}


def _channel(spec: topics.TopicSpec, kinds: tuple[str, ...]) -> dict[str, Any]:
    parameters = {"prefix": {"default": "otklik", "description": "Начало имён тем установки (OTKLIK_PREFIX)"}}
    if "{agency}" in spec.name:
        parameters["authority"] = {"description": "Код органа власти"}
        parameters["agency"] = {"description": "Код исполнительного органа"}
    config = spec.config(simulated=False)
    kafka: dict[str, Any] = {
        "topicConfiguration": {
            "cleanup.policy": [config["cleanup.policy"]],
            "retention.ms": int(config["retention.ms"]),
            "max.message.bytes": int(config["max.message.bytes"]),
        },
        "bindingVersion": "0.5.0",
    }
    told = {
        "address": topics.full("{prefix}", spec.name),
        "description": WORDS[spec.name.partition(".")[0]][1],
        "messages": {_message_id(kind): {"$ref": f"#/components/messages/{_message_id(kind)}"} for kind in kinds},
        "parameters": parameters,
        "bindings": {"kafka": kafka},
        # The law of our own log: a word of Kafka's that the binding does not know.
        "x-message-timestamp-type": config["message.timestamp.type"],
    }
    if spec.partitions is not None:
        kafka["partitions"] = spec.partitions
    elif spec.name in topics.SHARED:
        told["x-partitions"] = "одно общее число для inbox, events, outcomes и deadlines (24; у make run — 4)"
    return told


def _message(kind: str) -> dict[str, Any]:
    if kind == "dead-letter":
        properties = {name: {"type": "string", "description": words} for name, words in _DEAD_LETTER_HEADERS.items()}
        headers = {"type": "object", "required": list(_DEAD_LETTER_HEADERS)[:3], "properties": properties}
        return {"contentType": "application/octet-stream", "headers": headers, "title": "Непринятая запись"}
    if kind == "dead-letter-note":
        properties = {name: {"type": "string", "description": words} for name, words in _NOTE_HEADERS.items()}
        headers = {"type": "object", "required": list(_NOTE_HEADERS), "properties": properties}
        words = "Что стало с непринятой записью (заголовка otklik-origin у заметки нет)"
        return {
            "contentType": CONTENT_TYPE.decode(),
            "headers": headers,
            "payload": _formatted({"$ref": "./json/envelope.json"}),
            "title": words,
        }
    key: dict[str, Any] = {"type": "string"}
    if kind == "clock":
        return {
            "contentType": "application/json",
            "payload": _formatted({"$ref": "./json/clock.json"}),
            "bindings": _key(key),
        }
    if kind != inbox.DETECTION:
        key |= {"description": "subject: message_id (period_id, код органа) строчными буквами; murmur2, как у Kafka"}
    event_type = kind.partition("/")[0]
    payload = {
        "allOf": [
            {"$ref": "./json/envelope.json"},
            {
                "type": "object",
                "required": ["id", "source", "type", "data"],
                "properties": {"type": {"const": event_type}, "data": _data(kind)},
            },
        ]
    }
    return {"name": event_type, "payload": _formatted(payload), "bindings": _key(key)}


def _formatted(schema: dict[str, Any]) -> dict[str, Any]:
    # pydantic speaks the draft of 2020-12; AsyncAPI's own dialect is draft 07.
    return {"schemaFormat": "application/schema+json;version=draft-2020-12", "schema": schema}


def _key(schema: dict[str, Any]) -> dict[str, Any]:
    return {"kafka": {"key": schema, "bindingVersion": "0.5.0"}}


def _data(kind: str) -> dict[str, Any]:
    """The schema of `data` by the type, as a reference to the exported one."""
    named = {
        inbox.DETECTION: "detection",
        f"{inbox.DETECTION}/inbox": "inbox.detection",
        inbox.TICK: "inbox.tick",
        inbox.AMENDMENT: "inbox.amendment",
        outcomes.ACCEPTED: "outcome.accepted",
        outcomes.REFUSED: "outcome.refused",
        **dict.fromkeys(TYPES, "deadline"),
    }
    if kind == PENDING:
        return {"$ref": "#/components/schemas/PendingDeadline"}
    command = next((name for name in COMMANDS if cloud_type(name) == kind), None)
    if command is not None:
        return {
            "type": "object",
            "required": ["type", "data"],
            "properties": {
                "type": {"const": command},
                "data": {"$ref": f"./json/{_message_id(kind)}.json"},
                "expected_sequence": {"type": "integer", "minimum": 0},
            },
        }
    return {"$ref": f"./json/{named.get(kind) or _message_id(kind)}.json"}


def _own_schemas() -> dict[str, Any]:
    """Shapes that stand nowhere else: deadlines that wait for a calendar year."""
    made = PendingData.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    return {"PendingDeadline": made, **made.pop("$defs", {})}


def text() -> str:
    """The document as YAML, the same bytes every time."""
    head = "# Записано «make schemas» по schemas/topics.py и schemas/json: править там.\n"
    # Without aliases: not every tool of a partner reads them.
    dumper = type("Dumper", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
    written: str = yaml.dump(document(), Dumper=dumper, allow_unicode=True, sort_keys=False, width=120)
    return head + written


def main(check: bool) -> int:
    wanted = text()
    wrong = faults(yaml.safe_load(wanted), set(bundle()))
    for fault in wrong:
        print(f"schemas/asyncapi.yaml: {fault}")
    if wrong:
        return 1
    return write_or_check(HERE.parent, HERE.name, {HERE.name: wanted}, check=check, command="make schemas")


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
