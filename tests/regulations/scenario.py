"""A scenario: what happens at which local times, and what must come of it; played on the pure deciders of workflow and sla.

A line of deadlines reads `set answer/1 until 17.11 10:10 by minstroy (10)`: what was said, rule and occurrence; on `set` and
`moved` also the local instant, who owes it, and the paragraph. All of them are written by hand from the regulation.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict

from regulations import law
from regulations.canonical import as_data
from regulations.directory import Directory
from regulations.load import LawFiles, load
from regulations.model import Act
from regulations.working_time.library_years import library_years
from schemas import events as e
from schemas import topics
from schemas.commands import COMMANDS, cloud_type
from schemas.deadlines import TYPES, DeadlineData
from schemas.envelope import Actor, Envelope
from schemas.ids import message_id, period_id
from schemas.inbox import AMENDMENT, DETECTION, TICK, Amendment
from schemas.outcomes import REFUSED
from services.runtime.decider import Output
from services.workflow.decider import WorkflowDecider
from services.workflow.state import Message
from services.workflow.views import view
from tests.given import Partition
from tests.unit.sla.given import World

FOLDER = Path(__file__).parent
NAMES = UUID("7c1d5c52-0000-4000-8000-000000000000")
LAW_CAME_AT = datetime(2026, 11, 1, 6, tzinfo=UTC)
"""A Sunday in every zone: November is the first month whose end the system sees."""


class Datum(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(Datum):
    """`at`: local time, `2026-11-16 09:10`, or `09:10` of the same day. `do`: `detect`, `clock` (time passes), `amend`, or a
    command; `by`: a role, or the agency whose executor acts; `of`: whose assignment it is about; `message`: which one.

    What must come of it, each compared in full where it stands: `events` (short names), `deadlines`, `refused` (status and
    paragraph), `copies` (`agency: event`); `told`: fields that one of the events bears; `state`: fields of the message, as it
    stands and as the coordinator sees it."""

    at: str
    do: str
    by: str | None = None
    of: str | None = None
    message: str = "1"
    data: dict[str, Any] = {}
    events: tuple[str, ...] | None = None
    deadlines: tuple[str, ...] | None = None
    refused: str | None = None
    copies: tuple[str, ...] | None = None
    told: dict[str, Any] = {}
    state: dict[str, Any] = {}


class Scenario(Datum):
    """`proves`: the cells of the tables that it proves (`cells.py`)."""

    name: str
    proves: tuple[str, ...]
    steps: tuple[Step, ...]


def scenarios(authority: str) -> list[Scenario]:
    """Every scenario of an authority, in the order of its files."""
    found: list[Scenario] = []
    for path in sorted((FOLDER / authority).glob("*.toml")):
        entries = tomllib.loads(path.read_text(encoding="utf-8"))["scenario"]
        found += [Scenario.model_validate(entry) for entry in entries]
    return found


@cache
def shipped() -> LawFiles:
    return load()


def act_of(authority: str) -> Act:
    """The act in force of a shipped authority."""
    files = shipped()
    return files.acts[files.authorities[authority].regulations[-1].id]


@dataclass
class Said:
    """One deadline event and the event of workflow that caused it."""

    cause: str
    line: str
    kind: str
    data: DeadlineData


@dataclass
class Office:
    """Both deciders under one authority's law; `evidence`: what the asserted steps have shown, as tags of `cells.py`."""

    authority: str
    partition: Partition
    deadlines: World
    directory: Directory
    day: str = ""
    number: int = 0
    evidence: set[str] = field(default_factory=set)

    def play(self, step: Step) -> None:
        """Do it, and compare what came of it. AssertionError names the step."""
        place, outputs = f"{step.at} {step.do}", self.submit(step)
        events = [one.envelope for one in outputs if one.topic == topics.EVENTS]
        said = [line for event in events for line in self.judged(event)]
        refusal = next((one.envelope for one in outputs if one.envelope.type == REFUSED), None)
        assert (refusal is not None) == (step.refused is not None), f"{place}: {refusal and refusal.data['problem']}"
        if refusal is not None:
            problem = refusal.data["problem"]
            told = f"{problem['status']} {problem.get('paragraph') or ''}".strip()
            assert told == step.refused, f"{place}: {problem}"
            tag = f"refused:{step.do}:{problem.get('paragraph') or ''}"
            self.evidence |= {tag, *(f"{tag}:{fault['pointer']}" for fault in problem.get("errors", ()))}
        names = [e.short(event.type) for event in events]
        if step.events is not None:
            assert names == list(step.events), f"{place}: {names}"
            variant = step.data.get("kind") or ("executor" if step.by in self.directory.agencies else "")
            self.evidence |= {f"did:{step.do}", f"did:{step.do}:{variant}"}
            known = self.partition.states.get(f"message/{self._id(step)}")
            if isinstance(known, Message) and known.repeat_of is not None:
                self.evidence.add(f"repeat:{step.do}")
            told_on_the_way = [event.data["about"] for event in events if e.short(event.type) == "notified"]
            self.evidence |= {f"notified:{about}" for about in told_on_the_way}
        if step.copies is not None:
            copies = _copies(self.authority, outputs)
            assert sorted(copies) == sorted(step.copies), f"{place}: {copies}"
            self.evidence.add(f"copied:{step.do}")
        if step.told:
            assert any(step.told.items() <= event.data.items() for event in events), f"{place}: {events}"
            self.evidence |= {f"told:{step.do}:{name}" for name in step.told}
        for name, wanted in step.state.items():
            stands = self._shown(step)[name]
            assert stands == wanted, f"{place}: {name} = {stands}"
            self.evidence |= {f"state:{step.do}:{name}", f"state:{step.do}:{wanted}"}
        if step.deadlines is not None:
            lines = [one.line for one in said]
            assert lines == list(step.deadlines), f"{place}: " + "\n  ".join(["", *lines])
            self._learn(step, names, said)

    def submit(self, step: Step) -> Sequence[Output]:
        """What workflow says of a step; sla has not read it yet."""
        self.number += 1
        at = self._instant(step.at)
        return self.partition.when(self._envelope(step, at), at)

    def judged(self, event: Envelope) -> list[Said]:
        """What sla says of an event."""
        before = self.deadlines.mark()
        self.deadlines.read(event)
        told = [one for one in self.deadlines.told[before:] if one.type in TYPES]
        return [self._line(e.short(event.type), one) for one in told]

    def _learn(self, step: Step, names: list[str], said: list[Said]) -> None:
        for name in set(names) - {one.cause for one in said}:
            # `published` says nothing of a clarification alone: a further interim at least meets its `publish`.
            self.evidence.add(f"event:{name}/nothing")
        message = self.partition.states.get(f"message/{self._id(step)}")
        reduced = isinstance(message, Message) and message.reduced
        answer = {one.data.due_at for one in self._open() if one.data.rule == "answer"}
        for one in said:
            rule = one.data.rule
            self.evidence |= {f"event:{one.cause}/{rule}", f"event:{one.cause}/{rule}.{one.kind}"}
            self.evidence.add(f"event:{one.cause}/*.{one.kind}")
            if one.kind in {"set", "moved"}:
                self.evidence |= {f"paragraph:{part}" for part in one.data.paragraph.split(", ")}
            if one.kind == "set":
                self.evidence.add(f"rule:{rule}")
            if reduced and one.cause == "triaged" and one.kind in {"moved", "cancelled"}:
                self.evidence.add(f"rule:{rule}.reduced")
            if rule == "publish" and one.kind == "set" and one.data.due_at in answer:
                self.evidence.add("rule:publish.capped")
            if rule == "draft" and one.cause == "routed" and one.data.due_at in answer:
                self.evidence.add("rule:draft.joint")
        if step.do == "clock" and not any(one.kind == "breached" and one.data.window for one in said):
            at = self._instant(step.at)
            if any(one.data.window and one.data.due_at < at for one in self._open()):
                self.evidence.add("event:reached/window")

    def _open(self) -> list[Any]:
        told = [getattr(state, "said", None) for state in self.deadlines.states.values()]
        return [one for each in told if each is not None for one in each.open()]

    def _line(self, cause: str, told: Envelope) -> Said:
        kind, data = TYPES[told.type], DeadlineData.model_validate(told.data)
        line = f"{kind} {data.rule}/{data.occurrence}"
        if kind in {"set", "moved"}:
            due = data.due_at.astimezone(self.directory.zone)
            seconds = ":%S" if due.second or due.microsecond else ""
            who = data.owed_by.agency or data.owed_by.role
            line += f" until {due:%d.%m %H:%M{seconds}} by {who} ({data.paragraph})"
        return Said(cause, line, kind, data)

    def _instant(self, text: str) -> datetime:
        day, _, hour = text.rpartition(" ")
        self.day = day or self.day
        return datetime.fromisoformat(f"{self.day} {hour}").replace(tzinfo=self.directory.zone).astimezone(UTC)

    def _id(self, step: Step) -> str:
        if "period" in step.data:
            return period_id(self.authority, "rating" if "rating" in step.do else "summary", step.data["period"])
        return message_id(self.authority, "vk", step.message)

    def _message(self, step: Step) -> Message:
        found = self.partition.states[f"message/{self._id(step)}"]
        assert isinstance(found, Message)
        return found

    def _shown(self, step: Step) -> dict[str, Any]:
        """The message as it stands, and as the coordinator sees it."""
        message = self._message(step)
        seen = view(message, self.directory, self._actor("coordinator"))
        return message.model_dump(mode="json") | seen.model_dump(mode="json")

    def _envelope(self, step: Step, at: datetime) -> Envelope:
        given: dict[str, Any] = {"id": str(uuid5(NAMES, str(self.number))), "source": "/scenario", "time": at}
        if step.do == "clock":
            return Envelope(**given, type=TICK)
        if step.do == "amend":
            actor = self._actor("operator")
            return Envelope(
                **given,
                type=AMENDMENT,
                subject=self.authority,
                authority=self.authority,
                actor=actor,
                data={"reason": "проверка", **self._amendment(step.data)},
            )
        if step.do == "detect":
            return Envelope(
                **given,
                type=DETECTION,
                subject=self._id(step),
                actor=self._actor("monitor"),
                data=self._detection(step),
            )
        shape = COMMANDS[step.do]
        role = next(
            (one for one in ("coordinator", "executor", "committee", "deputy", "head") if one in shape.roles), ""
        )
        data = self._defaults(step) | step.data
        # TOML has no null: what a command ought to say is left out in a word.
        data = {name: value for name, value in data.items() if value != "omitted"}
        if "repeat_of" in data:
            data["repeat_of"] = message_id(self.authority, "vk", data["repeat_of"])
        return Envelope(
            **given,
            type=cloud_type(step.do),
            subject=self._id(step),
            actor=self._actor(step.by or role),
            data={"type": step.do, "data": data},
        )

    def _amendment(self, data: dict[str, Any]) -> dict[str, Any]:
        """Of a new text of the act a scenario says only its other term of the answer, of the authority's file only its own
        reduced terms."""
        if data["kind"] == "authority":
            said = {**as_data(shipped().authorities[self.authority]), "reduced": data["reduced"]}
            return {"kind": "authority", "basis": data["basis"], "data": said}
        if data["kind"] != "act":
            return data
        act = as_data(act_of(self.authority).model_copy(update={"paragraphs": ()}))
        answer = {**act["rules"]["answer"], "term": data["answer"]}
        changed = {**act, "rules": {**act["rules"], "answer": answer}}
        return {"kind": "act", "basis": data["basis"], "data": changed}

    def _actor(self, who: str) -> Actor:
        agency = who if who in self.directory.agencies else None
        return Actor(
            sub=who, roles=("executor" if agency else who,), authorities=(self.authority,), agency=agency or None
        )

    def _detection(self, step: Step) -> dict[str, Any]:
        data = dict(step.data)
        if "detected_at" in data:
            data["detected_at"] = self._instant(data["detected_at"]).isoformat()
        source = {"network": "vk", "external_id": step.message, "url": "https://vk.example/wall1"}
        post = {"author": {"name": "Автор"}, "text": data.pop("text", "Третий день нет воды")}
        return {"authority": self.authority, "source": source, "post": post, "change": "new"} | data

    def _defaults(self, step: Step) -> dict[str, Any]:
        """What a command says where the scenario has nothing to add: ids are those of the latest draft, case, …"""
        if "period" in step.data:
            return {"authority": self.authority}
        message, url = self._message(step), {"url": "https://vk.example/wall1?reply=1"}
        draft = {"draft_id": message.drafts[-1].draft_id} if message.drafts else {}
        case = {"case_id": message.cases[-1].case_id} if message.cases else {}
        escalation = {"escalation_id": message.escalations[-1].escalation_id} if message.escalations else {}
        owned = [one.assignment_id for one in message.assignments if one.agency == (step.of or step.by)]
        assignment = {"assignment_id": owned[-1]} if owned else {}
        triage: dict[str, Any] = {"topics": ["roads"], "location": "центр", "importance": "ordinary"}
        if act_of(self.authority).reducing.stated:
            triage |= {"reduced": False}
        usual: dict[str, dict[str, Any]] = {
            "triage": triage,
            "return": assignment,
            "reassign": assignment,
            "recall": assignment | {"reason": "Ошибка"},
            "contribute": assignment | {"text": "Наша часть"},
            "approve_contribution": assignment,
            "send_back_contribution": assignment | {"comments": "Уточните"},
            "submit_draft": {"kind": "answer", "text": "Вода подана"},
            "approve_draft": draft,
            "send_back_draft": draft | {"comments": "Короче"},
            "report_publication": draft | url,
            "reopen": {"reason": "Ошибка"},
            "escalate": {"summary": "Много обращений"},
            "forward_escalation": escalation,
            "refer_to_law_enforcement": {"body": "МВД", "summary": "Готовится преступление"},
            "report_shortcoming": {"description": "Ответы опаздывают"},
            "excuse_breach": {"occurrence": 1, "reason": "Не было света"},
            "propose_case": {"text": "Двор отремонтирован"},
            "agree_case": case,
            "refuse_case": case | {"reason": "Мало сведений"},
            "report_case_publication": case | url,
            "report_case": case,
        }
        return usual.get(step.do, {})


def _copies(authority: str, outputs: Any) -> list[str]:
    """`agency: event` of what went to the agencies' own topics, without outcomes."""
    start = topics.assignments(authority, "")
    found: list[Output] = [one for one in outputs if one.topic.startswith(start)]
    return [
        f"{one.topic.removeprefix(start)}: {e.short(one.envelope.type)}"
        for one in found
        if one.envelope.type in e.MESSAGE_EVENTS
    ]


@cache
def _begun(authority: str) -> tuple[Partition, World]:
    """Both deciders after the shipped law has come by the log, as `otklik law apply` brings it."""
    files = shipped()
    partition, world = Partition(WorkflowDecider()), _Empty()
    wanted: list[Amendment] = law.differences(None, files.authorities[authority], files.acts, library_years())
    for position, amendment in enumerate(wanted):
        envelope = Envelope(
            id=law.amendment_id(None, authority, position, amendment),
            source="/otklik/law-apply",
            type=AMENDMENT,
            subject=authority,
            time=LAW_CAME_AT,
            authority=authority,
            data=amendment.model_dump(mode="json", exclude_none=True),
        )
        for output in partition.when(envelope, LAW_CAME_AT):
            if output.topic == topics.EVENTS:
                world.read(output.envelope)
    return partition, world


class _Empty(World):
    """A world of sla into which the law comes from workflow's events."""

    def __post_init__(self) -> None:
        self.told.clear()


def office(authority: str) -> Office:
    """A fresh office under the shipped law of an authority."""
    partition, world = _begun(authority)
    directory = partition.states[f"world/authority/{authority}"]
    assert isinstance(directory, Directory)
    fresh = _Empty()
    fresh.states.update(world.states)
    return Office(authority, Partition(WorkflowDecider(), dict(partition.states)), fresh, directory)
