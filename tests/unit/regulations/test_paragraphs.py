"""No paragraph of the texts is forgotten, the pages tell what the data say, and no region is named in code."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import get_args

import pytest

import regulations
from regulations.contradictions import contradictions, paragraphs_cited
from regulations.describe import SPANS
from regulations.docs import FOLDER, pages
from regulations.model import RuleName
from regulations.words import RULES
from regulations.working_time.schedule import Schedule
from tests.unit.regulations.given import LAW, acts_of, in_force

EXAMPLES = Path(__file__).parents[2] / "regulations" / "examples" / "regional_days.json"

# What the texts are numbered by: the last paragraph of the regulation, with the points that bear terms or duties of
# their own, and the paragraphs of the document that enacted it.
NUMBERED: dict[str, tuple[int, tuple[str, ...], tuple[str, ...]]] = {
    "kbr-2022-137": (22, (), ("1", "2", "3", "4", "5")),
    "kemerovo-2020-65": (27, (), ("1", "2", "3", "4", "4.1", "4.2", "4.3", "5")),
    "nenets-2020": (29, ("22.1", "22.2", "22.3", "22.4"), ("1", "2")),
    "kursky-2023-18": (23, ("8.1", "8.2"), ("1", "2", "2.1", "2.2", "3", "4")),
    "buryatia-2022-288": (25, (), ("1", "2", "2.1", "2.2", "3", "3.1", "3.2", "3.3", "4", "5")),
}


@pytest.mark.parametrize("act", sorted(NUMBERED))
def test_every_paragraph_of_the_text_is_accounted_for(act: str) -> None:
    last, points, enactment = NUMBERED[act]
    notes = LAW.acts[act].paragraphs
    regulation = {note.paragraph for note in notes if note.part == "regulation"}
    assert regulation == {str(number) for number in range(1, last + 1)} | set(points)
    assert {note.paragraph for note in notes if note.part == "enactment"} == set(enactment)


@pytest.mark.parametrize("act", sorted(LAW.acts))
def test_each_paragraph_lives_somewhere_or_says_why_it_asks_nothing(act: str) -> None:
    assert contradictions(LAW.acts[act]) == []
    assert all(bool(note.lives) != bool(note.nothing) for note in LAW.acts[act].paragraphs)


@pytest.mark.parametrize("act", sorted(LAW.acts))
def test_each_rule_and_part_is_told_of_at_the_paragraph_that_it_cites(act: str) -> None:
    lives = {note.paragraph: note.lives for note in LAW.acts[act].paragraphs if note.part == "regulation"}
    for name, rule in LAW.acts[act].rules.items():
        for paragraph in rule.paragraph.split(", "):
            assert f"rules.{name}" in lives[paragraph]
        if rule.reduced is not None:
            assert f"rules.{name}" in lives[rule.reduced.paragraph]
    for part in ("returning", "joint", "drafting", "publication", "dismissal", "repeat", "escalation", "summary"):
        for paragraph in getattr(LAW.acts[act], part).paragraph.split(", "):
            assert part in lives[paragraph]


@pytest.mark.parametrize("act", sorted(LAW.acts))
def test_every_reading_is_one_line_of_our_own_with_its_paragraph_where_it_has_one(act: str) -> None:
    readings = LAW.acts[act].readings
    assert [entry.reading for entry in readings] == sorted(entry.reading for entry in readings)
    assert all("\n" not in entry.note and len(entry.note) < 260 for entry in readings)
    assert {1, 2, 4, 5, 6, 7, 8, 12, 13, 14, 15, 16, 18} <= {entry.reading for entry in readings}
    assert {entry.reading for entry in readings if not entry.paragraph} <= {9, 11, 12, 14, 16, 17, 18}


def test_the_citations_are_found_wherever_they_stand() -> None:
    assert {"2.2", "4", "6", "10", "13", "23"} <= set(paragraphs_cited(LAW.acts["buryatia-2022-288"]))


def test_the_pages_are_those_that_the_acts_give() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md") if path.name != "README.md"}
    assert written == pages(LAW), "python -m regulations.docs"


def test_every_rule_of_the_model_has_its_words() -> None:
    assert set(RULES) == set(SPANS) == set(get_args(RuleName))


@pytest.mark.parametrize("authority", sorted(LAW.authorities))
def test_a_page_calls_a_rule_by_its_one_name(authority: str) -> None:
    (act,) = acts_of(LAW, authority)
    page = pages(LAW)[f"{authority}.md"]
    assert all(f"| `{name}` | {rule.paragraph} | {RULES[name]}: " in page for name, rule in act.rules.items())


@pytest.mark.parametrize("authority", sorted(LAW.authorities))
def test_every_regional_day_that_was_handed_over_is_a_day_off(authority: str) -> None:
    handed_over = json.loads(EXAMPLES.read_text(encoding="utf-8"))[authority]
    schedule: Schedule = in_force(authority).working_schedule
    known = {entry.date: entry for entry in in_force(authority).regional_days}
    for day in handed_over:
        entry = known[date.fromisoformat(day["date"])]
        assert schedule.day(entry.date).kind == "off" and entry.basis and entry.name
        assert entry.issued == (date.fromisoformat(day["issued"]) if "issued" in day else entry.issued)
        assert (entry.moved_from is not None) == ("moved" in day)


def test_the_eve_of_a_regional_holiday_is_shorter_and_that_of_a_moved_day_is_not() -> None:
    buryatia = in_force("buryatia").working_schedule
    assert buryatia.day(date(2023, 2, 20)).kind == "short"
    assert buryatia.day(date(2026, 2, 17)).kind == "short"
    assert buryatia.day(date(2025, 2, 28)).kind == "short"
    assert in_force("kursky").working_schedule.day(date(2025, 4, 28)).kind == "short"


def test_no_region_is_named_in_the_code_of_the_law() -> None:
    named = re.compile("|".join(rf"[\"']{name}[\"'-]" for name in LAW.authorities))
    root = Path(regulations.__file__).parent
    for path in root.rglob("*.py"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            assert not named.search(line), f"{path.name}:{number}: {line}"


def test_no_act_holds_a_persons_name() -> None:
    initials = re.compile(r"\b[А-ЯЁ]\.\s?[А-ЯЁ]\.\s?[А-ЯЁ][а-яё]+|[А-ЯЁ][а-яё]+\s[А-ЯЁ]\.\s?[А-ЯЁ]\.")
    for path in Path(regulations.__file__).parent.rglob("*.toml"):
        assert not initials.search(path.read_text(encoding="utf-8")), path.name
