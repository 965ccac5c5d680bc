"""`make bench`: everything that is measured, in one run, as one table of ratios."""

from __future__ import annotations

import asyncio

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


async def measure() -> list[Ratio]:
    ratios = await in_one_house()
    note("working time")
    ratios += await asyncio.to_thread(bench_working_time.measure)
    return ratios + await bench_breaches.measure()


if __name__ == "__main__":
    show(asyncio.run(measure()))
