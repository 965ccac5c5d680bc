"""Events of a message, with no more in them than deadlines hang on."""

from __future__ import annotations

from typing import Any

from schemas import events as e
from tests.unit.sla.given import World, at
from tests.unit.sla.law import REGIONS

POST = {"author": {"name": "автор"}, "text": "Нет света"}
SOURCE = {"network": "vk", "external_id": "-1_1", "url": "https://vk.example/1"}


def registered(world: World, detected: str, received: str | None = None, **more: Any) -> e.Registered:
    return e.Registered.model_validate(
        {
            "regulation": REGIONS[world.region][0],
            "law": world.law,
            "source": SOURCE,
            "post": POST,
            "detected_at": at(detected),
            "received_at": at(received or detected),
            "detection_id": "d",
            **more,
        }
    )


def triaged(reduced: bool = False, **more: Any) -> e.Triaged:
    return e.Triaged.model_validate(
        {"topics": ["дороги"], "location": "Нальчик", "importance": "ordinary", "reduced": reduced, **more}
    )


def dismissed() -> e.Dismissed:
    return e.Dismissed(ground="threat")


def reopened() -> e.Reopened:
    return e.Reopened(reason="по ошибке")


def routed(*agencies: str, drafted_by: str | None = None, lead: str | None = None) -> e.Routed:
    """The first agency leads unless said otherwise; assignment ids are `as-<agency>`."""
    lead = lead or agencies[0]
    assignments = [
        {"assignment_id": f"as-{one}", "agency": one, "role": "lead" if one == lead else "contributor", "order": number}
        for number, one in enumerate(agencies, 1)
    ]
    return e.Routed.model_validate(
        {"assignments": assignments, "lead": lead, "joint": len(agencies) > 1, "drafted_by": drafted_by or lead}
    )


def issued(agency: str, *, role: str = "lead", contributes: bool | None = None, replaces: tuple[str, ...] = (),
           assignment: str | None = None, drafts: bool | None = None) -> e.AssignmentIssued:  # fmt: skip
    contributes = role == "contributor" if contributes is None else contributes
    return e.AssignmentIssued.model_validate(
        {
            "assignment_id": assignment or f"as-{agency}",
            "agency": agency,
            "role": role,
            "order": 1,
            "replaces": replaces,
            "drafts": not contributes if drafts is None else drafts,
            "contributes": contributes,
        }
    )


def returned(agency: str, role: str = "lead") -> e.AssignmentReturned:
    return e.AssignmentReturned.model_validate({"assignment_id": f"as-{agency}", "agency": agency, "role": role})


def recalled(agency: str, role: str = "lead") -> e.AssignmentRecalled:
    return e.AssignmentRecalled.model_validate(
        {"assignment_id": f"as-{agency}", "agency": agency, "role": role, "reason": "ошибка"}
    )


def contributed(agency: str) -> e.Contributed:
    return e.Contributed(assignment_id=f"as-{agency}", agency=agency, text="справка")


def contribution_approved(agency: str) -> e.ContributionApproved:
    return e.ContributionApproved(assignment_id=f"as-{agency}", agency=agency)


def contribution_sent_back(agency: str) -> e.ContributionSentBack:
    return e.ContributionSentBack(assignment_id=f"as-{agency}", agency=agency, comments="нет числа")


def submitted(draft: str, by: str, kind: str = "answer") -> e.DraftSubmitted:
    assignment = None if by == "coordinator" else f"as-{by}"
    return e.DraftSubmitted.model_validate(
        {"draft_id": draft, "kind": kind, "text": "ответ", "by": by, "assignment_id": assignment}
    )


def approved(draft: str, by: str, kind: str = "answer") -> e.DraftApproved:
    return e.DraftApproved.model_validate({"draft_id": draft, "kind": kind, "by": by})


def sent_back(draft: str, by: str, kind: str = "answer", was_approved: bool = False) -> e.DraftSentBack:
    return e.DraftSentBack.model_validate(
        {"draft_id": draft, "kind": kind, "by": by, "comments": "уточнить", "was_approved": was_approved}
    )


def published(draft: str, by: str, kind: str = "answer") -> e.Published:
    return e.Published.model_validate(
        {"draft_id": draft, "kind": kind, "url": "https://vk.example/2", "place": "same", "by": by}
    )


def excused(rule: str, occurrence: int = 1) -> e.BreachExcused:
    return e.BreachExcused(rule=rule, occurrence=occurrence, reason="отчёт пришёл позже размещения")


def case(kind: str, name: str = "case-1") -> e.EventData:
    data = {"case_id": name, "agency": "a", "text": "опыт", "reason": "нет", "url": "https://vk.example/3"}
    return e.MESSAGE_EVENTS[f"otklik.message.case-{kind}.v1"].model_validate(data)


def summary(kind: str, period: str) -> e.EventData:
    data = {"report": "summary", "period": period, "reason": "нет", "to": "заместитель"}
    return e.PERIOD_EVENTS[f"otklik.period.summary-{kind}.v1"].model_validate(data)
