"""What differs between the files of the law and the directory in force, as amendments. Pure: the years are given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import uuid5

from regulations.authority import Authority
from regulations.canonical import as_data, content_hash
from regulations.in_force import Directory
from regulations.model import Act
from regulations.working_time.calendar_year import CalendarYear
from schemas.ids import NAMESPACE
from schemas.inbox import Amendment

APPLIED = "приведение закона в соответствие с файлами (otklik law apply)"


def differences(
    directory: Directory | None, authority: Authority, acts: Mapping[str, Act], years: Iterable[CalendarYear]
) -> list[Amendment]:
    """The amendments that bring the directory to what the files say, in an order in which each is valid: the years, then
    the acts that the authority names, then the authority, with which all of it comes into force.

    What operators have amended since is not touched unless the file itself has changed (`directory.filed`). Years that
    differ in their basis alone (a newer library that says the same) make no amendment. KeyError: an act is missing.
    """
    directory = directory or Directory(id=authority.id)
    found = [*_years(directory, years), *_acts(directory, authority, acts)]
    if authority != directory.filed:
        basis = ", ".join(entry.id for entry in authority.regulations)
        found.append(Amendment(kind="authority", reason=APPLIED, basis=basis, data=as_data(authority)))
    return found


def amendment_id(directory: Directory | None, authority: str, position: int, amendment: Amendment) -> str:
    """An id that two processes that apply the same files at once give to the same amendment: derived from the authority,
    the number that is in force, the position among the differences, and the content."""
    number = directory.number if directory else 0
    name = f"{authority}/{number}/{position}/{amendment.kind}/{content_hash(amendment.data)}"
    return str(uuid5(NAMESPACE, name))


def _years(directory: Directory, years: Iterable[CalendarYear]) -> Iterable[Amendment]:
    known = {year.year: year for year in directory.years}
    for year in sorted(years, key=lambda entry: entry.year):
        before = known.get(year.year)
        if before is None or before.model_copy(update={"basis": year.basis}) != year:
            yield Amendment(kind="calendar_year", reason=APPLIED, basis=year.basis, data=as_data(year))


def _acts(directory: Directory, authority: Authority, acts: Mapping[str, Act]) -> Iterable[Amendment]:
    for entry in authority.regulations:
        # The notes on paragraphs are for people: nothing is judged by them.
        act = acts[entry.id].model_copy(update={"paragraphs": ()})
        if act != directory.texts.get(act.id):
            number = f" № {act.number}" if act.number else ""
            basis = f"{act.enactment}{number} от {act.adopted:%d.%m.%Y}"
            yield Amendment(kind="act", reason=APPLIED, basis=basis, data=as_data(act))
