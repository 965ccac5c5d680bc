"""The shape of a command, for both ways in: every fault at once, and the one form in which it stands on the inbox."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

from pydantic import ValidationError

from schemas import ids
from schemas.commands import COMMANDS, CommandBody, Data, PeriodData
from schemas.outcomes import Fault
from services.runtime import problems
from services.runtime.gate import unstorable

_REPORTED_YEARS = range(2020, 2060)


class Shapeless(Exception):
    """What came is no command; `faults` says why, with pointers into the body."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{fault.pointer}: {fault.detail}" for fault in faults))
        self.faults = faults


class UnknownReport(Exception):
    """Nothing says of which authority and period the command is, and its sender has none with that id."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """A command whose shape is right. `data` is canonical: the same command always looks the same."""

    name: str
    data: dict[str, Any]
    expected_sequence: int | None = None
    command_id: UUID | None = None

    def body(self) -> dict[str, Any]:
        """`data` of the record on the inbox (`command_id` is the envelope's id)."""
        body: dict[str, Any] = {"type": self.name, "data": self.data}
        if self.expected_sequence is not None:
            body["expected_sequence"] = self.expected_sequence
        return body


def shaped(
    raw: bytes | dict[str, Any], about: Literal["message", "period"], subject: str, authorities: Sequence[str] = ()
) -> Shaped:
    """The command in `raw`. What `data` leaves out of a report's authority and period is found by the `subject` among the
    sender's `authorities`. Raises `Shapeless` with every fault of the body and of its `data`; `UnknownReport`."""
    try:
        given = json.loads(raw) if isinstance(raw, bytes) else raw
    except (ValueError, RecursionError):
        raise Shapeless([Fault(pointer="", detail="это не JSON")]) from None
    if not isinstance(given, dict):
        raise Shapeless([Fault(pointer="", detail="нужен объект")])
    faults = unstorable(given)
    body: CommandBody | None = None
    try:
        body = CommandBody.model_validate(given)
    except ValidationError as error:
        faults += problems.faults_of(error)
    name = given.get("type")
    shape = COMMANDS.get(name) if isinstance(name, str) else None
    if isinstance(name, str) and (shape is None or shape.subject != about):
        what = "сообщения" if about == "message" else "отчёта за период"
        faults.append(Fault(pointer="/type", detail=f"такой команды для {what} нет"))
    data: Data | None = None
    if shape is not None and isinstance(given.get("data", {}), dict):
        told = given.get("data", {})
        if issubclass(shape, PeriodData) and not {"authority", "period"} <= told.keys():
            told = told | _report_meant(shape, told, subject, authorities)
        try:
            data = shape.model_validate(told)
        except ValidationError as error:
            faults += problems.faults_of(error, ("data",))
        else:
            faults += _unfit(data, subject)
    if faults or body is None or data is None:
        raise Shapeless(faults)
    return Shaped(body.type, data.model_dump(mode="json", exclude_none=True), body.expected_sequence, body.command_id)


def _unfit(data: Data, subject: str) -> list[Fault]:
    found = []
    if isinstance(data, PeriodData) and data.subject_id != subject:
        found.append(Fault(pointer="/data/period", detail="period_id в адресе — другого отчёта"))
    return found


def _report_meant(
    shape: type[PeriodData], told: dict[str, Any], subject: str, authorities: Sequence[str]
) -> dict[str, str]:
    """The authority and the period whose report has the id `subject`. Raises `UnknownReport`."""
    for authority in authorities:
        period = _periods(authority, shape.report).get(subject)
        if period is not None and told.get("authority", authority) == authority:
            return {"authority": authority, "period": told.get("period", period)}
    raise UnknownReport


@lru_cache(maxsize=64)
def _periods(authority: str, report: str) -> Mapping[str, str]:
    """Periods by the ids of their reports: an id does not say what it was made of, but there are few to try."""
    parts = (*(f"{month:02}" for month in range(1, 13)), *(f"Q{quarter}" for quarter in range(1, 5)))
    periods = (f"{year}-{part}" for year in _REPORTED_YEARS for part in parts)
    return {ids.period_id(authority, report, period): period for period in periods}


def body_schema(about: Literal["message", "period"]) -> dict[str, Any]:
    """The JSON Schema of what may be posted, for OpenAPI: one of the commands."""
    return {"oneOf": [_schema(shape) for shape in COMMANDS.values() if shape.subject == about]}


def _schema(shape: type[Data]) -> dict[str, Any]:
    data = _inlined(shape.model_json_schema())
    if issubclass(shape, PeriodData):
        data["required"] = [name for name in data["required"] if name not in ("authority", "period")]
    return {
        "title": shape.type,
        "type": "object",
        "additionalProperties": False,
        "required": ["type", "data"] if data.get("required") else ["type"],
        "properties": {
            "type": {"const": shape.type},
            "data": data,
            "expected_sequence": {"type": "integer", "minimum": 0},
            "command_id": {"type": "string", "format": "uuid"},
        },
    }


def _inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without `$defs`: references of a part of a document would point into the whole of it."""
    defs = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        match node:
            case {"$ref": str(ref)}:
                return resolved(defs[ref.rsplit("/", 1)[1]])
            case dict():
                return {name: resolved(part) for name, part in node.items()}
            case list():
                return [resolved(part) for part in node]
        return node

    return dict(resolved(schema))
