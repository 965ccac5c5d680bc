"""On which line of a TOML file something stands, so that a fault can name it. Reads keys, not values."""

from __future__ import annotations

import re

from regulations.wrong import Place

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')((?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_PART = re.compile(r"[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'")


def lines_of(text: str) -> dict[Place, int]:
    """Line numbers (from 1) of every table header and every key that opens a line.

    What stands inside an inline table or a list that runs over several lines has the line of its key: good enough to
    find it by eye, and right for every key that our files write.
    """
    lines: dict[Place, int] = {(): 1}
    counts: dict[Place, int] = {}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            parts: Place = tuple(_resolved(_parts(header[2]), counts))
            if header[1] == "[[":
                counts[parts] = counts.get(parts, -1) + 1
                lines.setdefault(parts, number)
                parts = (*parts, counts[parts])
            table = parts
            for length in range(1, len(parts) + 1):
                lines.setdefault(parts[:length], number)
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_parts(key[1] + key[2])), number)
    return lines


def line_of(lines: dict[Place, int], place: Place) -> int:
    """The line of a place, or of the nearest thing around it that has one."""
    for length in range(len(place), 0, -1):
        if place[:length] in lines:
            return lines[place[:length]]
    return 1


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(dotted)]


def _resolved(parts: list[str], counts: dict[Place, int]) -> Place:
    """A header's path with the number of the current entry after each list of tables that it lies in."""
    place: Place = ()
    for position, part in enumerate(parts):
        place = (*place, part)
        if position < len(parts) - 1 and place in counts:
            place = (*place, counts[place])
    return place
