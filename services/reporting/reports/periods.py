"""The period of a report as it is asked for over HTTP."""

from __future__ import annotations

from regulations.periods import Period
from schemas.outcomes import Fault
from services.runtime import problems


def parse(name: str) -> Period:
    """Raises ProblemError 422 on anything but `2026-11` and `2026-Q4`."""
    try:
        return Period.parse(name)
    except ValueError as wrong:
        raise problems.invalid([Fault(pointer="/path/period", detail=str(wrong))]) from None
