"""One input being heard: what it is judged by, what is told of it, and how its subject stands after each word.

Events get their ids, sequence, time, cause and actor here and nowhere else. `tell` folds what it tells at once, so that the
next rule of the same command already sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from regulations import periods
from regulations.directory import Directory
from regulations.model import Act
from schemas import ids, topics
from schemas.envelope import Actor, Envelope
from schemas.events import EventData
from schemas.outcomes import AcceptedEvent
from services.runtime.decider import Input, Output
from services.workflow import notices, outbox
from services.workflow.state import Message, Period

SOURCE = "/otklik/workflow"

S = TypeVar("S", bound=Message | Period)
Fold = Callable[[S | None, Envelope, EventData], S]


class NothingHeard(Exception):
    """A rule asked for a subject that has no event yet: a fault of ours, never of the sender."""


def schema_of(event_type: str) -> str:
    """The `dataschema` of a type."""
    return f"urn:otklik:schema:{event_type}"


class Hearing(Generic[S]):
    """What a rule of a concept is given. `state` None: the subject has no event yet."""

    def __init__(
        self, given: Input, directory: Directory, subject: str, state: S | None, fold: Fold[S], actor: Actor
    ) -> None:
        self.given = given
        self.at = given.at
        self.directory = directory
        self.subject = subject
        self.state = state
        self.actor = actor
        self.told: list[Envelope] = []
        self.outputs: list[Output] = []
        self._fold = fold

    @property
    def sequence(self) -> int:
        """The sequence of the subject's last event; 0 before the first."""
        return self.state.sequence if self.state else 0

    def new_id(self, name: str, number: int = 1) -> str:
        """The id of something that the next event brings into the world (contract, "Ids")."""
        event = ids.event_id(self.subject, self.sequence + 1)
        return ids.derived_id(event, name if number == 1 else f"{name}/{number}")

    def tell(self, data: EventData) -> None:
        """Say one event, and fold it."""
        number = self.sequence + 1
        event = Envelope(
            id=ids.event_id(self.subject, number),
            source=SOURCE,
            type=data.type,
            subject=self.subject,
            time=self.at,
            dataschema=schema_of(data.type),
            authority=self.directory.id,
            sequence=number,
            causationid=self.given.envelope.id,
            actor=self.actor,
            data=data.model_dump(mode="json", exclude_none=True),
        )
        self.state = self._fold(self.state, event, data)
        self.told.append(event)
        self.outputs.append(Output(topics.EVENTS, self.subject, event))


class MessageHearing(Hearing[Message]):
    """A hearing about a message. `others`: messages of the same partition that the command names."""

    def __init__(self, *args: Any, others: Sequence[Message] = ()) -> None:
        super().__init__(*args)
        self.others = {other.message_id: other for other in others}

    @property
    def message(self) -> Message:
        if self.state is None:
            raise NothingHeard(self.subject)
        return self.state

    @property
    def act(self) -> Act:
        """The act that judges this message: the one it was registered under, for ever."""
        return self.directory.act(self.message.law, self.message.regulation)

    def tell(self, data: EventData) -> None:
        """Say one event, its copies, and who is told of it where the act asks for that."""
        self._tell(data)
        for notice in notices.due(self.act, data):
            self._tell(notice)

    def _tell(self, data: EventData) -> None:
        super().tell(data)
        self.outputs.extend(outbox.copies(self.told[-1], data, self.message, self.act))


class PeriodHearing(Hearing[Period]):
    """A hearing about the report of a period `about`."""

    def __init__(self, *args: Any, about: periods.Period) -> None:
        super().__init__(*args)
        self.about = about

    @property
    def act(self) -> Act:
        """The act that judges this report: the period's own, whenever the command comes."""
        return periods.act_of_period(self.directory, self.about)


def accepted_events(told: Sequence[Envelope]) -> tuple[AcceptedEvent, ...]:
    """The events as an accepted outcome lists them."""
    return tuple(
        AcceptedEvent(id=event.id, type=event.type, sequence=event.sequence or 0, time=event.time, data=event.data)
        for event in told
    )
