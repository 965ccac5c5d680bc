"""Reads the law from its files, and refuses what is wrong with every fault, its file, its place and what was expected.

This is the edge: services call it at start and for `law apply`, deciders never do.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from regulations.agreement import disagreements
from regulations.authority import Authority
from regulations.contradictions import contradictions
from regulations.model import Act
from regulations.places import line_of, lines_of
from regulations.working_time.calendar_year import CalendarYear
from regulations.working_time.year_file import YearFile
from regulations.wrong import Place, Wrong, wrong

M = TypeVar("M", bound=BaseModel)

SHIPPED = Path(__file__).parent
"""The folder of the law that is shipped: `acts/` and `authorities/`."""
KINDS = ("acts", "authorities", "calendar")
"""What a folder of the law may hold. `calendar/` has the years that the library of calendars lacks, or has otherwise."""
KEYS = {"acts": "id", "authorities": "id", "calendar": "year"}
"""By which of its fields each kind of file is named."""


@dataclass(frozen=True, slots=True)
class FileFault:
    """One fault: the file, the line (from 1), the place as dotted keys, and in Russian what is wrong and expected."""

    file: str
    line: int
    place: str
    detail: str

    def __str__(self) -> str:
        place = f" {self.place}:" if self.place else ""
        return f"{self.file}:{self.line}:{place} {self.detail}"


class WrongLaw(Exception):
    """The files cannot be taken; `faults` are all that was found, and the text tells them line by line."""

    def __init__(self, faults: Iterable[FileFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("закон не принят:\n" + "\n".join(f"  {fault}" for fault in self.faults))


@dataclass(frozen=True, slots=True)
class LawFiles:
    """What the files say, by id."""

    acts: Mapping[str, Act]
    authorities: Mapping[str, Authority]
    years: tuple[CalendarYear, ...] = ()

    def years_over(self, library: Iterable[CalendarYear]) -> tuple[CalendarYear, ...]:
        """The library's years, and those of the files in their stead: a file is somebody's deliberate word."""
        return tuple({year.year: year for year in (*library, *self.years)}.values())


def load(*folders: Path) -> LawFiles:
    """Read `acts/*.toml`, `authorities/*.toml` and `calendar/*.toml` of the folders (the shipped law, if none is given).

    A file of a later folder stands for one of the same name in an earlier one. Raises `WrongLaw` with every fault found.
    """
    reading = _Reading()
    for folder in folders:
        # A name typed wrongly must not pass for law that changes nothing.
        if not any((folder / kind).is_dir() for kind in KINDS):
            detail = "в этой папке нет ни acts/, ни authorities/, ни calendar/"
            reading.faults.append(FileFault(str(folder), 1, "", detail))
    acts = reading.read("acts", Act, folders or (SHIPPED,))
    authorities = reading.read("authorities", Authority, folders or (SHIPPED,))
    years = reading.read("calendar", YearFile, folders or (SHIPPED,))
    for act in acts.values():
        reading.tell("acts", act.id, contradictions(act))
    # Of an act that is wrong itself, authorities are not told that it does not exist.
    known = {**acts, **dict.fromkeys(reading.unread("acts"))}
    for authority in authorities.values():
        reading.tell("authorities", authority.id, _disagreements(authority, known))
    if not authorities and not reading.faults:
        where = ", ".join(str(folder) for folder in folders)
        reading.faults.append(FileFault(where, 1, "authorities", "нет ни одного файла органа власти (<id>.toml)"))
    if reading.faults:
        raise WrongLaw(reading.faults)
    whole = tuple(year.whole() for year in years.values())
    return LawFiles(acts=acts, authorities=authorities, years=whole)


def _disagreements(authority: Authority, acts: Mapping[str, Act | None]) -> list[Wrong]:
    readable = {name: act for name, act in acts.items() if act is not None}
    unread = {("regulations", number, "id") for number, entry in enumerate(authority.regulations)
              if entry.id in acts and entry.id not in readable}  # fmt: skip
    return [fault for fault in disagreements(authority, readable) if fault.place not in unread]


class _Reading:
    """One reading of all files, and the faults found on the way."""

    def __init__(self) -> None:
        self.faults: list[FileFault] = []
        self._files: dict[tuple[str, str], tuple[str, dict[Place, int]]] = {}
        self._unread: dict[str, list[str]] = {}

    def read(self, kind: str, model: type[M], folders: Iterable[Path]) -> dict[str, M]:
        """Every file of a kind that says what the model can say, by the file's name; faults of the others are told."""
        paths = {path.stem: path for folder in folders for path in sorted((folder / kind).glob("*.toml"))}
        found = {name: self._parsed(kind, name, path, model) for name, path in sorted(paths.items())}
        self._unread[kind] = [name for name, said in found.items() if said is None]
        return {name: said for name, said in found.items() if said is not None}

    def unread(self, kind: str) -> list[str]:
        """The names of the files of a kind that could not be taken."""
        return self._unread[kind]

    def tell(self, kind: str, name: str, faults: Iterable[Wrong]) -> None:
        """Keep faults of a file, each with the line of its place."""
        file, lines = self._files[kind, name]
        for fault in faults:
            dotted = ".".join(str(part) for part in fault.place)
            self.faults.append(FileFault(file, line_of(lines, fault.place), dotted, fault.detail))

    def _parsed(self, kind: str, name: str, path: Path, model: type[M]) -> M | None:
        file = f"{kind}/{path.name}"
        try:
            text = path.read_text(encoding="utf-8")
            data = tomllib.loads(text)
        except (OSError, UnicodeDecodeError) as error:
            self.faults.append(FileFault(file, 1, "", f"файл не читается: {error}"))
            return None
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"at line (\d+)", str(error))
            self.faults.append(FileFault(file, int(line[1]) if line else 1, "", f"не TOML: {error}"))
            return None
        self._files[kind, name] = (file, lines_of(text))
        key = KEYS[kind]
        named = str(data.get(key)) == name
        if not named:
            self.tell(kind, name, [Wrong((key,), f"ожидается {name}, как имя файла; получено: {data.get(key)!r}")])
        try:
            said = model.model_validate(data)
        except ValidationError as error:
            self.tell(kind, name, [fault for fault in wrong(error) if fault.place != (key,)])
            return None
        return said if named else None
