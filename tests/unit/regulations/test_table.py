"""The table of deadline rules, said once more by hand: a typo in an act's file is caught here."""

from __future__ import annotations

from datetime import timedelta

import pytest

from regulations.model import Act, Rule
from tests.unit.regulations.given import LAW, acts_of

AUTHORITIES = ("kbr", "kemerovo", "nenets", "kursky", "buryatia")
H, MIN = "h", "min"

# rule: term and clock (w: working, p: plain, d: working days), paragraph, who owes it; "–": no such rule.
TABLE: dict[str, tuple[str, ...]] = {
    "route": (
        "30min w 8 coordinator", "30min w 7 coordinator", "30min w 14 coordinator", "60min w 8.2 coordinator", "–",
    ),
    "return": (
        "30min w 9 assignee", "30min w 9 assignee", "30min w 15 assignee", "30min w 9 assignee", "30min p 7 assignee",
    ),
    "reroute": ("–", "30min w 10 coordinator", "–", "–", "–"),
    "answer": ("540min w 10 lead", "480min w 11 lead", "480min w 16 coordinator", "540min w 10 coordinator", "480min p 8 lead"),
    "draft": (
        "240min w 11 drafter", "240min w 13 drafter", "240min w 17 drafter", "300min w 11 drafter", "180min p 9 drafter",
    ),
    "review": (
        "30min w 12 coordinator", "30min w 14 coordinator", "30min w 18 coordinator", "30min w 12, 13 coordinator",
        "60min p 10 coordinator",
    ),
    "rework": (
        "60min w 13 drafter", "60min w 15 drafter", "60min w 19 drafter", "30min w 14 drafter", "60min p 11 drafter",
    ),
    "publish": ("30min w 14 lead", "30min w 16 lead", "30min w 20 coordinator", "30min w 12 coordinator", "30min p 12 lead"),
    "contribution": (
        "120min w 16 assignee", "120min w 18 assignee", "120min w 22.3 assignee", "120min w 16 assignee",
        "120min p 15 assignee",
    ),
    "contribution_review": ("–", "–", "–", "30min w 16 coordinator", "–"),
    "final_draft": ("7d d 15 drafter", "7d d 17 drafter", "7d d 21 drafter", "7d d 15 drafter", "7d d 14 drafter"),
    "case_review": ("–", "–", "–", "–", "2d d 23 committee"),
    "case_report": ("–", "–", "–", "–", "5d d 23 proposer"),
    "summary": ("–", "–", "–", "10d p 22 coordinator", "14d p 25 coordinator"),
    "summary_review": ("–", "–", "–", "–", "2d d 25 committee"),
}  # fmt: skip

# What a reduced message has instead: the term, or "none" for no rule at all; "–": the standard term stays.
REDUCED: dict[str, tuple[str, ...]] = {
    "answer": ("–", "240min 12", "240min 16", "–", "240min 13"),
    "draft": ("–", "120min 13", "none 17", "–", "none 9"),
}


def rules_of(authority: str) -> dict[str, Rule]:
    return {str(name): rule for name, rule in act_of(authority).rules.items()}


def act_of(authority: str) -> Act:
    (act,) = acts_of(LAW, authority)
    return act


def cells(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str, str]]:
    return [
        (rule, authority, cell)
        for rule, row in table.items()
        for authority, cell in zip(AUTHORITIES, row, strict=True)
    ]  # fmt: skip


def in_words(rule: Rule | None) -> str:
    if rule is None:
        return "–"
    clock = {"working": "w", "plain": "p", "working_days": "d"}[rule.clock]
    return f"{length(rule.term)} {clock} {rule.paragraph} {rule.owed_by}"


def length(term: timedelta) -> str:
    return f"{term.days}d" if term.days else f"{term // timedelta(minutes=1)}min"


@pytest.mark.parametrize(("rule", "authority", "expected"), cells(TABLE))
def test_each_cell_of_the_table_is_in_the_act(rule: str, authority: str, expected: str) -> None:
    assert in_words(rules_of(authority).get(rule)) == expected


@pytest.mark.parametrize(("rule", "authority", "expected"), cells(REDUCED))
def test_a_reduced_message_has_the_term_of_the_table(rule: str, authority: str, expected: str) -> None:
    reduced = rules_of(authority)[rule].reduced
    if reduced is None:
        assert expected == "–"
    else:
        term = "none" if reduced.term is None else length(reduced.term)
        assert f"{term} {reduced.paragraph}" == expected


@pytest.mark.parametrize("authority", AUTHORITIES)
def test_no_rule_stands_in_an_act_that_the_table_lacks(authority: str) -> None:
    assert set(act_of(authority).rules) <= set(TABLE)


@pytest.mark.parametrize("authority", AUTHORITIES)
def test_the_return_is_a_window_and_nothing_else_is(authority: str) -> None:
    assert [name for name, rule in act_of(authority).rules.items() if rule.window] == ["return"]


@pytest.mark.parametrize("authority", AUTHORITIES)
def test_the_draft_is_due_before_the_answer_and_only_kursky_caps_and_starts_otherwise(authority: str) -> None:
    rules = act_of(authority).rules
    assert {name: rule.before for name, rule in rules.items() if rule.before} == {"draft": "answer"}
    capped = {name: rule.capped_by for name, rule in rules.items() if rule.capped_by}
    received = [name for name, rule in rules.items() if rule.start == "received"]
    assert (capped, received) == (({"publish": "answer"}, ["answer"]) if authority == "kursky" else ({}, []))


@pytest.mark.parametrize("authority", AUTHORITIES)
def test_a_warning_comes_a_quarter_of_the_term_before_the_end(authority: str) -> None:
    assert {rule.warn for rule in act_of(authority).rules.values()} == {0.25}


# The second table: one line a region for each of its rows.
OTHER: dict[str, tuple[object, ...]] = {
    "returning.justification": (True, False, False, True, False),
    "returning.paragraph": ("9", "9", "15", "9", "7"),
    "reducing.source": ("decision", "importance", "topic_list", "none", "decision"),
    "reducing.stated": (True, False, False, False, True),
    "reducing.paragraph": ("8", "7, 12", "16", "8", "6"),
    "joint.drafted_by": ("named", "coordinator", "last", "lead", "lead"),
    "joint.paragraph": ("16", "18", "22.4", "16", "15"),
    "joint.draft_due": (None, "answer", None, None, None),
    "joint.order": ("sequence", "sequence", "sequence", "parallel", "sequence"),
    "joint.contributions_approved": (False, False, False, True, False),
    "joint.contributions_to": (
        ("coordinator",), ("coordinator",), ("coordinator",), ("coordinator", "lead"), ("lead", "coordinator"),
    ),
    "drafting.kinds": (
        ("answer", "interim", "clarification"), ("answer", "interim", "clarification"),
        ("answer", "interim", "clarification"), ("answer", "interim"), ("answer", "interim"),
    ),
    "drafting.paragraph": ("11", "13", "17", "11", "9"),
    "drafting.content_paragraph": ("18", "21", "24", "18", "17"),
    "publication.by": ("lead", "lead", "coordinator", "coordinator", "lead"),
    "publication.places": (("same", "own_account"), ("same",), ("same",), ("same",), ("same",)),
    "publication.paragraph": ("14", "16", "20", "10", "12"),
    "dismissal.paragraph": ("19", "22", "25", "20", "18"),
    "dismissal.threat_to": (
        "official_or_family", "official_or_family", "official_or_family", "anyone", "official_or_family",
    ),
    "dismissal.moderation": (None, None, "9", None, None),
    "repeat.must_tell_measures": (True, True, True, False, True),
    "repeat.paragraph": ("17", "19, 20", "23", "17", "16"),
    "repeat.procedure": ("10–17", "9–19", "14–23", "11–17", "7–13"),
    "escalation.paragraph": ("22", "26", "29", "23", "24"),
    "escalation.owed_by_high_importance": (False, True, False, False, False),
    "escalation.grounds": (
        ("socially_significant", "rising_activity"), ("socially_significant", "rising_activity"),
        ("socially_significant", "rising_activity"), ("socially_significant",), ("resonance",),
    ),
    "summary.paragraph": ("21", "25", "28", "22", "25"),
    "summary.period": ("month", "month", "month", "month", "quarter"),
    "summary.due_day": (None, None, None, 10, 14),
    "summary.agreed_by_committee": (False, False, False, False, True),
    "registers.answered": (None, "27", None, None, None),
    "registers.accounts": ("5", "5", "2, 3", "5", None),
    "registers.posts_a_week": (None, None, 5, None, None),
    "answerable.who": (("executor",), ("executor",), ("agency_head",), ("executor",), ("executor", "agency_head")),
    "answerable.paragraph": ("20", "23", "26", "19", "20"),
    "official.not_below": ("deputy_head", "deputy_head", None, None, None),
    "official.substitutes": (None, "8", "13", None, None),
    "official_paragraph": ("7", "8", "13", "7", "2.2"),
    "appeals_law_paragraph": ("2", "2", "10", "2", None),
    "channels": (
        ("vk", "ok", "telegram", "max", "messenger", "site"), ("ok", "vk", "twitter", "instagram", "blog"),
        ("ok", "vk", "facebook", "instagram", "site"), ("ok", "vk"), ("ok", "vk"),
    ),
    "words.coordinator": ("куратор", "куратор", "куратор", "отдел", "Координатор (ЦУР)"),
    "words.leader": ("Глава", "Губернатор", "губернатор", "глава округа", "Глава"),
}  # fmt: skip


@pytest.mark.parametrize(("path", "row"), OTHER.items())
def test_each_other_rule_is_as_the_text_has_it(path: str, row: tuple[object, ...]) -> None:
    for authority, expected in zip(AUTHORITIES, row, strict=True):
        value: object = act_of(authority)
        for name in path.split("."):
            value = getattr(value, name)
        assert value == expected, authority


@pytest.mark.parametrize(
    ("authority", "grounds"),
    [
        ("kbr", {"intent_to_harm": "19", "obscene_or_insulting": "19", "threat": "19"}),
        ("kemerovo", {"intent_to_harm": "22", "obscene_or_insulting": "22", "threat": "22"}),
        ("nenets", {"intent_to_harm": "25", "obscene_or_insulting": "25", "threat": "25", "spam": "9"}),
        ("kursky", {"obscene_or_insulting": "20", "threat": "20"}),
        ("buryatia", {"intent_to_harm": "18", "obscene_or_insulting": "18", "threat": "18"}),
    ],
)
def test_grounds_of_dismissal_are_those_of_the_text(authority: str, grounds: dict[str, str]) -> None:
    assert act_of(authority).dismissal.grounds == grounds


def test_only_buryatia_has_ratings_cases_analysis_notices_and_law_enforcement() -> None:
    for authority in AUTHORITIES:
        act = act_of(authority)
        parts = (
            act.rating,
            act.cases,
            act.analysis,
            act.law_enforcement,
            act.satisfaction_paragraph,
            act.notices or None,
        )
        assert all(part is not None for part in parts) if authority == "buryatia" else not any(parts)
    act = act_of("buryatia")
    assert act.rating is not None and act.rating.indicators == ("quality", "in_time", "activity", "mean_time")
    assert [(notice.on, notice.paragraph, notice.whom) for notice in act.notices] == [
        ("routed", "6", ("executor", "sector_block")),
        ("assignment-returned", "7", ("coordinator",)),
        ("draft-submitted", "9, 11", ("coordinator",)),
        ("draft-approved", "10", ("executor",)),
        ("draft-sent-back", "10", ("executor",)),
    ]


def test_shortcomings_are_reported_in_kemerovo_nenets_and_kursky() -> None:
    told = {authority: act_of(authority).shortcomings for authority in AUTHORITIES}
    assert {
        name: (said.paragraph, len(said.to), said.agency_head) for name, said in told.items() if said is not None
    } == {
        "kemerovo": ("24", 1, True),
        "nenets": ("27", 1, False),
        "kursky": ("21", 2, False),
    }


def test_kursky_signs_and_buryatia_takes_two_steps_to_the_top() -> None:
    assert {name for name in AUTHORITIES if act_of(name).escalation.forwarded_by} == {"kursky", "buryatia"}
