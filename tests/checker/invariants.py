"""The invariants of architecture.md, judged on the raw log alone. Each function returns violations in words; none is good."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from tests.checker.answers import outcomes_agree
from tests.checker.messages import folded, histories
from tests.checker.raw_log import Raw, RawLog

M = UUID("26ba15cf-27a3-5393-90f6-7450e2dac5a5")
OPEN, CLOSED = "open", ("met", "breached", "cancelled", "excused", "met-late")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _kind(event: dict[str, Any]) -> str:
    return str(event["type"]).split(".")[2]


def registered_once(log: RawLog, acknowledged: Iterable[str]) -> list[str]:
    """1a. Every acknowledged detection (its message_id) is registered exactly once."""
    counted = Counter(
        event["subject"] for _, event in log.json("events") if event["type"] == "otklik.message.registered.v1"
    )
    lost = [f"{message}: acknowledged and never registered" for message in set(acknowledged) if not counted[message]]
    return lost + [f"{message}: registered {times} times" for message, times in counted.items() if times > 1]


def one_outcome(log: RawLog) -> list[str]:
    """1b. Every command record has one outcome, every command_id one effect."""
    found: list[str] = []
    commands = {raw.place: event for raw, event in log.json("inbox") if event["type"].startswith("otklik.command.")}
    answered: Counter[str] = Counter()
    effects: defaultdict[str, set[str]] = defaultdict(set)
    for raw, outcome in log.json("outcomes"):
        source = raw.headers.get("otklik-source", b"").decode()
        answered[source] += 1
        data = outcome["data"]
        # An amendment stands in every partition, and has its outcome in each: only commands take effect once.
        if source in commands and outcome["type"] == "otklik.command.accepted.v1" and not data.get("repeated"):
            effects[data["command_id"]].add(source)
    for place, command in commands.items():
        if answered[place] != 1:
            found.append(f"{place}: command {command['id']} has {answered[place]} outcomes")
    found += [f"command {one}: took effect {len(places)} times" for one, places in effects.items() if len(places) > 1]
    caused: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for raw, event in log.json("events"):
        if event.get("causationid") and event["type"].startswith("otklik.message."):
            caused[event["causationid"]].add((event["subject"], raw.headers.get("otklik-source", b"").decode()))
    return found + [
        f"{cause}: caused events from {len(ways)} records" for cause, ways in caused.items() if len(ways) > 1
    ]


def gapless(log: RawLog) -> list[str]:
    """2. `sequence` is 1, 2, 3 … on the log itself; ids, keys and times are as the contract says."""
    found: list[str] = []
    last: defaultdict[str, int] = defaultdict(int)
    homes: dict[str, int] = {}
    times: dict[int, datetime] = {}
    for raw, event in log.json("events"):
        at = _at(event["time"])
        if raw.partition in times and at < times[raw.partition]:
            found.append(f"{raw.place}: time {at} runs backwards in its partition")
        times[raw.partition] = at
        if event.get("sequence") is None:
            continue
        subject, sequence = event["subject"], event["sequence"]
        if sequence != last[subject] + 1:
            found.append(f"{raw.place}: {subject} jumps from {last[subject]} to {sequence}")
        last[subject] = sequence
        if homes.setdefault(subject, raw.partition) != raw.partition:
            found.append(f"{subject}: stands in two partitions")
        if event["id"] != str(uuid5(UUID(subject), str(sequence))):
            found.append(f"{raw.place}: id is not that of {subject}/{sequence}")
        if raw.key != subject.encode():
            found.append(f"{raw.place}: key {raw.key!r} is not its message's")
    return found


def _reached(log: RawLog) -> dict[int, datetime]:
    reached: dict[int, datetime] = {}
    for raw, event in log.json("events"):
        if event["type"] == "otklik.clock.reached.v1":
            at = _at(event["time"])
            reached[raw.partition] = max(at, reached.get(raw.partition, at))
    return reached


def _fulfilments(log: RawLog) -> dict[tuple[str, str], datetime]:
    """When the rules that happen once were first fulfilled, by the facts alone."""
    ends = {"route": ("routed", "dismissed"), "answer": ("published",), "draft": ("draft-submitted",)}
    first: dict[tuple[str, str], datetime] = {}
    for _, event in log.json("events"):
        for rule, kinds in ends.items():
            if event["type"].startswith("otklik.message.") and _kind(event) in kinds:
                if rule == "answer" and event["data"]["kind"] == "clarification":
                    continue
                first.setdefault((event["subject"], rule), _at(event["time"]))
    return first


def deadlines_final(log: RawLog) -> list[str]:
    """4. One `breached` per occurrence, none that was met in time, none missing below the last `reached`."""
    found: list[str] = []
    reached = _reached(log)
    times = {event["id"]: _at(event["time"]) for _, event in log.json("events")}
    first = _fulfilments(log)
    state: dict[str, str] = {}
    latest: dict[str, tuple[Raw, dict[str, Any]]] = {}
    breaches: Counter[str] = Counter()
    for raw, event in log.json("deadlines"):
        kind, data = _kind(event), event["data"]
        one, due = data["deadline_id"], _at(data["due_at"])
        name = f"{event['subject']} {data['rule']}/{data['occurrence']}"
        if one != str(uuid5(UUID(event["subject"]), f"{data['rule']}/{data['occurrence']}")):
            found.append(f"{raw.place}: deadline_id is not that of {name}")
        was = state.get(one)
        if kind == "set" and was is not None:
            found.append(f"{name}: set twice")
        if kind == "excuse-ignored":
            # It is numbered where the deadline was set, and bears no number where there is none; nothing comes of it.
            if was is None and event.get("sequence") is not None:
                found.append(f"{name}: {kind} before set, and numbered")
            if was is not None and event.get("sequence") is None:
                found.append(f"{name}: {kind} when {was}, and not numbered")
            continue
        if kind != "set" and was is None:
            found.append(f"{name}: {kind} before set")
        if kind in ("met", "cancelled", "moved", "approaching", "breached") and was not in (OPEN, None):
            found.append(f"{name}: {kind} when {was}")
        if kind == "met" and _at(event["time"]) > due:
            found.append(f"{name}: met at {event['time']}, after {due}")
        if kind == "met-late" and was not in ("breached", "excused") and not data.get("window"):
            found.append(f"{name}: met-late when {was}")
        if kind == "excused" and was not in ("breached", "met-late"):
            found.append(f"{name}: excused when {was}")
        if kind == "breached":
            breaches[one] += 1
            if _at(event["time"]) != due:
                found.append(f"{name}: breached at {event['time']}, due {due}")
            if data.get("window"):
                found.append(f"{name}: a window was breached")
            cause = times.get(event.get("causationid") or "")
            if cause is not None and cause <= due:
                found.append(f"{name}: breached by an event of {cause}, not past {due}")
            done = first.get((event["subject"], data["rule"]))
            if done is not None and done <= due and data["occurrence"] == 1:
                found.append(f"{name}: FALSE BREACH, fulfilled at {done}, due {due}")
        state[one] = OPEN if kind in ("set", "moved", "approaching") else kind
        if kind in ("set", "moved"):
            latest[one] = (raw, event)
    found += [f"{one}: breached {times_} times" for one, times_ in breaches.items() if times_ > 1]
    for one, (raw, event) in latest.items():
        data = event["data"]
        overdue = raw.partition in reached and _at(data["due_at"]) < reached[raw.partition]
        if state[one] == OPEN and not data.get("window") and overdue:
            name = f"{event['subject']} {data['rule']}/{data['occurrence']}"
            found.append(f"{name}: MISSING BREACH, due {data['due_at']}, reached {reached[raw.partition]}")
    return found


def registers_agree(log: RawLog, rows: list[dict[str, Any]]) -> list[str]:
    """5. The register = the fold of the log, to the row: which messages, their agencies, answers and breaches."""
    wanted: dict[str, dict[str, Any]] = {}
    known = histories(log)
    for _, event in log.json("events"):
        kind, data = _kind(event), event["data"]
        if not event["type"].startswith("otklik.message."):
            continue
        subject = event["subject"]
        if kind == "registered":
            wanted[subject] = {"answered": None, "breached": set(), "excused": set(), "agencies": set()}
            wanted[subject] |= {"authority": event["authority"], "text": data["post"]["text"]}
        row = wanted[subject]
        if kind == "published" and data["kind"] == "answer":
            row["answered"] = _at(event["time"])
        if kind == "post-edited":
            row["text"] = data["post"]["text"]
        if kind == "assignment-issued":
            row["agencies"].add(data["agency"])
    for _, event in log.json("deadlines"):
        if event["subject"] in wanted:
            if _kind(event) == "breached":
                wanted[event["subject"]]["breached"].add(event["data"]["deadline_id"])
            if _kind(event) == "excused":
                wanted[event["subject"]]["excused"].add(event["data"]["deadline_id"])
    found = [f"{row['message_id']}: a row of nothing on the log" for row in rows if row["message_id"] not in wanted]
    there = Counter(row["message_id"] for row in rows)
    found += [f"{one}: {times} rows" for one, times in there.items() if times > 1]
    found += [f"{one}: no row" for one in wanted if not there[one]]
    for row in rows:
        want = wanted.get(row["message_id"])
        if want is None:
            continue
        answered = _at(row["answered_at"]) if row.get("answered_at") else None
        if answered != want["answered"]:
            found.append(f"{row['message_id']}: answered_at {answered}, on the log {want['answered']}")
        message = folded(known[row["message_id"]])
        of_log = {name: want[name] for name in ("authority", "text")} | {
            "status": message["status"], "topics": message.get("topics", []), "location": message.get("location"),
        }  # fmt: skip
        found += [
            f"{row['message_id']}: {name} {row.get(name)!r} in its row, on the log {value!r}"
            for name, value in of_log.items()
            if row.get(name) != value
        ]
        if not set(row["agencies"]) <= want["agencies"] or (want["agencies"] and not row["agencies"]):
            found.append(f"{row['message_id']}: agencies {row['agencies']}, issued to {sorted(want['agencies'])}")
        excused = len(want["excused"])
        if row["deadlines_excused"] != excused or row["deadlines_breached"] not in (
            len(want["breached"]), len(want["breached"] - want["excused"]),
        ):  # fmt: skip
            found.append(
                f"{row['message_id']}: counts {row['deadlines_breached']}/{row['deadlines_excused']} of breaches"
            )
    return found


def check_log(log: RawLog, acknowledged: Iterable[str] = ()) -> list[str]:
    """Invariants 1, 2 and 4 at once."""
    found = registered_once(log, acknowledged) + one_outcome(log) + outcomes_agree(log)
    return found + gapless(log) + deadlines_final(log)
