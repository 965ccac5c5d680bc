"""Where a Chromium of this machine is; none is ever downloaded."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def found() -> str | None:
    """The path of the executable: `OTKLIK_TEST_CHROMIUM`, or the first of the usual names."""
    given = os.environ.get("OTKLIK_TEST_CHROMIUM")
    return given or next((path for name in NAMES if (path := shutil.which(name))), None)
