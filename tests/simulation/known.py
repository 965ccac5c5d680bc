"""Faults of the real code that this simulation has found and that wait for their owners: worked round here, each by name.

An entry goes when the code is mended; the seed that tells of it stays in `test_simulation.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from unittest.mock import patch

from services.runtime.decider import Output
from services.runtime.deciding import Judge, Prepared, Trial
from services.runtime.headers import Cursor
from services.sla.ticks import Ticker


class SoberTicker(Ticker):
    """`Ticker` measures its pauses on the wall clock, corrected by `_ahead`. When that falls back (the clock is set right, or
    `_ahead` was learnt from an append that hung for hours), every tick seems to be still to come, and the partition is not
    ticked for as long as the clock was wrong. A tick in the future is none."""

    def _why(self, number: int, due_at: datetime | None) -> str | None:
        ticked = self._ticked.get(number)
        if ticked is not None and ticked.at > self.now():
            del self._ticked[number]
        return super()._why(number, due_at)


_tried = Judge._tried


def _numbered_as_a_whole(
    self: Judge, one: Prepared, outputs: Sequence[Output], cursor: Cursor | None, index: int
) -> Trial:
    """Where a sweep goes on after a crash is read from the last record that was folded, and what it says of the next number
    leaves out what the same entry said after it on other topics (the agency's copy of a breach): numbers came twice. Each
    record has to tell the number that follows its whole entry."""
    trial = _tried(self, one, outputs, cursor, index)
    for spoken in trial.spoken:
        more = spoken.cause.more
        if more is not None:
            spoken.cause = replace(spoken.cause, more=replace(more, index=index + len(trial.spoken)))
    return trial


def mended() -> AbstractContextManager[object]:
    """The real code as it will be."""
    return patch.object(Judge, "_tried", _numbered_as_a_whole)
