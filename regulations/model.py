"""A regulation as data: what `acts/<id>.toml` may say. Facts and paragraph numbers, never sentences of the text."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

RuleName = Literal[
    "route", "return", "reroute", "answer", "draft", "review", "rework", "publish", "contribution",
    "contribution_review", "final_draft", "case_review", "case_report", "summary", "summary_review",
]  # fmt: skip
Clock = Literal["working", "plain", "working_days"]
"""`working`: time passes in working hours only; `plain`: day and night; `working_days`: whole days of the calendar."""
Debtor = Literal["coordinator", "assignee", "lead", "drafter", "committee", "proposer"]
"""Who owes it: `assignee` the agency of the assignment, `lead` the lead agency (the coordinator while none is live),
`drafter` whoever drafts, `proposer` the agency that proposed the case."""
Paragraph = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)*(, \d+(\.\d+)*)*$")]
Length = Literal["month", "quarter"]
"""Of the period of a report."""
WARN = 0.25
"""Reading 18: the part of a term before its end at which a warning is due, where the act says no other."""


class Datum(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Reduced(Datum):
    """What a reduced term makes of a rule; `term` None: no rule at all while the message is reduced (reading 8)."""

    paragraph: Paragraph
    term: timedelta | None = None


class Rule(Datum):
    """One deadline rule. `term` is working or plain time, or a number of days on the clock `working_days`.

    `before`: no later than `term` before that rule's due instant (reading 4). `capped_by`: never later than that open
    rule's due instant (reading 13). `window`: a right, not a duty (reading 6). `warn`: the part of the term, on its
    clock, before the end at which a warning is due (reading 18). `reduced` None: the standard term stays.
    """

    paragraph: Paragraph
    term: timedelta
    clock: Clock
    owed_by: Debtor
    start: Literal["detected", "received"] = "detected"
    before: Literal["answer"] | None = None
    capped_by: Literal["answer"] | None = None
    window: bool = False
    warn: Annotated[float, Field(gt=0, lt=1)] = WARN
    reduced: Reduced | None = None

    def length(self, *, reduced: bool) -> timedelta | None:
        """The term, of a reduced message or of a standard one; None: there is no such deadline then (reading 8)."""
        return self.reduced.term if reduced and self.reduced is not None else self.term


class Returning(Datum):
    paragraph: Paragraph
    justification: bool


class Reducing(Datum):
    """Where the reduced term comes from: a stated decision (`decision`), the importance (`importance`: the two must agree),
    an approved list of topics (`topic_list`: a decision alone only marks), or nothing (`none`: refused at triage)."""

    source: Literal["decision", "importance", "topic_list", "none"]
    paragraph: Paragraph
    stated: bool = False
    """Whether the coordinator must always state his decision."""


class Joint(Datum):
    """Joint answers. `drafted_by`: `named` (whom the coordinator names, an agency or himself), `coordinator`, `last` (the last
    in order, who then is the lead), `lead`. `draft_due`: kemerovo's joint draft is due when the answer is."""

    paragraph: Paragraph
    drafted_by: Literal["named", "coordinator", "last", "lead"]
    order: Literal["sequence", "parallel"]
    contributions_approved: bool = False
    contributions_to: tuple[Literal["coordinator", "lead"], ...] = ("coordinator",)
    draft_due: Literal["answer"] | None = None
    draft_paragraph: Paragraph | None = None


class Drafting(Datum):
    paragraph: Paragraph
    kinds: tuple[Literal["answer", "interim", "clarification"], ...]
    content_paragraph: Paragraph
    """What an answer must have."""


class Publication(Datum):
    paragraph: Paragraph
    by: Literal["lead", "coordinator"]
    places: tuple[Literal["same", "own_account"], ...]


class Dismissal(Datum):
    paragraph: Paragraph
    grounds: dict[Literal["intent_to_harm", "obscene_or_insulting", "threat", "spam"], Paragraph]
    """Those of the text; `no_response_needed` and `post_removed` stand everywhere (reading 16)."""
    threat_to: Literal["official_or_family", "anyone"] = "official_or_family"
    moderation: Paragraph | None = None
    """The paragraph that lets comments be deleted and authors blocked; None: refused."""


class Repeat(Datum):
    paragraph: Paragraph
    must_tell_measures: bool
    procedure: str
    """The range of paragraphs by which a repeat message is worked, as printed (reading 8)."""


class Escalation(Datum):
    """`forwarded_by`: the post through whom it goes on to the top (kursky's signature, Buryatia's second step)."""

    paragraph: Paragraph
    to: str
    forwarded_by: str | None = None
    grounds: tuple[Literal["socially_significant", "rising_activity", "resonance"], ...]
    owed_by_high_importance: bool = False


class Shortcomings(Datum):
    """`to`: posts or ranks of leaders, chosen by field; `agency_head`: the head of the agency hears of it too."""

    paragraph: Paragraph
    to: tuple[str, ...]
    agency_head: bool = False


class LawEnforcement(Datum):
    """Of crime in preparation and other unlawful acts, seen in official accounts, law enforcement is told at once."""

    paragraph: Paragraph


class Notice(Datum):
    """Who is told on the way, on which event of a message (`routed`, `assignment-returned`, …)."""

    on: str
    paragraph: Paragraph
    whom: tuple[Literal["executor", "sector_block", "coordinator"], ...]


class Summary(Datum):
    """`due_day`: the last day of the following month on which it may be delivered; None: none stated, no deadline."""

    paragraph: Paragraph
    period: Length
    due_day: Annotated[int, Field(ge=1, le=28)] | None = None
    to: str
    tells: tuple[Literal["timeliness", "order", "quality", "dynamics", "topics", "structure"], ...]
    agreed_by_committee: bool = False


class Rating(Datum):
    """A rating of executors. Its period is our reading where the text states none."""

    paragraph: Paragraph
    period: Length = "quarter"
    to: str
    indicators: tuple[Literal["quality", "in_time", "activity", "mean_time"], ...] = ()
    agreed_by_committee: bool = True


class Cases(Datum):
    """Success cases: proposed, agreed, published, reported."""

    paragraph: Paragraph


class Analysis(Datum):
    """What the coordinator works out from the messages beside the summary."""

    paragraph: Paragraph
    tells: tuple[Literal["conflicts", "best_practices", "problem_fields"], ...]


class Official(Datum):
    """What the text asks of the official responsible for this work, and of executors' substitutes.

    `not_below` None: no rank is asked. `substitutes`: the paragraph that wants absences provided for.
    """

    not_below: Literal["deputy_head"] | None = None
    substitutes: Paragraph | None = None


class Registers(Datum):
    """Paragraphs that ask for registers: of answered messages, of official accounts; and a recommended frequency of posts."""

    answered: Paragraph | None = None
    accounts: Paragraph | None = None
    posts_a_week: Annotated[int, Field(ge=1)] | None = None
    posts_paragraph: Paragraph | None = None


class Answerable(Datum):
    paragraph: Paragraph
    who: tuple[Literal["executor", "agency_head"], ...]


class Reading(Datum):
    """How an unclear paragraph is read: a number of `docs`' list, the paragraph, one line of our own. An authority may override."""

    reading: Annotated[int, Field(ge=1)]
    paragraph: Paragraph | None = None
    note: str


class Words(Datum):
    """What this text calls its people."""

    coordinator: str
    leader: str


class ParagraphNote(Datum):
    """Where a paragraph lives in the system, or why it asks nothing of software: one of the two.

    `part`: the regulation itself, or the document that enacted it (its paragraphs are numbered from 1 as well).
    `about`: our own words on what it is about. `lives`: places in this act (`rules.answer`, `dismissal`), in the
    authority's file (`authority.agencies`), or rooms of the system (`workflow`). `nothing`: the reason, in Russian.
    """

    paragraph: Paragraph
    part: Literal["regulation", "enactment"] = "regulation"
    about: str
    lives: tuple[str, ...] = ()
    nothing: str | None = None


class Act(Datum):
    """A regulation. Its id is the file's name."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,60}$")]
    title: str
    number: str | None = None
    adopted: date
    enactment: str = "акт"
    """What the document is called that enacted the regulation (указ, постановление, приказ)."""
    name: str = "Положение"
    """What the text calls itself."""
    channels: tuple[str, ...] = ()
    other_channels: bool = False
    """Whether the text lets other channels in beside those it names."""
    words: Words
    rules: dict[RuleName, Rule]
    returning: Returning
    reducing: Reducing
    joint: Joint
    drafting: Drafting
    publication: Publication
    dismissal: Dismissal
    repeat: Repeat
    escalation: Escalation
    shortcomings: Shortcomings | None = None
    law_enforcement: LawEnforcement | None = None
    notices: tuple[Notice, ...] = ()
    summary: Summary
    rating: Rating | None = None
    cases: Cases | None = None
    registers: Registers = Registers()
    answerable: Answerable
    analysis: Analysis | None = None
    satisfaction_paragraph: Paragraph | None = None
    """Authors are asked whether they are satisfied."""
    appeals_law_paragraph: Paragraph | None = None
    """The law on citizens' appeals is excluded; None: the text is silent."""
    channels_paragraph: Paragraph | None = None
    official: Official = Official()
    official_paragraph: Paragraph
    """Who is responsible for this work and who works; where the regulation is silent, that of its enactment."""
    detection_paragraph: Paragraph
    """Who detects, and what counts as detection (reading 2)."""
    routing_paragraph: Paragraph
    """Triage and routing."""
    readings: tuple[Reading, ...] = ()
    paragraphs: tuple[ParagraphNote, ...] = ()
