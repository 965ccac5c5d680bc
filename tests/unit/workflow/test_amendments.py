"""Amendments: numbered alike everywhere, told on, judged by from then on; refused with every fault."""

from datetime import timedelta
from typing import Any

import pytest

from regulations.canonical import content_hash
from schemas import topics
from schemas.envelope import Actor, Envelope
from schemas.events import Amended
from schemas.inbox import AMENDMENT
from services.workflow.amendments import world
from services.workflow.decider import WorkflowDecider
from tests.given import Partition
from tests.unit.workflow.desk import Desk, Outcome

KEY = "5b1c7f30-0000-4000-8000-000000000002"
OPERATOR = Actor(sub="op", roles=("operator",), authorities=("kbr",))
DAY = {"date": "2026-11-20", "kind": "off", "basis": "Указ"}


def amend(desk: Desk, kind: str = "calendar_day", day: dict[str, Any] = DAY, **change: Any) -> Outcome:
    desk.at += timedelta(minutes=1)
    envelope = Envelope(
        id=KEY, source="/test", type=AMENDMENT, subject="kbr", time=desk.at, authority="kbr", actor=OPERATOR,
        data={"kind": kind, "reason": "Указ Главы", "data": day},
    )  # fmt: skip
    return Outcome(tuple(desk.partition.when(envelope.model_copy(update=change), desk.at)))


def test_an_amendment_is_told_on_with_its_number_and_counts() -> None:
    desk = Desk()
    before = desk.directory.number
    outcome = amend(desk).must_be_accepted()
    event = outcome.outputs[0]
    amended = Amended.model_validate(event.envelope.data)
    assert (event.topic, event.key, event.envelope.type) == (topics.EVENTS, "kbr", "otklik.authority.amended.v1")
    assert (amended.number, amended.amendment_id, amended.hash) == (before + 1, KEY, content_hash(DAY))
    assert event.envelope.sequence is None
    assert outcome.envelope.data["sequence"] == before + 1
    assert desk.directory.number == before + 1
    assert desk.directory.decreed_days[-1].date.isoformat() == "2026-11-20"


def test_every_partition_says_the_same_of_it_under_its_own_id() -> None:
    first, second = Desk(), Desk()
    second.partition.number = 1
    one, two = amend(first).outputs[0].envelope, amend(second).outputs[0].envelope
    assert one.data == two.data
    assert one.id != two.id


def test_the_same_amendment_again_changes_nothing() -> None:
    desk = Desk()
    amend(desk).must_be_accepted()
    number = desk.directory.number
    again = amend(desk)
    assert again.events == []
    assert again.envelope.data["repeated"] is True
    desk.at += timedelta(days=40)
    amend(desk).refused(409, "command-id-reused")
    assert desk.directory.number == number


def test_another_amendment_under_the_same_id_is_refused() -> None:
    desk = Desk()
    amend(desk).must_be_accepted()
    amend(desk, day=DAY | {"kind": "short"}).refused(409, "command-id-reused")


def test_a_wrong_amendment_is_refused_with_its_faults() -> None:
    desk = Desk()
    problem = amend(desk, day={"date": "2026-13-40", "kind": "голубой"}).refused(422, "invalid-data")
    assert {fault.pointer for fault in problem.errors} >= {"/data/date", "/data/kind"}
    assert desk.directory.decreed_days == ()


def test_operators_amend_their_own_authorities_alone() -> None:
    desk = Desk()
    amend(desk, actor=OPERATOR.model_copy(update={"roles": ("coordinator",)})).refused(403, "wrong-role")
    fresh: dict[str, Any] = {
        "id": KEY.replace("2", "3"),
        "actor": OPERATOR.model_copy(update={"authorities": ("kursky",)}),
    }
    amend(desk, **fresh).refused(404, "unknown-authority")
    everywhere: dict[str, Any] = {
        "id": KEY.replace("2", "4"),
        "actor": OPERATOR.model_copy(update={"authorities": ("*",)}),
    }
    amend(desk, **everywhere).must_be_accepted()


def test_the_system_itself_amends_without_an_actor() -> None:
    amend(Desk(), actor=None).must_be_accepted()


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"authority": None}, "no-authority"), ({"data": {"kind": "anything"}}, "invalid-amendment")],
)
def test_what_is_no_amendment_is_a_dead_letter_and_refused(change: dict[str, Any], reason: str) -> None:
    desk = Desk()
    amend(desk, **change).refused(422, reason)
    assert desk.partition.dead == [reason]


def test_an_authority_without_its_file_judges_nothing() -> None:
    desk = Desk()
    act = desk.directory.act(desk.directory.number)
    partition = Partition(WorkflowDecider())
    data = {"kind": "act", "reason": "х", "data": act.model_dump(mode="json", exclude_none=True)}
    envelope = Envelope(id=KEY, source="/t", type=AMENDMENT, time=desk.at, authority="kbr", data=data)
    assert Outcome(tuple(partition.when(envelope, desk.at))).accepted
    desk.partition.states[world("kbr")] = partition.states[world("kbr")]
    desk.detect()
    assert desk.partition.dead == ["unknown-authority"]


def test_messages_are_judged_by_the_act_of_their_registration() -> None:
    desk = Desk().registered()
    number = desk.message.law
    text = desk.directory.texts["kbr-2022-137"]
    changed = text.model_copy(update={"drafting": text.drafting.model_copy(update={"kinds": ("answer",)})})
    data = changed.model_dump(mode="json", by_alias=True, exclude_none=True)
    amend(desk, kind="act", day=data).must_be_accepted()
    later = desk.other("-1_2").routed()
    assert later.message.law == number + 1
    later.submit(later.a, kind="interim").refused(422, "forbidden-by-regulation", "11")
    desk.triage().must_be_accepted()
    desk.coordinator("route", assignments=[{"agency": desk.a}]).must_be_accepted()
    desk.submit(desk.a, kind="interim").must_be_accepted()
