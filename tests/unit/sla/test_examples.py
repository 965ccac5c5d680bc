"""The worked examples come out of `calculate` to the second, and nothing else does."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from services.sla.calculate import Question, calculate
from services.sla.law import Law
from tests.unit.sla.law import EXAMPLES, directory

CASES: list[dict[str, Any]] = json.loads((EXAMPLES / "deadlines.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[f"{c['authority']}-{c['facts'][0]['at']}-{c['reduced']}" for c in CASES])
def test_a_worked_example_comes_out_to_the_second(case: dict[str, Any]) -> None:
    law = directory(case["authority"])
    question = Question.model_validate({key: case[key] for key in ("authority", "reduced", "facts")})

    answer = calculate(Law.of(law, law.number, law.regulation), question)

    assert {one.rule: one.due_at for one in answer.deadlines} == {
        rule: datetime.fromisoformat(at) for rule, at in case["expect"].items()
    }
    shown = {one.rule: one.model_dump(mode="json")["due_at"] for one in answer.deadlines}
    assert shown == case["expect"]
