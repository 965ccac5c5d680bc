"""The checker can say no: an honest log passes, and for each invariant a doctored one does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest

from tests.checker.answers import answers_agree
from tests.checker.given import ANSWERED, LATE, NINE, Writing, honest, minutes
from tests.checker.invariants import check_log, registers_agree
from tests.checker.messages import deadlines_agree, folded, histories, histories_agree, reads_agree, tables_agree
from tests.checker.raw_log import Raw, RawLog
from tests.checker.working_time import after, after_days, before, deadlines_recomputed

Doctor = Callable[[RawLog], None]


def first(log: RawLog, topic: str, kind: str, subject: str = ANSWERED) -> int:
    return next(
        number
        for number, (_, value) in enumerate(log.json(topic))
        if value["type"].split(".")[2] == kind and value["subject"] == subject
    )


def changed(raw: Raw, change: Callable[[dict[str, Any]], object]) -> Raw:
    value = json.loads(raw.value)
    change(value)
    return replace(raw, value=json.dumps(value).encode())


def without(topic: str, kind: str, subject: str = ANSWERED) -> Doctor:
    def doctor(log: RawLog) -> None:
        del log.topics[topic][first(log, topic, kind, subject)]

    return doctor


def twice(topic: str, kind: str, subject: str = ANSWERED) -> Doctor:
    def doctor(log: RawLog) -> None:
        records = log.topics[topic]
        number = first(log, topic, kind, subject)
        records.insert(number + 1, replace(records[number], offset=1000))

    return doctor


def with_(topic: str, kind: str, change: Callable[[dict[str, Any]], object], subject: str = ANSWERED) -> Doctor:
    def doctor(log: RawLog) -> None:
        number = first(log, topic, kind, subject)
        log.topics[topic][number] = changed(log.topics[topic][number], change)

    return doctor


def dated(at: datetime) -> Callable[[dict[str, Any]], object]:
    return lambda value: value.update(time=at.isoformat())


def falsely_breached(log: RawLog) -> None:
    """The route that was met in time is said to be breached instead."""
    number = first(log, "deadlines", "met")
    breach = {"type": "otklik.deadline.breached.v1", "time": minutes(30).isoformat()}
    log.topics["deadlines"][number] = changed(log.topics["deadlines"][number], lambda value: value.update(breach))


def effect_twice(log: RawLog) -> None:
    """The same command id, on two records, takes effect both times."""
    number = first(log, "outcomes", "accepted")
    again = changed(log.topics["inbox"][first(log, "inbox", "route")], lambda value: value.update(id="c-again"))
    log.topics["inbox"].append(replace(again, offset=100))
    outcome = replace(log.topics["outcomes"][number], offset=100, headers={"otklik-source": b"inbox/0/100"})
    log.topics["outcomes"].append(outcome)


DOCTORED: dict[str, tuple[Doctor, str]] = {
    "1: an acknowledged post is lost": (
        without("events", "registered", LATE),
        "never registered",
    ),
    "1: a post is registered twice": (twice("events", "registered"), "registered 2 times"),
    "1: a command has no outcome": (without("outcomes", "refused"), "has 0 outcomes"),
    "1: a command has two outcomes": (twice("outcomes", "refused"), "has 2 outcomes"),
    "1: a command took effect twice": (effect_twice, "took effect 2 times"),
    "1: an outcome tells of an event that is not there": (
        with_("outcomes", "accepted", lambda value: value["data"]["events"][0].update(id="nowhere")),
        "names 1 events",
    ),
    "2: a gap in the sequence": (without("events", "routed"), "jumps from"),
    "2: a sequence given twice": (twice("events", "triaged"), "jumps from 2 to 2"),
    "2: an id of another event": (with_("events", "triaged", lambda value: value.update(id="other")), "id is not that"),
    "2: time runs backwards": (with_("events", "draft-submitted", dated(minutes(3))), "runs backwards"),
    "4: breached twice": (twice("deadlines", "breached", LATE), "breached 2 times"),
    "4: breached though it was met in time": (falsely_breached, "FALSE BREACH"),
    "4: a breach is missing below the last reached": (without("deadlines", "breached", LATE), "MISSING BREACH"),
    "4: breached at another instant than its own": (
        with_("deadlines", "breached", dated(minutes(31)), LATE), "breached at",
    ),
    "4: met after it was due": (with_("deadlines", "met", dated(minutes(45))), "met at"),
    "4: set twice": (twice("deadlines", "set"), "set twice"),
}  # fmt: skip


def test_an_honest_log_passes() -> None:
    log = honest().log
    assert check_log(log, {ANSWERED, LATE}) == []
    assert deadlines_recomputed(log) == []


def excuse(told: Writing, occurrence: int, number: int | None) -> None:
    """A word of sla on an excuse of a deadline that is not breached, or never was."""
    one = str(uuid5(UUID(ANSWERED), f"answer/{occurrence}"))
    at = minutes(55).isoformat()
    data = {"deadline_id": one, "rule": "answer", "occurrence": occurrence, "starts_at": at, "due_at": at}
    value = {"id": f"x-{one}", "type": "otklik.deadline.excuse-ignored.v1", "authority": "kbr", "data": data}
    told.append("deadlines", ANSWERED, value | ({} if number is None else {"sequence": number}), minutes(55))


def test_an_ignored_excuse_leaves_nothing_behind_and_is_numbered_where_there_is_a_deadline() -> None:
    for occurrence, number, word in ((7, None, None), (1, 2, None), (7, 1, "before set"), (1, None, "not numbered")):
        told = honest()
        excuse(told, occurrence, number)
        told.reached(minutes(120))
        found = check_log(told.log, {ANSWERED, LATE})
        assert len(found) == (word is not None) and all(word in one for one in found if word), found


@pytest.mark.parametrize("name", DOCTORED)
def test_a_doctored_log_does_not(name: str) -> None:
    doctor, word = DOCTORED[name]
    log = honest().log
    doctor(log)
    assert any(word in found for found in check_log(log, {ANSWERED, LATE})), check_log(log, {ANSWERED, LATE})


def due(at: str) -> Callable[[dict[str, Any]], object]:
    return lambda value: value["data"].update(due_at=at)


def read_of(told: Writing, sequence: int) -> dict[str, Any]:
    """What workflow would tell of the answered message at that sequence."""
    want = folded(histories(told.log)[ANSWERED][:sequence])
    for many, name in (("assignments", "assignment_id"), ("drafts", "draft_id")):
        want[many] = [{name: one} | rest for one, rest in want[many].items()]
    return want | {"message_id": ANSWERED, "detected_at": want["detected_at"].isoformat()}


def test_a_read_is_the_fold_of_its_sequence() -> None:
    told = honest()
    reads = [read_of(told, sequence) for sequence in range(1, 6)]
    assert [one["status"] for one in reads] == ["registered", "triaged", "in_work", "in_work", "in_review"]
    assert reads_agree(told.log, reads) == []
    doctored: dict[str, Any]
    for doctored in ({"status": "answered"}, {"topics": []}, {"assignments": []}, {"sequence": 9}, {"post": {}}):
        assert reads_agree(told.log, [reads[4] | doctored]), doctored


def test_a_history_is_the_log() -> None:
    told = honest()
    history = histories(told.log)[ANSWERED]
    assert histories_agree(told.log, {ANSWERED: history}) == []
    assert histories_agree(told.log, {ANSWERED: history[:-1]})
    assert histories_agree(told.log, {ANSWERED: [*history[:-1], history[-1] | {"data": {}}]})


def test_deadlines_told_are_those_of_the_log() -> None:
    told = honest()
    items = [
        {"deadline_id": data["deadline_id"], "rule": data["rule"], "due_at": data["due_at"], "owed_by": data["owed_by"],
         "state": "breached" if data["rule"] == "route" else "open"}
        for _, event in told.log.json("deadlines")
        if event["type"].endswith(".set.v1") and event["subject"] == LATE
        for data in [event["data"]]
    ]  # fmt: skip
    assert deadlines_agree(told.log, {LATE: items}) == []
    assert deadlines_agree(told.log, {LATE: items[1:]})
    assert deadlines_agree(told.log, {LATE: [items[0] | {"state": "met"}, *items[1:]]})
    assert deadlines_agree(told.log, {LATE: [items[0] | {"due_at": minutes(31).isoformat()}, *items[1:]]})


def test_a_table_keeps_the_logs_own_bytes() -> None:
    told = honest()
    rows = [(raw.topic, raw.partition, raw.offset, raw.value) for raw in told.log.of("events")]
    ends = [("events", 0, len(rows))]
    assert tables_agree(told.log, rows, ends) == []
    assert tables_agree(told.log, rows[1:], ends)
    assert tables_agree(told.log, [*rows, ("events", 0, 77, b"{}")], ends)
    assert tables_agree(told.log, [(*rows[0][:3], b"{}"), *rows[1:]], ends)
    assert tables_agree(told.log, rows, [("events", 0, len(rows) - 1)])


def test_a_register_is_the_fold_of_the_log() -> None:
    told = honest()
    row: dict[str, Any] = {"answered_at": None, "deadlines_excused": 0, "authority": "kbr", "text": "Нет света"}
    late: dict[str, Any] = row | {
        "message_id": LATE,
        "status": "registered",
        "deadlines_breached": 1,
        "topics": [],
        "agencies": [],
        "location": None,
    }
    other = row | {"message_id": ANSWERED, "status": "in_review", "deadlines_breached": 0, "topics": ["ЖКХ"], "location": "центр",
                   "agencies": ["minzdrav"]}  # fmt: skip
    assert registers_agree(told.log, [late, other]) == []
    for wrong in ([late], [late, late, other], [late | {"deadlines_breached": 0}, other], [late, other | {"topics": []}],
                  [late, other | {"status": "answered"}], [late, other | {"agencies": []}],
                  [late, other | {"answered_at": minutes(3).isoformat()}]):  # fmt: skip
        assert registers_agree(told.log, wrong), wrong


def test_an_answer_is_what_stands_on_the_log() -> None:
    told = honest()
    outcome = next(value for _, value in told.log.json("outcomes") if value["type"].endswith("accepted.v1"))["data"]
    one = outcome["command_id"]
    problem = {"type": "urn:otklik:problem:no-draft", "status": 409}
    refused = f"c-{ANSWERED[:8]}-approve-draft-no-draft"
    assert answers_agree(told.log, [(one, 200, outcome), (refused, 409, problem)]) == []
    event = outcome["events"][0]
    for wrong in (
        ("unknown", 200, outcome),
        (one, 200, outcome | {"sequence": 9}),
        (one, 200, outcome | {"events": [event | {"id": "nowhere"}]}),
        (one, 200, outcome | {"events": [event | {"data": {}}]}),
        (one, 409, problem),
        (refused, 409, problem | {"type": "urn:otklik:problem:other"}),
    ):
        assert answers_agree(told.log, [wrong]), wrong


def test_a_deadline_of_another_instant_is_found() -> None:
    for rule in ("route", "answer", "draft"):
        told = honest()
        number = next(
            number for number, (_, value) in enumerate(told.log.json("deadlines")) if value["data"]["rule"] == rule
        )
        raw = told.log.topics["deadlines"][number]
        late = (datetime.fromisoformat(raw.json["data"]["due_at"]) + timedelta(minutes=1)).isoformat()
        told.log.topics["deadlines"][number] = changed(raw, due(late))
        assert any(f"{rule}/1" in found for found in deadlines_recomputed(told.log)), rule
    told = honest()
    raw = told.log.topics["deadlines"][0]
    told.log.topics["deadlines"][0] = changed(
        raw, lambda value: value["data"].update(starts_at=minutes(1).isoformat(), due_at=minutes(31).isoformat())
    )
    assert any("milestone" in found for found in deadlines_recomputed(told.log))


def test_working_time_of_the_checker_knows_lunch_nights_holidays_and_shortened_days() -> None:
    hour = timedelta(hours=1)
    assert after("kbr", NINE, 9 * hour) == datetime.fromisoformat("2026-11-17T10:00:00+03:00")
    assert after("kbr", NINE, 8 * hour) == datetime.fromisoformat("2026-11-16T18:00:00+03:00")
    assert before("kbr", datetime.fromisoformat("2026-11-17T10:00:00+03:00"), 4 * hour) == minutes(360)
    assert after("kbr", datetime.fromisoformat("2026-11-03T16:30:00+03:00"), hour) == datetime.fromisoformat(
        "2026-11-05T09:30:00+03:00"
    )
    assert after_days("kbr", NINE, 7) == datetime.fromisoformat("2026-11-25T18:00:00+03:00")
    assert after("buryatia", NINE, 8 * hour, plain=True) == NINE + 8 * hour
    # Nine in Moscow is one o'clock in Kuzbass: lunch.
    assert after("kemerovo", NINE, hour) == NINE + 2 * hour
    assert after("kbr", NINE, hour, frozenset({date(2026, 11, 16)})) == NINE + timedelta(days=1) + hour
