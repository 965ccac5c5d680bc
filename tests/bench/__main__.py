"""`make bench`: everything that is measured, in one run, as one table of ratios."""

from __future__ import annotations

import asyncio
import os

from tests.bench import bench_breaches, bench_commands, bench_intake, bench_working_time
from tests.bench.house import House, note
from tests.bench.ratio import Ratio, show


async def in_one_house() -> list[Ratio]:
    """Commands, then intake with workflow away: it would work through what intake is measured by."""
    async with House() as house:
        await bench_intake.law_folded(house)
        commands = await bench_commands.compare(house)
        await house.stop(f"{house.settings.prefix}-workflow")
        return await bench_intake.compare(house) + commands


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
    return ratios + await bench_breaches.measure()


if __name__ == "__main__":
    show(asyncio.run(measure()))
