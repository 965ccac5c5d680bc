"""Whatever people do, and in whatever order: nothing raises, nothing is lost, and the fold of the log is the state."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.commands import COMMANDS
from schemas.events import MESSAGE_EVENTS, Registered
from services.workflow.decider import FOLDS, PERIOD_RULES, RULES
from services.workflow.views import history, view
from tests.unit.workflow.desk import REGIONS, Desk

WORDS = ("Слова", "Другие слова")
PERIODS = ("2026-09", "2026-10", "2026-Q3", "2027-01")


def test_every_command_has_a_rule_and_every_event_a_fold() -> None:
    assert set(RULES) | set(PERIOD_RULES) == set(COMMANDS.values())
    assert set(FOLDS) | {Registered} == set(MESSAGE_EVENTS.values())


def step(desk: Desk, data: st.DataObject) -> None:
    """Somebody does something: half the time what is wanted just then, else anything."""
    if data.draw(st.booleans()):
        forward(desk)
    else:
        anything(desk, data)


def forward(desk: Desk) -> None:
    """The next step of the usual way."""
    message = desk.message
    match message.status:
        case "registered":
            desk.triage()
        case "triaged" if not message.live:
            desk.route_joint() if message.sequence % 2 else desk.coordinator("route", assignments=[{"agency": desk.a}])
        case "in_review":
            desk.coordinator("approve_draft", draft_id=desk.draft_id)
        case "approved":
            desk.publish(message.lead.agency if message.lead else desk.a)
        case "dismissed":
            desk.coordinator("reopen", reason="Х")
        case "answered":
            after_the_answer(desk)
        case _:
            work(desk)


def work(desk: Desk) -> None:
    message = desk.message
    turn = next((one for one in message.live if one.pending and one.status == "issued"), None)
    if turn is not None and message.sequence % 3:
        desk.contribute(turn.agency)
    elif message.drafted_by == "coordinator":
        desk.coordinator("submit_draft", kind="answer", text="Ответ", measures="Х")
    elif message.drafted_by:
        kind = "interim" if message.sequence % 4 == 0 else "answer"
        desk.submit(message.drafted_by, kind=kind, measures="Х")


def after_the_answer(desk: Desk) -> None:
    case = desk.message.cases[-1] if desk.message.cases else None
    agency = next(one.agency for one in desk.message.assignments if one.status == "done" and one.issued_at)
    about = {"case_id": case.case_id} if case else {}
    match case.status if case else None:
        case "proposed":
            desk.give("agree_case", desk.actor("committee"), **about)
        case "agreed":
            desk.executor(agency, "report_case_publication", url="https://vk.com/z", **about)
        case "published":
            desk.executor(agency, "report_case", **about)
        case _:
            desk.executor(agency, "propose_case", text="Х")


def anything(desk: Desk, data: st.DataObject) -> None:
    def pick(*of: Any) -> Any:
        return data.draw(st.sampled_from(of))

    agency = pick(desk.a, desk.b, desk.c)
    match data.draw(st.integers(0, 19)):
        case 0:
            stated = {"detected_at": desk.at.isoformat()} if pick(True, False) else {}
            desk.detect(pick("new", "edited", "removed"), text=pick(*WORDS), **stated)
        case 1 | 2:
            reduced = {} if (said := pick(None, True, False)) is None else {"reduced": said}
            given = {
                "topics": [pick("roads", "heating-outage")],
                "location": "Тут",
                "importance": pick("ordinary", "high"),
            }
            desk.coordinator("triage", **given | reduced)
        case 3 | 4 | 5 | 6:
            route(desk, data)
        case 7:
            more = {"justification": "Не наше"} if pick(True, False) else {}
            desk.executor(agency, "return", assignment_id=assignment(desk, data), **more)
        case 8:
            desk.coordinator("recall", assignment_id=assignment(desk, data), reason="Х")
        case 9:
            desk.coordinator("reassign", assignment_id=assignment(desk, data), agency=agency)
        case 10 | 11 | 12:
            desk.executor(agency, "contribute", assignment_id=assignment(desk, data), text=pick(*WORDS))
        case 13:
            name, more = pick(("approve_contribution", {}), ("send_back_contribution", {"comments": "Х"}))
            desk.coordinator(name, assignment_id=assignment(desk, data), **more)
        case 14 | 15:
            actor = pick(desk.actor("executor", agency), desk.actor("coordinator"))
            desk.give(
                "submit_draft", actor, kind=pick("answer", "interim", "clarification"), text="Ответ", measures="Х"
            )
        case 16 | 17:
            name, more = pick(("approve_draft", {}), ("approve_draft", {}), ("send_back_draft", {"comments": "Х"}))
            desk.coordinator(name, draft_id=draft(desk, data), **more)
        case 18:
            actor = pick(desk.actor("executor", agency), desk.actor("coordinator"))
            desk.give("report_publication", actor, draft_id=draft(desk, data), url="https://vk.com/y")
        case _:
            aside(desk, data, agency)


def route(desk: Desk, data: st.DataObject) -> None:
    agencies = data.draw(st.lists(st.sampled_from([desk.a, desk.b, desk.c]), min_size=1, max_size=3, unique=True))
    lead = data.draw(st.sampled_from([*agencies, "nobody"]))
    parts: list[dict[str, Any]] = [{"agency": one} | ({"role": "lead"} if one == lead else {}) for one in agencies]
    drafted_by = data.draw(st.sampled_from([None, "coordinator", *agencies]))
    desk.coordinator("route", assignments=parts, **({"drafted_by": drafted_by} if drafted_by else {}))


def aside(desk: Desk, data: st.DataObject, agency: str) -> None:
    case = {"case_id": desk.message.cases[-1].case_id if desk.message.cases else desk.id}
    kind = data.draw(st.sampled_from(["summary", "rating"]))
    period = data.draw(st.sampled_from(PERIODS))
    doings = [
        lambda: desk.coordinator("dismiss", ground="threat"),
        lambda: desk.coordinator("reopen", reason="Х"),
        lambda: desk.coordinator("escalate", ground="socially_significant", summary="Х"),
        lambda: desk.coordinator("record_feedback", satisfied=False),
        lambda: desk.coordinator("score_answer", score=2),
        lambda: desk.executor(agency, "propose_case", text="Х"),
        lambda: desk.give("agree_case", desk.actor("committee"), **case),
        lambda: desk.executor(agency, "report_case_publication", url="https://vk.com/z", **case),
        lambda: desk.executor(agency, "report_case", **case),
        lambda: desk.report(f"deliver_{kind}", period),
        lambda: desk.report(f"send_{kind}_for_agreement", period),
        lambda: desk.report(f"agree_{kind}", period, role="committee"),
        lambda: desk.tick(),
    ]
    data.draw(st.sampled_from(doings))()


def assignment(desk: Desk, data: st.DataObject) -> str:
    return data.draw(st.sampled_from([desk.id, *(one.assignment_id for one in desk.message.assignments)]))


def draft(desk: Desk, data: st.DataObject) -> str:
    return data.draw(st.sampled_from([desk.id, *(one.draft_id for one in desk.message.drafts)][-2:]))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(region=st.sampled_from(REGIONS), length=st.integers(5, 40), data=st.data())
def test_any_sequence_of_doings_leaves_the_invariants_true(region: str, length: int, data: st.DataObject) -> None:
    desk = Desk(region).triaged()
    before = len(desk.partition.log)
    for _ in range(length):
        step(desk, data)
        holds(desk)
    log = desk.partition.log
    assert desk.partition.dead == []
    assert [event.sequence for event in desk.events] == list(range(1, desk.message.sequence + 1))
    assert len({out.envelope.id for out in log if out.topic == topics.EVENTS}) == len(
        [out for out in log if out.topic == topics.EVENTS]
    )
    assert len(log) >= before
    refolded = desk.partition.refolded()
    kept = {key: state for key, state in desk.partition.states.items() if not key.startswith("world/")}
    assert refolded == kept
    for key, state in kept.items():
        decider = desk.partition.decider
        assert decider.decode(key, decider.encode(key, state)) == state


def holds(desk: Desk) -> None:
    """What is true of a message after every step."""
    message = desk.message
    assert sum(draft.in_flight for draft in message.drafts) <= 1
    assert sum(one.role == "lead" for one in message.live) <= 1
    assert len({one.agency for one in message.live}) == len(message.live)
    assert message.dismissed is None or not message.live
    assert all(one.status != "issued" or one.issued_at for one in message.assignments)
    if desk.directory.act(message.law).joint.order == "parallel":
        assert all(one.status != "waiting" for one in message.assignments)
    if message.live and message.answered_at is None:
        first = min(message.live, key=lambda one: one.order)
        assert first.status != "waiting", "somebody's turn has always come"
    for actor in (desk.actor("coordinator"), desk.actor("executor", desk.a), desk.actor("executor", desk.b)):
        shown = view(message, desk.directory, actor)
        assert shown.sequence == message.sequence
        assert len(history(desk.events, message, desk.directory, actor)) <= message.sequence
