"""The states of one partition in memory: the world, what was used lately, and what is changed and not stored yet."""

from __future__ import annotations

from collections import ChainMap, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pydantic import BaseModel

from schemas.envelope import Envelope
from services.runtime.dead_letters import FAILED, described
from services.runtime.decider import WORLD, Agenda, Decider, UnknownEvent
from services.runtime.store import DeciderStore, Held, Kept, Place, Quarantined, Stored

CACHED_STATES = 20_000


class PartitionStopped(Exception):
    """The partition cannot go on, and says why, in Russian: nothing is skipped. It takes a newer version, or an operator."""


class Needs(Exception):
    """States that were not foreseen are needed: load them and try again (everything tried is pure)."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(", ".join(keys))
        self.keys = tuple(keys)


def fold(decider: Decider, key: str, events: Iterable[Kept], state: BaseModel | None = None) -> BaseModel | None:
    """The state that the events make, in their order."""
    for event in events:
        state = decider.evolve(key, state, event.topic, Envelope.from_bytes(event.body))
    return state


class States:
    """A key whose stored events cannot be folded joins `quarantined`, and waits in `drained` to be stored there."""

    def __init__(
        self,
        decider: Decider,
        store: DeciderStore,
        partition: int,
        held: Held,
        quarantined: set[str],
        limit: int = CACHED_STATES,
    ) -> None:
        self._decider = decider
        self._store = store
        self._partition = partition
        self.held = held
        """As what is stored was left: all that is loaded is loaded under it."""
        self._quarantined = quarantined
        self._broken: list[tuple[str, Exception]] = []
        self._limit = limit
        self._world: dict[str, BaseModel] = {}
        self._cache: OrderedDict[str, BaseModel | None] = OrderedDict()
        self.changed: dict[str, BaseModel | None] = {}
        self.bodies: dict[str, bytes] = {}
        self.agenda: dict[str, tuple[Agenda, ...]] = {}

    async def open(self) -> None:
        """Load the world."""
        for key, state in (await self._decoded(await self._store.world(self._partition, self.held))).items():
            if state is not None:
                self._world[key] = state

    async def ensure(self, keys: Iterable[str]) -> None:
        """Load, in one query, the states that are not here yet."""
        missing = sorted({key for key in keys if not self._known(key)})
        if not missing:
            return
        states = await self._decoded(await self._store.states(self._partition, missing, self.held))
        for key in missing:
            if key not in self.changed:
                self._cache[key] = states.get(key)

    def _known(self, key: str) -> bool:
        return key.startswith(WORLD) or key in self.changed or key in self._cache

    async def _decoded(self, stored: Mapping[str, Stored]) -> dict[str, BaseModel | None]:
        decider = self._decider
        found: dict[str, BaseModel | None] = {}
        stale = [
            key for key, state in stored.items() if state.version != decider.state_version and decider.remembered(key)
        ]
        histories = await self._store.kept(self._partition, stale, self.held) if stale else {}
        for key, state in stored.items():
            try:
                if key in histories:
                    refolded = fold(decider, key, histories[key])
                    found[key] = refolded
                    self.put(key, refolded, *self.rendered(key, refolded))
                else:
                    found[key] = decider.decode(key, state.body)
            except UnknownEvent as error:
                raise PartitionStopped(f"{key}: {error}") from error
            except MemoryError:
                raise
            except Exception as error:
                # A replayed event that raises is quarantined: letting it through would be a crash loop for ever.
                if key.startswith(WORLD):
                    raise PartitionStopped(f"{key} не сворачивается: {described(error)}") from error
                self._quarantined.add(key)
                self._broken.append((key, error))
                found[key] = None
        return found

    def drained(self, code_version: str) -> list[Quarantined]:
        """Keys that were found broken since the last call, to be stored."""
        broken, self._broken = self._broken, []
        return [Quarantined(key, "", -1, FAILED, described(error), code_version) for key, error in broken]

    def rendered(self, key: str, state: BaseModel | None) -> tuple[bytes | None, tuple[Agenda, ...]]:
        """The body and the agenda of a state, as they are stored."""
        if state is None:
            return None, ()
        return self._decider.encode(key, state), tuple(self._decider.agenda(key, state))

    def get(self, key: str) -> BaseModel | None:
        """Raises `Needs` when the state is not here."""
        if key in self.changed:
            return self.changed[key]
        if key.startswith(WORLD):
            return self._world.get(key)
        try:
            state = self._cache[key]
        except KeyError:
            raise Needs([key]) from None
        self._cache.move_to_end(key)
        return state

    def agenda_of(self, key: str) -> Iterable[Agenda]:
        """The agenda of a state that is here, as it will be stored; raises `Needs` when it is not here."""
        state = self.get(key)
        if key in self.agenda:
            return self.agenda[key]
        return () if state is None else self._decider.agenda(key, state)

    def view(self, keys: Iterable[str], over: Mapping[str, BaseModel | None] | None = None) -> Mapping[str, BaseModel]:
        """The states of these keys, and the world; a key without a state is absent."""
        lacking = [key for key in keys if not self._known(key)]
        if lacking:
            raise Needs(lacking)
        asked = {key: state for key in keys if (state := self.get(key)) is not None}
        return ChainMap(asked, self._world)

    def put(self, key: str, state: BaseModel | None, body: bytes | None, agenda: tuple[Agenda, ...]) -> None:
        self.changed[key] = state
        self.bodies.pop(key, None)
        self.agenda.pop(key, None)
        if state is not None and body is not None:
            self.bodies[key] = body
            self.agenda[key] = agenda
        if key.startswith(WORLD):
            if state is None:
                self._world.pop(key, None)
            else:
                self._world[key] = state

    def forget(self, key: str) -> None:
        """Drop what is here of a key, so that it is loaded anew."""
        self.changed.pop(key, None)
        self.bodies.pop(key, None)
        self.agenda.pop(key, None)
        self._cache.pop(key, None)

    def saved(self, place: Place) -> None:
        """What was changed is stored now, at this place."""
        self.held = replace(self.held, serial=place.serial)
        for key, state in self.changed.items():
            if not key.startswith(WORLD):
                self._cache[key] = state
                self._cache.move_to_end(key)
        self.changed, self.bodies, self.agenda = {}, {}, {}
        while len(self._cache) > self._limit:
            self._cache.popitem(last=False)
