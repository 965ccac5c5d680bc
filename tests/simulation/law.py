"""The law of two regions as `otklik law apply` would append it, and what their agencies are called."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from regulations.law import amendment_id, differences
from regulations.load import LawFiles, load
from regulations.working_time.library_years import library_year
from schemas.envelope import Envelope

REGIONS = ("kbr", "buryatia")
"""One counts working hours, the other plain ones by day and night: between them they use every clock."""
YEARS = (2025, 2026, 2027)
START = datetime(2026, 9, 28, 6, tzinfo=UTC)
"""A Monday morning in Moscow, the afternoon in Irkutsk; a quarter ends within the week, and Buryatia owes its summary then."""


@cache
def files() -> LawFiles:
    return load()


@cache
def agencies(authority: str) -> tuple[str, ...]:
    """Three agencies of the authority: enough to quarrel over a message."""
    return tuple(sorted(files().authorities[authority].agencies)[:3])


@cache
def amendments() -> tuple[Envelope, ...]:
    """In the order in which they are appended, each for every partition."""
    found: list[Envelope] = []
    years = [library_year(year) for year in YEARS]
    for region in REGIONS:
        authority = files().authorities[region]
        wanted = differences(None, authority, files().acts, years)
        for position, amendment in enumerate(wanted):
            found.append(
                amendment.enveloped(amendment_id(None, region, position, amendment), "/simulation/law", region, START)
            )
    return tuple(found)


def topics(partitions: int) -> dict[str, int]:
    """Every topic with its number of partitions."""
    shared = dict.fromkeys(("inbox", "events", "outcomes", "deadlines"), partitions)
    alone = {
        f"assignments.{region}.{agency}": 1 for region in REGIONS for agency in files().authorities[region].agencies
    }
    return shared | alone | {"escalations": 1, "dead-letters": 1}
