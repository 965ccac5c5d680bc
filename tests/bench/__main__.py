"""`make bench`: everything that is measured, in one run of bounded time, as one table of ratios."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable

from tests.bench import bench_breaches, bench_commands, bench_intake, bench_working_time
from tests.bench.house import House, note
from tests.bench.ratio import Ratio, show

FURNISHING_S, COMMANDS_S, INTAKE_S, BREACHES_S = 120, 150, 90, 400
"""Bounds in seconds, far above what each takes on an idle machine."""


async def within(seconds: float, what: str, measuring: Awaitable[list[Ratio]]) -> list[Ratio]:
    """What was measured in the time given; else a line that says that it was not."""
    note(what)
    try:
        async with asyncio.timeout(seconds):
            return await measuring
    except TimeoutError:
        return [Ratio(what, f"not finished in {seconds:.0f} s", "", None, "to finish", met=False)]


async def furnished(house: House) -> list[Ratio]:
    """Nothing is measured while the law goes in."""
    await bench_intake.law_folded(house)
    return []


async def in_one_house() -> list[Ratio]:
    """Commands, then intake with workflow away: it would work through what intake is measured by."""
    async with House() as house:
        if late := await within(FURNISHING_S, "a house with the law in it", furnished(house)):
            return late
        commands = await within(COMMANDS_S, "commands over HTTP", bench_commands.compare(house))
        await house.stop(f"{house.settings.prefix}-workflow")
        return await within(INTAKE_S, "batches through intake", bench_intake.compare(house)) + commands


def tell_of_company() -> None:
    """Alternating rounds forgive a short disturbance. A machine that is full they do not: ours is several processes, and
    queues where the bare client does not."""
    busy, cores = os.getloadavg()[0], os.cpu_count() or 1
    note(
        f"{cores} cores, load {busy:.1f}"
        + (": others work here, so the ratios will be worse" if busy > cores / 2 else "")
    )


async def measure() -> list[Ratio]:
    tell_of_company()
    ratios = await in_one_house()
    note("working time")
    ratios += await asyncio.to_thread(bench_working_time.measure)
    return ratios + await within(BREACHES_S, "breaches", bench_breaches.measure())


if __name__ == "__main__":
    show(asyncio.run(measure()))
