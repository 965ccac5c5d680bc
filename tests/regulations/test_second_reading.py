"""Histories by dice: whatever workflow lets happen, sla's deadlines are those of a second reading of the table."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas import topics
from services.sla.state import MESSAGE, Subject
from services.workflow.state import Message
from tests.regulations.scenario import Office, Step, office
from tests.regulations.second_reading import LEAD_ANSWERS, Reader
from tests.unit.sla.second_opinion import ZONES

HISTORIES = 16
PAUSES = (0, 1, 3, 10, 29, 30, 31, 60, 90, 200, 600, 1440, 4320)
"""Minutes between two steps: often the very length of a term, sometimes a night or a weekend."""
COMMANDS = {
    "clock": 6, "triage": 6, "dismiss": 2, "reopen": 5, "route": 6, "return": 6, "recall": 4, "reassign": 6, "contribute": 12,
    "approve_contribution": 3, "send_back_contribution": 2, "submit_draft": 16, "approve_draft": 10, "send_back_draft": 4,
    "report_publication": 9, "excuse_breach": 2, "propose_case": 2, "agree_case": 2, "report_case_publication": 2,
    "report_case": 2,
}  # fmt: skip
"""What may be tried, and how often; whether it may be done then, workflow says."""


@pytest.mark.parametrize("authority", ZONES)
def test_any_history_has_the_deadlines_that_the_table_gives_it(authority: str) -> None:
    happened: set[str] = set()
    for number in range(HISTORIES):
        happened |= History(authority, random.Random(f"{authority} {number}")).live()
    assert {"published", "assignment-returned", "assignment-recalled", "reopened", "draft-sent-back"} <= happened


class History:
    """One message, and what befalls it."""

    def __init__(self, authority: str, dice: random.Random) -> None:
        self.office: Office = office(authority)
        self.reader = Reader(authority)
        self.dice = dice
        self.agencies = list(self.office.directory.agencies)[:4]
        self.at = datetime(2026, 11, 2) + timedelta(days=dice.randint(0, 50), minutes=dice.randint(0, 1439))  # noqa: DTZ001
        self.done: list[str] = []

    def live(self) -> set[str]:
        """Comes in, is worked on by dice, and lies until everything is overdue. Returns the events that happened."""
        happened = self._try("detect")
        for _ in range(self.dice.randint(10, 45)):
            self.at += timedelta(minutes=self.dice.choice(PAUSES), seconds=self.dice.choice((0, 0, 17)))
            happened |= self._try(self._next(), **self._by_whom())
        self.at += timedelta(days=20)
        return happened | self._try("clock")

    @property
    def _message(self) -> Message:
        return next(one for one in self.office.partition.states.values() if isinstance(one, Message))

    def _next(self) -> str:
        message = self._message
        if not message.triaged and self.dice.random() < 0.5:
            return "triage"
        if message.triaged and not message.live and self.dice.random() < 0.5:
            return "reopen" if message.dismissed else "route"
        return self.dice.choices(list(COMMANDS), list(COMMANDS.values()))[0]

    def _by_whom(self) -> dict[str, str]:
        live = [one.agency for one in self._message.live]
        agency = self.dice.choice(live or self.agencies)
        return {"of": agency, "by": agency}

    def _try(self, command: str, *, of: str = "", by: str = "") -> set[str]:
        step = self._step(command, of, by)
        if step is None:
            return set()
        self.done.append(f"{step.at} {command} {step.by or ''} {step.data}")
        happened = set()
        for output in self.office.submit(step):
            if output.topic == topics.EVENTS:
                self.office.judged(output.envelope)
                self.reader.read(output.envelope)
                happened.add(output.envelope.type.split(".")[2])
                assert self._stand() == self.reader.stand(), "\n".join(self.done)
        return happened

    def _step(self, command: str, of: str, by: str) -> Step | None:
        """The step; None where there is nothing yet that it could be about."""
        message = self._message if self.done else None
        needs_draft = command in ("approve_draft", "send_back_draft", "report_publication")
        if message is not None and (
            (needs_draft and not message.drafts) or ("case" in command and not self._case(command))
        ):
            return None
        drafter = message.drafted_by if message is not None else None
        lead = message.lead.agency if message is not None and message.lead else by
        who = {
            "return": by,
            "contribute": by,
            "submit_draft": drafter or "coordinator",
            "report_publication": lead if self.office.authority in LEAD_ANSWERS else "coordinator",
            "propose_case": lead,
            "report_case_publication": lead,
            "report_case": lead,
        }
        data = self._data(command)
        return Step(at=f"{self.at:%Y-%m-%d %H:%M:%S}", do=command, by=who.get(command), of=of or None, data=data)

    def _case(self, command: str) -> bool:
        return command == "propose_case" or bool(self._message.cases)

    def _data(self, command: str) -> dict[str, Any]:
        dice, authority = self.dice, self.office.authority
        match command:
            case "triage":
                stated = self.office.directory.act(self.office.directory.number).reducing.stated
                listed = self.office.directory.authority.topic_list
                topic = dice.choice(["прочее", *(listed.topics[:1] if listed else ())])
                said = {"importance": dice.choice(["ordinary", "high"]), "topics": [topic]}
                return said | ({"reduced": dice.random() < 0.5} if stated else {})
            case "dismiss":
                return {"ground": "no_response_needed"}
            case "route":
                return self._routing()
            case "return":
                return {"justification": "Не наше"}
            case "reassign":
                return {"agency": dice.choice(self.agencies)}
            case "submit_draft":
                return {"kind": dice.choice(["answer", "interim", "clarification"])}
            case "excuse_breach":
                rules = ("answer", "draft", "review") if authority == "buryatia" else ("answer", "draft", "route")
                return {"rule": dice.choice(rules), "occurrence": dice.choice([1, 1, 2])}
        return {}

    def _routing(self) -> dict[str, Any]:
        chosen = self.dice.sample(self.agencies, self.dice.choice([1, 1, 2, 3]))
        # In nenets the last in order leads, whoever that is.
        lead = chosen[-1] if self.office.authority == "nenets" else self.dice.choice(chosen)
        named = self.office.authority == "kbr" and len(chosen) > 1
        assignments = [{"agency": one, "role": "lead" if one == lead else "contributor"} for one in chosen]
        return {"assignments": assignments} | ({"drafted_by": self.dice.choice([lead, "coordinator"])} if named else {})

    def _stand(self) -> dict[tuple[str, int], tuple[datetime, datetime, str, str]]:
        told = next((one.said for key, one in self.office.deadlines.states.items()
                     if key.startswith(MESSAGE) and isinstance(one, Subject)), None)  # fmt: skip
        return {
            (one.data.rule, one.data.occurrence): (
                one.data.starts_at,
                one.data.due_at,
                one.data.owed_by.agency or one.data.owed_by.role,
                one.state,
            )
            for one in (told.deadlines.values() if told else ())
        }
