"""`otklik settings`: every setting, its value, its default, its meaning."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.cli.telling import told
from services.runtime.settings import load_settings


def settings() -> None:
    """Показать все настройки (переменные OTKLIK_…), их значения и смысл."""
    with told():
        lines = load_settings().describe()
    table = Table(box=None)
    # A name that is cut cannot be set; what else does not fit is broken into lines.
    table.add_column("настройка", no_wrap=True)
    for header in ("значение", "по умолчанию", "что это"):
        table.add_column(header, overflow="fold")
    for line in lines:
        changed = "bold" if line.value != line.default else ""
        table.add_row(line.name, escape(line.value), escape(line.default), escape(line.meaning), style=changed)
    Console().print(table)
