"""What must hold once everything has settled: the checker's invariants on the raw log, and some that only we can see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from unittest.mock import patch

from schemas.ids import period_id
from services.runtime import folding
from services.runtime.partitioner import partition_of
from tests.checker import invariants
from tests.checker.answers import outcomes_agree
from tests.checker.raw_log import Raw, RawLog
from tests.simulation import refolding
from tests.simulation.world import PARTITIONS, World

OUR_FAULT = {b"failed", b"quarantined"}
QUARTER = period_id("buryatia", "summary", "2026-Q3")
OF_THE_QUARTER = partition_of(QUARTER.encode(), PARTITIONS)
QUARTER_ENDS = datetime(2026, 9, 30, 16, tzinfo=UTC)


class Violation(NamedTuple):
    """`kind`: the invariant that does not hold, the same word however it came about."""

    kind: str
    text: str


def raw_log(world: World) -> RawLog:
    """The topics as the checker reads them; rubbish is left out, for it reads JSON."""
    log = RawLog()
    for topic, partitions in world.log.topics.items():
        log.topics[topic] = [
            Raw(one.topic, one.partition, one.offset, one.key, one.value or b"", dict(one.headers), one.stamp)
            for partition in range(partitions)
            for one in world.log.records(topic, partition)
        ]
    return log


def violations(world: World) -> list[Violation]:
    """Everything that is wrong with a world that has settled; nobody does anything in it any more."""
    for process in world.processes:
        process.pause()
    log = raw_log(world)
    letters = log.of("dead-letters")
    whole, said_once = log.of("inbox"), list(_said_once(log))
    log.topics["inbox"] = [raw for raw in whole if _type(raw) is not None]
    assert world.clients is not None
    found = [
        *_of("registered once", invariants.registered_once(log, world.clients.memory.acknowledged)),
        *_of("one outcome", invariants.one_outcome(log)),
        *_of("one outcome", outcomes_agree(log)),
        *_of("gapless", invariants.gapless(log)),
        *_of("deadlines final", invariants.deadlines_final(log)),
        *_of("dead letters", _dead_letters(whole, letters)),
        *_of("said once", said_once),
        *_of("told of time", _told_of_time(log)),
        *_of("summary asked for", _summary_asked_for(log)),
        *_of("no fault of the code", world.faults()),
    ]
    # In large pieces, whatever the world's were: how a fold is cut must make no difference.
    with patch.object(folding, "PIECE", 500):
        found += _of("state is the fold", refolding.state_is_the_fold(world))
        if world.plan.profile.exact:
            found += _of("decided again", refolding.decided_again(world))
    return found


def _of(kind: str, texts: Iterable[str]) -> Iterable[Violation]:
    return [Violation(kind, text) for text in texts]


def _type(raw: Raw) -> str | None:
    try:
        value = raw.json
    except (ValueError, TypeError):
        return None
    return str(value["type"]) if "type" in value else None


def _dead_letters(inbox: list[Raw], letters: list[Raw]) -> Iterable[str]:
    """What is no input has one dead letter, at most one record has any, and none because of us."""
    counted = Counter(letter.headers["otklik-origin"].decode() for letter in letters)
    for place, times in counted.items():
        if times > 1:
            yield f"{place} has {times} dead letters"
    for raw in inbox:
        if _type(raw) is None and not counted[raw.place]:
            yield f"{raw.place} is no event and has no dead letter"
    for letter in letters:
        if letter.headers["otklik-reason"] in OUR_FAULT:
            detail = letter.headers["otklik-detail"].decode()
            yield f"{letter.headers['otklik-origin'].decode()} failed: {detail}"


def _said_once(log: RawLog) -> Iterable[str]:
    """Every record has a cause and a number under it; no two have the same, and none is left out."""
    numbers: dict[tuple[str, str], list[int]] = {}
    for topic, records in log.topics.items():
        if topic == "inbox":
            continue
        for raw in records:
            source = raw.headers["otklik-source"].decode()
            service = "sla" if topic == "deadlines" or source.startswith("events/") else "workflow"
            numbers.setdefault((service, source), []).append(int(raw.headers["otklik-index"]))
    for (service, source), found in numbers.items():
        if sorted(found) != list(range(len(found))):
            yield f"{service} said of {source} what has the numbers {sorted(found)}"


def _told_of_time(log: RawLog) -> Iterable[str]:
    """Every tick becomes one `reached`."""
    told = Counter(
        raw.headers["otklik-source"].decode() for raw in log.of("events") if _type(raw) == "otklik.clock.reached.v1"
    )
    for raw in log.of("inbox"):
        if _type(raw) == "otklik.clock.tick.v1" and told[raw.place] != 1:
            yield f"the tick {raw.place} became {told[raw.place]} reached"


def _summary_asked_for(log: RawLog) -> Iterable[str]:
    """A quarter ends soon after the beginning: whoever had the law by then and lived on has asked for Buryatia's summary, once."""
    asked = Counter(
        event["subject"]
        for _, event in log.json("deadlines")
        if event["type"] == "otklik.deadline.set.v1" and event["data"]["rule"] == "summary"
    )
    here = [event for raw, event in log.json("events") if raw.partition == OF_THE_QUARTER]
    law = min((_at(event) for event in here if event.get("authority") == "buryatia"), default=QUARTER_ENDS)
    reached = max((_at(event) for event in here), default=QUARTER_ENDS)
    if law < QUARTER_ENDS < reached and asked != {QUARTER: 1}:
        yield f"at {reached} the summary of {QUARTER} was asked for {dict(asked)}"


def _at(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["time"])
