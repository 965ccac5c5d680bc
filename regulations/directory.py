"""The law in force, folded from its amendments: what comes in is checked here, and counts from its number on.

Pure: no file, no clock, no library that may change. `Directory` itself stands in `in_force.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ValidationError

from regulations.agency import Serving
from regulations.agreement import disagreements, unknown
from regulations.amending import CHANGES, Change, Changes
from regulations.authority import Authority
from regulations.canonical import content_hash
from regulations.in_force import Directory, Law, Note, NotInForce
from regulations.merging import act_in_force, three_way
from regulations.model import Act
from regulations.working_time.calendar_year import CalendarYear
from regulations.working_time.schedule import Schedule
from regulations.wrong import Wrong, wrong
from schemas.events import Amended
from schemas.inbox import Amendment
from schemas.outcomes import Fault

__all__ = ["Directory", "NotInForce", "Serving", "amended", "evolve", "faults", "schedule", "unknown_of"]

DATA = ("data",)


def amended(directory: Directory | None, amendment_id: str, amendment: Amendment) -> Amended:
    """The event of an amendment without faults: numbered next, with the hash of its content."""
    return Amended(
        number=(directory.number if directory else 0) + 1,
        amendment_id=amendment_id,
        kind=amendment.kind,
        reason=amendment.reason,
        basis=amendment.basis,
        hash=content_hash(amendment.data),
        data=amendment.data,
    )


def evolve(directory: Directory | None, authority: str, amended: Amended, time: datetime) -> Directory:
    """The directory after an amendment; one whose number it has already changes nothing.

    `time` is the event's. Raises `ValidationError` (or `NotInForce`) on an amendment that `faults` would have refused:
    on our own log that is a record to be quarantined.
    """
    directory = directory or Directory(id=authority)
    if amended.number <= directory.number:
        return directory
    note = Note(
        number=amended.number,
        amendment_id=amended.amendment_id,
        kind=amended.kind,
        reason=amended.reason,
        basis=amended.basis,
        hash=amended.hash,
        time=time,
    )
    if amended.kind in FILED:
        changes = FILED[amended.kind](directory, amended.data)
    else:
        changes = _change(amended.kind, amended.data, amended.basis, amended.reason).changes(directory)
    changes |= {"number": amended.number, "amendments": (*directory.amendments, note)}
    changes["shaped"] = directory.shaped | dict.fromkeys(_shapes(directory, changes, amended), amended.number)
    return _with_laws(directory.model_copy(update=changes))


def faults(directory: Directory | None, authority: str, amendment: Amendment) -> list[Fault]:
    """Every fault of an amendment against the law in force, with JSON pointers into it and Russian texts; [] if it may
    be made. The kinds `act` and `calendar_year` may come before the authority's file, all others need it."""
    directory = directory or Directory(id=authority)
    return [Fault(pointer=entry.pointer, detail=entry.detail) for entry in _wrong(directory, amendment)]


def schedule(directory: Directory) -> Schedule:
    """The authority's working time: hours and calendar in its zone. Remembered; raises `NotInForce`."""
    return directory.working_schedule


def _wrong(directory: Directory, amendment: Amendment) -> list[Wrong]:
    kind, data = amendment.kind, amendment.data
    found = [] if amendment.reason.strip() else [Wrong(("reason",), "нужно сказать, почему меняется закон")]
    try:
        if kind in FILED:
            if kind == "authority":
                return found + _wrong_file(directory, Authority.model_validate(data))
            FILED_MODELS[kind].model_validate(data)
            return found
        if not directory.in_force:
            return [*found, Wrong(("kind",), f"орган {directory.id}: закон ещё не поступил (otklik law apply)")]
    except ValidationError as error:
        return found + _shapeless(error)
    return found + [Wrong((*DATA, *entry.place), entry.detail) for entry in _wrong_change(directory, amendment)]


def _shapeless(error: ValidationError) -> list[Wrong]:
    return [Wrong((*DATA, *entry.place), entry.detail) for entry in wrong(error)]


def _wrong_change(directory: Directory, amendment: Amendment) -> list[Wrong]:
    """Every fault of an operator's amendment: of its shape, and of what can be read of it all the same."""
    kind = CHANGES[amendment.kind]
    try:
        change = _change(amendment.kind, amendment.data, amendment.basis, amendment.reason)
    except ValidationError as error:
        said = kind.readable(amendment.data)
        found = [Wrong(entry.place[entry.place[:1] == (kind.wraps,) :], entry.detail) for entry in wrong(error)]
        found += kind.faults(said, directory)
        changes = kind.drafted(said, directory)
    else:
        said = dict(change)
        found = kind.faults(said, directory)
        changes = kind.drafted(said, directory) if found else change.changes(directory)
    told = {entry.place for entry in found}
    at_odds = _new_disagreements(directory, changes) if changes is not None else []
    placed = [Wrong(kind.place(entry.place, said), entry.detail) for entry in at_odds]
    found += [entry for entry in placed if entry.place not in told]
    return [Wrong(kind.spelt(entry.place, amendment.data), entry.detail) for entry in found]


def _wrong_file(directory: Directory, said: Authority) -> list[Wrong]:
    if said.id != directory.id:
        return [Wrong((*DATA, "id"), f"ожидается {directory.id}; получено: {said.id}")]
    return [Wrong((*DATA, *entry.place), entry.detail) for entry in disagreements(said, directory.texts)]


def _new_disagreements(directory: Directory, changes: Changes) -> list[Wrong]:
    """What an operator's amendment would set at odds that was not so before; places are in the authority. Of an agency an
    operator may know less than a file tells."""
    changed = directory.model_copy(update=changes).authority
    before = set(disagreements(directory.authority, directory.texts, complete=False))
    return [entry for entry in disagreements(changed, directory.texts, complete=False) if entry not in before]


def unknown_of(directory: Directory, agency: str) -> list[Fault]:
    """What the acts in force ask of an agency and nobody has told yet, with JSON pointers into an amendment's data."""
    acts = [directory.texts[entry.id] for entry in directory.regulations if entry.id in directory.texts]
    found = [entry for act in acts for entry in unknown(directory.authority, act)]
    of_it = [Wrong((*DATA, *entry.place[2:]), entry.detail) for entry in found if entry.place[1] == agency]
    return [Fault(pointer=entry.pointer, detail=entry.detail) for entry in of_it]


def _filed_authority(directory: Directory, data: dict[str, Any]) -> Changes:
    said = Authority.model_validate(data)
    if directory.filed is None or directory.current is None:
        return {"filed": said, "current": said}
    return {"filed": said, "current": three_way(directory.filed, said, directory.current)}


def _filed_act(directory: Directory, data: dict[str, Any]) -> Changes:
    act = Act.model_validate(data)
    return {"texts": directory.texts | {act.id: act}}


def _filed_year(directory: Directory, data: dict[str, Any]) -> Changes:
    year = CalendarYear.model_validate(data)
    years = {known.year: known for known in directory.years} | {year.year: year}
    return {"years": tuple(years[number] for number in sorted(years))}


FILED: dict[str, Callable[[Directory, dict[str, Any]], Changes]] = {
    "authority": _filed_authority,
    "act": _filed_act,
    "calendar_year": _filed_year,
}
"""The kinds that come from files and the library by `law apply`."""
FILED_MODELS: dict[str, type[BaseModel]] = {"act": Act, "calendar_year": CalendarYear}


def _change(kind: str, data: dict[str, Any], basis: str | None, reason: str) -> Change:
    return CHANGES[kind].model_validate(data, context={"basis": basis, "reason": reason})


def _shapes(directory: Directory, changes: Changes, amended: Amended) -> list[str]:
    """The pieces of working time that an amendment shaped."""
    if amended.kind == "calendar_year":
        return [f"year/{amended.data['year']}"]
    if amended.kind == "calendar_day":
        return [f"day/{changes['decreed_days'][-1].date}"]
    if amended.kind == "hours":
        return ["hours"]
    if amended.kind == "authority":
        before, after = directory.current, changes["current"]
        pieces = ("timezone", "hours", "regional_days")
        if before is None or any(getattr(before, piece) != getattr(after, piece) for piece in pieces):
            return ["authority"]
    return []


def _with_laws(directory: Directory) -> Directory:
    """The same with an entry for every act that from this amendment on judges otherwise than before."""
    if directory.current is None:
        return directory
    laws = list(directory.laws)
    for entry in directory.current.regulations:
        text = directory.texts.get(entry.id)
        if text is None:
            continue
        act = act_in_force(text, directory.current)
        known = next((law.act for law in reversed(laws) if law.act.id == entry.id), None)
        if act != known:
            laws.append(Law(since=directory.number, act=act))
    return directory.model_copy(update={"laws": tuple(laws)})
