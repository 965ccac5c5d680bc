"""The table "Events and rules" of regulations.md: what each event meets, cancels, moves and starts.

Rules that an act lacks are started by nobody: the interpreter in `duties.py` asks the act. So a row here says what would
happen in an act with every rule, and a region needs no code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas import events as e
from schemas.deadlines import About, OwedBy
from services.sla.facts import Facts
from services.sla.law import Law
from services.sla.said import Said
from services.sla.terms import counts_from, has

EVERYTHING = "*"
OF_CASES = frozenset({"case_review", "case_report"})


@dataclass(frozen=True, slots=True)
class Pick:
    """Deadlines of a rule, all of them or those about one thing; `EVERYTHING`: of any rule but `spares`."""

    rule: str
    about: About | None = None
    spares: frozenset[str] = frozenset()
    owed_by: OwedBy | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """A deadline that begins. `owed_by` None: whom the rule names. `ahead_only`: only if its instant lies ahead."""

    rule: str
    at: datetime
    about: About | None = None
    owed_by: OwedBy | None = None
    ahead_only: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """What one event does, in this order. `moves`: rules whose term is computed anew; debtors are minded after every event."""

    meets: tuple[Pick, ...] = ()
    cancels: tuple[Pick, ...] = ()
    moves: tuple[str, ...] = ()
    starts: tuple[Start, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """An event in its circumstances: `before` and `facts` are the facts before and after it, `said` what was said before."""

    event: Any
    at: datetime
    before: Facts | None
    facts: Facts
    said: Said
    law: Law


Handler = Callable[[Case], Row]
NOTHING = Row()


@dataclass(slots=True)
class Table:
    """Handlers by type of event."""

    rows: dict[type[e.EventData], Handler] = field(default_factory=dict)

    def on(self, *events: type[e.EventData]) -> Callable[[Handler], Handler]:
        def keep(handler: Handler) -> Handler:
            self.rows.update(dict.fromkeys(events, handler))
            return handler

        return keep


TABLE = Table()


def row(case: Case) -> Row:
    """What the table says of an event. KeyError: the table has no such row, which a test forbids."""
    return TABLE.rows[type(case.event)](case)


@TABLE.on(
    *(e.PostEdited, e.PostRemoved, e.Escalated, e.EscalationForwarded, e.ReferredToLawEnforcement, e.Notified),
    *(e.ShortcomingReported, e.FeedbackRecorded, e.AnswerScored, e.BreachExcused),
)
def _nothing(_: Case) -> Row:
    # A removed post cancels nothing by itself: deleting must not hide a breach (reading 16).
    return NOTHING


@TABLE.on(e.Registered)
def _registered(case: Case) -> Row:
    return Row(starts=_begun(case, ("route", "answer", "draft")))


@TABLE.on(e.Triaged)
def _triaged(case: Case) -> Row:
    never = tuple(rule for rule in ("route", "answer", "draft") if case.said.next_occurrence(rule) == 1)
    if case.facts.dismissed:
        # The dismissal met what had not begun yet, and a reopening gives no new `route`.
        never = tuple(rule for rule in never if rule != "route")
    begun = () if case.before and case.before.triaged_at else _begun(case, never)
    if case.before is None or case.before.reduced == case.facts.reduced:
        return Row(starts=begun)
    moves = ("answer", "draft")
    without_draft = has(case.law, "draft") and not has(case.law, "draft", reduced=True)
    if case.facts.reduced:
        return Row(cancels=(Pick("draft"),) if without_draft else (), moves=moves, starts=begun)
    again = without_draft and not case.facts.drafted and not begun and case.said.open_one("draft") is None
    draft = _begun(case, ("draft",), ahead_only=True) if again else ()
    return Row(moves=moves, starts=(*begun, *draft))


@TABLE.on(e.Dismissed)
def _dismissed(_: Case) -> Row:
    return Row(meets=(Pick("route"), Pick("reroute")), cancels=(Pick(EVERYTHING),))


@TABLE.on(e.Reopened)
def _reopened(case: Case) -> Row:
    # From the first start, so it may be overdue at once: a dismissal in error is no gain of time. What counts from a triage
    # that was never made has no start yet (reading 2); that triage will start it.
    return Row(starts=_begun(case, ("answer", "draft")))


@TABLE.on(e.Routed)
def _routed(case: Case) -> Row:
    joined = case.before is None or case.before.joint != case.facts.joint
    moves = ("draft",) if joined and case.law.act.joint.draft_due is not None else ()
    return Row(meets=(Pick("route"),), moves=moves)


@TABLE.on(e.AssignmentIssued)
def _issued(case: Case) -> Row:
    event: e.AssignmentIssued = case.event
    about, owed_by = About(assignment_id=event.assignment_id), _executor(event.agency)
    starts = [Start("return", case.at, about, owed_by)]
    if event.contributes:
        starts.append(Start("contribution", case.at, about, owed_by))
    meets = tuple(Pick("reroute", About(assignment_id=replaced)) for replaced in event.replaces)
    return Row(meets=meets, starts=tuple(starts))


@TABLE.on(e.AssignmentReturned)
def _returned(case: Case) -> Row:
    about = About(assignment_id=case.event.assignment_id)
    return Row(
        meets=(Pick("return", about),),
        cancels=(Pick("contribution", about),),
        starts=(Start("reroute", case.at, about),),
    )


@TABLE.on(e.AssignmentRecalled)
def _recalled(case: Case) -> Row:
    event: e.AssignmentRecalled = case.event
    about = About(assignment_id=event.assignment_id)
    rules = ("return", "contribution", "contribution_review", "reroute")
    drafted = case.before is not None and case.before.drafter == event.agency
    rework = (Pick("rework", owed_by=_executor(event.agency)),) if drafted else ()
    return Row(cancels=(*(Pick(rule, about) for rule in rules), *rework))


@TABLE.on(e.Contributed)
def _contributed(case: Case) -> Row:
    about = About(assignment_id=case.event.assignment_id)
    return Row(
        meets=(Pick("contribution", about),),
        cancels=(Pick("return", about),),
        starts=(Start("contribution_review", case.at, about),),
    )


@TABLE.on(e.ContributionApproved, e.ContributionSentBack)
def _contribution_reviewed(case: Case) -> Row:
    return Row(meets=(Pick("contribution_review", About(assignment_id=case.event.assignment_id)),))


@TABLE.on(e.DraftSubmitted)
def _submitted(case: Case) -> Row:
    event: e.DraftSubmitted = case.event
    meets = [Pick("draft"), Pick("rework")]
    if event.kind == "answer":
        meets.append(Pick("final_draft"))
    mine = (Pick("return", About(assignment_id=event.assignment_id)),) if event.assignment_id else ()
    by_himself = event.by == e.COORDINATOR
    review = () if by_himself else (Start("review", case.at, About(draft_id=event.draft_id)),)
    return Row(meets=tuple(meets), cancels=mine, starts=review)


@TABLE.on(e.DraftApproved)
def _approved(case: Case) -> Row:
    event: e.DraftApproved = case.event
    about = About(draft_id=event.draft_id)
    # Reading 13: a clarification is neither published nor reworked by a term.
    publish = () if event.kind == "clarification" else (Start("publish", case.at, about),)
    return Row(meets=(Pick("review", about),), starts=publish)


@TABLE.on(e.DraftSentBack)
def _sent_back(case: Case) -> Row:
    event: e.DraftSentBack = case.event
    about = About(draft_id=event.draft_id)
    rework = () if event.kind == "clarification" else (Start("rework", case.at, about, _who(event.by)),)
    return Row(meets=(Pick("review", about),), cancels=(Pick("publish", about),), starts=rework)


@TABLE.on(e.Published)
def _published(case: Case) -> Row:
    event: e.Published = case.event
    if event.kind == "clarification":
        return NOTHING
    publish, answer = Pick("publish", About(draft_id=event.draft_id)), Pick("answer")
    if event.kind == "answer":
        return Row(meets=(publish, answer), cancels=(Pick(EVERYTHING, spares=OF_CASES),))
    if case.before is not None and case.before.interim:
        return Row(meets=(publish,))
    # Reading 7: an interim answer meets `answer`; reading 5: only the first one starts the term of the final draft.
    return Row(meets=(publish, answer), starts=(Start("final_draft", case.at),))


@TABLE.on(e.CaseProposed)
def _case_proposed(case: Case) -> Row:
    return Row(starts=(Start("case_review", case.at, About(case_id=case.event.case_id)),))


@TABLE.on(e.CaseAgreed, e.CaseRefused)
def _case_reviewed(case: Case) -> Row:
    return Row(meets=(Pick("case_review", About(case_id=case.event.case_id)),))


@TABLE.on(e.CasePublished)
def _case_published(case: Case) -> Row:
    event: e.CasePublished = case.event
    return Row(starts=(Start("case_report", case.at, About(case_id=event.case_id), _executor(event.agency)),))


@TABLE.on(e.CaseReported)
def _case_reported(case: Case) -> Row:
    return Row(meets=(Pick("case_report", About(case_id=case.event.case_id)),))


def _executor(agency: str) -> OwedBy:
    return OwedBy(role="executor", agency=agency)


def _who(by: str) -> OwedBy:
    return OwedBy(role="coordinator") if by == e.COORDINATOR else _executor(by)


def _begun(case: Case, rules: tuple[str, ...], *, ahead_only: bool = False) -> tuple[Start, ...]:
    """Those of the rules that begin with the message itself and have begun by now, from their first start."""
    starts = ((rule, _first_start(case, rule)) for rule in rules)
    return tuple(Start(rule, at, ahead_only=ahead_only) for rule, at in starts if at is not None)


def _first_start(case: Case, rule: str) -> datetime | None:
    """Where it was counted from before; else reading 2: received, detected, or the first triage (None until then)."""
    known = [one.data.starts_at for one in case.said.deadlines.values() if one.data.rule == rule]
    known += [waits.data.starts_at for waits in case.said.waiting.values() if waits.data.rule == rule]
    if known:
        return min(known)
    facts = case.facts
    starts = {"received": facts.received_at, "detection": facts.detected_at, "first_triage": facts.triaged_at}
    return starts[counts_from(case.law, rule)]
