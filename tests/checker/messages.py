"""A message as the checker folds it, against what the services tell of it: reads, histories, deadlines, tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.checker.raw_log import RawLog

Event = dict[str, Any]
LIVE = ("waiting", "issued", "contributed")


def histories(log: RawLog) -> dict[str, list[Event]]:
    """The events of every message, in their order."""
    found: dict[str, list[Event]] = {}
    for _, event in log.json("events"):
        if event["type"].startswith("otklik.message."):
            found.setdefault(event["subject"], []).append(event)
    return found


def folded(events: Sequence[Event]) -> dict[str, Any]:
    """What the contract's message must tell after these events; a field that they leave open is not there."""
    seen: dict[str, Any] = {"dismissed": False, "answered": False, "interim": False, "importance": None}
    assignments: dict[str, dict[str, Any]] = {}
    drafts: dict[str, dict[str, Any]] = {}
    for event in events:
        kind, data = event["type"].split(".")[2], event["data"]
        match kind:
            case "registered":
                seen |= {
                    "regulation": data["regulation"],
                    "detected_at": _at(data["detected_at"]),
                    "post": data["post"],
                }
            case "post-edited":
                seen["post"] = data["post"]
            case "triaged":
                seen |= {"topics": data["topics"], "location": data["location"], "importance": data["importance"]}
            case "dismissed":
                seen["dismissed"] = True
            case "reopened":
                seen["dismissed"] = False
            case "routed":
                for one in data["assignments"]:
                    fresh = {"agency": one["agency"], "role": one["role"], "status": "waiting"}
                    assignments.setdefault(one["assignment_id"], fresh)
            case "assignment-issued":
                assignments[data["assignment_id"]]["status"] = "issued"
            case "assignment-returned" | "assignment-recalled" | "contributed":
                assignments[data["assignment_id"]]["status"] = kind.removeprefix("assignment-")
            case "draft-submitted":
                drafts[data["draft_id"]] = {"kind": data["kind"], "status": "in_review"}
            case "draft-approved" | "draft-sent-back":
                drafts[data["draft_id"]]["status"] = "approved" if kind.endswith("approved") else "sent_back"
            case "published":
                drafts[data["draft_id"]]["status"] = "published"
                seen["interim"] |= data["kind"] == "interim"
                seen["answered"] |= data["kind"] == "answer"
    if seen["answered"]:
        for one in assignments.values():
            one["status"] = "done" if one["status"] in LIVE else one["status"]
    seen["sequence"] = events[-1]["sequence"]
    seen["assignments"], seen["drafts"] = assignments, drafts
    seen["status"] = _status(seen)
    return seen


def _status(seen: Mapping[str, Any]) -> str:
    if seen["dismissed"]:
        return "dismissed"
    if seen["answered"]:
        return "answered"
    drafts = list(seen["drafts"].values())
    flying = [one["status"] for one in drafts if one["status"] in ("in_review", "approved")]
    if flying:
        return str(flying[-1])
    live = any(one["status"] in LIVE for one in seen["assignments"].values())
    if drafts and drafts[-1]["status"] == "sent_back" and live:
        return "in_rework"
    if drafts and drafts[-1]["kind"] == "clarification" and drafts[-1]["status"] == "published" and live:
        return "clarifying"
    if seen["interim"]:
        return "interim_answered"
    return "in_work" if live else "triaged" if seen["importance"] else "registered"


def reads_agree(log: RawLog, reads: Iterable[dict[str, Any]]) -> list[str]:
    """3a. What workflow told of a message, at any time, is the fold of the log up to the sequence that it named."""
    known = histories(log)
    found: list[str] = []
    for read in reads:
        message, sequence = read["message_id"], read["sequence"]
        events = known.get(message, [])
        if not 0 < sequence <= len(events):
            found.append(f"{message}: read at sequence {sequence}, the log has {len(events)}")
            continue
        want = folded(events[:sequence])
        told = {
            "status": read["status"], "regulation": read["regulation"], "detected_at": _at(read["detected_at"]),
            "post": read["post"], "importance": read.get("importance"),
            "assignments": {one["assignment_id"]: {name: one[name] for name in ("agency", "role", "status")}
                            for one in read["assignments"]},
            "drafts": {one["draft_id"]: {name: one[name] for name in ("kind", "status")} for one in read["drafts"]},
        }  # fmt: skip
        if want["importance"]:
            told |= {"topics": read["topics"], "location": read["location"]}
        found += [
            f"{message} at {sequence}: {name} read as {value}, on the log {want[name]}"
            for name, value in told.items()
            if _bare(want[name]) != _bare(value)
        ]
    return found


def histories_agree(log: RawLog, told: Mapping[str, Sequence[Event]]) -> list[str]:
    """3b. A history that workflow told is the events on the log, to every field of their data."""
    known = histories(log)
    found: list[str] = []
    for message, items in told.items():
        want = known.get(message, [])
        if [one["id"] for one in items] != [one["id"] for one in want]:
            found.append(f"{message}: a history of {len(items)} events, on the log {len(want)}")
            continue
        found += [
            f"{message}: event {one['sequence']} told otherwise than on the log"
            for one, other in zip(items, want, strict=True)
            if one["type"] != other["type"]
            or _at(one["time"]) != _at(other["time"])
            or _bare(one["data"]) != _bare(other["data"])
        ]
    return found


STATES = {"set": "open", "moved": "open", "met": "met", "breached": "breached", "met-late": "met_late",
          "cancelled": "cancelled", "excused": "excused"}  # fmt: skip


def deadlines_agree(log: RawLog, told: Mapping[str, Sequence[dict[str, Any]]]) -> list[str]:
    """3c. What sla told of a message's deadlines is the fold of `deadlines`: which there are, when due, in what state."""
    want: dict[str, dict[str, tuple[str, datetime, dict[str, Any]]]] = {message: {} for message in told}
    for _, event in log.json("deadlines"):
        kind, data = event["type"].split(".")[2], event["data"]
        if event["subject"] not in want or kind not in STATES:
            continue
        before = want[event["subject"]].get(data["deadline_id"])
        state = STATES[kind]
        if before is not None and before[0] == "excused":
            state = "excused"
        want[event["subject"]][data["deadline_id"]] = (state, _at(data["due_at"]), _bare(data["owed_by"]))
    found: list[str] = []
    for message, items in told.items():
        there = {one["deadline_id"]: one for one in items}
        if set(there) != set(want[message]):
            found.append(f"{message}: {len(there)} deadlines told, on the log {len(want[message])}")
        for one, (state, due, owed_by) in want[message].items():
            told_of = there.get(one, {})
            shown = (told_of.get("state"), _at(told_of["due_at"]) if told_of else None, _bare(told_of.get("owed_by")))
            if told_of and shown != (state, due, owed_by):
                found.append(f"{message}: deadline {told_of['rule']} told {shown}, on the log {(state, due, owed_by)}")
    return found


def tables_agree(
    log: RawLog, rows: Iterable[tuple[str, int, int, bytes]], positions: Iterable[tuple[str, int, int]]
) -> list[str]:
    """3d. The history that a service keeps – rows of (topic, partition, offset, body) – is the log's own bytes, each record
    once and none missing; no position – (topic, partition, offset) – lies beyond the log's end."""
    want = {
        (raw.topic, raw.partition, raw.offset): raw.value
        for topic in ("events", "deadlines")
        for raw in log.of(topic)
        if raw.key is not None and b'"subject"' in raw.value
    }
    kept: dict[tuple[str, int, int], bytes] = {}
    found: list[str] = []
    for topic, partition, offset, body in rows:
        kept[topic, partition, offset] = body
    topics = {topic for topic, _, _ in kept}
    for place, body in kept.items():
        if want.get(place) != body:
            found.append(f"{place}: kept in the table, and {'not so' if place in want else 'nowhere'} on the log")
    for place, body in want.items():
        if place[0] in topics and place not in kept and b"otklik.message." in body:
            found.append(f"{place}: on the log, and not in the table")
    for topic, partition, offset in positions:
        last = max((raw.offset for raw in log.of(topic) if raw.partition == partition), default=-1)
        if offset <= last:
            found.append(f"{topic}/{partition}: stored up to {offset}, the log goes on to {last}")
    return found


def _bare(value: Any) -> Any:
    """Without fields that are null: absent and null tell the same."""
    if isinstance(value, dict):
        return {name: _bare(one) for name, one in value.items() if one is not None}
    return [_bare(one) for one in value] if isinstance(value, list) else value


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
