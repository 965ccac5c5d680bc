"""Reports of a period: by whom they are agreed, when they may be delivered, and in which order."""

from datetime import UTC, datetime
from typing import Any

import pytest

from regulations.canonical import as_data
from schemas.commands import COMMANDS, PeriodData
from schemas.envelope import Actor, Envelope
from schemas.events import RatingDelivered, SummaryDelivered
from schemas.ids import period_id
from schemas.inbox import AMENDMENT
from tests.unit.regulations.given import acts_of
from tests.unit.workflow.desk import REGIONS, Desk, Outcome, law

AFTER = datetime(2027, 2, 1, 6, tzinfo=UTC)
SECOND = "second-2027-1"
MONTHLY = ("kbr", "kemerovo", "nenets", "kursky")


def later(region: str) -> Desk:
    return Desk(region, at=AFTER)


@pytest.mark.parametrize("region", MONTHLY)
def test_a_monthly_summary_is_delivered_once(region: str) -> None:
    desk = later(region)
    outcome = desk.report("deliver_summary", "2026-11", url="https://example.org/s").must_be_accepted()
    data = outcome.of("summary-delivered")
    assert isinstance(data, SummaryDelivered)
    act = desk.directory.act(desk.directory.number)
    assert (data.to, data.period, data.report) == (act.summary.to, "2026-11", "summary")
    assert outcome.events == ["summary-delivered"]
    desk.report("deliver_summary", "2026-11").refused(409, "wrong-state")
    desk.report("deliver_summary", "2026-12").must_be_accepted()


@pytest.mark.parametrize("region", MONTHLY)
def test_a_summary_that_no_committee_agrees_is_not_sent_to_one(region: str) -> None:
    desk = later(region)
    paragraph = desk.directory.act(desk.directory.number).summary.paragraph
    sent = desk.report("send_summary_for_agreement", "2026-11")
    sent.refused(422, "forbidden-by-regulation", paragraph)
    agreed = desk.report("agree_summary", "2026-11", role="committee")
    agreed.refused(422, "forbidden-by-regulation", paragraph)


@pytest.mark.parametrize(("region", "period"), [(region, "2026-Q4") for region in MONTHLY] + [("buryatia", "2026-11")])
def test_the_period_has_the_length_that_the_act_says(region: str, period: str) -> None:
    desk = later(region)
    paragraph = desk.directory.act(desk.directory.number).summary.paragraph
    desk.report("deliver_summary", period).refused(422, "forbidden-by-regulation", paragraph)


@pytest.mark.parametrize("kind", ["summary", "rating"])
def test_buryatia_the_committee_agrees_before_anything_is_delivered(kind: str) -> None:
    desk = later("buryatia")
    act = desk.directory.act(desk.directory.number)
    assert act.rating is not None
    paragraph = act.summary.paragraph if kind == "summary" else act.rating.paragraph
    desk.report(f"agree_{kind}", "2026-Q4", role="committee").refused(409, "wrong-state")
    desk.report(f"deliver_{kind}", "2026-Q4").refused(409, "wrong-state", paragraph)
    desk.report(f"send_{kind}_for_agreement", "2026-Q4").must_be_accepted()
    desk.report(f"send_{kind}_for_agreement", "2026-Q4").refused(409, "wrong-state")
    desk.report(f"refuse_{kind}", "2026-Q4", role="committee", reason="Нет тем").must_be_accepted()
    desk.report(f"deliver_{kind}", "2026-Q4").refused(409, "wrong-state", paragraph)
    desk.report(f"send_{kind}_for_agreement", "2026-Q4", expected_sequence=2).must_be_accepted()
    desk.report(f"agree_{kind}", "2026-Q4", role="committee").must_be_accepted()
    outcome = desk.report(f"deliver_{kind}", "2026-Q4").must_be_accepted()
    data = outcome.of(f"{kind}-delivered")
    assert isinstance(data, SummaryDelivered | RatingDelivered)
    assert data.to == (act.summary.to if kind == "summary" else act.rating.to)
    assert (desk.period(kind, "2026-Q4").sequence, desk.period(kind, "2026-Q4").status) == (5, "delivered")


def test_buryatia_the_committee_itself_sends_the_rating_on() -> None:
    desk = later("buryatia")
    desk.report("send_rating_for_agreement", "2026-Q4").must_be_accepted()
    desk.report("agree_rating", "2026-Q4", role="committee").must_be_accepted()
    desk.report("deliver_rating", "2026-Q4", role="committee").must_be_accepted()


@pytest.mark.parametrize("region", MONTHLY)
def test_a_rating_is_buryatias_alone(region: str) -> None:
    problem = later(region).report("deliver_rating", "2026-11").problem
    assert (problem.status, problem.type) == (422, "urn:otklik:problem:forbidden-by-regulation")
    assert problem.regulation


def test_a_period_is_over_at_local_midnight() -> None:
    desk = Desk("kemerovo")
    desk.at = datetime(2026, 11, 30, 16, 58, tzinfo=UTC)
    desk.report("deliver_summary", "2026-11").refused(409, "wrong-state")
    desk.report("deliver_summary", "2026-11").must_be_accepted()


EXAMPLES: dict[str, dict[str, Any]] = {"refuse_summary": {"reason": "Х"}, "refuse_rating": {"reason": "Х"}}


@pytest.mark.parametrize("role", ["monitor", "coordinator", "executor", "deputy", "head", "committee", "auditor"])
@pytest.mark.parametrize("name", sorted(name for name, data in COMMANDS.items() if data.subject == "period"))
def test_a_command_is_given_by_its_roles_alone(name: str, role: str) -> None:
    outcome = later("buryatia").report(name, "2026-Q4", role=role, **EXAMPLES.get(name, {}))
    if role in COMMANDS[name].roles:
        assert outcome.accepted or outcome.problem.status != 403
    else:
        outcome.refused(403, "wrong-role")


@pytest.mark.parametrize("region", REGIONS)
def test_another_authoritys_report_does_not_exist(region: str) -> None:
    desk = later(region)
    stranger = Actor(sub="x", roles=("coordinator",), authorities=("atlantis",))
    subject = period_id(region, "summary", "2026-11")
    given = {"subject": subject, "authority": region, "period": "2026-11"}
    desk.give("deliver_summary", stranger, **given).refused(404, "unknown-period")


def test_the_id_is_that_of_authority_report_and_period() -> None:
    desk = later("kbr")
    other = period_id("kbr", "rating", "2026-11")
    desk.report("deliver_summary", "2026-11", subject=other).refused(422, "invalid-data")


def test_an_authority_without_a_law_has_no_reports() -> None:
    desk = later("kbr")
    actor = Actor(sub="x", roles=("coordinator",), authorities=("atlantis",))
    given = {"subject": period_id("atlantis", "summary", "2026-11"), "authority": "atlantis", "period": "2026-11"}
    desk.give("deliver_summary", actor, **given).refused(404, "unknown-authority")


def test_reports_are_told_in_sequence_of_their_own() -> None:
    desk = later("kbr")
    desk.report("deliver_summary", "2026-11", expected_sequence=3).refused(409, "sequence-conflict")
    desk.report("deliver_summary", "2026-11", expected_sequence=0).must_be_accepted()


def with_a_second_act(region: str, summary: dict[str, Any], first_day: str = "2027-01-01") -> Desk:
    """The desk after an amendment of December: from `first_day` on, the region's act with another `summary`."""
    desk = Desk(region, at=datetime(2026, 12, 10, 6, tzinfo=UTC))
    (old,) = acts_of(law(), region)
    new = as_data(old) | {"id": SECOND, "summary": as_data(old.summary) | summary}
    file = as_data(law().authorities[region])
    committee = {"id": "committee", "name": "Комитет", "chair": file["leaders"][0]["post"]}
    file["committees"] = file.get("committees") or [committee]
    file["regulations"] = [*file["regulations"], {"id": SECOND, "from": first_day, "stated": True}]
    for number, (kind, data) in enumerate((("act", new), ("authority", file)), 1):
        amendment = Envelope(
            id=f"5b1c7f30-0000-4000-8000-00000000000{number}", source="/test", type=AMENDMENT, subject=region,
            time=desk.at, authority=region, data={"kind": kind, "reason": "новый акт", "data": data},
        )  # fmt: skip
        Outcome(tuple(desk.partition.when(amendment, desk.at))).must_be_accepted()
    return desk


def test_the_report_of_december_is_judged_by_decembers_act_when_another_begins_on_the_first_of_january() -> None:
    head = Desk("kbr").directory.texts["kbr-2022-137"].escalation.to
    desk = with_a_second_act("kbr", {"period": "quarter", "to": head, "paragraph": "99"})
    old = desk.directory.texts["kbr-2022-137"].summary
    desk.at = datetime(2027, 1, 11, 6, tzinfo=UTC)
    desk.report("deliver_summary", "2026-Q4").refused(422, "forbidden-by-regulation", old.paragraph)
    december = desk.report("deliver_summary", "2026-12").must_be_accepted().of("summary-delivered")
    assert isinstance(december, SummaryDelivered) and december.to == old.to
    desk.at = datetime(2027, 4, 12, 6, tzinfo=UTC)
    desk.report("deliver_summary", "2027-01").refused(422, "forbidden-by-regulation", "99")
    quarter = desk.report("deliver_summary", "2027-Q1").must_be_accepted().of("summary-delivered")
    assert isinstance(quarter, SummaryDelivered) and quarter.to == head


def test_a_committee_that_only_the_next_act_asks_for_does_not_agree_december() -> None:
    desk = with_a_second_act("kbr", {"agreed_by_committee": True})
    desk.at = datetime(2027, 2, 8, 6, tzinfo=UTC)
    desk.report("send_summary_for_agreement", "2026-12").refused(422, "forbidden-by-regulation", "21")
    desk.report("deliver_summary", "2026-12").must_be_accepted()
    desk.report("deliver_summary", "2027-01").refused(409, "wrong-state", "21")
    desk.report("send_summary_for_agreement", "2027-01").must_be_accepted()


def test_a_committee_agrees_the_last_quarter_of_its_act_though_the_next_act_knows_none() -> None:
    desk = with_a_second_act("buryatia", {"agreed_by_committee": False})
    desk.at = datetime(2027, 1, 11, 6, tzinfo=UTC)
    desk.report("deliver_summary", "2026-Q4").refused(409, "wrong-state", "25")
    desk.report("send_summary_for_agreement", "2026-Q4").must_be_accepted()
    desk.report("agree_summary", "2026-Q4", role="committee").must_be_accepted()
    desk.report("deliver_summary", "2026-Q4").must_be_accepted()


@pytest.mark.parametrize("period", ["0000-11", "9999-12", "9999-Q4"])
def test_a_year_that_no_report_has_is_refused_and_no_dead_letter(period: str) -> None:
    desk = later("kbr")
    desk.report("deliver_summary", period).refused(422, "invalid-data")
    assert desk.partition.dead == []


@pytest.mark.parametrize("data", [data for data in COMMANDS.values() if issubclass(data, PeriodData)])
def test_a_command_about_a_period_says_of_which_report_it_is(data: type[PeriodData]) -> None:
    assert data.report in data.type.split("_")
