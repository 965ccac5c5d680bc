"""What a partition has decided and not yet written: it becomes one Kafka transaction, then one of PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.runtime.decider import Decider
from services.runtime.deciding import Spoken, Trial
from services.runtime.headers import Cursor
from services.runtime.log import Outgoing, Position, Session
from services.runtime.states import States
from services.runtime.store import Changes, DeciderStore, Kept, Place, Quarantined, Said


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a transaction may grow: inputs, outputs, and bytes of what comes in and of what goes out."""

    batch_max: int = 500
    outputs_max: int = 1000
    bytes_max: int = 4 * 1024 * 1024


@dataclass(slots=True)
class _Pending:
    spoken: list[Spoken] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    parked: list[Kept] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    released: list[str] = field(default_factory=list)
    size: int = 0


class Transactions:
    """The transactions of one partition, one after the other. Kafka's comes first: what PostgreSQL misses is folded
    from the log, what Kafka misses would be a state that nobody ever said."""

    def __init__(
        self,
        decider: Decider,
        store: DeciderStore,
        session: Session,
        states: States,
        quarantined: set[str],
        partition: int,
        owner: str,
        place: Place,
        limits: Limits,
        code_version: str,
    ) -> None:
        self._decider = decider
        self._store = store
        self._session = session
        self._states = states
        self.quarantined = quarantined
        self.partition = partition
        self._owner = owner
        self._limits = limits
        self._code_version = code_version
        self._pending = _Pending()
        self.place = place

    def accept(self, trial: Trial) -> None:
        for key, state in trial.states.items():
            self._states.put(key, state, *trial.rendered[key])
        for spoken in trial.spoken:
            self.speak(spoken)

    def speak(self, spoken: Spoken) -> None:
        self._pending.spoken.append(spoken)
        self._pending.size += spoken.outgoing.size()

    def keep(self, row: Kept) -> None:
        self._pending.kept.append(row)
        self._pending.size += len(row.body)

    def park(self, row: Kept) -> None:
        self._pending.parked.append(row)
        self._pending.size += len(row.body)

    def quarantine(self, row: Quarantined) -> None:
        self.quarantined.add(row.key)
        self._pending.quarantined.append(row)

    def release(self, key: str) -> None:
        self.quarantined.discard(key)
        self._pending.released.append(key)

    def full(self) -> bool:
        return len(self._pending.spoken) >= self._limits.outputs_max or self._pending.size >= self._limits.bytes_max

    async def flush(self, next_offset: int, at: datetime | None, unfinished: Cursor | None) -> None:
        """Write and store what is pending. `next_offset`: the source's next record; `unfinished`: how far it has come."""
        pending, self._pending = self._pending, _Pending()
        pending.quarantined += self._states.drained(self._code_version)
        outgoing = [_marked(spoken, unfinished) for spoken in pending.spoken]
        consumed = next_offset if next_offset > self.place.offsets[self._decider.source] else None
        if consumed is None and unfinished == self.place.cursor and pending == _Pending() and not self._states.changed:
            return
        positions: Sequence[Position] = []
        if outgoing or consumed is not None:
            positions = await self._session.commit(outgoing, consumed)
        changes = self._changes(pending, positions)
        changes.new = replace(
            self.place,
            offsets=self._offsets(positions) | {self._decider.source: next_offset},
            at=at,
            cursor=unfinished,
        )
        await self._store.save(changes)
        self.place = changes.stored_place
        self._states.saved(self.place)

    def _offsets(self, positions: Sequence[Position]) -> dict[str, int]:
        offsets = dict(self.place.offsets)
        for position in positions:
            if position.topic in self._decider.said and position.partition == self.partition:
                offsets[position.topic] = max(offsets[position.topic], position.offset + 1)
        return offsets

    def _changes(self, pending: _Pending, positions: Sequence[Position]) -> Changes:
        decider = self._decider
        changes = Changes(
            self.partition,
            self._owner,
            self.place,
            self.place,
            decider.state_version,
            states=dict(self._states.changed),
            bodies=dict(self._states.bodies),
            agenda=dict(self._states.agenda),
            kept=pending.kept,
            parked=pending.parked,
            quarantined=pending.quarantined,
            released=pending.released,
        )
        for spoken, position in zip(pending.spoken, positions, strict=False):
            if spoken.envelope is None:
                continue
            changes.said.append(Said(spoken.envelope, position, spoken.cause))
            for key in spoken.keys:
                cause, body = spoken.cause, spoken.outgoing.value
                row = Kept(key, position.topic, position.offset, cause.offset, cause.index, cause.at, body)
                if key in spoken.parked:
                    changes.parked.append(row)
                elif decider.remembered(key):
                    changes.kept.append(row)
        return changes


def _marked(spoken: Spoken, unfinished: Cursor | None) -> Outgoing:
    """The record with its cause in the headers; where its input goes on in the next transaction, with its place too."""
    cause = spoken.cause
    goes_on = unfinished is not None and unfinished.offset == cause.offset
    said = spoken.outgoing
    headers = {**said.headers, **cause.to_headers(goes_on=goes_on)}
    return Outgoing(said.topic, said.key, said.value, headers, said.partition, said.stamp)
