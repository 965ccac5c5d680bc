"""Which forms a page offers to whom: a form is there when its command may be given, and tells nothing that is not his."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from regulations import directory
from regulations.directory import Directory
from schemas import events
from schemas.envelope import Actor
from services.reporting.exports import words
from services.reporting.pages import forms_period, render, timeline
from services.reporting.pages.fields import Form
from services.reporting.pages.forms import forms
from services.reporting.pages.period import running
from services.reporting.pages.standing import Standing
from services.reporting.projections.register import Row, evolve
from services.reporting.reports import periods
from tests.unit.reporting.given import Log, Message, at

NOW = at("17.11 12:00")


def law_of(log: Log, authority: str) -> Directory:
    found: Directory | None = None
    for one in (told.envelope for told in log.told if told.envelope.type == events.Amended.type):
        found = directory.evolve(found, authority, events.Amended.model_validate(one.data), one.time)
    assert found is not None
    return found


def seen_by(one: Message, role: str, agency: str | None = None, deadlines: Sequence[Any] = ()) -> list[Form]:
    """The forms that this visitor finds on the message's page."""
    law = law_of(one.log, one.authority)
    told = [told.envelope for told in one.log.told if told.envelope.subject == one.id]
    row: Row | None = None
    for envelope in told:
        row = evolve(row, envelope)
    assert row is not None
    act = law.act(row.law, row.regulation)
    story = [{"type": envelope.type, "data": envelope.data} for envelope in told]
    shown = timeline.visible(story, row, act, agency)
    actor = Actor(sub="somebody", authorities=(one.authority,), roles=(role,), agency=agency)
    return forms(Standing(row, act, law, NOW, shown, deadlines), actor)


def named(found: list[Form], command: str) -> Form:
    return next(form for form in found if form.command == command)


def value(form: Form, field: str) -> str:
    return next(one.value for one in form.fields if one.name == field)


def shipped(authority: str, number: int = 1) -> Message:
    """A message under the law that is shipped for that authority."""
    log = Log()
    log.shipped_law(authority)
    law = law_of(log, authority)
    more = {"authority": authority, "regulation": law.regulation_at(NOW), "law": law.number}
    return Message(log, number, "16.11 09:00", **more)


@pytest.fixture
def one() -> Message:
    return shipped("kbr")


def test_topics_are_ticked_and_say_what_they_are_in_russian(one: Message) -> None:
    triage = seen_by(one, "coordinator")[0]
    topics = triage.fields[0]
    assert (triage.command, topics.kind) == ("triage", "checks")
    assert ("roads", "дороги") in topics.options


def test_who_returned_a_message_is_not_proposed_again(one: Message) -> None:
    one.triaged("16.11 09:10", ("roads",))
    assert value(named(seen_by(one, "coordinator"), "route"), "assignments") == "mintrans"
    one.routed("16.11 09:20", "mintrans")
    one.returned("16.11 09:30", "mintrans")
    found = seen_by(one, "coordinator")
    assert value(named(found, "route"), "assignments") == ""
    again = named(found, "reassign")
    assert again.first
    assert again.about.endswith("(вернул)")
    assert "mintrans" not in dict(again.fields[1].options)


def test_a_place_that_is_taken_again_is_offered_no_more(one: Message) -> None:
    one.triaged("16.11 09:10", ("roads",))
    one.routed("16.11 09:20", "mintrans")
    one.returned("16.11 09:30", "mintrans")
    heir = {"assignment_id": one.new("heir"), "agency": "nalchik", "role": "lead", "order": 1, "drafts": True}
    one.tell("assignment-issued", "16.11 09:40", **heir, contributes=False, replaces=[one.new("assignment/mintrans")])
    assert [form.about for form in seen_by(one, "coordinator") if form.command == "reassign"] == [
        "Местная администрация городского округа Нальчик"
    ]


def test_a_draft_that_was_sent_back_begins_the_next_one_of_its_drafter_only(one: Message) -> None:
    one.triaged("16.11 09:10", ("roads",))
    one.routed("16.11 09:20", "mintrans")
    one.draft("16.11 10:00", "draft", "mintrans")
    one.sent_back("16.11 10:10", "draft", "mintrans")
    assert value(named(seen_by(one, "executor", "mintrans"), "submit_draft"), "text") == "Отвечаем по существу."
    one.tell(
        "assignment-recalled", "16.11 10:20", assignment_id=one.new("assignment/mintrans"), agency="mintrans",
        role="lead", reason="Передано",
    )  # fmt: skip
    heir = {"assignment_id": one.new("heir"), "agency": "nalchik", "role": "lead", "order": 1, "drafts": True}
    one.tell("assignment-issued", "16.11 10:20", **heir, contributes=False, replaces=[])
    assert value(named(seen_by(one, "executor", "nalchik"), "submit_draft"), "text") == ""


def test_what_was_told_of_measures_begins_the_next_draft_too(one: Message) -> None:
    one.triaged("16.11 09:10", ("roads",), repeat_of=one.new("earlier"))
    one.routed("16.11 09:20", "mintrans")
    told = {"draft_id": one.new("draft"), "kind": "answer", "text": "Чиним.", "by": "mintrans"}
    one.tell("draft-submitted", "16.11 10:00", **told, measures="Выдано предписание.", progress=None)
    one.sent_back("16.11 10:10", "draft", "mintrans")
    form = named(seen_by(one, "executor", "mintrans"), "submit_draft")
    assert (value(form, "measures"), value(form, "progress")) == ("Выдано предписание.", "")


def test_a_report_owed_by_importance_alone_stands_first_until_it_is_made() -> None:
    one = shipped("kemerovo")
    one.triaged("16.11 09:10", ("roads",), importance="high", reduced=True)
    assert named(seen_by(one, "coordinator"), "escalate").first
    one.tell(
        "escalated",
        "16.11 09:20",
        escalation_id=one.new("e"),
        ground="rising_activity",
        summary="Суть",
        to="Губернатор",
    )
    assert not named(seen_by(one, "coordinator"), "escalate").first


def test_a_case_goes_on_from_form_to_form() -> None:
    one = shipped("buryatia")
    agency = next(iter(law_of(one.log, "buryatia").agencies))
    one.answered("16.11 09:10", "16.11 12:00", agency)
    case = {"case_id": one.new("case"), "agency": agency}
    steps = (
        ({"text": "Решено"}, "case-proposed", "committee", ["agree_case", "refuse_case"]),
        ({}, "case-agreed", "executor", ["report_case_publication"]),
        ({"url": "https://vk.example/case"}, "case-published", "executor", ["report_case"]),
        ({}, "case-reported", "executor", []),
    )
    for more, event, role, commands in steps:
        one.tell(event, "17.11 09:00", **case, **more)
        found = seen_by(one, role, agency if role == "executor" else None)
        assert [form.command for form in found if "case" in form.command and form.command != "propose_case"] == commands


def test_only_breaches_are_excused_and_a_window_is_none(one: Message) -> None:
    duty = {"occurrence": 1, "due_at": at("16.11 09:30"), "paragraph": "8", "agency": None, "deadline_id": "d"}
    owed = [
        duty | {"rule": "route", "state": "breached", "window": False},
        duty | {"rule": "return", "state": "met_late", "window": True},
        duty | {"rule": "answer", "state": "open", "window": False},
    ]
    found = seen_by(one, "head", deadlines=owed)
    assert [(form.command, value(form, "rule")) for form in found] == [("excuse_breach", "route")]


@pytest.mark.parametrize(
    ("authority", "report", "period", "role", "delivery", "commands"),
    [
        ("kbr", "summary", "2026-10", "coordinator", None, ["deliver_summary"]),
        ("kbr", "summary", "2026-10", "coordinator", "delivered", []),
        ("kbr", "summary", "2026-11", "coordinator", None, []),
        ("kbr", "summary", "2026-Q3", "coordinator", None, []),
        ("kbr", "rating", "2026-Q3", "coordinator", None, []),
        ("buryatia", "summary", "2026-Q3", "coordinator", None, ["send_summary_for_agreement"]),
        ("buryatia", "summary", "2026-Q3", "coordinator", "refused", ["send_summary_for_agreement"]),
        ("buryatia", "summary", "2026-Q3", "committee", "sent-for-agreement", ["agree_summary", "refuse_summary"]),
        ("buryatia", "summary", "2026-Q3", "coordinator", "sent-for-agreement", []),
        ("buryatia", "summary", "2026-Q3", "coordinator", "agreed", ["deliver_summary"]),
        ("buryatia", "rating", "2026-Q3", "committee", "agreed", ["deliver_rating"]),
        ("buryatia", "summary", "2026-Q3", "auditor", None, []),
    ],
)
def test_a_periods_report_is_offered_what_its_act_asks_next(
    authority: str, report: forms_period.Report, period: str, role: str, delivery: str | None, commands: list[str]
) -> None:
    law = law_of(shipped(authority).log, authority)
    wanted = periods.parse(period)
    ends_at: datetime = wanted.ends_at(law.zone)
    actor = Actor(sub="somebody", authorities=(authority,), roles=(role,))
    found = forms_period.forms(law.act(law.number), actor, authority, report, wanted, ends_at, NOW, delivery)
    assert [form.command for form in found] == commands


def test_the_page_of_a_period_opens_at_the_one_that_the_act_of_today_has() -> None:
    log = Log()
    log.law()
    log.second_act("kbr-2026-12", "2026-12-01", at("20.10 10:00"), period="quarter")
    law = law_of(log, "kbr")
    assert running(law, "summary", at("30.11 23:59")).name == "2026-11"
    assert running(law, "summary", at("01.12 00:00")).name == "2026-Q4"


def test_the_policy_names_workflows_origin_also_behind_a_proxy() -> None:
    assert render.origin_of("http://127.0.0.1:8002") == "http://127.0.0.1:8002"
    assert render.origin_of("https://otklik.example/workflow") == "https://otklik.example"


@pytest.mark.parametrize(("number", "told"), [("9", "пункт 9"), ("4, 21", "пункты 4, 21")])
def test_several_paragraphs_are_told_in_the_plural(number: str, told: str) -> None:
    assert words.paragraph(number) == told
