"""The table "Events and rules", cell by cell: what each event meets, cancels, moves and starts."""

from __future__ import annotations

from schemas import events as e
from services.sla.summaries import ROWS
from services.sla.table import TABLE
from tests.unit.sla import happenings as h
from tests.unit.sla.given import MESSAGE_ID, World

DAY = "2026-11-16"


def world(region: str = "kbr", detected: str = f"{DAY} 09:00", received: str | None = None) -> World:
    given = World(region)
    offsets = {"kemerovo": "+07:00", "buryatia": "+08:00"}
    offset = offsets.get(region, "+03:00")
    return given.event(
        h.registered(given, detected + offset, (received or detected) + offset), (received or detected) + offset
    )


def on(given: World, data: e.EventData, when: str, offset: str = "+03:00") -> list[str]:
    """What is said because of an event at a time of that Monday."""
    mark = given.mark()
    given.event(data, f"{DAY} {when}{offset}")
    return given.said(mark)


def test_every_event_of_a_message_has_its_row() -> None:
    assert set(TABLE.rows) == set(e.MESSAGE_EVENTS.values())
    assert set(ROWS) == set(e.PERIOD_EVENTS.values())


def test_registration_starts_route_answer_and_draft_at_the_standard_term() -> None:
    given = world()
    assert given.said() == ["set route/1", "set answer/1", "set draft/1"]
    assert [given.due(rule) for rule in ("route", "answer", "draft")] == ["16.11 09:30", "17.11 10:00", "16.11 15:00"]
    assert {given.owed(rule) for rule in ("route", "answer", "draft")} == {"coordinator"}
    assert given.told[0].data["due_at"] == "2026-11-16T09:30:00+03:00"


def test_a_rule_that_the_act_lacks_gives_no_deadline() -> None:
    assert world("buryatia").said() == ["set answer/1", "set draft/1"]


def test_kursky_counts_the_answer_from_the_receipt_and_the_route_from_the_detection() -> None:
    given = world("kursky", received=f"{DAY} 09:01")
    assert [given.due(rule) for rule in ("route", "answer", "draft")] == ["16.11 10:00", "17.11 10:01", "16.11 14:01"]


def test_an_edit_a_removal_and_an_escalation_move_nothing() -> None:
    given = world()
    edited = e.PostEdited.model_validate(
        {"post": h.POST, "url": "https://vk.example/1", "edited_at": "2026-11-16T09:05:00+03:00", "detection_id": "d"}
    )
    removed = e.PostRemoved.model_validate({"removed_at": "2026-11-16T09:05:00+03:00", "detection_id": "d"})
    escalated = e.Escalated(escalation_id="x", ground="rising_activity", summary="рост", to="Глава")
    for data in (edited, removed, escalated, e.AnswerScored(score=5), e.FeedbackRecorded(satisfied=True)):
        assert on(given, data, "09:06") == []


def test_triage_to_reduced_moves_answer_and_draft_in_kemerovo() -> None:
    given = world("kemerovo")
    assert on(given, h.triaged(True), "09:10", "+07:00") == ["moved answer/1", "moved draft/1"]
    assert (given.due("answer"), given.due("draft")) == ("16.11 13:00", "16.11 11:00")
    moved = given.last("moved", "answer").data
    assert (moved["previous_due_at"], moved["paragraph"]) == ("2026-11-16T18:00:00+07:00", "12")


def test_triage_with_reduced_unchanged_says_nothing() -> None:
    given = world("kemerovo")
    assert on(given, h.triaged(False), "09:10", "+07:00") == []
    on(given, h.triaged(True), "09:11", "+07:00")
    assert on(given, h.triaged(True), "09:12", "+07:00") == []


def test_triage_to_reduced_without_a_number_moves_nothing_in_kbr() -> None:
    assert on(world(), h.triaged(True), "09:10") == []


def test_triage_to_reduced_cancels_the_draft_where_reduced_has_none_and_back_sets_it_anew() -> None:
    for region, offset in (("buryatia", "+08:00"), ("nenets", "+03:00")):
        given = world(region)
        assert on(given, h.triaged(True), "09:10", offset) == ["cancelled draft/1", "moved answer/1"]
        assert on(given, h.triaged(False), "09:20", offset) == ["moved answer/1", "set draft/2"]
        assert given.due("draft", 2) == "16.11 14:00"


def test_back_to_standard_sets_no_draft_whose_instant_is_past_or_that_was_submitted() -> None:
    given = world("buryatia")
    on(given, h.triaged(True), "09:10", "+08:00")
    assert on(given, h.triaged(False), "15:00", "+08:00") == ["breached answer/1"]
    other = world("buryatia")
    on(other, h.triaged(True), "09:10", "+08:00")
    on(other, h.submitted("d1", "a"), "09:30", "+08:00")
    assert on(other, h.triaged(False), "09:40", "+08:00") == ["moved answer/1"]


def test_a_move_never_lands_in_the_past() -> None:
    given = world("kemerovo")
    # At 13:30 the reduced answer (13:00) would be past; the standard draft (14:00) would become 11:00.
    assert on(given, h.triaged(True), "13:30", "+07:00") == ["breached route/1"]
    assert (given.due("answer"), given.due("draft")) == ("16.11 18:00", "16.11 14:00")


def test_dismissal_meets_route_and_cancels_all_else() -> None:
    given = world()
    assert on(given, h.dismissed(), "09:20") == ["met route/1", "cancelled draft/1", "cancelled answer/1"]


def test_reopening_starts_answer_and_draft_from_the_first_start_owed_by_the_coordinator() -> None:
    given = world()
    on(given, h.triaged(), "09:05")
    on(given, h.routed("a"), "09:10")
    on(given, h.dismissed(), "09:20")
    assert on(given, h.reopened(), "12:00") == ["set answer/2", "set draft/2"]
    assert (given.due("answer", 2), given.due("draft", 2)) == ("17.11 10:00", "16.11 15:00")
    assert given.owed("answer", 2) == "coordinator"


def test_a_reopened_answer_may_be_overdue_at_once() -> None:
    given = world()
    on(given, h.dismissed(), "09:20")
    mark = given.mark()
    given.event(h.reopened(), "2026-11-18 12:00")
    assert given.said(mark) == ["set answer/2", "set draft/2"]
    given.reached("2026-11-18 12:01")
    assert given.said(mark + 2) == ["breached draft/2", "breached answer/2"]
    assert given.told[-1].time == given.one("answer", 2).due_at


def test_routing_meets_route_and_the_lead_owes_answer_and_draft() -> None:
    given = world()
    assert on(given, h.routed("a"), "09:20") == ["met route/1", "moved answer/1", "moved draft/1"]
    moved = given.last("moved", "answer").data
    assert moved["owed_by"] == {"role": "executor", "agency": "a"}
    assert moved["previous_owed_by"] == {"role": "coordinator"}
    assert "previous_due_at" not in moved


def test_nenets_and_kursky_coordinators_owe_the_answer_all_the_way() -> None:
    for region in ("nenets", "kursky"):
        given = world(region)
        assert on(given, h.routed("a"), "09:20") == ["met route/1", "moved draft/1"]
        assert (given.owed("answer"), given.owed("draft")) == ("coordinator", "a")


def test_kemerovo_joint_draft_is_due_with_the_answer_and_owed_by_the_coordinator() -> None:
    given = world("kemerovo")
    said = on(given, h.routed("a", "b", drafted_by="coordinator"), "09:20", "+07:00")
    assert said == ["met route/1", "moved answer/1", "moved draft/1"]
    assert (given.due("draft"), given.owed("draft"), given.one("draft").paragraph) == (
        "16.11 18:00",
        "coordinator",
        "18",
    )
    assert given.owed("answer") == "a"


def test_kemerovo_joint_draft_follows_the_reduced_answer() -> None:
    given = world("kemerovo")
    on(given, h.routed("a", "b", drafted_by="coordinator"), "09:20", "+07:00")
    assert on(given, h.triaged(True), "09:30", "+07:00") == ["moved answer/1", "moved draft/1"]
    assert (given.due("draft"), given.due("answer")) == ("16.11 13:00", "16.11 13:00")


def test_an_issue_starts_the_window_of_return_and_the_contribution_of_whoever_contributes() -> None:
    given = world()
    on(given, h.routed("a", "b"), "09:20")
    assert on(given, h.issued("a"), "09:20") == ["set return/1"]
    assert on(given, h.issued("b", role="contributor"), "09:20") == ["set return/2", "set contribution/1"]
    assert given.one("return").window and given.owed("contribution") == "b"
    assert given.one("contribution").about.assignment_id == "as-b"


def test_a_return_meets_its_window_cancels_its_contribution_and_gives_the_debt_to_the_coordinator() -> None:
    given = world()
    on(given, h.routed("a", "b"), "09:20")
    on(given, h.issued("a"), "09:20")
    on(given, h.issued("b", role="contributor"), "09:20")
    assert on(given, h.returned("b", "contributor"), "09:30") == ["met return/2", "cancelled contribution/1"]
    assert on(given, h.returned("a"), "09:40") == ["met return/1", "moved answer/1", "moved draft/1"]
    assert (given.owed("answer"), given.owed("draft")) == ("coordinator", "coordinator")
    assert on(given, h.issued("c", replaces=("as-a",)), "09:45")[-1] == "set return/3"
    assert (given.owed("answer"), given.owed("draft")) == ("c", "c")


def test_a_late_return_is_met_late_without_a_breach() -> None:
    given = world()
    on(given, h.routed("a"), "09:20")
    on(given, h.issued("a"), "09:20")
    given.reached(f"{DAY} 10:00")
    assert given.states_of()["return/1"] == "open"
    assert on(given, h.returned("a"), "10:10")[0] == "met-late return/1"
    assert "breached return/1" not in given.said()


def test_kemerovo_return_starts_reroute_and_a_new_issue_meets_it() -> None:
    given = world("kemerovo")
    on(given, h.routed("a"), "09:10", "+07:00")
    on(given, h.issued("a"), "09:10", "+07:00")
    said = on(given, h.returned("a"), "09:20", "+07:00")
    assert said == ["met return/1", "moved answer/1", "moved draft/1", "set reroute/1"]
    assert (given.due("reroute"), given.owed("reroute")) == ("16.11 09:50", "coordinator")
    assert on(given, h.issued("b", replaces=("as-a",)), "09:40", "+07:00")[0] == "met reroute/1"


def test_kemerovo_dismissal_meets_every_reroute() -> None:
    given = world("kemerovo")
    on(given, h.routed("a"), "09:10", "+07:00")
    on(given, h.issued("a"), "09:10", "+07:00")
    on(given, h.returned("a"), "09:20", "+07:00")
    assert on(given, h.dismissed(), "09:30", "+07:00")[0] == "met reroute/1"


def test_a_recall_cancels_what_hangs_on_the_assignment() -> None:
    given = world()
    on(given, h.routed("a", "b"), "09:20")
    on(given, h.issued("a"), "09:20")
    on(given, h.issued("b", role="contributor"), "09:20")
    assert on(given, h.recalled("b", "contributor"), "09:30") == ["cancelled return/2", "cancelled contribution/1"]
    on(given, h.submitted("d1", "a"), "10:00")
    on(given, h.sent_back("d1", "a"), "10:10")
    assert on(given, h.recalled("a"), "10:20") == ["cancelled rework/1", "moved answer/1"]


def test_a_contribution_meets_its_term_and_closes_the_window() -> None:
    given = world()
    on(given, h.routed("a", "b"), "09:20")
    on(given, h.issued("b", role="contributor"), "09:20")
    assert on(given, h.contributed("b"), "10:20") == ["met contribution/1", "cancelled return/1"]


def test_kursky_reviews_contributions() -> None:
    given = world("kursky")
    on(given, h.routed("a", "b"), "09:20")
    on(given, h.issued("b", role="contributor"), "09:20")
    assert on(given, h.contributed("b"), "10:20")[-1] == "set contribution_review/1"
    assert given.due("contribution_review") == "16.11 10:50"
    assert on(given, h.contribution_sent_back("b"), "10:30") == ["met contribution_review/1"]
    assert on(given, h.contributed("b"), "11:00") == ["set contribution_review/2"]
    assert on(given, h.contribution_approved("b"), "11:10") == ["met contribution_review/2"]


def routed_to_a(region: str = "kbr") -> World:
    given = world(region)
    on(given, h.routed("a"), "09:20")
    on(given, h.issued("a"), "09:20")
    return given


def test_a_submitted_draft_meets_draft_closes_the_window_and_starts_the_review() -> None:
    given = routed_to_a()
    assert on(given, h.submitted("d1", "a"), "09:40") == ["met draft/1", "cancelled return/1", "set review/1"]
    assert given.one("review").about.draft_id == "d1"


def test_a_coordinators_own_draft_has_no_review() -> None:
    given = world()
    on(given, h.routed("a", drafted_by="coordinator"), "09:20")
    assert on(given, h.submitted("d1", "coordinator"), "09:40") == ["met draft/1"]


def test_an_approval_meets_the_review_and_starts_the_publication() -> None:
    given = routed_to_a()
    on(given, h.submitted("d1", "a"), "09:40")
    assert on(given, h.approved("d1", "a"), "09:50") == ["met review/1", "set publish/1"]
    assert (given.owed("publish"), given.due("publish")) == ("a", "16.11 10:20")


def test_a_clarification_meets_draft_is_reviewed_and_neither_published_nor_reworked_by_a_term() -> None:
    given = routed_to_a()
    assert "met draft/1" in on(given, h.submitted("d1", "a", "clarification"), "09:40")
    assert on(given, h.sent_back("d1", "a", "clarification"), "09:45") == ["met review/1"]
    assert on(given, h.submitted("d2", "a", "clarification"), "09:50") == ["set review/2"]
    assert on(given, h.approved("d2", "a", "clarification"), "09:55") == ["met review/2"]
    assert on(given, h.published("d2", "a", "clarification"), "09:58") == []
    assert given.states_of()["answer/1"] == "open"


def test_sending_back_meets_the_review_and_starts_the_rework_that_the_next_draft_meets() -> None:
    given = routed_to_a()
    on(given, h.submitted("d1", "a"), "09:40")
    assert on(given, h.sent_back("d1", "a"), "09:50") == ["met review/1", "set rework/1"]
    assert (given.owed("rework"), given.due("rework")) == ("a", "16.11 10:50")
    assert on(given, h.submitted("d2", "a"), "10:00") == ["met rework/1", "set review/2"]


def test_sending_back_an_approved_draft_cancels_its_publication() -> None:
    given = routed_to_a()
    on(given, h.submitted("d1", "a"), "09:40")
    on(given, h.approved("d1", "a"), "09:50")
    assert on(given, h.sent_back("d1", "a", was_approved=True), "09:55") == ["cancelled publish/1", "set rework/1"]


def interim(region: str = "kbr") -> World:
    given = routed_to_a(region)
    on(given, h.submitted("d1", "a", "interim"), "09:40")
    on(given, h.approved("d1", "a", "interim"), "09:50")
    return given


def test_the_first_interim_answer_meets_answer_and_starts_the_final_draft() -> None:
    given = interim()
    assert on(given, h.published("d1", "a", "interim"), "10:00") == [
        "met publish/1",
        "met answer/1",
        "set final_draft/1",
    ]
    assert (given.due("final_draft"), given.owed("final_draft")) == ("25.11 18:00", "a")


def test_a_further_interim_answer_only_meets_its_publication() -> None:
    given = interim()
    on(given, h.published("d1", "a", "interim"), "10:00")
    on(given, h.submitted("d2", "a", "interim"), "10:10")
    on(given, h.approved("d2", "a", "interim"), "10:20")
    assert on(given, h.published("d2", "a", "interim"), "10:30") == ["met publish/2"]


def test_the_draft_of_the_answer_meets_the_final_draft() -> None:
    given = interim()
    on(given, h.published("d1", "a", "interim"), "10:00")
    assert on(given, h.submitted("d2", "a"), "10:10") == ["met final_draft/1", "set review/2"]


def test_a_published_answer_meets_answer_and_cancels_what_is_open() -> None:
    given = routed_to_a()
    on(given, h.issued("b", role="contributor"), "09:20")
    on(given, h.submitted("d1", "a"), "09:40")
    on(given, h.approved("d1", "a"), "09:45")
    said = on(given, h.published("d1", "a"), "09:46")
    assert said == ["met publish/1", "met answer/1", "cancelled return/2", "cancelled contribution/1"]


def test_kursky_publication_is_capped_by_the_open_answer() -> None:
    given = routed_to_a("kursky")
    given.event(h.submitted("d1", "a"), "2026-11-16 16:00")
    given.event(h.approved("d1", "a"), "2026-11-17 09:45")
    assert (given.due("answer"), given.due("publish")) == ("17.11 10:00", "17.11 10:00")
    assert any("не позднее срока ответа" in line for line in given.one("publish").explanation)


def test_kursky_cap_ends_with_the_answer() -> None:
    given = routed_to_a("kursky")
    given.event(h.submitted("d1", "a"), "2026-11-16 16:00")
    given.event(h.approved("d1", "a"), "2026-11-17 10:10")
    assert given.due("publish") == "17.11 10:40"


def test_success_cases_of_buryatia() -> None:
    given = world("buryatia")
    on(given, h.routed("a"), "09:20", "+08:00")
    assert on(given, h.case("proposed"), "09:30", "+08:00") == ["set case_review/1"]
    assert (given.due("case_review"), given.owed("case_review")) == ("18.11 18:00", "committee")
    assert on(given, h.case("agreed"), "09:40", "+08:00") == ["met case_review/1"]
    assert on(given, h.case("published"), "09:50", "+08:00") == ["set case_report/1"]
    assert given.owed("case_report") == "a"
    assert "cancelled case_report/1" not in on(given, h.published("d1", "a"), "09:55", "+08:00")
    assert on(given, h.case("reported"), "10:00", "+08:00") == ["met case_report/1"]
    on(given, h.case("proposed", "case-2"), "10:10", "+08:00")
    assert on(given, h.case("refused", "case-2"), "10:20", "+08:00") == ["met case_review/2"]


def test_an_excused_breach_stays_excused_when_it_is_fulfilled() -> None:
    given = world()
    given.reached(f"{DAY} 10:00")
    assert on(given, h.excused("route"), "10:10") == ["excused route/1"]
    assert on(given, h.routed("a"), "10:20")[0] == "met-late route/1"
    assert given.states_of()["route/1"] == "excused"


def test_a_late_report_of_a_timely_deed_can_be_excused_afterwards() -> None:
    given = world()
    assert on(given, h.routed("a"), "10:20")[:2] == ["breached route/1", "met-late route/1"]
    assert on(given, h.excused("route"), "10:30") == ["excused route/1"]
    assert on(given, h.excused("route"), "10:31") == ["excuse-ignored route/1"]


def test_an_excuse_of_what_was_not_breached_is_ignored() -> None:
    given = world()
    assert on(given, h.excused("route"), "09:10") == ["excuse-ignored route/1"]
    assert on(given, h.excused("publish", 3), "09:11") == ["excuse-ignored publish/3"]
    assert given.states_of()["route/1"] == "open" and "publish/3" not in given.states_of()


def test_an_agency_gets_a_copy_of_what_it_owes_and_of_what_it_owes_no_more() -> None:
    given = routed_to_a()
    given.copies.clear()
    on(given, h.returned("a"), "09:40")
    topics = {(copy.topic, copy.envelope.type.split(".")[2], copy.envelope.data["rule"]) for copy in given.copies}
    mine = "assignments.kbr.a"
    assert topics == {(mine, "met", "return"), (mine, "moved", "answer"), (mine, "moved", "draft")}
    assert {copy.key for copy in given.copies} == {MESSAGE_ID}
