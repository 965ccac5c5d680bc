"""`otklik deadlines`: facts as people type them, deadlines as people read them."""

from __future__ import annotations

from typing import get_args

import pytest

from schemas.deadlines import State
from services.cli.deadlines import headline, read_fact
from services.cli.telling import Refused
from services.reporting.exports.words import DEADLINE_STATES


def test_a_fact_is_a_milestone_and_an_instant() -> None:
    assert read_fact("detected=2026-11-16T09:00+03:00") == {"milestone": "detected", "at": "2026-11-16T09:00:00+03:00"}


@pytest.mark.parametrize("text", ["detected", "detected=", "detected=2026-11-16T09:00", "detected=вчера"])
def test_a_fact_without_an_offset_or_an_instant_is_refused_in_words(text: str) -> None:
    with pytest.raises(Refused, match="нужно веха=момент со смещением"):
        read_fact(text)


def test_a_deadline_is_one_line() -> None:
    item = {
        "rule": "answer", "occurrence": 2, "paragraph": "10", "due_at": "2026-11-17T10:00:00+03:00",
        "state": "breached", "owed_by": {"role": "executor", "agency": "minzdrav"},
    }  # fmt: skip
    assert headline(item) == "answer/2 · п. 10 · до 17.11.2026 10:00:00 +0300 · нарушен · minzdrav"


def test_a_state_is_called_as_on_the_pages() -> None:
    assert set(DEADLINE_STATES) == {*get_args(State), "pending"}
    item = {"rule": "answer", "occurrence": 1, "paragraph": "10", "due_at": "2026-11-17T10:00:00+03:00"}
    assert all(headline(item | {"state": state}).endswith(DEADLINE_STATES[state]) for state in get_args(State))


def test_a_deadline_that_waits_for_a_year_says_so() -> None:
    assert headline({"rule": "answer", "occurrence": 1, "paragraph": "10", "year": 2027}) == (
        "answer/1 · п. 10 · ждёт календаря"
    )
