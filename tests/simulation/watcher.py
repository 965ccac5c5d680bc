"""What clients can see: every message as its events on the log have left it, in a few words of their own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from services.runtime.log import TopicPartition
from services.runtime.memory_log import MemoryLog


@dataclass
class Seen:
    """A message. `assignments`: agency by id, while live; `drafts`: [kind, by, status] by id."""

    message_id: str
    authority: str
    sequence: int = 0
    triaged: bool = False
    over: str | None = None
    lead: str | None = None
    assignments: dict[str, str] = field(default_factory=dict)
    drafts: dict[str, list[str]] = field(default_factory=dict)
    escalations: list[str] = field(default_factory=list)
    cases: dict[str, list[str]] = field(default_factory=dict)
    source: dict[str, Any] = field(default_factory=dict)

    def draft(self, status: str) -> str | None:
        return next((one for one, (_, _, now) in self.drafts.items() if now == status), None)


class Watcher:
    def __init__(self, log: MemoryLog, partitions: int) -> None:
        self._log = log
        self._positions = {TopicPartition("events", number): 0 for number in range(partitions)}
        self.messages: dict[str, Seen] = {}
        self.reached: dict[int, str] = {}
        self.authorities: set[str] = set()

    def look(self) -> dict[str, Seen]:
        for place in self._positions:
            for record in self._log._advance(place, self._positions):
                self._take(json.loads(record.value or b"{}"), record.partition)
        return self.messages

    def _take(self, event: dict[str, Any], partition: int) -> None:
        kind = event["type"].removeprefix("otklik.").removesuffix(".v1")
        if kind == "clock.reached":
            self.reached[partition] = event["time"]
        if kind == "authority.amended" and event["data"]["kind"] == "authority":
            self.authorities.add(event["authority"])
        if not kind.startswith("message."):
            return
        subject, data = event["subject"], event["data"]
        seen = self.messages.get(subject)
        if seen is None:
            seen = self.messages[subject] = Seen(subject, event["authority"], source=data.get("source", {}))
        seen.sequence = event["sequence"]
        match kind.removeprefix("message."):
            case "triaged":
                seen.triaged = True
            case "dismissed":
                seen.over = "dismissed"
            case "reopened":
                seen.over = None
            case "routed":
                seen.lead = data["lead"]
                seen.assignments |= {one["assignment_id"]: one["agency"] for one in data["assignments"]}
            case "assignment-issued":
                seen.assignments[data["assignment_id"]] = data["agency"]
            case "assignment-returned" | "assignment-recalled":
                seen.assignments.pop(data["assignment_id"], None)
            case "draft-submitted":
                seen.drafts[data["draft_id"]] = [data["kind"], data["by"], "in_review"]
            case "draft-approved" | "draft-sent-back":
                seen.drafts[data["draft_id"]][2] = "approved" if kind.endswith("approved") else "sent_back"
            case "published":
                seen.drafts[data["draft_id"]][2] = "published"
                seen.over = "answered" if data["kind"] == "answer" else seen.over
            case "escalated":
                seen.escalations.append(data["escalation_id"])
            case "case-proposed":
                seen.cases[data["case_id"]] = [data["agency"], "proposed"]
            case "case-agreed" | "case-refused" | "case-published" | "case-reported":
                seen.cases[data["case_id"]][1] = kind.removeprefix("message.case-")
