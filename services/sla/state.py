"""States by key, and their canonical JSON: facts and what was said stand in one state, and are never mixed."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from regulations.directory import Directory
from schemas.as_bytes import as_bytes
from services.sla.facts import Facts
from services.sla.said import Said

MESSAGE, PERIOD, AUTHORITY, PERIODS = "message/", "period/", "world/authority/", "world/periods/"


class Subject(BaseModel):
    """A message or a period. `facts` None: a period, or a message that sla has only spoken of so far."""

    model_config = ConfigDict(frozen=True)
    facts: Facts | None = None
    said: Said | None = None
    sequence: int = 0
    """Of a period: the last of its events. A message's stands in its facts."""


class Periods(BaseModel):
    """Of an authority: periods whose summary was set, or delivered before its term began. Twelve a year at most."""

    model_config = ConfigDict(frozen=True)
    done: tuple[str, ...] = ()


def shape_of(key: str) -> type[BaseModel]:
    """The model of the state under a key. Raises KeyError on a key of nobody."""
    for prefix, shape in (
        (MESSAGE, Subject),
        (PERIOD, Subject),
        (AUTHORITY, Directory),
        (PERIODS, Periods),
    ):
        if key.startswith(prefix):
            return shape
    raise KeyError(key)


def encode(state: BaseModel) -> bytes:
    """Canonical JSON: the same state gives the same bytes, whatever order its fields came in."""
    return as_bytes(state, exclude_defaults=True)


def decode(key: str, body: bytes) -> BaseModel:
    return shape_of(key).model_validate_json(body)
