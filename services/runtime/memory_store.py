"""What a decider's runtime keeps, in memory: the semantics of the PostgreSQL one, for tests and simulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.runtime.decider import WORLD, Agenda
from services.runtime.store import AgendaEntry, Changes, Held, Kept, OwnershipLost, Place, Quarantined, Said, Stored


@dataclass(slots=True)
class _Partition:
    owner: str = ""
    place: Place = field(default_factory=Place)
    states: dict[str, Stored] = field(default_factory=dict)
    agenda: dict[str, tuple[Agenda, ...]] = field(default_factory=dict)
    kept: dict[tuple[str, str, int], Kept] = field(default_factory=dict)
    parked: dict[tuple[str, str, int], Kept] = field(default_factory=dict)
    quarantine: dict[str, Quarantined] = field(default_factory=dict)
    said: dict[tuple[str, int], Said] = field(default_factory=dict)


class MemoryStore:
    """`fault` is called by the name of every point where a process may die or a reply be lost; it raises what is to
    happen there: `save.before`, `save.after`, `claim.after`."""

    def __init__(self, fault: Callable[[str], None] = lambda point: None) -> None:
        self.fault = fault
        self.partitions: dict[int, _Partition] = {}
        self.saves: list[Changes] = []

    def _of(self, partition: int) -> _Partition:
        return self.partitions.setdefault(partition, _Partition())

    def _read(self, partition: int, held: Held | None) -> _Partition:
        found = self._of(partition)
        if held is not None and (found.owner, found.place.serial) != (held.owner, held.serial):
            raise OwnershipLost(f"{partition}")
        return found

    async def claim(self, partition: int, owner: str) -> Place:
        kept = self._of(partition)
        kept.owner = owner
        self.fault("claim.after")
        return kept.place

    async def wipe(self, partition: int, owner: str) -> Place:
        if self._of(partition).owner != owner:
            raise OwnershipLost(f"{partition}")
        serial = self._of(partition).place.serial + 1
        self.partitions[partition] = _Partition(owner, Place(serial))
        return Place(serial)

    async def states(self, partition: int, keys: Sequence[str], held: Held | None = None) -> dict[str, Stored]:
        stored = self._read(partition, held).states
        return {key: stored[key] for key in keys if key in stored}

    async def world(self, partition: int, held: Held | None = None) -> dict[str, Stored]:
        return {key: state for key, state in self._read(partition, held).states.items() if key.startswith(WORLD)}

    async def kept(self, partition: int, keys: Sequence[str], held: Held | None = None) -> dict[str, list[Kept]]:
        rows = sorted(self._read(partition, held).kept.values(), key=Kept.order)
        return {key: [row for row in rows if row.key == key] for key in keys}

    async def parked(self, partition: int, key: str, held: Held | None = None) -> list[Kept]:
        return sorted((row for row in self._read(partition, held).parked.values() if row.key == key), key=Kept.order)

    async def agenda(
        self,
        partition: int,
        name: str,
        until: datetime | None,
        after: tuple[datetime, str, str] | None,
        limit: int,
        held: Held | None = None,
    ) -> list[AgendaEntry]:
        found = [
            AgendaEntry(entry, key)
            for key, entries in self._read(partition, held).agenda.items()
            for entry in entries
            if entry.name == name and (until is None or entry.at <= until)
        ]
        found.sort(key=AgendaEntry.order)
        return [one for one in found if after is None or one.order() > after][:limit]

    async def quarantined(self, partition: int, held: Held | None = None) -> list[Quarantined]:
        return [row for _, row in sorted(self._read(partition, held).quarantine.items())]

    async def next_at(self, partition: int, names: Sequence[str]) -> datetime | None:
        agenda = self._of(partition).agenda
        return min((entry.at for entries in agenda.values() for entry in entries if entry.name in names), default=None)

    async def place(self, partition: int) -> Place | None:
        return self.partitions[partition].place if partition in self.partitions else None

    async def save(self, changes: Changes) -> None:
        self.fault("save.before")
        stored = self._of(changes.partition)
        if stored.owner != changes.owner or stored.place.serial != changes.old.serial:
            raise OwnershipLost(f"{changes.partition}")
        stored.place = replace(changes.new, serial=changes.old.serial + 1)
        for key, body in changes.bodies.items():
            stored.states[key] = Stored(changes.version, body)
        for key, state in changes.states.items():
            stored.agenda.pop(key, None)
            if state is None:
                stored.states.pop(key, None)
            elif changes.agenda.get(key):
                stored.agenda[key] = changes.agenda[key]
        for row in changes.kept:
            stored.kept.setdefault((row.key, row.topic, row.offset), row)
        for key in changes.released:
            stored.quarantine.pop(key, None)
            stored.parked = {place: row for place, row in stored.parked.items() if row.key != key}
        for row in changes.parked:
            stored.parked.setdefault((row.key, row.topic, row.offset), row)
        for bad in changes.quarantined:
            stored.quarantine[bad.key] = bad
        for said in changes.said:
            stored.said[said.position.topic, said.position.offset] = said
        self.saves.append(changes)
        self.fault("save.after")
