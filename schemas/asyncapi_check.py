"""What AsyncAPI 3 asks of our document: the part of its rules that we use, as a JSON Schema, and where references lead.

No package of Python brings AsyncAPI's own JSON Schema. This part was written by it, and is stricter: an unknown field of an
object of AsyncAPI is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator

_TEXT = {"type": "string", "minLength": 1}


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "patternProperties": {r"^x-[\w\d.\-_]+$": True},
        "additionalProperties": False,
    }


def _map(of: dict[str, Any], names: str = r"^[\w\d.\-_]+$") -> dict[str, Any]:
    return {"type": "object", "patternProperties": {names: of}, "additionalProperties": False, "minProperties": 1}


def _reference(to: str) -> dict[str, Any]:
    pointer = {"type": "string", "pattern": rf"^#/{to}/[^/]+$"}
    return {"type": "object", "required": ["$ref"], "properties": {"$ref": pointer}, "additionalProperties": False}


_CONFIGURATION = {
    "type": "object",
    "properties": {
        "cleanup.policy": {"type": "array", "items": {"enum": ["compact", "delete"]}},
        "retention.ms": {"type": "integer", "minimum": -1},
        "max.message.bytes": {"type": "integer", "minimum": 0},
    },
}
_VERSION = {"const": "0.5.0"}
_PAYLOAD = _object(
    ("schemaFormat", "schema"), schemaFormat={"type": "string", "pattern": "/"}, schema={"type": "object"}
)
_CHANNEL = _object(
    ("address", "messages"),
    address={"type": "string", "pattern": r"^\{prefix\}\.[a-z{}.-]+$"},
    description=_TEXT,
    messages=_map(_reference("components/messages")),
    parameters=_map(_object(default=_TEXT, description=_TEXT)),
    bindings=_object(
        kafka=_object(
            partitions={"type": "integer", "minimum": 1}, topicConfiguration=_CONFIGURATION, bindingVersion=_VERSION
        )
    ),
)
_MESSAGE = _object(
    name=_TEXT,
    title=_TEXT,
    contentType={"type": "string", "pattern": "/"},
    headers={"type": "object", "required": ["type"], "properties": {"type": {"const": "object"}}},
    payload=_PAYLOAD,
    bindings=_object(kafka=_object(key={"type": "object"}, bindingVersion=_VERSION)),
)
_OPERATION = _object(
    ("action", "channel"), action={"enum": ["send", "receive"]}, channel=_reference("channels"), summary=_TEXT
)
_SERVER = _object(
    ("host", "protocol"),
    host=_TEXT,
    protocol={"enum": ["kafka", "kafka-secure"]},
    description=_TEXT,
    variables=_map(_object(description=_TEXT)),
    security={"type": "array", "items": _reference("components/securitySchemes")},
)
_RULES = _object(
    ("asyncapi", "info", "channels", "operations", "components"),
    asyncapi={"const": "3.0.0"},
    info=_object(("title", "version"), title=_TEXT, version=_TEXT, description=_TEXT),
    defaultContentType={"type": "string", "pattern": "/"},
    servers=_map(_SERVER),
    channels=_map(_CHANNEL),
    operations=_map(_OPERATION),
    components=_object(
        messages=_map(_MESSAGE),
        schemas=_map({"type": "object"}),
        securitySchemes=_map(_object(("type",), type={"const": "scramSha512"}, description=_TEXT)),
    ),
)


def faults(document: dict[str, Any], exported: set[str]) -> list[str]:
    """Every fault with its place. `exported`: the names of the schemas in `schemas/json/`."""
    found = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
        for error in Draft202012Validator(_RULES).iter_errors(document)
    ]
    if found:
        return found
    used = set(_references(document))
    found += [f"{reference}: ведёт в никуда" for reference in sorted(used) if not _leads(document, reference, exported)]
    for name, channel in document["channels"].items():
        named, given = set(re.findall(r"\{(\w+)\}", channel["address"])), set(channel["parameters"])
        if named != given:
            found.append(f"channels/{name}: в адресе параметры {sorted(named)}, описаны {sorted(given)}")
    for part in ("messages", "schemas", "securitySchemes"):
        for name in document["components"][part]:
            if f"#/components/{part}/{name}" not in used:
                found.append(f"components/{part}/{name}: нигде не нужно")
    for name, schema in document["components"]["messages"].items():
        if "payload" in schema:
            for error in Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(
                schema["payload"]["schema"]
            ):
                found.append(f"components/messages/{name}: {error.message}")
    unread = {f"#/channels/{name}" for name in document["channels"]} - {
        operation["channel"]["$ref"] for operation in document["operations"].values()
    }
    return found + [f"{channel}: никто не пишет и не читает" for channel in sorted(unread)]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for part in node.values():
            yield from _references(part)
    elif isinstance(node, list):
        for part in node:
            yield from _references(part)


def _leads(document: dict[str, Any], reference: str, exported: set[str]) -> bool:
    file = re.fullmatch(r"\./json/(.+)\.json", reference)
    if file is not None:
        return file[1] in exported
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    return True
