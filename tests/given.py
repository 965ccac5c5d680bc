"""Given–when–then for any decider: one partition, folded exactly as the runtime folds it, without Kafka or PostgreSQL.

`Partition.when(envelope, at)` gives what the decider says, and has it folded from the bytes of the log. Only the states that
`scope` asked for (and the world) are shown to `decide`; every state is put away as its JSON and read back from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel

from schemas.envelope import Envelope
from services.runtime.decider import WORLD, Decider, Input, Output, Unreadable


@dataclass
class Partition:
    """`log`: everything said so far; `dead`: reasons of what went to the dead letters."""

    decider: Decider
    states: dict[str, BaseModel] = field(default_factory=dict)
    log: list[Output] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    offset: int = 0
    number: int = 0

    def when(self, envelope: Envelope, at: datetime, headers: Mapping[str, bytes] | None = None) -> Sequence[Output]:
        """What is said of one record of the inbox at that event time."""
        given = Input(Envelope.from_bytes(envelope.to_bytes()), at, self.number, self.offset, headers or {})
        self.offset += 1
        try:
            said = self._decided(given)
        except Unreadable as unreadable:
            self.dead.append(unreadable.reason)
            said = self.decider.refuse(given, unreadable.reason, unreadable.detail)
        self.log.extend(said)
        for output in said:
            self.fold(output.topic, Envelope.from_bytes(output.envelope.to_bytes()))
        return said

    def _decided(self, given: Input) -> Sequence[Output]:
        scope = self.decider.scope(given)
        assert not scope.sweeps, "a partition without an agenda"
        asked = {key: state for key, state in self.states.items() if key.startswith(WORLD) or key in scope.keys}
        first = self.decider.decide(asked, given, None)
        assert self.decider.decide(asked, given, None) == first, "decide is not a function of its arguments"
        return first

    def fold(self, topic: str, event: Envelope) -> None:
        """One record of the decider's own topics into the states; others change nothing."""
        if topic not in self.decider.said:
            return
        for key in self.decider.keys_of(topic, event):
            state = self.decider.evolve(key, self.states.get(key), topic, event)
            if state is None:
                self.states.pop(key, None)
            else:
                self.states[key] = self.decider.decode(key, self.decider.encode(key, state))

    def refolded(self) -> dict[str, BaseModel]:
        """The states of an empty partition that has folded the same log."""
        other = Partition(self.decider)
        for output in self.log:
            other.fold(output.topic, Envelope.from_bytes(output.envelope.to_bytes()))
        return other.states
