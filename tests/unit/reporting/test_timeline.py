"""A message's story as people read it: in Russian, whatever the contract's slugs are."""

from __future__ import annotations

import re

import pytest

from services.reporting.pages import timeline
from services.reporting.pages.timeline import Moment
from services.reporting.projections import story
from tests.unit.reporting.given import Message
from tests.unit.reporting.test_forms import law_of, shipped


def moments(one: Message) -> list[Moment]:
    rows = [story.tell(told.envelope) for told in one.log.told if told.envelope.subject == one.id]
    return timeline.moments(rows, law_of(one.log, one.authority))


def test_who_is_told_of_a_routing_is_told_in_russian() -> None:
    one = shipped("buryatia")
    one.tell("notified", "16.11 10:00", about="routed", whom=["executor", "sector_block", "coordinator"], paragraph="9")
    last = moments(one)[-1]
    assert last.title == "Извещены"
    label, text = last.lines[0]
    assert label == "Кто"
    assert text.startswith("исполнитель, руководитель отраслевого блока, ")
    assert not re.search("[a-z]", text)


@pytest.mark.parametrize(
    ("slugs", "words"),
    [(["deleted", "author_blocked"], "комментарий удалён, автор заблокирован"), (["deleted"], "комментарий удалён")],
)
def test_measures_of_moderation_are_told_in_russian(slugs: list[str], words: str) -> None:
    one = shipped("nenets")
    one.tell("dismissed", "16.11 10:00", ground="spam", moderation=slugs)
    assert ("Меры", words) in moments(one)[-1].lines
