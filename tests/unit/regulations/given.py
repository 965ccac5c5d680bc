"""What the tests of the law start from: the shipped files, and a directory that they have been applied to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from regulations.directory import Directory, amended, evolve, faults
from regulations.law import amendment_id, differences
from regulations.load import LawFiles, load
from regulations.model import Act
from regulations.working_time.library_years import library_years
from schemas.inbox import Amendment
from schemas.outcomes import Fault

LAW: LawFiles = load()
APPLIED_AT = datetime(2026, 11, 1, 9, tzinfo=UTC)
LATER = datetime(2026, 11, 16, 9, tzinfo=UTC)


def acts_of(files: LawFiles, authority: str) -> list[Act]:
    """The acts that an authority's file names."""
    return [files.acts[entry.id] for entry in files.authorities[authority].regulations]


def in_force(authority: str) -> Directory:
    """The directory of a shipped authority, right after `law apply`."""
    amendments = differences(None, LAW.authorities[authority], LAW.acts, library_years())
    return applied(authority, amendments, APPLIED_AT)


def applied(authority: str, amendments: Iterable[Amendment], time: datetime) -> Directory:
    """The directory that these amendments make from nothing, as a partition folds them."""
    directory: Directory | None = None
    for position, amendment in enumerate(amendments):
        identity = amendment_id(None, authority, position, amendment)
        directory = evolve(directory, authority, amended(directory, identity, amendment), time)
    assert directory is not None
    return directory


def an_amendment(kind: str, basis: str | None = "распоряжение № 1", /, **data: Any) -> Amendment:
    return Amendment.model_validate({"kind": kind, "reason": "проверка", "basis": basis, "data": data})


def refused(directory: Directory, amendment: Amendment) -> dict[str, str]:
    """The faults of an amendment by pointer."""
    found: list[Fault] = faults(directory, directory.id, amendment)
    return {fault.pointer: fault.detail for fault in found}


def after(directory: Directory, amendment: Amendment, time: datetime = LATER) -> Directory:
    """The directory after an amendment that has no faults."""
    assert refused(directory, amendment) == {}
    return evolve(directory, directory.id, amended(directory, f"amendment-{directory.number + 1}", amendment), time)
