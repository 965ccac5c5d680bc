"""Terms: a rule, its start and the law → when it is due and when a warning is. The only place that computes an instant owed;
the decider and `calculate` both come here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Literal

from regulations.model import WARN, Clock, Rule
from regulations.periods import Period
from regulations.working_time.errors import YearUnknown
from schemas.deadlines import About
from services.sla.instants import fixed
from services.sla.law import Law

How = Literal["after", "before", "days", "last_day"]
"""`after` the start; `before` another due instant (reading 4); `days`: working days; `last_day` of a period's report."""
REDUCIBLE = frozenset({"answer", "draft"})


@dataclass(frozen=True, slots=True)
class Term:
    """A rule applied to a start. Instants bear the authority's offset. `length`: the term as the rule or its reduced form
    has it; `anchor_at`: of what it is `before`; `cap_at`: the due instant of `answer` that cut it (reading 13); `wanted`: the
    last day that the rule names, before days off are minded; `reduced`, `joint`: why it is not the standard one."""

    rule: str
    paragraph: str
    clock: Clock
    window: bool
    starts_at: datetime
    due_at: datetime
    warn_at: datetime | None
    amendments: tuple[int, ...]
    how: How = "after"
    length: timedelta | None = None
    anchor_at: datetime | None = None
    cap_at: datetime | None = None
    wanted: date | None = None
    reduced: bool = False
    joint: bool = False
    unnumbered: bool = False
    """The message is said to be reduced, but the act gives no number (reading 10) or knows no reduced term at all
    (reading 17): the standard term stays."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A term that hangs on a production calendar that nobody gave: an alarm and a refusal, never a guess."""

    rule: str
    paragraph: str
    clock: Clock
    window: bool
    starts_at: datetime
    year: int


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a term hangs on besides its start. `answer_due`: the due instant of the open `answer`, None when it is not open."""

    reduced: bool = False
    joint: bool = False
    answer_due: datetime | None = None
    about: About | None = None


def has(law: Law, rule: str, *, reduced: bool = False) -> bool:
    """Whether the act has such a deadline at all; a reduced message may have none (reading 8)."""
    if rule == "summary":
        return law.act.summary.due_day is not None
    known = law.act.rules.get(rule)  # type: ignore[call-overload]
    return known is not None and known.length(reduced=reduced) is not None


def rule_of(law: Law, rule: str) -> Rule:
    """The act's rule. Raises KeyError where it has none."""
    found: Rule = law.act.rules[rule]  # type: ignore[index]
    return found


def counts_from(law: Law, rule: str) -> Literal["received", "detection", "first_triage"]:
    """From what a rule that begins with the message itself counts (reading 2); what stands before the answer begins when the
    answer does."""
    known = law.act.rules.get(rule)  # type: ignore[call-overload]
    if known is not None and known.before is not None:
        known = law.act.rules.get(known.before)
    return "received" if known is not None and known.start == "received" else law.directory.detection_counts


def warned_part(law: Law, rule: str) -> float:
    """The part of the term before its end at which a warning is due (reading 18)."""
    known = law.act.rules.get(rule)  # type: ignore[call-overload]
    return WARN if known is None else known.warn


def term(law: Law, rule: str, starts_at: datetime, circumstances: Circumstances) -> Term | Unknown | None:
    """The term of a rule from its start; None where the act has none; `Unknown` where a calendar year is missing."""
    if not has(law, rule, reduced=circumstances.reduced):
        return None
    starts_at = law.local(starts_at)
    try:
        if rule == "summary":
            return _of_period(law, starts_at, circumstances)
        return _with_warning(law, _computed(law, rule_of(law, rule), rule, starts_at, circumstances))
    except YearUnknown as missing:
        if rule == "summary":
            return Unknown(rule, law.act.summary.paragraph, "working_days", False, starts_at, missing.year)
        known = rule_of(law, rule)
        return Unknown(rule, known.paragraph, known.clock, known.window, starts_at, missing.year)


def _computed(law: Law, rule: Rule, name: str, starts_at: datetime, circumstances: Circumstances) -> Term:
    reduced = circumstances.reduced and rule.reduced is not None
    paragraph, length = rule.paragraph, rule.term
    if reduced and rule.reduced is not None and rule.reduced.term is not None:
        paragraph, length = rule.reduced.paragraph, rule.reduced.term
    found = Term(
        rule=name,
        paragraph=paragraph,
        clock=rule.clock,
        window=rule.window,
        starts_at=starts_at,
        due_at=starts_at,
        warn_at=None,
        amendments=(),
        length=length,
        reduced=reduced,
        unnumbered=circumstances.reduced and name in REDUCIBLE and not reduced,
    )
    if rule.before is not None:
        return _before(law, rule, found, circumstances)
    if rule.clock == "working_days":
        return replace(found, how="days", due_at=fixed(law.working.add_working_days(starts_at, length.days)))
    due_at = fixed(_clock(law, rule.clock)[0](starts_at, length))
    cap = circumstances.answer_due
    # Reading 13: the cap holds only while the answer is open and due after the approval.
    if rule.capped_by is not None and cap is not None and starts_at < cap < due_at:
        return replace(found, due_at=law.local(cap), cap_at=law.local(cap))
    return replace(found, due_at=due_at)


def _before(law: Law, rule: Rule, found: Term, circumstances: Circumstances) -> Term:
    """The draft: no later than its term before the answer is due; a joint one, in some acts, when the answer is."""
    answer = rule_of(law, rule.before or "answer")
    anchor = _computed(law, answer, rule.before or "answer", found.starts_at, circumstances).due_at
    joint = law.act.joint
    if circumstances.joint and joint.draft_due is not None:
        paragraph = joint.draft_paragraph or joint.paragraph
        return replace(
            found, paragraph=paragraph, how="before", length=timedelta(0), due_at=anchor, anchor_at=anchor, joint=True
        )
    due_at = fixed(_clock(law, rule.clock)[1](anchor, found.length or timedelta(0)))
    return replace(found, how="before", due_at=due_at, anchor_at=anchor)


def _of_period(law: Law, starts_at: datetime, circumstances: Circumstances) -> Term:
    """Reading 15: a due day that is a day off gives way to the last working day before, at closing time; where none lies
    between the period's end and that day (the New Year holidays), it is over with the stated day itself."""
    summary = law.act.summary
    if summary.due_day is None or circumstances.about is None or circumstances.about.period is None:
        raise ValueError("у сводки нет дня или периода")
    wanted = Period.parse(circumstances.about.period).after.replace(day=summary.due_day)
    due_at = fixed(law.working.last_working_day_on_or_before(wanted))
    if due_at <= starts_at:
        due_at = fixed(datetime.combine(wanted + timedelta(days=1), time(), law.directory.zone))
    found = Term(
        rule="summary",
        paragraph=summary.paragraph,
        clock="working_days",
        window=False,
        starts_at=starts_at,
        due_at=due_at,
        warn_at=None,
        amendments=(),
        how="last_day",
        wanted=wanted,
    )
    return _with_warning(law, found)


def _with_warning(law: Law, found: Term) -> Term:
    """Reading 18: the warning stands a part of the term before its end, on the term's own clock."""
    by_calendar = found.clock != "plain"
    # A draft hangs on every day up to the answer that it stands before.
    until = max(found.due_at, found.anchor_at or found.due_at)
    amendments = law.judged_by(found.starts_at, until, by_calendar=by_calendar)
    if found.window or found.due_at <= found.starts_at:
        return replace(found, amendments=amendments)
    _, back, between = _clock(law, found.clock)
    lead = between(found.starts_at, found.due_at) * warned_part(law, found.rule)
    lead -= timedelta(microseconds=lead.microseconds)
    warn_at = fixed(back(found.due_at, lead)) if lead > timedelta(0) else None
    return replace(found, amendments=amendments, warn_at=warn_at)


Add = Callable[[datetime, timedelta], datetime]
Between = Callable[[datetime, datetime], timedelta]


def _clock(law: Law, clock: Clock) -> tuple[Add, Add, Between]:
    """Adding, going back and measuring on a clock; working days are measured by their working hours."""
    if clock == "plain":
        return law.plain.add, law.plain.latest_before, law.plain.between
    return law.working.add, law.working.latest_before, law.working.between
