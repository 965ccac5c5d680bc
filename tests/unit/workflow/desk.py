"""A desk to work messages at: the shipped law of one region, its people, and a partition of the workflow decider."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Self
from uuid import UUID, uuid5

from regulations.canonical import as_data
from regulations.directory import Directory
from regulations.load import LawFiles, load
from regulations.model import Act
from schemas import topics
from schemas.commands import cloud_type
from schemas.envelope import Actor, Envelope
from schemas.events import EVENTS, EventData, short
from schemas.ids import message_id, period_id
from schemas.inbox import AMENDMENT, DETECTION, TICK
from schemas.outcomes import ACCEPTED, Problem
from services.runtime.decider import Output
from services.workflow.decider import WorkflowDecider
from services.workflow.state import Message, Period
from tests.given import Partition
from tests.unit.regulations.given import acts_of

REGIONS = ("kbr", "kemerovo", "nenets", "kursky", "buryatia")
START = datetime(2026, 11, 16, 6, 0, tzinfo=UTC)
"""A Monday, 9:00 in Moscow."""
NAMES = UUID("4f0e1b0a-0000-4000-8000-000000000000")


@cache
def law() -> LawFiles:
    return load()


@cache
def _world(region: str) -> Directory:
    partition = Partition(WorkflowDecider())
    known = [("act", act) for act in acts_of(law(), region)]
    for number, (kind, said) in enumerate([*known, ("authority", law().authorities[region])]):
        amendment = Envelope(
            id=str(uuid5(NAMES, f"{region}/{number}")),
            source="/test",
            type=AMENDMENT,
            subject=region,
            time=START - timedelta(days=1),
            authority=region,
            data={"kind": kind, "reason": "проверка", "data": as_data(said)},
        )
        outputs = partition.when(amendment, amendment.time)
        assert outputs[-1].envelope.type == ACCEPTED, outputs[-1].envelope.data
    directory = partition.states[f"world/authority/{region}"]
    assert isinstance(directory, Directory)
    return directory


@dataclass
class Desk:
    """`a`, `b`, `c`, `d` are agencies of the region; time passes a minute a step."""

    region: str = "kbr"
    external_id: str = "-1_1"
    partition: Partition = field(default_factory=lambda: Partition(WorkflowDecider()))
    at: datetime = START
    steps: int = 0

    def __post_init__(self) -> None:
        self.partition.states.setdefault(f"world/authority/{self.region}", _world(self.region))
        self.a, self.b, self.c, self.d = list(self.directory.agencies)[:4]

    @property
    def directory(self) -> Directory:
        found = self.partition.states[f"world/authority/{self.region}"]
        assert isinstance(found, Directory)
        return found

    @property
    def act(self) -> Act:
        return self.directory.act(self.message.law, self.message.regulation)

    @property
    def id(self) -> str:
        return message_id(self.region, "vk", self.external_id)

    @property
    def message(self) -> Message:
        found = self.partition.states[f"message/{self.id}"]
        assert isinstance(found, Message)
        return found

    def other(self, external_id: str) -> Desk:
        """Another message on the same desk."""
        return Desk(self.region, external_id, self.partition, self.at)

    def actor(self, role: str, agency: str | None = None) -> Actor:
        return Actor(sub=f"{role}-{agency or self.region}", roles=(role,), authorities=(self.region,), agency=agency)

    # What comes in

    def detect(self, change: str = "new", text: str = "Яма на дороге", **more: Any) -> Sequence[Output]:
        data = {
            "authority": self.region,
            "source": {"network": "vk", "external_id": self.external_id, "url": "https://vk.com/wall-1_1"},
            "post": {"author": {"name": "Автор"}, "text": text},
            "change": change,
        }
        headers = more.pop("headers", None)
        stated = more.pop("id", None) or str(uuid5(NAMES, f"detection/{self.external_id}/{self._step()}"))
        envelope = Envelope(
            id=stated, source="/test", type=DETECTION, subject=self.id, time=self.at, data=data | more,
            actor=self.actor("monitor"),
        )  # fmt: skip
        return self.partition.when(envelope, self.at, headers)

    def tick(self) -> Sequence[Output]:
        self._step()
        return self.partition.when(Envelope(id="tick", source="/sla", type=TICK, time=self.at), self.at)

    def give(self, name: str, actor: Actor, **data: Any) -> Outcome:
        """One command about the message, with a fresh id (or `command_id`, `expected_sequence`, `subject`)."""
        number = self._step()
        given = str(data.pop("command_id", None) or uuid5(NAMES, f"command/{self.external_id}/{number}"))
        subject = data.pop("subject", self.id)
        body: dict[str, Any] = {"type": name, "data": data}
        if (expected := data.pop("expected_sequence", None)) is not None:
            body["expected_sequence"] = expected
        envelope = Envelope(
            id=given, source="/test", type=cloud_type(name), subject=subject, time=self.at, actor=actor, data=body
        )
        return Outcome(tuple(self.partition.when(envelope, self.at)))

    def coordinator(self, name: str, **data: Any) -> Outcome:
        return self.give(name, self.actor("coordinator"), **data)

    def executor(self, agency: str, name: str, **data: Any) -> Outcome:
        return self.give(name, self.actor("executor", agency), **data)

    def report(self, name: str, period: str, role: str = "coordinator", **data: Any) -> Outcome:
        """One command about the summary or the rating of a period."""
        kind = "rating" if "rating" in name else "summary"
        subject = data.pop("subject", None) or period_id(self.region, kind, period)
        return self.give(name, self.actor(role), subject=subject, authority=self.region, period=period, **data)

    def period(self, kind: str, period: str) -> Period:
        found = self.partition.states[f"period/{period_id(self.region, kind, period)}"]
        assert isinstance(found, Period)
        return found

    # The usual way, as far as it is wanted

    def registered(self) -> Self:
        self.detect()
        return self

    def triaged(self, **more: Any) -> Self:
        self.registered()
        self.triage(**more).must_be_accepted()
        return self

    def triage(self, **more: Any) -> Outcome:
        usual: dict[str, Any] = {"topics": ["roads"], "location": "Нальчик", "importance": "ordinary"}
        if self.act.reducing.stated:
            usual["reduced"] = False
        return self.coordinator("triage", **usual | more)

    def routed(self, **more: Any) -> Self:
        """To `a` alone."""
        self.triaged(**more)
        self.coordinator("route", assignments=[{"agency": self.a}]).must_be_accepted()
        return self

    def joint(self) -> Self:
        """To `a` and `b` as contributors and to `c` as the lead, last in order."""
        self.triaged()
        self.route_joint().must_be_accepted()
        return self

    def route_joint(self, **more: Any) -> Outcome:
        parts = [{"agency": one, "role": "contributor"} for one in (self.a, self.b)]
        named = {"drafted_by": self.c} if self.act.joint.drafted_by == "named" else {}
        assignments = [*parts, {"agency": self.c, "role": "lead"}]
        return self.coordinator("route", **{"assignments": assignments} | named | more)

    def drafted(self, kind: str = "answer") -> Self:
        self.routed()
        self.submit(self.a, kind=kind).must_be_accepted()
        return self

    def submit(self, agency: str, kind: str = "answer", **more: Any) -> Outcome:
        return self.executor(agency, "submit_draft", kind=kind, text="Яму засыпали.", **more)

    def approved(self, kind: str = "answer") -> Self:
        self.drafted(kind)
        self.coordinator("approve_draft", draft_id=self.draft_id).must_be_accepted()
        return self

    def published(self, kind: str = "answer") -> Self:
        self.approved(kind)
        self.publish(self.a).must_be_accepted()
        return self

    def publish(self, lead: str, **more: Any) -> Outcome:
        """By whoever publishes under the act."""
        usual = {"draft_id": self.draft_id, "url": "https://vk.com/wall-1_1?reply=2"}
        if self.act.publication.by == "lead":
            return self.executor(lead, "report_publication", **usual | more)
        return self.coordinator("report_publication", **usual | more)

    def contribute(self, agency: str) -> Outcome:
        given = {"assignment_id": self.of(agency), "text": "Наша часть."}
        return self.executor(agency, "contribute", **given)

    # What stands

    def of(self, agency: str) -> str:
        """The agency's latest assignment."""
        return next(one.assignment_id for one in reversed(self.message.assignments) if one.agency == agency)

    def status_of(self, agency: str) -> str:
        found = self.message.assignment(self.of(agency))
        assert found is not None
        return found.status

    @property
    def draft_id(self) -> str:
        return self.message.drafts[-1].draft_id

    @property
    def told(self) -> list[str]:
        """The short names of the message's events, in order."""
        return [short(event.type) for event in self.events]

    @property
    def events(self) -> list[Envelope]:
        log = self.partition.log
        return [out.envelope for out in log if out.topic == topics.EVENTS and out.envelope.subject == self.id]

    def copied_to(self, agency: str) -> list[Envelope]:
        topic = topics.assignments(self.region, agency)
        return [out.envelope for out in self.partition.log if out.topic == topic]

    def _step(self) -> int:
        self.steps += 1
        self.at += timedelta(minutes=1)
        return self.steps


@dataclass(frozen=True)
class Outcome:
    """What one command came to."""

    outputs: tuple[Output, ...]

    @property
    def envelope(self) -> Envelope:
        return next(out.envelope for out in self.outputs if out.topic == topics.OUTCOMES)

    @property
    def accepted(self) -> bool:
        return self.envelope.type == ACCEPTED

    @property
    def events(self) -> list[str]:
        return [short(out.envelope.type) for out in self.outputs if out.topic == topics.EVENTS]

    def of(self, kind: str) -> EventData:
        """The data of the first event of that short name."""
        found = next(
            out.envelope for out in self.outputs if out.topic == topics.EVENTS and short(out.envelope.type) == kind
        )
        return EVENTS[found.type].model_validate(found.data)

    @property
    def problem(self) -> Problem:
        assert not self.accepted, self.events
        return Problem.model_validate(self.envelope.data["problem"])

    def must_be_accepted(self) -> Outcome:
        assert self.accepted, self.problem
        return self

    def refused(self, status: int, slug: str, paragraph: str | None = None) -> Problem:
        """The problem, which must be this one; nothing else may have been said on the log."""
        problem = self.problem
        told = (problem.status, problem.type.removeprefix("urn:otklik:problem:"), problem.paragraph)
        assert told == (status, slug, paragraph), problem
        assert (problem.regulation is None) == (problem.paragraph is None), problem
        assert self.events == []
        return problem
