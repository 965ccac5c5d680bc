"""The real deciders, with what is frozen and costly to make of the law made once; and the workflow of the next release.

An authority's directory is the same in every seed, so its folds, its bytes and its reading are remembered over all of them.
Nothing else is touched: what is remembered is what the real function gave for these arguments.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from regulations.directory import Directory
from schemas.envelope import Envelope
from schemas.events import Registered
from services.runtime.decider import Decider
from services.sla.decider import Sla
from services.workflow.decider import WorkflowDecider

_SLA = Sla(2)
_WORKFLOW = WorkflowDecider()
_encoded: dict[tuple[str, int], tuple[BaseModel, bytes]] = {}
_evolved: dict[tuple[Any, ...], tuple[BaseModel | None, BaseModel | None]] = {}
REMEMBERED = 5000


@lru_cache(maxsize=500)
def _decoded(body: bytes) -> Directory:
    return Directory.model_validate_json(body)


def _encode(name: str, real: Decider, key: str, state: BaseModel) -> bytes:
    found = _encoded.get((name, id(state)))
    if found is None:
        if len(_encoded) > REMEMBERED:
            _encoded.clear()
        # The state is kept beside its bytes, so that no other can come to have its address.
        found = _encoded[name, id(state)] = (state, real.encode(key, state))
    return found[1]


def _evolve(
    name: str, real: Decider, key: str, state: BaseModel | None, topic: str, event: Envelope
) -> BaseModel | None:
    mark = (name, key, id(state), event.id, event.time, event.data.get("hash"), event.data.get("number"))
    found = _evolved.get(mark)
    if found is None:
        if len(_evolved) > REMEMBERED:
            _evolved.clear()
        found = _evolved[mark] = (state, real.evolve(key, state, topic, event))
    return found[1]


LAW = "world/authority/"


class SimWorkflow(WorkflowDecider):
    def encode(self, key: str, state: BaseModel) -> bytes:
        return _encode("workflow", _WORKFLOW, key, state) if key.startswith(LAW) else super().encode(key, state)

    def decode(self, key: str, body: bytes) -> BaseModel:
        return _decoded(body) if key.startswith(LAW) else super().decode(key, body)

    def evolve(self, key: str, state: BaseModel | None, topic: str, event: Envelope) -> BaseModel | None:
        if key.startswith(LAW):
            return _evolve("workflow", _WORKFLOW, key, state, topic, event)
        return super().evolve(key, state, topic, event)


class NextWorkflow(SimWorkflow):
    """The next release takes a post for as old as its detection, where nobody says more. That changes what `evolve` makes of
    an event and nothing that is decided, so the version is raised, and what both releases say is the same."""

    @property
    def state_version(self) -> int:
        return super().state_version + 1

    def evolve(self, key: str, state: BaseModel | None, topic: str, event: Envelope) -> BaseModel | None:
        if event.type == Registered.type:
            known = {"posted_at": event.data["detected_at"]} | event.data
            event = event.model_copy(update={"data": known})
        return super().evolve(key, state, topic, event)


class SimSla(Sla):
    def encode(self, key: str, state: BaseModel) -> bytes:
        return _encode("sla", _SLA, key, state) if key.startswith(LAW) else super().encode(key, state)

    def decode(self, key: str, body: bytes) -> BaseModel:
        return _decoded(body) if key.startswith(LAW) else super().decode(key, body)

    def evolve(self, key: str, state: BaseModel | None, topic: str, event: Envelope) -> BaseModel | None:
        if key.startswith(LAW):
            return _evolve("sla", _SLA, key, state, topic, event)
        return super().evolve(key, state, topic, event)
