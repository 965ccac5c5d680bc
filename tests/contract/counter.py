"""Two tiny deciders that use all of the runtime: a counter with commands and outcomes, and an echo of its events."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from schemas.envelope import Envelope
from services.runtime.decider import Agenda, Due, Input, Output, Scope, States, Sweep, UnknownEvent, Unreadable


class Counter(BaseModel):
    count: int = 0
    sequence: int = 0
    rings: tuple[datetime, ...] = ()
    rang: int = 0
    version: int = 1


class Outcome(BaseModel):
    accepted: bool
    count: int


class World(BaseModel):
    noted: tuple[str, ...] = ()


def envelope(kind: str, subject: str, identity: str, at: datetime, **data: Any) -> Envelope:
    return Envelope(id=identity, source="test", type=kind, subject=subject, time=at, data=data)


def message(subject: str | None) -> str:
    return f"message/{subject}"


class CounterDecider:
    """`add n` is refused below zero; `set-ring at`; `ring until` sweeps; `note` goes to the world; `explode` raises."""

    name = "counter"
    source = "inbox"
    said: tuple[str, ...] = ("events", "outcomes")
    remembers_source = False

    def __init__(self, state_version: int = 1, step: int = 1) -> None:
        self.state_version = state_version
        self.step = step
        self.decided: list[tuple[int, bool]] = []

    def scope(self, given: Input) -> Scope:
        kind = given.envelope.type
        if kind == "ring":
            until = given.envelope.data.get("until")
            return Scope((), (Sweep("ring", None if until is None else datetime.fromisoformat(until)),))
        if kind not in {"add", "set-ring", "note", "explode", "talk"}:
            raise Unreadable("unknown-type", kind)
        return Scope((message(given.envelope.subject), f"command/{given.envelope.id}"))

    def decide(self, states: States, given: Input, due: Due | None) -> Sequence[Output]:
        self.decided.append((given.offset, due is not None))
        asked = given.envelope
        subject = str(asked.subject)
        if due is not None:
            key = due.key.removeprefix("message/")
            counter = states[due.key]
            assert isinstance(counter, Counter)
            return [self._event("rang", key, counter.sequence + 1, given, when=due.entry.item)]
        if asked.type == "ring":
            return [Output("events", "ring", envelope("noted", "ring", f"noted-{asked.id}", given.at, text=asked.id))]
        if asked.type == "explode":
            raise RuntimeError("as asked")
        earlier = states.get(f"command/{asked.id}")
        if isinstance(earlier, Outcome):
            return [self._outcome(given, earlier.accepted, earlier.count, repeated=True)]
        found = states.get(message(subject), Counter())
        assert isinstance(found, Counter)
        if asked.type == "note":
            return [Output("events", subject, envelope("noted", subject, asked.id, given.at, text=asked.data["text"]))]
        if asked.type == "set-ring":
            return [self._event("ring-set", subject, found.sequence + 1, given, when=asked.data["when"])]
        if asked.type == "talk":
            return [
                self._event("added", subject, found.sequence + 1 + number, given, n=1, text="x" * asked.data["bytes"])
                for number in range(asked.data["events"])
            ]
        count = found.count + int(asked.data["n"])
        if count < 0:
            return [self._outcome(given, False, found.count)]
        return [
            self._event("added", subject, found.sequence + 1, given, n=asked.data["n"]),
            self._outcome(given, True, count),
        ]

    def _event(self, kind: str, subject: str, sequence: int, given: Input, **data: Any) -> Output:
        said = envelope(kind, subject, f"{subject}-{sequence}", given.at, **data)
        return Output(
            "events", subject, said.model_copy(update={"sequence": sequence, "causationid": given.envelope.id})
        )

    def _outcome(self, given: Input, accepted: bool, count: int, repeated: bool = False) -> Output:
        kind = "accepted" if accepted else "refused"
        asked = given.envelope
        said = envelope(
            kind, str(asked.subject), f"{asked.id}-{given.offset}", given.at, count=count, repeated=repeated
        )
        return Output("outcomes", str(asked.subject), said.model_copy(update={"causationid": asked.id}))

    def refuse(self, given: Input, reason: str, detail: str) -> Sequence[Output]:
        return [self._outcome(given, False, -1)]

    def keys_of(self, topic: str, event: Envelope) -> Sequence[str]:
        if topic == "outcomes":
            return [f"command/{event.causationid}"]
        return ["world/notes"] if event.type == "noted" else [message(event.subject)]

    def evolve(self, key: str, state: BaseModel | None, topic: str, event: Envelope) -> BaseModel | None:
        if topic == "outcomes":
            return state or Outcome(accepted=event.type == "accepted", count=event.data["count"])
        if event.type == "noted":
            world = state if isinstance(state, World) else World()
            return World(noted=(*world.noted, event.data["text"]))
        if event.type not in {"added", "ring-set", "rang"}:
            raise UnknownEvent(event.type)
        counter = state if isinstance(state, Counter) else Counter()
        sequence = event.sequence or 0
        if sequence <= counter.sequence:
            return counter
        if event.type == "added":
            if event.data["n"] == 666:
                raise ArithmeticError("a number that this version cannot bear")
            change: dict[str, Any] = {"count": counter.count + self.step * int(event.data["n"])}
        elif event.type == "ring-set":
            change = {"rings": (*counter.rings, datetime.fromisoformat(event.data["when"]))}
        else:
            rings = tuple(at for at in counter.rings if at.isoformat() != event.data["when"])
            change = {"rings": rings, "rang": counter.rang + 1}
        return counter.model_copy(update=change | {"sequence": sequence, "version": self.state_version})

    def agenda(self, key: str, state: BaseModel) -> Iterable[Agenda]:
        rings = state.rings if isinstance(state, Counter) else ()
        return [Agenda("ring", at.astimezone(UTC), at.isoformat()) for at in rings]

    def encode(self, key: str, state: BaseModel) -> bytes:
        return state.model_dump_json().encode()

    def decode(self, key: str, body: bytes) -> BaseModel:
        kind = World if key.startswith("world/") else Outcome if key.startswith("command/") else Counter
        return kind.model_validate_json(body)

    def remembered(self, key: str) -> bool:
        return not key.startswith("command/")


class Echo(BaseModel):
    heard: tuple[str, ...] = ()
    echoed: int = 0
    trail: tuple[str, ...] = ()


class EchoDecider:
    """Says `echoed` on `deadlines` for every `added` that it hears; `poisonous` numbers make it raise."""

    name = "echo"
    state_version = 1
    source = "events"
    said: tuple[str, ...] = ("deadlines",)
    remembers_source = True

    def __init__(self, poisonous: int | None = 13) -> None:
        self.poisonous = poisonous

    def scope(self, given: Input) -> Scope:
        if given.envelope.type == "reached":
            return Scope((), (Sweep("owed", given.at),))
        return Scope(tuple(self.keys_of("events", given.envelope)))

    def decide(self, states: States, given: Input, due: Due | None) -> Sequence[Output]:
        event = given.envelope
        if due is not None:
            subject = due.key.removeprefix("message/")
            return [Output("deadlines", subject, envelope("owed", subject, f"owed-{due.entry.item}", given.at))]
        if event.type == "unheard-of":
            raise UnknownEvent(event.type)
        if event.type != "added":
            return []
        if event.data["n"] == self.poisonous:
            raise ZeroDivisionError("poison")
        echo = states.get(message(event.subject), Echo())
        assert isinstance(echo, Echo)
        said = envelope("echoed", str(event.subject), f"echo-{event.id}", given.at, of=event.id, before=len(echo.heard))
        return [Output("deadlines", str(event.subject), said)]

    def refuse(self, given: Input, reason: str, detail: str) -> Sequence[Output]:
        return []

    def keys_of(self, topic: str, event: Envelope) -> Sequence[str]:
        return ["world/reached"] if event.type == "reached" else [message(event.subject)]

    def evolve(self, key: str, state: BaseModel | None, topic: str, event: Envelope) -> BaseModel | None:
        if key.startswith("world/"):
            return World(noted=(event.id,))
        echo = state if isinstance(state, Echo) else Echo()
        if topic == "deadlines":
            return echo.model_copy(update={"echoed": echo.echoed + 1, "trail": (*echo.trail, event.id)})
        if event.type not in {"added", "ring-set", "rang"}:
            raise UnknownEvent(event.type)
        return echo.model_copy(update={"heard": (*echo.heard, event.id), "trail": (*echo.trail, event.id)})

    def agenda(self, key: str, state: BaseModel) -> Iterable[Agenda]:
        return ()

    def encode(self, key: str, state: BaseModel) -> bytes:
        return state.model_dump_json().encode()

    def decode(self, key: str, body: bytes) -> BaseModel:
        return (World if key.startswith("world/") else Echo).model_validate_json(body)

    def remembered(self, key: str) -> bool:
        return True
