"""`otklik dead-letters`: what could not be taken, looked at, put in again, or let go with a reason."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas import topics
from schemas.envelope import Actor, Envelope
from schemas.inbox import AMENDMENT
from services.cli import law
from services.cli.export import is_agencys
from services.cli.telling import REFUSED, Refused, told
from services.intake.detections import Intake
from services.intake.topic import admitted as admitted_detection
from services.runtime import installation
from services.runtime.appender import Appender
from services.runtime.clock import Clock
from services.runtime.decider import Unreadable
from services.runtime.headers import FIRST_APPENDED_AT, OURS
from services.runtime.kafka_log import KafkaLog
from services.runtime.letters import Letter, Unsettled, letter, letters, settle
from services.runtime.log import Outgoing
from services.runtime.settings import Settings, load_settings
from services.workflow.commands import PREFIX
from services.workflow.doors import admitted as admitted_command

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Непринятое: посмотреть, подать снова, отклонить с причиной."
)

DONE = {"replayed": "подано снова", "dismissed": "отклонено"}
Who = Annotated[str | None, typer.Option("--who", help="кто это делает; без него — имя учётной записи")]
Offsets = Annotated[list[int], typer.Argument(help="номера писем, см. list")]


@app.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="и те, с которыми уже решено")] = False,
    reason: Annotated[str | None, typer.Option(help="только с этой причиной")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="каждое письмо — строкой JSON")] = False,
) -> None:
    """Перечислить письма, с которыми ещё ничего не решено."""

    async def work(settings: Settings, log: KafkaLog) -> list[Letter]:
        return await letters(log)

    with told() as console:
        there = _run(work)
        found = [one for one in there if (everything or one.note is None) and (reason is None or one.reason == reason)]
        reasons = sorted({one.reason for one in there})
        if reason is not None and reasons and reason not in reasons:
            console.print(
                escape(f"писем с причиной {reason} нет; есть: {', '.join(reasons)}"), highlight=False, soft_wrap=True
            )
            return
        if as_json:
            for one in found:
                print(json.dumps(_head(one), ensure_ascii=False))
            return
        table = Table(box=None)
        # What is asked for by name is not cut however narrow the terminal; what else does not fit is broken into lines.
        for header in ("номер", "пришло", "откуда", "причина", "подробно", "решено"):
            table.add_column(header, no_wrap=header in {"номер", "откуда", "причина"}, overflow="fold")
        for one in found:
            note = "" if one.note is None else f"{DONE[one.note.what]}: {one.note.sub}, {one.note.why}"
            table.add_row(
                str(one.offset),
                f"{one.first_at:%Y-%m-%d %H:%M:%S}",
                "/".join(map(str, one.origin)),
                one.reason,
                escape(one.detail[:80]),
                escape(note),
            )
        Console().print(table if found else "непринятого нет")


@app.command()
def show(
    offset: Annotated[int, typer.Argument(help="номер письма")],
    raw: Annotated[bool, typer.Option("--raw", help="только байты записи, как пришли")] = False,
) -> None:
    """Показать письмо целиком: откуда, почему, заголовки и содержимое."""

    async def work(settings: Settings, log: KafkaLog) -> Letter:
        return await letter(log, offset)

    with told():
        found = _run(work)
        if raw:
            sys.stdout.buffer.write(found.record.value or b"")
            return
        head = _head(found) | {
            "key": (found.record.key or b"").decode("utf-8", "replace"),
            "headers": {name: value.decode("utf-8", "replace") for name, value in found.record.headers.items()},
        }
        print(json.dumps(head, ensure_ascii=False, indent=1))
        print((found.record.value or b"").decode("utf-8", "replace"))


@app.command()
def replay(
    offsets: Offsets,
    why: Annotated[str, typer.Option("--why", help="почему теперь примется")] = "",
    who: Who = None,
) -> None:
    """Подать записи снова через ту же дверь; временем поступления остаётся первое. Код 1 — какая-то не подана."""

    async def work(settings: Settings, log: KafkaLog) -> list[str]:
        async with installation.open_clock(settings, log) as clock:
            door = await Door.open(settings, log, clock)
            return await _each(
                offsets, lambda one: settle(log, one, "replayed", _actor(who), why, clock.now(), door.again)
            )

    _decided(work, "подано снова")


@app.command()
def dismiss(
    offsets: Offsets,
    why: Annotated[str, typer.Option("--why", help="почему это не нужно принимать", prompt="Почему")],
    who: Who = None,
) -> None:
    """Отклонить письма: кто и почему, запоминается в журнале."""

    async def work(settings: Settings, log: KafkaLog) -> list[str]:
        async with installation.open_clock(settings, log) as clock:
            return await _each(
                offsets, lambda one: settle(log, one, "dismissed", _actor(who), why, clock.now(), lambda _: ())
            )

    with told():
        if not why.strip():
            raise Refused("Отклонить можно только с причиной: --why.")
    _decided(work, "отклонено")


@dataclass(frozen=True, slots=True)
class Door:
    """The gates that a record comes in by, as their services have them."""

    intake: Intake
    clock: Clock

    @classmethod
    async def open(cls, settings: Settings, log: KafkaLog, clock: Clock) -> Door:
        """With the law as the log has it now."""
        known = await law.in_force(settings, log)
        ages = {one.id: one.max_detection_age for one in known.values() if one.in_force}
        return cls(Intake(Appender(log, clock), lambda: ages, clock.now), clock)

    def again(self, found: Letter) -> Sequence[Outgoing]:
        """The record for the inbox. Raises `Unsettled` where it would not be taken, or must not be."""
        if found.cut is not None:
            raise Unsettled(f"{found.offset}: запись была слишком велика и сохранена не целиком")
        record = found.original()
        try:
            if record.topic == topics.INBOX:
                outgoing: Sequence[Outgoing] = [_raw(found)]
            elif record.topic == topics.DETECTIONS:
                outgoing = admitted_detection(self.intake, record)
            elif is_agencys(record.topic):
                outgoing = admitted_command(record)
            else:
                raise Unsettled(f"{found.offset}: записи темы {record.topic} снова не подают")
        except Unreadable as error:
            raise Unsettled(f"{found.offset}: не принимается и сейчас — {error.reason}: {error.detail}") from error
        first = {FIRST_APPENDED_AT: found.first_at.astimezone(UTC).isoformat().encode()}
        stamp = self.clock.now() if self.clock.simulated else None
        return [replace(one, headers={**one.headers, **first}, stamp=stamp) for one in outgoing]


def _raw(found: Letter) -> Outgoing:
    """What stood on the inbox goes there again as it was. A command is not repeated: it has its outcome."""
    record = found.record
    try:
        kind = Envelope.from_bytes(record.value or b"").type
    except ValidationError:
        kind = ""
    if kind.startswith(PREFIX) or kind == AMENDMENT:
        raise Unsettled(
            f"{found.offset}: команда уже получила отказ, и её отправитель о нём знает; подать её заново может только он, "
            "с новым номером"
        )
    headers = {name: value for name, value in record.headers.items() if not name.startswith(OURS)}
    return Outgoing(topics.INBOX, record.key, record.value or b"", headers, found.origin[1])


def _run(work: Callable[[Settings, KafkaLog], Coroutine[Any, Any, Any]]) -> Any:
    async def opened() -> Any:
        settings = load_settings()
        async with installation.open_log(settings) as log:
            return await work(await installation.living(settings, log), log)

    try:
        return asyncio.run(opened())
    except Unsettled as error:
        raise Refused(str(error)) from error


async def _each(offsets: Sequence[int], one: Callable[[int], Coroutine[Any, Any, Letter]]) -> list[str]:
    """Each by itself, so that one that is refused holds up no other. What was refused, in words."""
    refused = []
    for offset in offsets:
        try:
            await one(offset)
        except Unsettled as error:
            refused.append(str(error))
    return refused


def _decided(work: Callable[[Settings, KafkaLog], Coroutine[Any, Any, list[str]]], word: str) -> None:
    with told() as console:
        refused = _run(work)
        for line in refused:
            console.print(escape(line), highlight=False, soft_wrap=True)
        if refused:
            raise typer.Exit(REFUSED)
        console.print(word)


def _actor(who: str | None) -> Actor:
    return Actor(sub=who or getpass.getuser(), roles=("operator",))


def _head(found: Letter) -> dict[str, Any]:
    note = found.note
    return {
        "offset": found.offset,
        "origin": "/".join(map(str, found.origin)),
        "reason": found.reason,
        "detail": found.detail,
        "first_appended_at": found.first_at.isoformat(),
        "cut": found.cut,
        "settled": None
        if note is None
        else {"what": note.what, "at": note.at.isoformat(), "who": note.sub, "why": note.why},
    }
