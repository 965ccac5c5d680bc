"""A small honest log, written by hand from the contract: one message of kbr, answered; another, late to be routed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from tests.checker.raw_log import Raw, RawLog

M = UUID("26ba15cf-27a3-5393-90f6-7450e2dac5a5")
NINE = datetime.fromisoformat("2026-11-16T09:00:00+03:00")
"""A Monday in Moscow."""
ANSWERED, LATE = (str(uuid5(M, f"kbr/vk/{name}")) for name in ("answered", "late"))
DUE = {"route": timedelta(minutes=30), "answer": timedelta(hours=25), "draft": timedelta(hours=6)}
"""After a start within the first minutes of that Monday: half an hour; nine hours of work, with lunch and a night between; four
hours of work before that. By hand."""


def minutes(count: float) -> datetime:
    return NINE + timedelta(minutes=count)


class Writing:
    """Appends records as the services would."""

    def __init__(self) -> None:
        self.log = RawLog({topic: [] for topic in ("inbox", "events", "outcomes", "deadlines")})
        self._sequences: dict[str, int] = {}
        self._indexes: dict[str, int] = {}
        self._states: dict[str, dict[str, Any]] = {}

    def append(self, topic: str, key: str, value: dict[str, Any], at: datetime, source: str | None = None) -> Raw:
        headers = {} if source is None else {"otklik-source": source.encode()}
        body = json.dumps({"specversion": "1.0", "subject": key, "time": at.isoformat(), **value}).encode()
        raw = Raw(topic, 0, len(self.log.topics[topic]), key.encode(), body, headers, at.astimezone(UTC))
        self.log.topics[topic].append(raw)
        return raw

    def detect(self, message: str, at: datetime) -> None:
        raw = self.append("inbox", message, {"id": f"d-{message[:8]}", "type": "otklik.detection.v1", "data": {}}, at)
        data = {"regulation": "kbr-2022-137", "detected_at": at.isoformat(), "received_at": at.isoformat(),
                "post": {"text": "Нет света"}}  # fmt: skip
        self.event(message, "registered", data, at, raw.place, f"d-{message[:8]}")
        for rule, due in DUE.items():
            self.deadline("set", message, rule, at, due_at=(at + due).isoformat(), starts_at=at.isoformat(), clock="working",
                          owed_by={"role": "coordinator"})  # fmt: skip

    def command(self, message: str, name: str, at: datetime, *events: tuple[str, dict[str, Any]], one: str = "") -> str:
        """An accepted command, with what it causes; its id."""
        one = one or f"c-{message[:8]}-{name}"
        raw = self.append("inbox", message, {"id": one, "type": f"otklik.command.{name}.v1", "data": {}}, at)
        said = [self.event(message, kind, data, at, raw.place, one) for kind, data in events]
        told = {
            "command_id": one,
            "command": name,
            "sequence": self._sequences[message],
            "events": said,
            "repeated": False,
        }
        self.append(
            "outcomes", message, {"id": f"o-{one}", "type": "otklik.command.accepted.v1", "data": told}, at, raw.place
        )
        return one

    def refuse(self, message: str, name: str, at: datetime, slug: str) -> str:
        one = f"c-{message[:8]}-{name}-{slug}"
        raw = self.append("inbox", message, {"id": one, "type": f"otklik.command.{name}.v1", "data": {}}, at)
        told = {"command_id": one, "command": name, "problem": {"type": f"urn:otklik:problem:{slug}", "status": 409}}
        self.append(
            "outcomes", message, {"id": f"o-{one}", "type": "otklik.command.refused.v1", "data": told}, at, raw.place
        )
        return one

    def event(
        self, message: str, kind: str, data: dict[str, Any], at: datetime, source: str, cause: str
    ) -> dict[str, Any]:
        sequence = self._sequences[message] = self._sequences.get(message, 0) + 1
        value = {"id": str(uuid5(UUID(message), str(sequence))), "type": f"otklik.message.{kind}.v1", "authority": "kbr",
                 "sequence": sequence, "causationid": cause, "data": data}  # fmt: skip
        self.append("events", message, value, at, source)
        return {name: value[name] for name in ("id", "type", "sequence", "data")} | {"time": at.isoformat()}

    def reached(self, at: datetime) -> None:
        raw = self.append("inbox", "clock", {"id": f"t-{at}", "type": "otklik.clock.tick.v1", "data": {}}, at)
        value = {"id": f"r-{at}", "type": "otklik.clock.reached.v1", "data": {"at": at.isoformat()}}
        self.append("events", "clock", value, at, raw.place)

    def deadline(self, kind: str, message: str, rule: str, at: datetime, cause: str | None = None, **data: Any) -> None:
        one = str(uuid5(UUID(message), f"{rule}/1"))
        known = self._states[one] = self._states.get(one, {"deadline_id": one, "rule": rule, "occurrence": 1}) | data
        value = {"id": f"{kind}-{one}", "type": f"otklik.deadline.{kind}.v1", "authority": "kbr", "data": known}
        self.append("deadlines", message, value | ({"causationid": cause} if cause else {}), at)


def honest() -> Writing:
    """Everything here is as it should be."""
    told = Writing()
    told.detect(ANSWERED, NINE)
    told.detect(LATE, minutes(0.5))
    triage = {"topics": ["ЖКХ"], "location": "центр", "importance": "ordinary", "reduced": False}
    told.command(ANSWERED, "triage", minutes(1), ("triaged", triage))
    told.refuse(ANSWERED, "approve-draft", minutes(2), "no-draft")
    work = {"assignment_id": "a-1", "agency": "minzdrav", "role": "lead", "order": 1}
    routed = ("routed", {"assignments": [work], "lead": "minzdrav"})
    told.command(ANSWERED, "route", minutes(10), routed, ("assignment-issued", work))
    told.deadline("met", ANSWERED, "route", minutes(10))
    told.reached(minutes(40))
    told.deadline("breached", LATE, "route", minutes(30.5), cause=f"r-{minutes(40)}")
    told.command(ANSWERED, "submit-draft", minutes(50), ("draft-submitted", {"draft_id": "f-1", "kind": "answer"}))
    told.deadline("met", ANSWERED, "draft", minutes(50))
    return told
