"""Explanations as whole texts, which a lawyer may read: `golden/*.txt`. `OTKLIK_GOLDEN=write` writes them anew, to be read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from regulations.directory import evolve
from services.sla.calculate import Question, calculate
from services.sla.law import Law
from tests.unit.sla.given import at
from tests.unit.sla.law import amended, directory

GOLDEN = Path(__file__).parent / "golden"
OFFSETS = {"kemerovo": "+07:00", "buryatia": "+08:00"}


def told(region: str, reduced: bool, **facts: str) -> str:
    """The explanations of everything that the instants start."""
    law = directory(region)
    offset = OFFSETS.get(region, "+03:00")
    milestones = [{"milestone": name, "at": at(f"{when}{offset}")} for name, when in facts.items()]
    question = Question.model_validate({"authority": region, "reduced": reduced, "facts": milestones})
    return text(calculate(Law.of(law, law.number, law.regulation), question).deadlines)


def text(deadlines: Any) -> str:
    parts = [[f"{one.rule}: {one.due_at.isoformat()}", *(f"  {line}" for line in one.explanation)] for one in deadlines]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def golden(name: str, found: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("OTKLIK_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "region", "reduced", "facts"),
    [
        ("no-later-than-before", "kemerovo", False, {"detected": "2026-11-16 09:00"}),
        ("start-at-lunch", "kbr", False, {"detected": "2026-11-16 13:20"}),
        ("start-at-closing-time", "kbr", False, {"detected": "2026-11-16 18:00"}),
        ("start-on-a-working-saturday", "kbr", False, {"detected": "2025-11-01 16:30"}),
        ("start-on-31-december", "kbr", False, {"detected": "2025-12-31 10:00"}),
        ("start-before-a-holiday", "kbr", True, {"detected": "2026-04-30 14:00"}),
        ("across-a-decreed-regional-day", "kbr", False, {"detected": "2026-05-26 15:00"}),
        ("seven-working-days", "kbr", False, {"published_interim": "2026-04-30 12:00"}),
        ("plain-clock", "buryatia", False, {"detected": "2026-11-20 20:00", "submitted": "2026-11-20 23:40"}),
        ("reduced", "kemerovo", True, {"detected": "2026-11-16 11:00"}),
        ("from-the-receipt", "kursky", False, {"detected": "2026-11-16 09:00", "received": "2026-11-16 09:20"}),
        (
            "capped-by-the-answer",
            "kursky",
            False,
            {"detected": "2026-11-16 09:00", "received": "2026-11-16 09:00", "approved": "2026-11-17 09:45"},
        ),
        ("window", "nenets", False, {"issued": "2026-11-16 12:45"}),
        ("a-paragraph-that-means-another", "nenets", False, {"detected": "2026-11-16 09:00"}),
        ("no-reduced-term-at-all", "kursky", True, {"detected": "2026-11-16 09:00"}),
        (
            "no-later-than-its-receipt",
            "kbr",
            False,
            {"detected": "2026-11-16 09:40", "received": "2026-11-16 09:10"},
        ),
    ],
)
def test_an_explanation_reads_as_a_whole(name: str, region: str, reduced: bool, facts: dict[str, str]) -> None:
    golden(name, told(region, reduced, **facts))


def test_a_late_decree_stands_in_the_explanation_with_its_number() -> None:
    law = directory("kbr")
    day = {"date": "2026-11-17", "kind": "off", "name": "День траура", "basis": "указ от 16.11.2026"}
    later = evolve(law, "kbr", amended(law.number + 1, "calendar_day", day), at("2026-11-16 10:00"))
    question = Question.model_validate(
        {"authority": "kbr", "facts": [{"milestone": "detected", "at": at("2026-11-16 09:00")}]}
    )
    golden("late-decree", text(calculate(Law.of(later, later.number, later.regulation), question).deadlines))
