"""How a log is laid out anew so that every record gets the offset that it had.

Offsets are what causes, positions and ids refer to, and a log has holes in them: marks of transactions and records of
aborted ones. A broker gives out offsets one after the other, so a hole is made of the same stuff: the mark that ends a
transaction takes one offset, and an aborted transaction takes one for each of its records and one for its mark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from services.runtime.archive import Kept

RUN_RECORDS = 500
RUN_BYTES = 512 * 1024
FILLERS = 20_000
"""Records of one step: what is held in memory for a partition, and what a transaction may grow to."""


class How(Enum):
    PLAIN = "plain"
    COMMITTED = "committed"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Step:
    """Write `records` from `offset` on; or, instead, `fillers` that nobody will ever read. `COMMITTED` and `ABORTED` take
    one offset more."""

    how: How
    offset: int
    records: tuple[Kept, ...] = ()
    fillers: int = 0

    @property
    def end(self) -> int:
        """The offset after the step."""
        return self.offset + (len(self.records) or self.fillers) + (0 if self.how is How.PLAIN else 1)


def steps(records: Iterable[Kept], beginning: int, end: int) -> Iterator[Step]:
    """The steps that lay a partition out from 0 to `end`. What they write before `beginning` is to be deleted then.

    Only a log that begins with a lone mark at 0 cannot be made so: its first record's offset is its beginning then."""
    after, run, size = 0, list[Kept](), 0
    for record in records:
        gap = record.offset - after
        if gap:
            yield from _hole(run, after, gap, beginning)
            run, size = [], 0
        elif len(run) >= RUN_RECORDS or size >= RUN_BYTES:
            yield Step(How.PLAIN, after - len(run), tuple(run[:-1]))
            run, size = run[-1:], run[-1].size()
        run.append(record)
        size += record.size()
        after = record.offset + 1
    if end > after:
        yield from _hole(run, after, end - after, beginning)
    elif run:
        yield Step(How.PLAIN, after - len(run), tuple(run))


def _hole(run: list[Kept], after: int, gap: int, beginning: int) -> Iterator[Step]:
    """The run before the hole, and the hole."""
    if run and gap == 1:
        yield Step(How.COMMITTED, after - len(run), tuple(run))
        return
    if run:
        yield Step(How.PLAIN, after - len(run), tuple(run))
    gone = beginning if not run and after == 0 else 0
    if gone:
        yield from _gone(gone, marked=gap - gone == 1)
        if gap - gone == 1:
            return
    elif gap == 1:
        yield Step(How.PLAIN, after, fillers=1)
        return
    at, rest = after + gone, gap - gone
    while rest:
        # A rest of one would be a mark alone.
        taken = rest if rest <= FILLERS else FILLERS - (rest - FILLERS == 1)
        yield Step(How.ABORTED, at, fillers=taken - 1)
        at, rest = at + taken, rest - taken


def _gone(count: int, *, marked: bool) -> Iterator[Step]:
    """What retention had taken already; `marked`: a mark follows right behind."""
    at = 0
    last = 1 if marked else 0
    while at < count - last:
        taken = min(FILLERS, count - last - at)
        yield Step(How.PLAIN, at, fillers=taken)
        at += taken
    if marked:
        yield Step(How.COMMITTED, at, fillers=1)
