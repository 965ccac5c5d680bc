"""The fold: records of `events` and `deadlines` in, rows out. The same rows come of any batching, and of any order of the
two topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas import events
from schemas.envelope import Envelope
from services.reporting.projections import counted, deadlines, periods, story
from services.reporting.projections.register import Row, evolve
from services.runtime.decider import UnknownEvent


@dataclass(frozen=True, slots=True)
class Told:
    """A record of one of our two topics, as far as a projection needs it. `sla_at`: of a deadline's record, the event
    time of what caused it."""

    topic: str
    partition: int
    offset: int
    envelope: Envelope
    sla_at: datetime | None = None


@dataclass(slots=True)
class Rows:
    """What a batch writes, table by table, in the order of the log."""

    register: list[tuple[Row, int]] = field(default_factory=list)
    posts: list[dict[str, Any]] = field(default_factory=list)
    story: list[dict[str, Any]] = field(default_factory=list)
    counted: list[dict[str, Any]] = field(default_factory=list)
    deadlines: dict[str, dict[str, Any]] = field(default_factory=dict)
    deadline_events: list[dict[str, Any]] = field(default_factory=list)
    periods: dict[str, dict[str, Any]] = field(default_factory=dict)
    amendments: list[dict[str, Any]] = field(default_factory=list)
    reached: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)


def messages_of(told: Sequence[Told]) -> set[str]:
    """The messages whose present rows `fold` wants to know."""
    return {one.envelope.subject for one in told if one.envelope.type in events.MESSAGE_EVENTS and one.envelope.subject}


def deadlines_of(told: Sequence[Told]) -> set[str]:
    """The deadlines whose present rows `fold` wants to know."""
    return {one.envelope.data["deadline_id"] for one in told if "deadline_id" in one.envelope.data}


def fold(told: Sequence[Told], messages: Mapping[str, Row], known: Mapping[str, dict[str, Any]]) -> Rows:
    """The rows of a batch, from the present rows of its messages and deadlines.

    What is there already (by sequence, by offset) is skipped. Raises UnknownEvent on a type that this version does not
    know: then nothing of the batch is stored, and the partition stops with that word."""
    rows = Rows()
    latest = dict(messages)
    for one in told:
        if one.topic == "deadlines":
            _fold_deadline(one, rows, known)
        else:
            _fold_event(one, rows, latest)
        _reach(one, rows)
    return rows


def _fold_event(one: Told, rows: Rows, latest: dict[str, Row]) -> None:
    envelope, here = one.envelope, {"partition": one.partition}
    if envelope.type in events.MESSAGE_EVENTS:
        before = latest.get(envelope.subject or "")
        if before is not None and (envelope.sequence or 0) <= before.sequence:
            return
        after = evolve(before, envelope)
        latest[after.message_id] = after
        rows.register.append((after, one.partition))
        rows.story.append(story.tell(envelope) | here)
        if (post := story.post(envelope)) is not None:
            rows.posts.append(post | here)
        if (row := counted.count(envelope, before, after)) is not None:
            rows.counted.append(row | here)
    elif envelope.type in events.PERIOD_EVENTS:
        row = periods.evolve(envelope)
        rows.periods[row["period_id"]] = row | here
        rows.story.append(story.tell(envelope) | here)
    elif envelope.type == events.Amended.type:
        rows.amendments.append({
            "partition": one.partition,
            "authority": envelope.authority,
            "number": envelope.data["number"],
            "at": envelope.time,
            "data": envelope.data,
        })  # fmt: skip
    elif envelope.type != events.Reached.type:
        raise UnknownEvent(f"тип события {envelope.type} этой версии неизвестен")


def _fold_deadline(one: Told, rows: Rows, known: Mapping[str, dict[str, Any]]) -> None:
    deadline_id = one.envelope.data.get("deadline_id", "")
    before = rows.deadlines.get(deadline_id) or known.get(deadline_id)
    after = deadlines.evolve(before, one.envelope, one.offset)
    if after is None or after is before:
        return
    rows.deadlines[deadline_id] = after | {"partition": one.partition}
    if (row := deadlines.befell(one.envelope)) is not None:
        rows.deadline_events.append(row | {"partition": one.partition})


def _reach(one: Told, rows: Rows) -> None:
    """Time as this partition tells it. A breach bears its due instant, so of `deadlines` the cause's time counts."""
    envelope = one.envelope
    row = rows.reached.setdefault(
        (one.topic, one.partition),
        {"topic": one.topic, "partition": one.partition, "reached_at": None, "event_at": None},
    )
    told = one.sla_at if one.topic == "deadlines" else envelope.time
    if envelope.type == events.Reached.type:
        at = events.Reached.model_validate(envelope.data).at
        row["reached_at"] = max(row["reached_at"] or at, at)
        told = max(told or at, at)
    if told is not None:
        row["event_at"] = max(row["event_at"] or told, told)
