"""`calculate`: instants given → the deadlines that they start, by the same terms as the decider's; nothing is stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from regulations.model import Clock
from schemas.ids import Slug
from schemas.instants import Instant
from services.sla.explanations import explain
from services.sla.law import Law
from services.sla.terms import Circumstances, Term, Unknown, has, rule_of, term

Milestone = Literal[
    "detected", "received", "issued", "returned", "issued_to_contributor", "contributed",
    "submitted", "sent_back", "approved", "published_interim", "published",
]  # fmt: skip
STARTS: dict[Milestone, str] = {
    "issued": "return",
    "returned": "reroute",
    "issued_to_contributor": "contribution",
    "contributed": "contribution_review",
    "submitted": "review",
    "sent_back": "rework",
    "approved": "publish",
    "published_interim": "final_draft",
}
"""What each milestone starts (reading 17: `issued` starts `return`, `issued_to_contributor` only `contribution`)."""
ORDER = ("route", "return", "reroute", "answer", "draft", "review", "rework", "publish", "contribution",
         "contribution_review", "final_draft")  # fmt: skip


class Fact(BaseModel):
    """A milestone and its instant, with an offset."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    milestone: Milestone
    at: Instant


class Question(BaseModel):
    """`regulation` None: the one in force when the first of the facts happened. `reduced` is ignored where no reduced term
    exists (reading 17).

    `received` is `detected` where it is not given, and the other way round; a detection later than its own receipt counts
    from the receipt (reading 2).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    authority: Slug
    regulation: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,60}$")] | None = None
    reduced: Annotated[bool, Field(strict=True)] | None = None
    facts: Annotated[list[Fact], Field(min_length=1, max_length=1000)]


class Calculated(BaseModel):
    """One deadline: instants bear the authority's offset, `explanation` is in Russian."""

    rule: str
    paragraph: str
    clock: Clock
    starts_at: AwareDatetime
    due_at: AwareDatetime
    explanation: tuple[str, ...]


class Answer(BaseModel):
    deadlines: tuple[Calculated, ...]


class YearMissing(Exception):
    """The term hangs on a production calendar that nobody gave: a refusal, never a guess."""

    def __init__(self, unknown: Unknown) -> None:
        super().__init__(f"производственный календарь на {unknown.year} год не задан")
        self.unknown = unknown


def calculate(law: Law, question: Question) -> Answer:
    """The latest deadline of each rule. Raises `YearMissing`."""
    facts = sorted(question.facts, key=lambda fact: fact.at)
    found = [
        Calculated(
            rule=one.rule,
            paragraph=one.paragraph,
            clock=one.clock,
            starts_at=one.starts_at,
            due_at=one.due_at,
            explanation=explain(law, one),
        )
        for one in _terms(law, facts, bool(question.reduced))
    ]
    return Answer(deadlines=tuple(sorted(found, key=lambda one: ORDER.index(one.rule))))


def _terms(law: Law, facts: list[Fact], reduced: bool) -> Iterator[Term]:
    last = {fact.milestone: fact.at for fact in facts}
    detected, received = _beginning(facts)
    answer_due: datetime | None = None
    if detected is not None and received is not None:
        for rule in ("route", "answer", "draft"):
            if not has(law, rule, reduced=reduced):
                continue
            known = rule_of(law, rule)
            start = rule_of(law, known.before).start if known.before else known.start
            one = _term(law, rule, received if start == "received" else detected, Circumstances(reduced))
            answer_due = one.due_at if rule == "answer" else answer_due
            yield one
    answered = [fact.at for fact in facts if fact.milestone in {"published_interim", "published"}]
    for milestone, rule in STARTS.items():
        if milestone not in last or not has(law, rule):
            continue
        # Reading 5: of interim answers only the first counts.
        at = answered_first(facts) if milestone == "published_interim" else last[milestone]
        # Reading 13: the cap holds while the answer is open.
        cap = answer_due if not any(one <= at for one in answered) else None
        yield _term(law, rule, at, Circumstances(reduced, answer_due=cap))


def _beginning(facts: list[Fact]) -> tuple[datetime | None, datetime | None]:
    """When the message was detected and received, of several the last; `facts` are in order of time."""
    detections = [fact.at for fact in facts if fact.milestone == "detected"]
    receipts = [fact.at for fact in facts if fact.milestone == "received"]
    if not detections or not receipts:
        known = max((*detections, *receipts), default=None)
        return known, known
    # A detection whose own receipt is not among the facts is bounded by nothing.
    bounded = len(receipts) >= len(detections)
    return min(detections[-1], receipts[-1]) if bounded else detections[-1], receipts[-1]


def answered_first(facts: list[Fact]) -> datetime:
    """When the first interim answer was published; `facts` are in order of time."""
    return next(fact.at for fact in facts if fact.milestone == "published_interim")


def _term(law: Law, rule: str, at: datetime, circumstances: Circumstances) -> Term:
    found = term(law, rule, at, circumstances)
    if isinstance(found, Unknown):
        raise YearMissing(found)
    if found is None:
        raise KeyError(rule)
    return found
