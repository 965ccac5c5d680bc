"""Duties: the interpreter of the table. Facts, what was said, an event and the law → what is to be said.

Order within one event (regulations.md, "Events and rules"): every open duty that was due before its time is breached; then
meet; cancel; move; start. Nothing said before is computed again: only what is open is touched, by saying more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from schemas.deadlines import About, DeadlineData, OwedBy
from schemas.envelope import Envelope
from schemas.events import BreachExcused, EventData
from schemas.ids import deadline_id
from services.sla.explanations import explain
from services.sla.facts import Facts
from services.sla.law import Law
from services.sla.said import Said, Spoken, Waiting
from services.sla.speech import Speech
from services.sla.table import EVERYTHING, Case, Pick, Row, Start, row
from services.sla.terms import Circumstances, Term, Unknown, has, rule_of, term

COORDINATOR = OwedBy(role="coordinator")
COMMITTEE = OwedBy(role="committee")


def judge(before: Facts | None, facts: Facts, said: Said | None, event: Envelope, data: EventData, law: Law) -> Speech:
    """Everything that one event of a message makes sla say. `before` and `facts`: the facts before and after it."""
    assert event.subject is not None
    speech = Speech(said, event, event.subject, facts.authority)
    speech.overdue(event.time)
    told = row(Case(data, event.time, before, facts, speech.said, law))
    apply(speech, told, event, facts, law)
    if isinstance(data, BreachExcused):
        _excuse(speech, data, event, facts, law)
    return speech


def apply(speech: Speech, told: Row, event: Envelope, facts: Facts | None, law: Law) -> None:
    """What a row of the table says, in its order. `facts` None: the subject is a period."""
    for pick in told.meets:
        _meet(speech, pick, event.time)
    reason = event.type.split(".")[2]
    for pick in told.cancels:
        _cancel(speech, pick, event.time, reason)
    if facts is not None:
        _move(speech, told.moves, event.time, facts, law, reason)
    for start in told.starts:
        _start(speech, start, event.time, facts, law)


def retime(speech: Speech, one: Spoken | Waiting, at: datetime, facts: Facts | None, law: Law, reason: str) -> None:
    """The calendar or the hours changed: an open deadline moves with them, never into the past; one that waited for a
    calendar year is set, and judged by what was done meanwhile."""
    if isinstance(one, Spoken) and one.data.due_at < at:
        # What was due before the amendment counts is judged by the calendar of that time; a window just passes.
        if not one.data.window:
            speech.breach(one)
        return
    found = term(law, one.data.rule, one.data.starts_at, _circumstances_anew(speech, one.data.about, facts, law, at))
    if isinstance(one, Waiting):
        _end_waiting(speech, one, found, at, facts, law, reason)
    elif isinstance(found, Unknown):
        speech.wait(found, one.data.owed_by, law.act.id, one.data.about, one.data.occurrence)
    elif found is not None and found.due_at != one.data.due_at and found.due_at > at:
        speech.move(one, found=found, owed_by=one.data.owed_by, explanation=explain(law, found), reason=reason)


def debtor(law: Law, rule: str, facts: Facts | None) -> OwedBy:
    """Who owes a rule by the act. While no lead is live, the coordinator owes what the lead would."""
    known = law.act.rules.get(rule)  # type: ignore[call-overload]
    if known is None or facts is None:
        return COMMITTEE if known is not None and known.owed_by == "committee" else COORDINATOR
    agency = {"lead": facts.lead, "drafter": facts.drafter}.get(known.owed_by)
    if known.owed_by == "committee":
        return COMMITTEE
    return OwedBy(role="executor", agency=agency) if agency else COORDINATOR


def _follows(law: Law, rule: str) -> bool:
    """Whether its debtor changes with the routing. `rework` stays with whoever's draft was sent back."""
    known = law.act.rules.get(rule)  # type: ignore[call-overload]
    return known is not None and known.owed_by in {"lead", "drafter"} and rule != "rework"


def _meet(speech: Speech, pick: Pick, at: datetime) -> None:
    for one in list(speech.said.unfulfilled(pick.rule, pick.about)):
        if one.data.deadline_id not in speech.said.waiting:
            speech.fulfil(one, at)
    for waiting in list(speech.said.waits(pick.rule, pick.about)):
        speech.close_waiting(waiting, "met", at)


def _cancel(speech: Speech, pick: Pick, at: datetime, reason: str) -> None:
    """Only open deadlines are cancelled: what was breached stays breached."""
    for one in list(speech.said.open()):
        if _picked(pick, one):
            speech.cancel(one, at, reason)
    for waiting in list(speech.said.waiting.values()):
        if waiting.data.closed is None and _picked(pick, waiting):
            speech.close_waiting(waiting, "cancelled", at)


def _picked(pick: Pick, one: Spoken | Waiting) -> bool:
    if pick.rule == EVERYTHING:
        return one.data.rule not in pick.spares
    if one.data.rule != pick.rule or (pick.owed_by is not None and one.data.owed_by != pick.owed_by):
        return False
    return pick.about is None or one.data.about == pick.about


def _move(speech: Speech, rules: tuple[str, ...], at: datetime, facts: Facts, law: Law, reason: str) -> None:
    """Terms of the rules named, and the debtor of whatever follows the routing; one `moved` for both."""
    for one in _answer_first(speech.said):
        rule = one.data.rule
        owed_by = debtor(law, rule, facts) if _follows(law, rule) else one.data.owed_by
        found = _moved_term(speech, one, at, facts, law) if rule in rules else None
        if isinstance(found, Unknown):
            speech.wait(found, owed_by, law.act.id, one.data.about, one.data.occurrence)
        elif found is not None or owed_by != one.data.owed_by:
            lines = explain(law, found) if found is not None else ()
            speech.move(one, found=found, owed_by=owed_by, explanation=lines, reason=reason)


def _answer_first(said: Said) -> Iterator[Spoken]:
    return iter(sorted(said.open(), key=lambda one: one.data.rule != "answer"))


def _moved_term(speech: Speech, one: Spoken, at: datetime, facts: Facts, law: Law) -> Term | Unknown | None:
    """Its new term, from the same start; None where it stays: a move never lands in the past (reading 11)."""
    found = term(law, one.data.rule, one.data.starts_at, _circumstances(speech, one.data.about, facts))
    if not isinstance(found, Term):
        return found
    same = found.due_at == one.data.due_at and found.paragraph == one.data.paragraph
    return None if same or found.due_at <= at else found


def _start(speech: Speech, start: Start, at: datetime, facts: Facts | None, law: Law) -> None:
    found = term(law, start.rule, start.at, _circumstances(speech, start.about, facts))
    if found is None:
        return
    owed_by = start.owed_by or debtor(law, start.rule, facts)
    if isinstance(found, Unknown):
        speech.wait(found, owed_by, law.act.id, start.about)
    elif not start.ahead_only or found.due_at > at:
        speech.begin(found, owed_by, explain(law, found), law.act.id, start.about)


def _circumstances(speech: Speech, about: About | None, facts: Facts | None) -> Circumstances:
    answer = speech.said.open_one("answer")
    if facts is None:
        return Circumstances(about=about)
    return Circumstances(facts.reduced, facts.joint, answer.data.due_at if answer else None, about)


def _circumstances_anew(
    speech: Speech, about: About | None, facts: Facts | None, law: Law, at: datetime
) -> Circumstances:
    """The same after the calendar changed: a late decree moves the cap and what it caps alike, whichever of the two is
    looked at first."""
    found = _circumstances(speech, about, facts)
    answer = speech.said.open_one("answer")
    if answer is None or answer.data.due_at < at:
        return found
    moved = term(law, "answer", answer.data.starts_at, found)
    return replace(found, answer_due=moved.due_at) if isinstance(moved, Term) and moved.due_at > at else found


def _end_waiting(
    speech: Speech,
    waiting: Waiting,
    found: Term | Unknown | None,
    at: datetime,
    facts: Facts | None,
    law: Law,
    reason: str,
) -> None:
    """The year has come: `set` (or `moved`, where it had an instant before), and then what befell it meanwhile."""
    data = waiting.data
    if not isinstance(found, Term):
        return
    owed_by = debtor(law, data.rule, facts) if _follows(law, data.rule) and data.closed is None else data.owed_by
    known = speech.said.deadlines.get(data.deadline_id)
    if known is not None:
        # A move never lands in the past: then the instant that it had comes back into force.
        ahead = found if found.due_at > at else None
        speech.move(
            known, found=ahead, owed_by=owed_by, explanation=explain(law, found) if ahead else (), reason=reason
        )
        one = speech.said.deadlines[data.deadline_id]
    else:
        one = speech.begin_as(found, owed_by, explain(law, found), law.act.id, data.about, data.occurrence)
    if data.closed is None or data.closed_at is None:
        return
    if one.data.due_at < data.closed_at and not one.data.window:
        speech.breach(one)
        one = speech.said.deadlines[data.deadline_id]
    if data.closed == "met":
        # It is the fulfilment that is told of, not the amendment: the time is that of the one.
        speech.fulfil(one, data.closed_at, time=data.closed_at)
    elif one.state == "open":
        speech.cancel(one, data.closed_at, reason)


def _excuse(speech: Speech, data: BreachExcused, event: Envelope, facts: Facts, law: Law) -> None:
    subject = event.subject or ""
    one = speech.said.deadlines.get(deadline_id(subject, data.rule, data.occurrence))
    if one is not None:
        speech.excuse(one, event.time, data.reason)
        return
    paragraph = rule_of(law, data.rule).paragraph if data.rule != "summary" and has(law, data.rule) else "0"
    at = law.local(event.time)
    speech.ignore_excuse(
        DeadlineData(
            deadline_id=deadline_id(subject, data.rule, data.occurrence),
            rule=data.rule,
            occurrence=data.occurrence,
            regulation=facts.regulation,
            paragraph=paragraph,
            owed_by=COORDINATOR,
            starts_at=at,
            due_at=at,
            clock="plain",
            reason="такого срока у сообщения нет",
        )
    )
