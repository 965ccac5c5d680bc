"""How a message stands for its forms: what is open on it, and what its story still asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from regulations.directory import Directory
from regulations.model import Act
from schemas import events
from services.reporting.pages import naming
from services.reporting.pages.queue import CLOSED
from services.reporting.projections.register import LIVE, Assignment, Draft, Row


@dataclass(frozen=True, slots=True)
class Case:
    """A success case; `status`: `proposed`, `agreed`, `refused`, `published`, `reported`."""

    case_id: str
    agency: str
    text: str
    status: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The message, its law and the present; `story`: its events; `deadlines`: its duties."""

    row: Row
    act: Act
    directory: Directory
    now: datetime
    story: Sequence[Mapping[Any, Any]] = ()
    deadlines: Sequence[Mapping[Any, Any]] = ()

    @property
    def open(self) -> bool:
        return self.row.status not in CLOSED

    def draft(self, *statuses: str) -> Draft | None:
        return next((draft for draft in self.row.work.drafts if draft.status in statuses), None)

    @property
    def live(self) -> list[Assignment]:
        return [held for held in self.row.work.assignments if held.status in LIVE]

    @property
    def given_back(self) -> list[Assignment]:
        """Returned assignments whose place nobody has taken yet."""
        taken = {one for told in self._told(events.AssignmentIssued) for one in told.get("replaces", ())}
        taken |= {
            one for told in self._told(events.Routed) for to in told["assignments"] for one in to.get("replaces", ())
        }
        returned = (held for held in self.row.work.assignments if held.status == "returned")
        return [held for held in returned if held.assignment_id not in taken]

    def name(self, agency: str) -> str:
        return naming.agency(self.directory, agency)

    @property
    def breached(self) -> list[Mapping[Any, Any]]:
        """Breaches that nobody has excused; some of them were fulfilled later."""
        return [one for one in self.deadlines if one["state"] in {"breached", "met_late"} and not one["window"]]

    @property
    def owes_escalation(self) -> bool:
        """Whether a report to the leader is owed by the importance alone, and not made yet (kemerovo 26)."""
        owed = self.act.escalation.owed_by_high_importance and self.row.importance == "high"
        return owed and not self._told(events.Escalated)

    @property
    def unsigned_escalations(self) -> list[str]:
        """Those that wait for the second step, where the act has one."""
        forwarded = {one["escalation_id"] for one in self._told(events.EscalationForwarded)}
        told = [one for one in self._told(events.Escalated) if one.get("then")]
        return [one["escalation_id"] for one in told if one["escalation_id"] not in forwarded]

    @property
    def cases(self) -> list[Case]:
        found = {
            one["case_id"]: Case(one["case_id"], one["agency"], one["text"], "proposed")
            for one in self._told(events.CaseProposed)
        }
        steps: tuple[tuple[type[events.EventData], str], ...] = (
            (events.CaseAgreed, "agreed"),
            (events.CaseRefused, "refused"),
            (events.CasePublished, "published"),
            (events.CaseReported, "reported"),
        )
        for event, status in steps:
            for one in self._told(event):
                case = found[one["case_id"]]
                found[case.case_id] = Case(case.case_id, case.agency, case.text, status)
        return list(found.values())

    def said(self, draft_id: str) -> dict[str, Any]:
        """What that draft says; nothing of one that the visitor may not see."""
        return next((one for one in self._told(events.DraftSubmitted) if one["draft_id"] == draft_id), {})

    def _told(self, event: type[events.EventData]) -> list[dict[str, Any]]:
        return [one["data"] for one in self.story if one["type"] == event.type]
