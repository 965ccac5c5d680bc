"""`otklik serve`: one service in this process."""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from services.runtime import process
from services.runtime.settings import SERVICE_PORTS


def serve(
    service: Annotated[str, typer.Argument(help=f"служба: {', '.join(SERVICE_PORTS)}")],
    port: Annotated[int | None, typer.Option(help="порт HTTP; по умолчанию — от OTKLIK_PORT_BASE")] = None,
) -> None:
    """Запустить одну службу до сигнала остановки; копий одной службы может быть несколько."""
    if service not in SERVICE_PORTS:
        raise typer.BadParameter(f"службы {service} нет; есть {', '.join(SERVICE_PORTS)}")
    process.main(service, import_module(f"services.{service}.__main__").run, port)
