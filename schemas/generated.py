"""Files that are generated and kept under version control: written anew, or compared with what is there."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path


def write_or_check(folder: Path, pattern: str, wanted: Mapping[str, str], *, check: bool, command: str) -> int:
    """Make the folder's files of that pattern be just `wanted` (name → text); with `check`, only tell which differ.

    Returns the exit code: 1 if `check` found a difference. `command` is what writes them anew."""
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob(pattern)}
    differing = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
    if check:
        for name in differing:
            print(
                f"{folder.name}/{name}: не то, что получается из исходников; выполните «{command}» и прочтите разницу",
                file=sys.stderr,
            )
        return 1 if differing else 0
    folder.mkdir(parents=True, exist_ok=True)
    for name in differing:
        (folder / name).write_text(wanted[name], encoding="utf-8") if name in wanted else (folder / name).unlink()
    return 0
