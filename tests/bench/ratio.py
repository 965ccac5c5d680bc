"""A ratio as the table shows it: what is measured, ours, the bare thing, how many times, and the aim."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Ratio:
    """One line. `ours` and `bare` bear their units; only `ratio` may be compared between machines. No `aim`: told for
    information. No `ratio`: it was not measured, and `ours` says why."""

    what: str
    ours: str
    bare: str
    ratio: float | None
    aim: str = ""
    met: bool | None = None


def of_rounds(rounds: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """The medians of ours and of bare, and the median of their ratios round by round: a noisy neighbour who disturbs a
    round disturbs both sides of its ratio."""
    ours, bare = (median(column) for column in zip(*rounds, strict=True))
    return ours, bare, median(mine / theirs for mine, theirs in rounds)


def show(ratios: Iterable[Ratio]) -> None:
    """Print the table."""
    rows = [("what", "ours", "bare", "ratio", "aim", "")]
    for one in ratios:
        met = "" if one.met is None else "met" if one.met else "MISSED"
        ratio = "—" if one.ratio is None else f"{one.ratio:.2f}"
        rows.append((one.what, one.ours, one.bare, ratio, one.aim, met))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
