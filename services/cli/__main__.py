"""`otklik`: the commands, one file each."""

from __future__ import annotations

import typer

from services.cli import clock, law
from services.cli.demo import demo
from services.cli.serve import serve
from services.cli.settings import settings
from services.cli.token import token
from services.cli.topics import topics
from services.cli.up import up

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Отклик: ответы органов власти на сообщения граждан — в срок."
)
for command in (up, serve, demo, token, topics, settings):
    app.command()(command)
app.add_typer(law.app, name="law")
app.add_typer(clock.app, name="clock")

if __name__ == "__main__":
    app()
