"""What forms are made of: a command of workflow, its fields, and how each one's text becomes JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from services.reporting.exports import words
from services.reporting.projections.register import Draft

Kind = Literal[
    "text", "area", "select", "checks", "number", "bool", "hidden", "fixed", "route", "url", "files", "instant", "message"
]  # fmt: skip
Options = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a command's `data`. `kind` says how its text becomes JSON: `checks` is a list of those ticked and, where
    `other` names a label, of what else is typed by commas; `files` a list of attachments, one address a line; `instant` local
    time with the authority's `offset`; `message` the id out of a message's address; `fixed` a hidden number. `value` of `checks`: joined by commas."""

    name: str
    label: str = ""
    kind: Kind = "text"
    required: bool = False
    value: str = ""
    options: Options = ()
    hint: str = ""
    other: str = ""
    offset: str = ""

    @property
    def values(self) -> list[str]:
        return [part for part in self.value.split(",") if part]


@dataclass(frozen=True, slots=True)
class Form:
    """A command. `first`: what is waited for now, shown open; `danger`: it takes something away; `about`: whom it concerns."""

    command: str
    title: str
    button: str
    fields: Sequence[Field] = field(default_factory=tuple)
    first: bool = False
    danger: bool = False
    about: str = ""


def area(name: str, label: str, *, required: bool = True, hint: str = "", value: str = "") -> Field:
    return Field(name, label, "area", required, value, hint=hint)


def hidden(name: str, value: str) -> Field:
    return Field(name, kind="hidden", value=value)


def draft_id(draft: Draft) -> Field:
    return hidden("draft_id", draft.draft_id)


def scores(name: str, label: str, *, required: bool) -> Field:
    """From 5, the best, down to 1."""
    none = [] if required else [("", "без оценки")]
    options = [*none, *((str(score), str(score)) for score in range(5, 0, -1))]
    return Field(name, label, "number", required, options=options)


def files() -> Field:
    return Field("attachments", "Фото, видео, документы", "files", hint="ссылки, по одной в строке")


def kind_of(draft: Draft) -> str:
    return words.of(words.KINDS, draft.kind)
