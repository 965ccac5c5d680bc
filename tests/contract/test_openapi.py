"""What partners' tools read: OpenAPI of the services and AsyncAPI of the topics, generated, valid and whole."""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from schemas import asyncapi, asyncapi_check, export, topics
from schemas.commands import COMMANDS
from schemas.events import EVENTS
from services.cli import openapi
from services.workflow import outbox
from tests.unit.workflow.test_commands import EXAMPLES

DOCUMENTS = openapi.documents()


def test_the_written_openapi_is_that_of_the_services() -> None:
    assert openapi.main(check=True) == 0


def test_the_written_asyncapi_is_that_of_the_topics() -> None:
    assert asyncapi.main(check=True) == 0


@pytest.mark.parametrize("service", ["intake", "workflow", "sla", "reporting"])
def test_every_route_tells_its_summary_its_token_and_its_refusals(service: str) -> None:
    assert openapi.faults(DOCUMENTS[service]) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda one: one.pop("summary"), "нет summary"),
        (lambda one: one.pop("security"), "не сказано, что нужен токен"),
        (lambda one: one["responses"].pop("4XX"), "отказ 4XX не описан"),
        (lambda one: one["responses"]["202"].pop("description"), "is a required property"),
        (lambda one: one["parameters"].append({"name": "x", "in": "nowhere"}), "is not"),
    ],
)
def test_a_fault_of_openapi_is_told(change: Any, told: str) -> None:
    document = copy.deepcopy(DOCUMENTS["intake"])
    operation = document["paths"]["/v1/detections"]["post"]
    operation.setdefault("parameters", [])
    change(operation)
    assert told in "\n".join(openapi.faults(document))


@pytest.mark.parametrize(
    ("path", "about"),
    [("/v1/messages/{message_id}/commands", "message"), ("/v1/periods/{period_id}/commands", "period")],
)
def test_every_command_stands_in_openapi_with_its_data(path: str, about: str) -> None:
    body = DOCUMENTS["workflow"]["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {one["title"] for one in body["oneOf"]} == {name for name, data in COMMANDS.items() if data.subject == about}
    check = Draft202012Validator(body)
    for name, data in EXAMPLES.items():
        assert check.is_valid({"type": name, "data": data}) is (about == "message"), name
    assert not check.is_valid({"type": "no_such_command", "data": {}})


def test_every_topic_of_ours_stands_in_asyncapi_with_its_settings() -> None:
    document = asyncapi.document()
    assert set(document["channels"]) == {spec.name for spec in topics.STANDING} | {"commands", "assignments"}
    for spec in topics.STANDING:
        channel = document["channels"][spec.name]
        assert channel["address"] == "{prefix}." + spec.name
        told = channel["bindings"]["kafka"]["topicConfiguration"]
        assert told["retention.ms"] == int(spec.config(simulated=False)["retention.ms"])


def test_every_type_of_event_and_command_stands_on_its_topic() -> None:
    channels = asyncapi.document()["channels"]
    assert len(channels["events"]["messages"]) == len(EVENTS)
    assert {f"command.{name.replace('_', '-')}" for name in COMMANDS} <= set(channels["inbox"]["messages"])
    assert set(channels["escalations"]["messages"]) == {
        one.type.removeprefix("otklik.").removesuffix(".v1") for one in outbox.TO_LEADERSHIP
    }


@cache
def _written() -> tuple[dict[str, Any], Registry[Any]]:
    document: dict[str, Any] = yaml.safe_load(asyncapi.HERE.read_text(encoding="utf-8"))
    known = [(f"urn:x/json/{name}.json", Resource.from_contents(one)) for name, one in export.bundle().items()]
    return document, Registry().with_resources(known)


def _validator(kind: str) -> Draft202012Validator:
    """Of the values of one message of AsyncAPI, with its references to the exported schemas followed."""
    document, registry = _written()
    return Draft202012Validator(
        _absolute(document["components"]["messages"][kind]["payload"]["schema"]), registry=registry
    )


def _absolute(node: Any) -> Any:
    if isinstance(node, dict):
        moved = {name: _absolute(part) for name, part in node.items()}
        if isinstance(moved.get("$ref"), str):
            moved["$ref"] = moved["$ref"].replace("./json/", "urn:x/json/")
        return moved
    return [_absolute(part) for part in node] if isinstance(node, list) else node


def a_command(name: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "5b1c7f30-0000-4000-8000-000000000002",
        "source": "/agency/minstroy",
        "type": f"otklik.command.{name.replace('_', '-')}.v1",
        "subject": "d964e7a7-eb02-55b4-ba6c-aa87ea22cb31",
        "time": "2026-11-16T09:00:00+03:00",
        "data": {"type": name, "data": data},
    }


def test_an_agencys_commands_are_valid_by_asyncapi_and_broken_ones_are_not() -> None:
    for name, data in EXAMPLES.items():
        check = _validator(f"command.{name.replace('_', '-')}")
        assert [error.message for error in check.iter_errors(a_command(name, data))] == [], name
        assert not check.is_valid(a_command(name, data | {"no_such_field": 1})), name
        assert not check.is_valid(a_command("reopen" if name != "reopen" else "triage", data)), name


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.update(asyncapi="2.6.0"), "'3.0.0' was expected"),
        (lambda d: d["channels"]["events"].update(nonsense=1), "nonsense"),
        (lambda d: d["channels"]["events"]["parameters"].pop("prefix"), "non-empty"),
        (lambda d: d["channels"]["commands"]["parameters"].pop("agency"), "в адресе параметры"),
        (lambda d: d["operations"].pop("send-events"), "#/channels/events: никто не пишет и не читает"),
        (lambda d: d["components"]["messages"].pop("message.routed"), "message.routed: ведёт в никуда"),
        (lambda d: d["components"]["schemas"].update(Odd={"type": "object"}), "Odd: нигде не нужно"),
        (
            lambda d: d["components"]["messages"]["message.routed"]["payload"]["schema"].update(type="thing"),
            "message.routed: 'thing'",
        ),
    ],
)
def test_a_fault_of_asyncapi_is_told(change: Any, told: str) -> None:
    document = json.loads(json.dumps(asyncapi.document()))
    change(document)
    assert told in "\n".join(asyncapi_check.faults(document, set(export.bundle())))
