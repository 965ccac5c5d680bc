"""One installation on the simulated clock for the whole e2e session: it starts on a Monday morning in Moscow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.installation import Installation

MONDAY = "2026-11-16T09:00:00+03:00"


@pytest_asyncio.fixture(scope="session")
async def installation(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    folder: Path = tmp_path_factory.mktemp("installation")
    async with Installation(folder, simulated_now=MONDAY) as running:
        yield running
