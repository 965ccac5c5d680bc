"""`otklik`: the commands, one file each. A file is loaded when its command is given: a token need not wait for the law."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = (
    "up", "serve", "demo", "token", "topics", "law", "clock", "deadlines", "settings",
    "export", "import", "rebuild", "verify", "dead-letters",
)  # fmt: skip
"""Modules of this package: each has an `app` of its own, or a function of its own name."""
MODULES = {"import": "import_", "dead-letters": "dead_letters"}
"""Where Python does not let a module bear the command's name."""


class Commands(TyperGroup):
    """The commands by their names."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"services.cli.{MODULES.get(cmd_name, cmd_name)}")
        found = getattr(module, "app", None)
        if not isinstance(found, typer.Typer):
            found = typer.Typer(add_completion=False)
            found.command(cmd_name)(getattr(module, cmd_name))
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False)


@app.callback()
def otklik() -> None:
    """Отклик: ответы органов власти на сообщения граждан — в срок."""


if __name__ == "__main__":
    app()
