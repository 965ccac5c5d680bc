"""A short chaos in every test run: faults of every part under load, then calm, and the checker finds nothing.

The long form is `make chaos`.
"""

from __future__ import annotations

from pathlib import Path

from tests.chaos.run import Asked, run


async def test_faults_under_load_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    report = await run(tmp_path, Asked(seed=3, seconds=25, citizens=4))
    assert report.told.acknowledged
    assert sum(report.faults.values()) >= 1
    assert report.seen.gaps, "the faults of this seed take partitions away, and the watch sees it"
    assert report.violations == []
