"""Exports the shapes as JSON Schema into `schemas/json/`: `python -m schemas.export`; with `--check` a difference fails.

A difference is a change of contract: `breaks()` says whether others would notice it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from schemas import commands, deadlines, detections, envelope, events, inbox, messages, outcomes
from schemas.generated import write_or_check

HERE = Path(__file__).parent / "json"

INPUTS: dict[str, type[BaseModel]] = {
    "detection": detections.Detection,
    "command-body": commands.CommandBody,
    **{f"command.{name.replace('_', '-')}": data for name, data in commands.COMMANDS.items()},
    "inbox.detection": detections.InboxDetection,
    "inbox.tick": inbox.Tick,
    "inbox.amendment": inbox.Amendment,
}
"""What others send: it may take more, and ask for no more."""

OUTPUTS: dict[str, type[BaseModel]] = {
    "envelope": envelope.Envelope,
    **{type_.removeprefix("otklik.").removesuffix(".v1"): data for type_, data in events.EVENTS.items()},
    "outcome.accepted": outcomes.Accepted,
    "outcome.refused": outcomes.Refused,
    "problem": outcomes.Problem,
    "deadline": deadlines.DeadlineData,
    "clock": inbox.ClockSet,
    "view.message": messages.MessageView,
    "view.deadline": messages.DeadlineView,
    "view.register-row": messages.RegisterRow,
}
"""What others read: it may tell more, and drop nothing."""


def bundle() -> dict[str, dict[str, Any]]:
    """Every schema by its name, inputs as they validate and outputs as they serialise."""
    made = {name: model.model_json_schema(mode="validation") for name, model in INPUTS.items()}
    made |= {name: model.model_json_schema(mode="serialization") for name, model in OUTPUTS.items()}
    return {name: {"$schema": "https://json-schema.org/draft/2020-12/schema"} | made[name] for name in sorted(made)}


def breaks(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> list[str]:
    """What those who build on `old` would notice in `new`: a schema or field gone, a field newly asked for, a value refused."""
    faults = [f"{name}: схема исчезла" for name in old if name not in new]
    for name in old.keys() & new.keys():
        faults += _compare(name, old[name], new[name], old[name], new[name], is_input=name in INPUTS, seen=set())
    return sorted(faults)


def _resolve(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _branches(schema: dict[str, Any], root: dict[str, Any]) -> list[dict[str, Any]]:
    return [_resolve(branch, root) for branch in schema.get("anyOf", [schema])]


def _compare(
    place: str,
    old: dict[str, Any],
    new: dict[str, Any],
    old_root: dict[str, Any],
    new_root: dict[str, Any],
    *,
    is_input: bool,
    seen: set[tuple[int, int]],
) -> list[str]:
    old, new = _resolve(old, old_root), _resolve(new, new_root)
    if (id(old), id(new)) in seen:
        return []
    seen.add((id(old), id(new)))
    faults: list[str] = []
    wide, narrow = (new, old) if is_input else (old, new)
    wide_root, narrow_root = (new_root, old_root) if is_input else (old_root, new_root)
    wide_types = {branch.get("type") for branch in _branches(wide, wide_root)}
    for branch in _branches(narrow, narrow_root):
        if None not in wide_types and branch.get("type") not in wide_types:
            faults.append(f"{place}: тип {branch.get('type')} не поместится в {sorted(map(str, wide_types))}")
    wide_values, narrow_values = _values(wide, wide_root), _values(narrow, narrow_root)
    if wide_values is not None and (narrow_values is None or not narrow_values <= wide_values):
        faults.append(f"{place}: значения {sorted(map(str, (narrow_values or set()) - wide_values))} стали чужими")
    old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
    faults += [f"{place}.{field}: поле исчезло" for field in old_fields if field not in new_fields]
    asked = set(new.get("required", ())) - set(old.get("required", ())) if is_input else set()
    faults += [f"{place}.{field}: поле стало обязательным" for field in sorted(asked)]
    dropped = set() if is_input else set(old.get("required", ())) - set(new.get("required", ()))
    faults += [f"{place}.{field}: поле перестало быть всегда" for field in sorted(dropped) if field in new_fields]
    for field in old_fields.keys() & new_fields.keys():
        inner = {"is_input": is_input, "seen": seen}
        faults += _compare(f"{place}.{field}", old_fields[field], new_fields[field], old_root, new_root, **inner)  # type: ignore[arg-type]
    if "items" in old and "items" in new:
        faults += _compare(f"{place}[]", old["items"], new["items"], old_root, new_root, is_input=is_input, seen=seen)
    return faults


def _values(schema: dict[str, Any], root: dict[str, Any]) -> set[Any] | None:
    """The listed values of a schema, or None where any are welcome."""
    found: set[Any] = set()
    for branch in _branches(schema, root):
        if "enum" in branch:
            found |= set(branch["enum"])
        elif "const" in branch:
            found.add(branch["const"])
        elif branch.get("type") != "null":
            return None
    return found


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def main(check: bool) -> int:
    wanted = {f"{name}.json": _text(schema) for name, schema in bundle().items()}
    return write_or_check(HERE, "*.json", wanted, check=check, command="make schemas")


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
