"""XLSX: sheets of plain tables. Every text is written as text, so that nothing of a post becomes a formula or a link."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import xlsxwriter

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_ROWS = 1_048_575
"""What a sheet holds below its header."""
_MAX_TEXT = 32_767


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table with a header; `widths` in characters."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    widths: Sequence[int] = ()


class Book:
    """A workbook on disk; instants are written as local times of `zone`, as a spreadsheet knows no other."""

    def __init__(self, path: Path, zone: tzinfo) -> None:
        # Rows go to disk as they come: a register of a million rows needs no more memory than one of ten.
        self._book = xlsxwriter.Workbook(
            str(path), {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        )
        self._book.set_properties({"title": "Отклик", "created": datetime(2000, 1, 1)})  # noqa: DTZ001
        self._zone = zone
        self._header = self._book.add_format(
            {"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E8EEF4", "bottom": 1}
        )
        self._plain = self._book.add_format({"valign": "top", "text_wrap": True})
        self._instant = self._book.add_format({"valign": "top", "num_format": "dd.mm.yyyy hh:mm"})

    def sheet(self, sheet: Sheet) -> None:
        """Add a whole sheet."""
        page = self._begun(sheet.title, sheet.columns, sheet.widths)
        for number, row in enumerate(sheet.rows, start=1):
            self._write(page, number, row)
        self._ended(page, len(sheet.columns), len(sheet.rows))

    async def stream(
        self, title: str, columns: Sequence[str], rows: AsyncIterator[Iterable[Any]], widths: Sequence[int] = ()
    ) -> None:
        """Add a sheet row by row; what goes beyond a sheet goes on in another."""
        page, number, part = self._begun(title, columns, widths), 0, 1
        async for row in rows:
            if number == MAX_ROWS:
                self._ended(page, len(columns), number)
                part += 1
                page, number = self._begun(f"{title} {part}", columns, widths), 0
            number += 1
            self._write(page, number, row)
        self._ended(page, len(columns), number)

    def close(self) -> None:
        self._book.close()

    def _begun(self, title: str, columns: Sequence[str], widths: Sequence[int]) -> Any:
        page = self._book.add_worksheet(title[:31])
        for number in range(len(columns)):
            page.set_column(number, number, widths[number] if number < len(widths) else 18)
        for number, name in enumerate(columns):
            page.write_string(0, number, name, self._header)
        page.freeze_panes(1, 0)
        return page

    def _ended(self, page: Any, columns: int, rows: int) -> None:
        page.autofilter(0, 0, rows, columns - 1)
        page.set_landscape()
        page.set_paper(9)
        page.fit_to_pages(1, 0)

    def _write(self, page: Any, number: int, row: Iterable[Any]) -> None:
        for column, value in enumerate(row):
            match value:
                case None:
                    continue
                case datetime():
                    local = value.astimezone(self._zone).replace(tzinfo=None)
                    page.write_datetime(number, column, local, self._instant)
                case int() | float():
                    page.write_number(number, column, value, self._plain)
                case list() | tuple():
                    page.write_string(number, column, "; ".join(map(str, value))[:_MAX_TEXT], self._plain)
                case _:
                    page.write_string(number, column, str(value)[:_MAX_TEXT], self._plain)
