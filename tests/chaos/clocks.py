"""Clocks that are set wrong while processes run: a preloaded library adds a file's word to the time of day (`clock.c`).

It is compiled on the spot. Where there is no C compiler, nobody's clock is touched, and the report says so.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")


class Clocks:
    """`environment`: what processes are to be started with; empty where clocks cannot be set."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "clocks"
        self._folder.mkdir(exist_ok=True)
        self.environment: dict[str, str] = {}
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            return
        library = folder / "clock.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"], check=True)
        self.environment = {"LD_PRELOAD": str(library), "OTKLIK_CHAOS_CLOCKS": str(self._folder)}

    @property
    def available(self) -> bool:
        return bool(self.environment)

    def step(self, pid: int, seconds: float) -> None:
        """From now on the process lives so many seconds ahead of the others (or behind, if negative)."""
        fresh = self._folder / f"{pid}.new"
        fresh.write_text(str(round(seconds * 1000)))
        fresh.replace(self._folder / str(pid))

    def right(self, pid: int) -> None:
        """The clock is right again."""
        with contextlib.suppress(FileNotFoundError):
            (self._folder / str(pid)).unlink()
