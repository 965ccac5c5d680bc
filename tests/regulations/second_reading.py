"""The table "Events and rules" read a second time, by hand and straight on, over the clock of the second opinion: what each event
of a message meets, cancels, moves and starts, and who owes what. It shares no line with sla."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas.envelope import Envelope
from schemas.events import short
from tests.unit.sla.second_opinion import RULES, Clock

LEAD_ANSWERS = {"kbr", "kemerovo", "buryatia"}
NO_REDUCED_DRAFT = {"nenets", "buryatia"}
FOLLOWS_THE_ROUTING = ("answer", "publish", "draft", "final_draft")
ENDS_WITH_A_RECALL = ("return", "contribution", "contribution_review", "reroute")
CASE_DAYS = {"case_review": 2, "case_report": 5}


@dataclass
class Duty:
    """One deadline; `about`: the assignment, draft or case. A window is never breached."""

    rule: str
    occurrence: int
    about: str | None
    starts_at: datetime
    due_at: datetime
    owed_by: str
    state: str = "open"
    fulfilled: bool = False

    @property
    def open(self) -> bool:
        return self.state == "open"


@dataclass
class Reader:
    """Reads the events of one message, and keeps its deadlines."""

    authority: str
    clock: Clock = field(init=False)
    duties: list[Duty] = field(default_factory=list)
    starts_at: datetime | None = None
    reduced: bool = False
    joint: bool = False
    interim: bool = False
    drafted: bool = False
    lead: str | None = None
    drafter: str | None = None

    def __post_init__(self) -> None:
        self.clock = Clock(self.authority)

    def stand(self) -> dict[tuple[str, int], tuple[datetime, datetime, str, str]]:
        """What stands, by rule and occurrence: start, due, who owes it, state."""
        return {(one.rule, one.occurrence): (one.starts_at, one.due_at, one.owed_by, one.state) for one in self.duties}

    def read(self, event: Envelope) -> None:
        """One event: first what is overdue, then the row of the table, then the debtors."""
        name = short(event.type)
        at = datetime.fromisoformat(event.data["at"]) if name == "reached" else event.time
        for one in self.duties:
            if one.open and one.rule != "return" and one.due_at < at:
                one.state = "breached"
        row = getattr(self, "_" + name.replace("-", "_"), None)
        if row is not None:
            row(event.data, event.time.astimezone(self.clock.zone))
        self._debtors()

    def _registered(self, data: dict[str, Any], at: datetime) -> None:
        detected_at = datetime.fromisoformat(data["detected_at"])
        self.starts_at = datetime.fromisoformat(data["received_at"]) if self.authority == "kursky" else detected_at
        self._start("route", detected_at)
        self._begin_answer()

    def _triaged(self, data: dict[str, Any], at: datetime) -> None:
        before, self.reduced = self.reduced, data["reduced"]
        if before == self.reduced:
            return
        if self.reduced and self.authority in NO_REDUCED_DRAFT:
            self._cancel("draft")
        self._move("answer", at)
        self._move("draft", at)
        back = not self.reduced and self.authority in NO_REDUCED_DRAFT and not self.drafted
        if back and not self._of("draft") and (self._due("draft") or at) > at:
            self._start("draft", self._first())

    def _dismissed(self, data: dict[str, Any], at: datetime) -> None:
        self._meet("route", at)
        self._meet("reroute", at)
        self._cancel()
        self.lead = self.drafter = None
        self.joint = False

    def _reopened(self, data: dict[str, Any], at: datetime) -> None:
        self.drafted = False
        self._begin_answer()

    def _routed(self, data: dict[str, Any], at: datetime) -> None:
        self._meet("route", at)
        before, self.joint = self.joint, len(data["assignments"]) > 1
        self.lead = data["lead"]
        self.drafter = None if data["drafted_by"] == "coordinator" else data["drafted_by"]
        if before != self.joint and self.authority == "kemerovo":
            self._move("draft", at)

    def _assignment_issued(self, data: dict[str, Any], at: datetime) -> None:
        agency, about = data["agency"], data["assignment_id"]
        for replaced in data.get("replaces", ()):
            self._meet("reroute", at, replaced)
        self.lead = agency if data["role"] == "lead" else self.lead
        self.drafter = agency if data["drafts"] else self.drafter
        self._start("return", at, about, agency)
        if data["contributes"]:
            self._start("contribution", at, about, agency)

    def _assignment_returned(self, data: dict[str, Any], at: datetime) -> None:
        self._meet("return", at, data["assignment_id"])
        self._cancel("contribution", data["assignment_id"])
        self._gone(data)
        self._start("reroute", at, data["assignment_id"])

    def _assignment_recalled(self, data: dict[str, Any], at: datetime) -> None:
        for rule in ENDS_WITH_A_RECALL:
            self._cancel(rule, data["assignment_id"])
        for one in self._of("rework"):
            if one.owed_by == data["agency"] == self.drafter:
                one.state = "cancelled"
        self._gone(data)

    def _contributed(self, data: dict[str, Any], at: datetime) -> None:
        self._meet("contribution", at, data["assignment_id"])
        self._cancel("return", data["assignment_id"])
        self._start("contribution_review", at, data["assignment_id"])

    def _contribution_approved(self, data: dict[str, Any], at: datetime) -> None:
        self._meet("contribution_review", at, data["assignment_id"])

    _contribution_sent_back = _contribution_approved

    def _draft_submitted(self, data: dict[str, Any], at: datetime) -> None:
        self.drafted = True
        for rule in ("draft", "rework", *(("final_draft",) if data["kind"] == "answer" else ())):
            self._meet(rule, at)
        if data["by"] != "coordinator":
            self._cancel("return", data["assignment_id"])
            self._start("review", at, data["draft_id"])

    def _draft_approved(self, data: dict[str, Any], at: datetime) -> None:
        self._meet("review", at, data["draft_id"])
        if data["kind"] != "clarification":
            self._start("publish", at, data["draft_id"])
            publish = self.duties[-1]
            for answer in self._of("answer") if self.authority == "kursky" else ():
                publish.due_at = min(publish.due_at, answer.due_at) if answer.due_at > at else publish.due_at

    def _draft_sent_back(self, data: dict[str, Any], at: datetime) -> None:
        self._meet("review", at, data["draft_id"])
        self._cancel("publish", data["draft_id"])
        if data["kind"] != "clarification":
            self._start("rework", at, data["draft_id"], data["by"])

    def _published(self, data: dict[str, Any], at: datetime) -> None:
        if data["kind"] == "clarification":
            return
        self._meet("publish", at, data["draft_id"])
        if data["kind"] == "answer":
            self._meet("answer", at)
            self._cancel()
        elif not self.interim:
            self.interim = True
            self._meet("answer", at)
            self._start("final_draft", at)

    def _breach_excused(self, data: dict[str, Any], at: datetime) -> None:
        for one in self.duties:
            named = (one.rule, one.occurrence) == (data["rule"], data["occurrence"])
            if named and one.state in ("breached", "met_late"):
                one.state = "excused"

    def _case_proposed(self, data: dict[str, Any], at: datetime) -> None:
        self._start("case_review", at, data["case_id"], "committee")

    def _case_agreed(self, data: dict[str, Any], at: datetime) -> None:
        self._meet("case_review", at, data["case_id"])

    def _case_published(self, data: dict[str, Any], at: datetime) -> None:
        self._start("case_report", at, data["case_id"], data["agency"])

    def _case_reported(self, data: dict[str, Any], at: datetime) -> None:
        self._meet("case_report", at, data["case_id"])

    def _gone(self, data: dict[str, Any]) -> None:
        self.lead = None if data["role"] == "lead" and self.lead == data["agency"] else self.lead
        self.drafter = None if self.drafter == data["agency"] else self.drafter

    def _begin_answer(self) -> None:
        self._start("answer", self._first())
        self._start("draft", self._first())

    def _first(self) -> datetime:
        assert self.starts_at is not None
        return self.starts_at

    def _known(self, rule: str) -> tuple[int, str] | None:
        shorter, rules = f"~{rule}", RULES[self.authority]
        return rules[shorter] if self.reduced and shorter in rules else rules.get(rule)

    def _due(self, rule: str, at: datetime | None = None) -> datetime | None:
        """When a rule is due from its start; None where there is no such rule."""
        known = self._known(rule)
        if rule in CASE_DAYS and at is not None:
            return self.clock.days_after(at, CASE_DAYS[rule])
        if known is None:
            return None
        if rule == "final_draft" and at is not None:
            return self.clock.days_after(at, known[0])
        if rule != "draft":
            return self.clock.after(at or self._first(), known[0])
        answer = self._due("answer")
        if answer is None or (self.joint and self.authority == "kemerovo"):
            return answer
        return self.clock.before(answer, known[0])

    def _owner(self, rule: str) -> str:
        if rule in ("answer", "publish"):
            return (self.lead if self.authority in LEAD_ANSWERS else None) or "coordinator"
        return (self.drafter if rule in ("draft", "final_draft") else None) or "coordinator"

    def _of(self, rule: str) -> list[Duty]:
        return [one for one in self.duties if one.open and one.rule == rule]

    def _start(self, rule: str, at: datetime, about: str | None = None, owed_by: str | None = None) -> None:
        due_at = self._due(rule, at)
        if due_at is not None:
            occurrence = 1 + sum(1 for one in self.duties if one.rule == rule)
            self.duties.append(Duty(rule, occurrence, about, at, due_at, owed_by or self._owner(rule)))

    def _meet(self, rule: str, at: datetime, about: str | None = None) -> None:
        for one in self.duties:
            mine = one.rule == rule and about in (None, one.about) and not one.fulfilled
            if mine and one.state in ("open", "breached", "excused"):
                one.fulfilled = True
                late = "excused" if one.state == "excused" else "met_late"
                one.state = "met" if one.open and at <= one.due_at else late

    def _cancel(self, rule: str | None = None, about: str | None = None) -> None:
        """Whatever is open: of a rule, about one thing; of no rule named, everything but cases."""
        for one in self.duties:
            mine = one.rule == rule or (rule is None and one.rule not in CASE_DAYS)
            if one.open and mine and about in (None, one.about):
                one.state = "cancelled"

    def _move(self, rule: str, at: datetime) -> None:
        """From the same start, and never into the past."""
        due_at = self._due(rule)
        for one in self._of(rule):
            one.due_at = due_at if due_at is not None and due_at > at else one.due_at

    def _debtors(self) -> None:
        for one in self.duties:
            if one.open and one.rule in FOLLOWS_THE_ROUTING:
                one.owed_by = self._owner(one.rule)
