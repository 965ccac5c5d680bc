"""The plan of a routing: who leads, who drafts, who contributes, in which order. Every act's own way is data.

`joint.drafted_by` of the act says it all: `lead` (kursky, Buryatia), `last` in order, who then leads (nenets), `coordinator`
(kemerovo's joint answers), or whom the coordinator names (kbr): an agency, which then leads, or himself.
"""

from __future__ import annotations

from dataclasses import dataclass

from regulations.model import Act
from schemas.commands import Route, RouteTo
from schemas.events import COORDINATOR
from services.workflow import guards
from services.workflow.hearing import MessageHearing


@dataclass(frozen=True, slots=True)
class Part:
    """One agency's part in the routing."""

    agency: str
    order: int
    lead: bool
    drafts: bool
    contributes: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A routing that the act allows; `parts` in their order."""

    parts: tuple[Part, ...]
    lead: str
    drafted_by: str

    @property
    def joint(self) -> bool:
        return len(self.parts) > 1


def plan(hearing: MessageHearing, data: Route) -> Plan:
    """What the coordinator asked for, made whole by the act; 422 where the act forbids it or nobody is there."""
    _agencies(hearing, data.assignments)
    assignments = _led_at_the_end(hearing.act, data.assignments)
    numbered = [(one.order or number, number, one) for number, one in enumerate(assignments, start=1)]
    ordered = sorted(numbered, key=lambda entry: entry[:2])
    last = ordered[-1][2].agency
    if len(ordered) == 1:
        lead = drafted_by = _sole(hearing.act, data)
    else:
        lead, drafted_by = _joint(hearing.act, data, last)
    parts = tuple(_part(one.agency, order, lead, drafted_by, len(ordered) > 1) for order, _, one in ordered)
    return Plan(parts, lead, drafted_by)


def _led_at_the_end(act: Act, assignments: tuple[RouteTo, ...]) -> tuple[RouteTo, ...]:
    """As they were named; but where the last drafts and leads, and nobody said an order, whoever leads is the last."""
    if act.joint.drafted_by != "last" or any(one.order is not None for one in assignments):
        return assignments
    return tuple(sorted(assignments, key=lambda one: one.role == "lead"))


def _part(agency: str, order: int, lead: str, drafted_by: str, joint: bool) -> Part:
    drafts = agency == drafted_by
    return Part(agency, order, lead=agency == lead, drafts=drafts, contributes=joint and not drafts)


def _agencies(hearing: MessageHearing, assignments: tuple[RouteTo, ...]) -> None:
    seen: set[str] = set()
    for number, one in enumerate(assignments):
        pointer = f"/data/assignments/{number}/agency"
        guards.agency_known(hearing.directory, one.agency, pointer)
        if one.agency in seen:
            raise guards.invalid(pointer, f"Орган «{one.agency}» назван дважды.")
        seen.add(one.agency)


def _sole(act: Act, data: Route) -> str:
    sole = data.assignments[0]
    if sole.role == "contributor":
        raise guards.invalid("/data/assignments/0/role", "Единственный орган и есть ответственный.")
    if data.drafted_by not in (None, sole.agency):
        raise guards.forbidden(
            act, act.drafting.paragraph, "Ответ одного органа готовит сам этот орган.", "/data/drafted_by"
        )
    return sole.agency


def _joint(act: Act, data: Route, last: str) -> tuple[str, str]:
    """The lead, and who drafts."""
    stated = _stated_lead(data)
    rule = act.joint
    match rule.drafted_by:
        case "named":
            if data.drafted_by is None:
                detail = f"Нужно указать, кто готовит общий ответ: один из органов или {act.words.coordinator}."
                raise guards.forbidden(act, rule.paragraph, detail, "/data/drafted_by")
            if data.drafted_by == COORDINATOR:
                return _required(stated), COORDINATOR
            if data.drafted_by not in {one.agency for one in data.assignments}:
                raise guards.invalid("/data/drafted_by", "Общий ответ готовит один из названных органов.")
            if stated not in (None, data.drafted_by):
                raise guards.invalid("/data/drafted_by", "Кто готовит общий ответ, тот и ответственный.")
            return data.drafted_by, data.drafted_by
        case "last":
            if stated not in (None, last):
                detail = "Общий ответ готовит последний по очереди орган: он и есть ответственный."
                raise guards.forbidden(act, rule.paragraph, detail, "/data/assignments")
            lead = drafted_by = last
        case "coordinator":
            lead, drafted_by = _required(stated), COORDINATOR
        case "lead":
            lead = drafted_by = _required(stated)
    if data.drafted_by not in (None, drafted_by):
        who = act.words.coordinator if drafted_by == COORDINATOR else f"«{drafted_by}»"
        raise guards.forbidden(act, rule.paragraph, f"Общий ответ по положению готовит {who}.", "/data/drafted_by")
    return lead, drafted_by


def _stated_lead(data: Route) -> str | None:
    leads = [one.agency for one in data.assignments if one.role == "lead"]
    if len(leads) > 1:
        raise guards.invalid("/data/assignments", "Ответственный орган может быть только один.")
    return leads[0] if leads else None


def _required(stated: str | None) -> str:
    if stated is None:
        raise guards.invalid("/data/assignments", "Нужно назвать один ответственный орган.")
    return stated
