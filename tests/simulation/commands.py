"""Which command a person might give next, about a message as it stands; now and then a foolish one."""

from __future__ import annotations

from random import Random
from typing import Any
from uuid import UUID

from schemas.envelope import Actor
from tests.simulation.law import agencies
from tests.simulation.watcher import Seen

Given = tuple[str, dict[str, Any], Actor]
"""Name, data, and who gives it."""

WORDS = "Сделаем на этой неделе"


def actor(authority: str, role: str, agency: str | None = None) -> Actor:
    return Actor(sub=f"{role}-{agency or authority}", roles=(role,), authorities=(authority,), agency=agency)


def sensible(seen: Seen, dice: Random) -> Given:
    """One of the steps that the message waits for, or that are always allowed."""
    coordinator = actor(seen.authority, "coordinator")
    if dice.random() < 0.12:
        return _aside(seen, dice)
    if seen.over == "dismissed":
        return "reopen", {"reason": "Автор уточнил"}, coordinator
    if seen.over == "answered":
        return _after(seen, dice)
    if not seen.triaged:
        if dice.random() < 0.1:
            return "dismiss", {"ground": "intent_to_harm"}, coordinator
        return "triage", _triage(dice), coordinator
    if approved := seen.draft("approved"):
        return _publication(seen, approved)
    if in_review := seen.draft("in_review"):
        if dice.random() < 0.3:
            return "send_back_draft", {"draft_id": in_review, "comments": "Добавьте срок"}, coordinator
        return "approve_draft", {"draft_id": in_review, "quality": 4}, coordinator
    if not seen.assignments:
        return "route", _route(seen, dice), coordinator
    return _work(seen, dice)


def foolish(seen: Seen, dice: Random) -> Given:
    """A command that is likely to be refused: of another state, of another's role, about nothing."""
    nothing = str(UUID(int=dice.getrandbits(128), version=4))
    coordinator, stranger = actor(seen.authority, "coordinator"), actor("kemerovo", "coordinator")
    agency = dice.choice(agencies(seen.authority))
    executor = actor(seen.authority, "executor", agency)
    choices: list[Given] = [
        ("triage", _triage(dice), stranger),
        ("approve_draft", {"draft_id": nothing}, coordinator),
        ("recall", {"assignment_id": nothing, "reason": "Ошибка"}, coordinator),
        ("submit_draft", {"kind": "answer", "text": WORDS}, executor),
        ("route", {"assignments": [{"agency": "no-such-agency"}]}, coordinator),
        ("route", _route(seen, dice), executor),
        ("reopen", {"reason": "Просто так"}, coordinator),
        ("report_publication", {"draft_id": nothing, "url": "https://vk.example/1"}, executor),
    ]
    return dice.choice(choices)


def _triage(dice: Random) -> dict[str, Any]:
    high = dice.random() < 0.2
    return {
        "topics": [dice.choice(("дороги", "вода", "школы"))],
        "location": dice.choice(("центр", "Заречье")),
        "importance": "high" if high else "ordinary",
        "reduced": high and dice.random() < 0.7,
    }


def _route(seen: Seen, dice: Random) -> dict[str, Any]:
    first, second, _ = dice.sample(agencies(seen.authority), 3)
    if dice.random() < 0.7:
        return {"assignments": [{"agency": first}]}
    both = [{"agency": first, "role": "lead", "order": 2}, {"agency": second, "role": "contributor", "order": 1}]
    return {"assignments": both, "drafted_by": first}


def _work(seen: Seen, dice: Random) -> Given:
    coordinator = actor(seen.authority, "coordinator")
    assignment, agency = dice.choice(list(seen.assignments.items()))
    executor = actor(seen.authority, "executor", agency)
    chance = dice.random()
    if chance < 0.12:
        return "return", {"assignment_id": assignment, "justification": "Не наше"}, executor
    if chance < 0.18:
        other = dice.choice(agencies(seen.authority))
        return "reassign", {"assignment_id": assignment, "agency": other}, coordinator
    if chance < 0.22:
        return "recall", {"assignment_id": assignment, "reason": "Ошибка направления"}, coordinator
    if agency != seen.lead:
        if chance < 0.5:
            return "contribute", {"assignment_id": assignment, "text": WORDS}, executor
        name = "approve_contribution" if chance < 0.8 else "send_back_contribution"
        comments = {} if name.startswith("approve") else {"comments": "Неполно"}
        return name, {"assignment_id": assignment} | comments, coordinator
    kind = dice.choice(("answer", "answer", "interim"))
    return "submit_draft", {"kind": kind, "text": WORDS}, executor


def _publication(seen: Seen, draft: str) -> Given:
    by = seen.drafts[draft][1]
    data = {"draft_id": draft, "url": "https://vk.example/answer", "place": "same"}
    # Who publishes is the act's to say; the wrong one is refused, and the next attempt may be the other's.
    if seen.authority == "buryatia" or by == "coordinator":
        return "report_publication", data, actor(seen.authority, "coordinator")
    return "report_publication", data, actor(seen.authority, "executor", seen.lead or by)


def _aside(seen: Seen, dice: Random) -> Given:
    coordinator = actor(seen.authority, "coordinator")
    agency = seen.lead or agencies(seen.authority)[0]
    choices: list[Given] = [
        ("escalate", {"ground": "socially_significant", "summary": "Нет воды"}, coordinator),
        ("refer_to_law_enforcement", {"body": "полиция", "summary": "Угроза"}, coordinator),
        ("excuse_breach", _excuse(seen, dice.choice(("route", "answer", "draft"))), coordinator),
        ("dismiss", {"ground": "obscene_or_insulting"}, coordinator),
        ("triage", _triage(dice), coordinator),
        ("report_shortcoming", {"agency": agency, "description": "Не в срок"}, coordinator),
    ]
    for escalation in seen.escalations[-1:]:
        choices.append(("forward_escalation", {"escalation_id": escalation}, actor(seen.authority, "deputy")))
    return dice.choice(choices)


def _excuse(seen: Seen, rule: str) -> dict[str, Any]:
    """Now and then of an occurrence that never was. Not by the dice: what else they say in a seed stays as it was."""
    return {"rule": rule, "occurrence": 5 if seen.sequence % 3 == 0 else 1, "reason": "Сбой"}


def _after(seen: Seen, dice: Random) -> Given:
    coordinator = actor(seen.authority, "coordinator")
    executor = actor(seen.authority, "executor", seen.lead)
    choices: list[Given] = [
        ("record_feedback", {"satisfied": dice.random() < 0.5}, coordinator),
        ("score_answer", {"score": dice.randint(1, 5)}, coordinator),
        ("excuse_breach", _excuse(seen, "answer"), coordinator),
        ("propose_case", {"text": "Отремонтировано"}, executor),
    ]
    for case, (agency, status) in seen.cases.items():
        holder = actor(seen.authority, "executor", agency)
        if status == "proposed":
            choices.append(("agree_case", {"case_id": case}, actor(seen.authority, "committee")))
        if status == "agreed":
            data = {"case_id": case, "url": "https://vk.example/case"}
            choices.append(("report_case_publication", data, holder))
        if status == "published":
            choices.append(("report_case", {"case_id": case}, holder))
    return dice.choice(choices)
