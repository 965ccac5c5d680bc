"""CSV (RFC 4180, UTF-8 without a mark, commas), row by row: memory does not grow with the register."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any

MEDIA_TYPE = "text/csv; charset=utf-8"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


async def stream(columns: Sequence[str], rows: AsyncIterator[Iterable[Any]]) -> AsyncIterator[bytes]:
    """The header, then the rows in pieces of some tens of kilobytes."""
    piece = io.StringIO(newline="")
    writer = csv.writer(piece)
    writer.writerow(columns)
    async for row in rows:
        writer.writerow([cell(value) for value in row])
        if piece.tell() > 32_768:
            yield piece.getvalue().encode()
            piece.seek(0)
            piece.truncate()
    yield piece.getvalue().encode()


def cell(value: Any) -> str:
    """Instants as RFC 3339, lists by «; », nothing as nothing. What a stranger wrote and a spreadsheet would take for a
    formula gets an apostrophe in front: opening the register must not run a citizen's code."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "; ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
    return f"'{text}" if not isinstance(value, (int, float)) and text.startswith(_FORMULA) else text
