"""What clients were told over HTTP, against the log: nobody is told anything that is not so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from tests.checker.raw_log import RawLog

Answer = tuple[str, int, dict[str, Any]]
"""command_id, status, body."""


def outcomes_agree(log: RawLog) -> list[str]:
    """1c. An accepted outcome names the events that its record caused, all of them and no others; a refused one caused none;
    a repeat is told what the first was told."""
    commands = {raw.place for raw, event in log.json("inbox") if event["type"].startswith("otklik.command.")}
    caused: defaultdict[str, list[str]] = defaultdict(list)
    for raw, event in log.json("events"):
        source = raw.headers.get("otklik-source", b"").decode()
        if source in commands:
            caused[source].append(event["id"])
    first: dict[str, dict[str, Any]] = {}
    found: list[str] = []
    for raw, outcome in log.json("outcomes"):
        source, data = raw.headers.get("otklik-source", b"").decode(), outcome["data"]
        if source not in commands:
            continue
        accepted, repeated = outcome["type"] == "otklik.command.accepted.v1", data.get("repeated", False)
        named = [one["id"] for one in data["events"]] if accepted and not repeated else []
        if named != caused[source]:
            found.append(f"{source}: its outcome names {len(named)} events, it caused {len(caused[source])}")
        if accepted and not named and not repeated:
            found.append(f"{source}: accepted, and nothing came of it")
        if not repeated:
            first.setdefault(data["command_id"], _plain(outcome))
        elif first.get(data["command_id"]) != _plain(outcome):
            found.append(f"{source}: the repeat of {data['command_id']} was told something else than the first")
    return found


def _plain(outcome: dict[str, Any]) -> dict[str, Any]:
    data = {name: value for name, value in outcome["data"].items() if name not in ("repeated", "fingerprint")}
    return {"type": outcome["type"], "data": data}


def answers_agree(log: RawLog, answers: Iterable[Answer]) -> list[str]:
    """Every answer to a command: what was told accepted is so on the log, with these events at this sequence; what was told
    refused was refused for that reason. A refusal of the gate itself (token, shape) stands on no log."""
    accepted: dict[str, dict[str, Any]] = {}
    refused: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for _, outcome in log.json("outcomes"):
        data = outcome["data"]
        if outcome["type"] == "otklik.command.accepted.v1":
            accepted.setdefault(data["command_id"], data)
        else:
            refused[data["command_id"]].append(data["problem"])
    events = {event["id"]: event for _, event in log.json("events")}
    found: list[str] = []
    for command, status, body in answers:
        on_log = accepted.get(command)
        if status == 200:
            if on_log is None:
                found.append(f"{command}: told accepted, not so on the log")
                continue
            if body["sequence"] != on_log["sequence"] or len(body["events"]) != len(on_log["events"]):
                found.append(f"{command}: told sequence {body['sequence']}, on the log {on_log['sequence']}")
            for one in body["events"]:
                other = events.get(one["id"])
                if other is None:
                    found.append(f"{command}: told of event {one['id']}, not on the log")
                elif any(one[name] != other[name] for name in ("type", "sequence", "data")) or _at(one) != _at(other):
                    found.append(f"{command}: told of event {one['id']} otherwise than on the log")
        elif status in (403, 404, 409, 422):
            if on_log is not None and not str(body.get("type", "")).endswith("reused"):
                found.append(f"{command}: told refused ({status}), accepted on the log")
            problems = refused.get(command, [])
            if problems and not any((one["type"], one["status"]) == (body.get("type"), status) for one in problems):
                found.append(
                    f"{command}: told {body.get('type')} ({status}), refused on the log as {problems[0]['type']}"
                )
    return found


def _at(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["time"])
