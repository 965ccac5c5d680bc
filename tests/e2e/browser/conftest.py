"""The browser, and the people at it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.e2e.browser import chromium
from tests.e2e.browser.hands import Hands
from tests.e2e.installation import Installation
from tests.e2e.people import People


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    return True if collection_path.name.startswith("test_") and chromium.found() is None else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if chromium.found() is None:
        terminalreporter.write_line(
            "Chromium не найден: щелчки в браузере не проверены, только формы (apt-get install chromium, или OTKLIK_TEST_CHROMIUM)."
        )


@pytest_asyncio.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    # Root has no sandbox to go into, and a container's /dev/shm is small.
    arguments = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=chromium.found(), args=arguments)
        yield running
        await running.close()


@pytest_asyncio.fixture
async def hands(browser: Browser, installation: Installation) -> AsyncIterator[list[Hands]]:
    """Everybody who has come in; whatever their pages complained of fails the test."""
    came: list[Hands] = []
    yield came
    for one in came:
        await one.leave()
    assert [said for one in came for said in one.complaints] == []


@pytest.fixture
def people(browser: Browser, installation: Installation, hands: list[Hands]) -> People:
    async def enter(authority: str, role: str, agency: str = "") -> Hands:
        one = await Hands.at(browser, installation.url("reporting"))
        hands.append(one)
        await one.enter(authority, role, agency)
        return one

    return enter
