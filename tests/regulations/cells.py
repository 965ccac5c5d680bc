"""The cells of the tables that are not empty, derived from an act's data and from sla's table of events.

`rule:…` are the cells of "Deadline rules", `event:…` those of "Events and rules", `other:…` those of "Other rules" by which
the deciders behave (registers, ratings' figures and analyses are reporting's, and are counted there).
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from typing import get_args

from regulations.model import Act, RuleName
from schemas import events as e
from services.sla import summaries, table

RULES = frozenset(get_args(RuleName))
GROUNDS = ("intent_to_harm", "obscene_or_insulting", "threat", "spam")
"""Grounds of dismissal that some text names; an act that names fewer forbids the others."""
DEBTOR_MOVES = ("routed", "assignment-issued", "assignment-returned", "assignment-recalled")
"""Events after which another owes what follows the routing."""


def cells(act: Act) -> frozenset[str]:
    """Every cell of a region that needs a scenario."""
    return frozenset((*_of_rules(act), *_of_events(act), *_of_other(act)))


def paragraphs_with_a_term(act: Act) -> frozenset[str]:
    """The paragraphs from which a deadline rule has its term, split where a rule cites several."""
    cited = [rule.paragraph for rule in act.rules.values()]
    cited += [rule.reduced.paragraph for rule in act.rules.values() if rule.reduced is not None]
    cited += [act.joint.draft_paragraph] if act.joint.draft_paragraph else []
    return frozenset(part for one in cited for part in one.split(", "))


def _of_rules(act: Act) -> Iterator[str]:
    for name, rule in act.rules.items():
        yield f"rule:{name}"
        if rule.reduced is not None:
            yield f"rule:{name}.reduced"
        if rule.capped_by is not None:
            yield f"rule:{name}.capped"
    if act.joint.draft_due is not None:
        yield "rule:draft.joint"


def _of_events(act: Act) -> Iterator[str]:
    for event, rules in rows().items():
        if not _happens(act, event):
            continue
        if not rules:
            yield f"event:{event}/nothing"
        for rule in rules:
            if rule == table.EVERYTHING:
                yield f"event:{event}/*.cancelled"
            elif rule in act.rules and _applies(act, event, rule):
                yield f"event:{event}/{rule}"
    yield from (f"event:{event}/*.moved" for event in DEBTOR_MOVES)
    yield from ("event:breach-excused/*.excused", "event:amended/*.moved", "event:reached/*.breached")
    yield from ("event:reached/*.approaching", "event:reached/window", "event:reopened/*.set")
    yield "event:amended/nothing"  # A new act: it judges later messages only.
    if "clarification" in act.drafting.kinds:
        yield "event:published/nothing"
    answer = act.rules["answer"].reduced
    if answer is not None and answer.term is not None:
        kinds = ("moved",) if _draft_stays(act) else ("cancelled", "set")
        yield from (f"event:triaged/draft.{kind}" for kind in kinds)


@cache
def rows() -> dict[str, frozenset[str]]:
    """The rules that each row of sla's table names, by the event's short name, read from the handlers' own source."""
    handlers = {event: (handler,) for event, handler in table.TABLE.rows.items()}
    found = {e.short(event.type): _named(inspect.getsource(handler[0])) for event, handler in handlers.items()}
    of_periods = ast.parse(inspect.getsource(summaries))
    for node in ast.walk(of_periods):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Attribute):
                    short = e.short(getattr(e, key.attr).type)
                    found[short] = _named(ast.unparse(value))
    return found


def _named(source: str) -> frozenset[str]:
    tree = ast.parse(source)
    # A kind of draft is called `answer` too: what an event is compared with names no rule.
    compared = {id(node) for one in ast.walk(tree) if isinstance(one, ast.Compare) for node in ast.walk(one)}
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in compared}
    everything = {table.EVERYTHING} if "EVERYTHING" in source else set()
    return frozenset(one for one in texts if isinstance(one, str) and one in RULES) | everything


def _applies(act: Act, event: str, rule: str) -> bool:
    """Whether a rule that a row names is touched under this act; what stands here has its reason beside it."""
    answer = act.rules["answer"].reduced
    match event, rule:
        case "triaged", "route":
            return False  # Begun by a triage only where an authority counts from it (`detection_counts`), as none shipped does.
        case "triaged", _:
            return answer is not None and answer.term is not None
        case "routed", "draft":
            return act.joint.draft_due is not None
        case "assignment-recalled", "reroute":
            return False  # `reroute` is about what was returned, and what was returned can no longer be recalled.
        case "summary-delivered", "summary_review":
            return False  # Delivered only once agreed: then the review is met already.
    return True


def _happens(act: Act, event: str) -> bool:
    """Whether the act lets the event come about at all."""
    return {
        "contribution-approved": act.joint.contributions_approved,
        "contribution-sent-back": act.joint.contributions_approved,
        "escalation-forwarded": act.escalation.forwarded_by is not None,
        "notified": bool(act.notices),
        # Its word on a breach is a cell of its own.
        "breach-excused": False,
        "summary-sent-for-agreement": act.summary.agreed_by_committee,
        "summary-agreed": act.summary.agreed_by_committee,
        "summary-refused": act.summary.agreed_by_committee,
        "rating-sent-for-agreement": act.rating is not None,
        "rating-agreed": act.rating is not None,
        "rating-refused": act.rating is not None,
        "rating-delivered": act.rating is not None,
    }.get(event, act.cases is not None if event.startswith("case-") else True)


def _draft_stays(act: Act) -> bool:
    reduced = act.rules["draft"].reduced
    return reduced is None or reduced.term is not None


def _of_other(act: Act) -> Iterator[str]:
    yield from OTHER
    yield from (f"other:dismissal.{ground}" for ground in act.dismissal.grounds)
    yield from (f"other:notices.{notice.on}" for notice in act.notices)
    if len(act.dismissal.grounds) < len(GROUNDS):
        yield "other:dismissal.other_grounds"
    if act.shortcomings is not None:
        yield "other:shortcomings.to"
    if act.official.substitutes is not None:
        yield "other:official.substitutes"
    if act.law_enforcement is not None:
        yield "other:law_enforcement"
    if act.escalation.forwarded_by is not None:
        yield "other:escalation.forwarded_by"
    if act.escalation.owed_by_high_importance:
        yield "other:escalation.owed_by_high_importance"
    if act.summary.agreed_by_committee:
        yield "other:summary.agreed_by_committee"
    if act.rating is not None:
        yield "other:rating"
    if act.cases is not None:
        yield "other:cases"


OTHER = (
    "other:returning", "other:reducing", "other:joint.drafted_by", "other:joint.order", "other:joint.contributions_to",
    "other:joint.contributions_approved", "other:drafting.kinds", "other:publication.by", "other:publication.places",
    "other:dismissal.moderation", "other:repeat", "other:escalation.to", "other:escalation.grounds", "other:summary.to",
)  # fmt: skip
"""Columns of "Other rules" that every act answers, if only by forbidding."""


def shown(act: Act, cell: str) -> tuple[str, ...]:
    """The tags of evidence (`Office.evidence`) that prove a cell of "Other rules"; all of them."""
    returning, joint, forbids = act.returning, act.joint, _forbids
    own_account = "own_account" in act.publication.places
    known: dict[str, tuple[str, ...]] = {
        "returning": (
            "did:return",
            *([forbids("return", returning.paragraph, "justification")] if returning.justification else []),
        ),
        "reducing": {
            "decision": (forbids("triage", act.reducing.paragraph), "did:triage"),
            "importance": (forbids("triage", act.reducing.paragraph), "did:triage"),
            "topic_list": ("state:triage:marked", "state:triage:reduced"),
            "none": (forbids("triage", act.reducing.paragraph),),
        }[act.reducing.source],
        "joint.drafted_by": (forbids("route", joint.paragraph), forbids("submit_draft", joint.paragraph)),
        "joint.order": ("copied:route", "did:contribute"),
        "joint.contributions_to": ("copied:contribute",),
        "joint.contributions_approved": ("copied:approve_contribution",)
        if joint.contributions_approved
        else (forbids("approve_contribution", joint.paragraph),),
        "drafting.kinds": ("did:submit_draft:clarification",)
        if "clarification" in act.drafting.kinds
        else (forbids("submit_draft", act.drafting.paragraph, "kind"),),
        "publication.by": (forbids("report_publication", act.publication.paragraph), "did:report_publication"),
        "publication.places": (
            forbids("report_publication", act.publication.paragraph, "author_link" if own_account else "place"),
            "did:report_publication",
        ),
        "dismissal.other_grounds": (forbids("dismiss", act.dismissal.paragraph, "ground"),),
        "dismissal.moderation": ("told:dismiss:moderation",)
        if act.dismissal.moderation
        else (forbids("dismiss", act.dismissal.paragraph, "moderation"),),
        "repeat": (forbids("submit_draft", act.repeat.paragraph, "measures"), "repeat:submit_draft")
        if act.repeat.must_tell_measures
        else ("repeat:submit_draft",),
        "escalation.to": ("told:escalate:to",),
        "escalation.grounds": (forbids("escalate", act.escalation.paragraph, "ground"), "did:escalate"),
        "escalation.forwarded_by": ("told:forward_escalation:to",),
        "escalation.owed_by_high_importance": ("state:triage:escalation_owed", "state:escalate:escalation_owed"),
        "shortcomings.to": ("told:report_shortcoming:to",),
        "official.substitutes": ("told:route:substituted", "told:route:executors"),
        "law_enforcement": ("did:refer_to_law_enforcement:executor",),
        "summary.to": ("told:deliver_summary:to",),
        "summary.agreed_by_committee": (forbids("deliver_summary", act.summary.paragraph), "did:agree_summary"),
        "rating": ("told:deliver_rating:to", "did:agree_rating"),
        "cases": ("did:agree_case", "did:refuse_case", "did:report_case"),
    }
    if cell.startswith("other:notices."):
        return (f"notified:{cell.removeprefix('other:notices.')}",)
    if cell.removeprefix("other:") in known:
        return known[cell.removeprefix("other:")]
    return (f"state:dismiss:{cell.removeprefix('other:dismissal.')}",)


def _forbids(command: str, paragraph: str, field: str = "") -> str:
    """The tag of a refusal by that paragraph, at that field of the command's data where one is named."""
    return f"refused:{command}:{paragraph}" + (f":/data/{field}" if field else "")
