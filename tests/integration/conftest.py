"""An installation that is shared by tests which push whatever they like through all of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.partner import ALL, Partner, installation


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def all_four(kafka: str, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Partner]:
    """All services on the real clock, in this process, and nobody held back."""
    chosen = {"requests_per_second": 0, "log_level": "error", "outcome_timeout": 30}
    async with installation(kafka, postgres, tmp_path_factory.mktemp("otklik"), services=ALL, **chosen) as opened:
        yield opened
