"""Reporting derives from events what workflow keeps in its states: whatever people do, both must tell the same."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import events
from services.reporting.pages.timeline import TITLES, visible
from services.reporting.projections.counted import count
from services.reporting.projections.register import Row, evolve
from services.reporting.projections.story import tell
from services.workflow.views import history
from tests.unit.workflow.desk import REGIONS, Desk
from tests.unit.workflow.test_properties import step


def folded(desk: Desk) -> Row:
    row: Row | None = None
    for envelope in desk.events:
        after = evolve(row, envelope)
        count(envelope, row, after)
        row = Row.of(after.model_dump())
    assert row is not None
    return row


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(region=st.sampled_from(REGIONS), length=st.integers(5, 30), data=st.data())
def test_the_register_says_what_workflow_says(region: str, length: int, data: st.DataObject) -> None:
    desk = Desk(region).triaged()
    for _ in range(length):
        step(desk, data)
        message, row = desk.message, folded(desk)
        assert (row.status, row.sequence) == (message.status, message.sequence)
        for name in (
            "topics",
            "location",
            "importance",
            "reduced",
            "marked",
            "removed",
            "repeat_of",
            "answered_at",
            "answer_url",
        ):
            assert getattr(row, name) == getattr(message, name), name
        told = {
            held.assignment_id: (held.agency, held.role, held.order, held.status, held.drafts)
            for held in row.work.assignments
        }
        assert told == {
            one.assignment_id: (one.agency, one.role, one.order, one.status, one.drafts) for one in message.assignments
        }
        assert [(one.draft_id, one.status) for one in row.work.drafts] == [
            (one.draft_id, one.status) for one in message.drafts
        ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(region=st.sampled_from(REGIONS), length=st.integers(5, 25), data=st.data())
def test_a_page_shows_an_executor_no_more_than_workflows_history(region: str, length: int, data: st.DataObject) -> None:
    desk = Desk(region).triaged()
    for _ in range(length):
        step(desk, data)
    row = folded(desk)
    story = [tell(envelope) for envelope in desk.events]
    act = desk.directory.act(row.law, row.regulation)
    for agency in (desk.a, desk.b, desk.c):
        shown = [one["sequence"] for one in visible(story, row, act, agency)]
        allowed = [
            one.sequence for one in history(desk.events, desk.message, desk.directory, desk.actor("executor", agency))
        ]
        assert shown == allowed
    assert len(visible(story, row, act, None)) == len(story)


def test_every_event_of_a_message_is_told_in_russian() -> None:
    assert set(TITLES) == {events.short(kind) for kind in events.MESSAGE_EVENTS}
