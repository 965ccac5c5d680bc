"""What the tests of the law start from: the shipped files, and a directory that they have been applied to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from regulations.directory import Directory, amended, evolve, faults
from regulations.law import applied, differences
from regulations.load import LawFiles, load
from regulations.working_time.library_years import library_years
from schemas.inbox import Amendment
from schemas.outcomes import Fault

LAW: LawFiles = load()
APPLIED_AT = datetime(2026, 11, 1, 9, tzinfo=UTC)
LATER = datetime(2026, 11, 16, 9, tzinfo=UTC)


def in_force(authority: str) -> Directory:
    """The directory of a shipped authority, right after `law apply`."""
    amendments = differences(None, LAW.authorities[authority], LAW.acts_of(authority), library_years())
    directory = applied(None, authority, amendments, APPLIED_AT)
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
