"""Two merges: an authority's own numbers into its act, and a newer file into what operators have amended since."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from regulations.authority import Authority, Override
from regulations.model import Act, Reading, Reduced, Rule


def act_in_force(act: Act, authority: Authority) -> Act:
    """The act as the authority applies it: reduced numbers that the text leaves open (reading 10), and readings that the
    authority overrides. The act itself is never changed, only copied."""
    rules = dict(act.rules)
    for name, term in authority.reduced.items():
        if name in rules:
            reduced = Reduced(paragraph=act.reducing.paragraph, term=None if term == "none" else term)
            rules[name] = rules[name].model_copy(update={"reduced": reduced})
    summary = act.summary
    readings = {entry.reading: entry for entry in act.readings}
    for override in authority.overrides:
        for name in override.rules:
            if name in rules:
                rules[name] = _overridden(rules[name], override)
        if override.due_day is not None:
            summary = summary.model_copy(update={"due_day": override.due_day})
            rules["summary"] = Rule(
                paragraph=summary.paragraph, term=timedelta(days=override.due_day), clock="plain", owed_by="coordinator"
            )
        paragraph = readings[override.reading].paragraph if override.reading in readings else None
        note = f"{override.note} ({override.basis})"
        readings[override.reading] = Reading(reading=override.reading, paragraph=paragraph, note=note)
    ordered = tuple(readings[number] for number in sorted(readings))
    return act.model_copy(update={"rules": rules, "summary": summary, "readings": ordered})


def _overridden(rule: Rule, override: Override) -> Rule:
    said = {"clock": override.clock, "warn": override.warn}
    return rule.model_copy(update={name: value for name, value in said.items() if value is not None})


def three_way(old: Any, new: Any, current: Any) -> Any:
    """What `current` becomes when a file changes from `old` to `new`: only what the file changed is changed, so that a
    decree that an operator entered outlives the next edition of the file, unless the file speaks of the same thing."""
    if old == new:
        return current
    if current == old:
        return new
    if type(old) is type(new) is type(current) and isinstance(new, BaseModel):
        fields = type(new).model_fields
        return new.model_copy(
            update={name: three_way(getattr(old, name), getattr(new, name), getattr(current, name)) for name in fields}
        )
    if all(isinstance(value, dict) for value in (old, new, current)):
        return _by_key(old, new, current)
    if all(isinstance(value, tuple) for value in (old, new, current)) and _keyed([*old, *new, *current]):
        keyed = ({_key(item): item for item in value} for value in (old, new, current))
        return tuple(_by_key(*keyed).values())
    return new


def _by_key(old: dict[Any, Any], new: dict[Any, Any], current: dict[Any, Any]) -> dict[Any, Any]:
    merged: dict[Any, Any] = {}
    for key in dict.fromkeys((*new, *current)):
        value = three_way(old.get(key), new.get(key), current.get(key))
        if value is not None:
            merged[key] = value
    return merged


def _key(item: Any) -> Any:
    return getattr(item, "key", None) or getattr(item, "date", None)


def _keyed(items: Iterable[Any]) -> bool:
    return all(_key(item) is not None for item in items)
