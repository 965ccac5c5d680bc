"""`otklik deadlines`: the deadlines of a message, or of instants given, with their explanations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.markup import escape

from services.cli import token
from services.cli.telling import Refused, told
from services.reporting.exports.words import DEADLINE_STATES
from services.runtime.settings import Settings, load_settings

TIMEOUT_S = 15.0


def deadlines(
    message: Annotated[str | None, typer.Argument(help="message_id; без него — расчёт от названных моментов")] = None,
    authority: Annotated[str, typer.Option(help="орган власти, например kbr")] = "kbr",
    fact: Annotated[
        list[str] | None,
        typer.Option(help="веха=момент, можно несколько: detected=2026-11-16T09:00+03:00"),
    ] = None,
    reduced: Annotated[bool, typer.Option("--reduced", help="сокращённый срок")] = False,
    regulation: Annotated[str | None, typer.Option(help="положение; без него — действующее")] = None,
    brief: Annotated[bool, typer.Option("--brief", help="без объяснений")] = False,
) -> None:
    """Показать сроки сообщения или рассчитать их от названных моментов, с объяснением каждого."""
    console = Console(soft_wrap=True)
    with told():
        settings = load_settings()
        if message is not None:
            items = of_message(settings, authority, message)
        elif fact:
            items = calculated(settings, authority, fact, reduced, regulation)
        else:
            raise Refused(
                "Назовите сообщение (message_id) или хотя бы одну веху: --fact detected=2026-11-16T09:00+03:00"
            )
    for item in items:
        console.print(f"[bold]{escape(headline(item))}[/]", highlight=False)
        for line in () if brief else item.get("explanation", ()):
            console.print(f"  {escape(line)}", highlight=False)
    if not items:
        console.print("Сроков нет.")


def of_message(settings: Settings, authority: str, message: str) -> list[dict[str, Any]]:
    """The deadlines of a message, and those that wait for a calendar year. Raises `Refused`, `OSError`."""
    body = _asked(settings, authority, "GET", f"/v1/messages/{message}/deadlines")
    waiting = [item | {"explanation": [item["reason"]]} for item in body.get("pending", [])]
    return [*body["items"], *waiting]


def calculated(
    settings: Settings, authority: str, facts: list[str], reduced: bool, regulation: str | None
) -> list[dict[str, Any]]:
    """Deadlines of instants given, each `milestone=instant`. Raises `Refused`, `OSError`."""
    question = {"authority": authority, "reduced": reduced, "facts": [read_fact(text) for text in facts]}
    if regulation is not None:
        question["regulation"] = regulation
    items: list[dict[str, Any]] = _asked(settings, authority, "POST", "/v1/deadlines/calculate", question)["deadlines"]
    return items


def read_fact(text: str) -> dict[str, str]:
    """`detected=2026-11-16T09:00+03:00` as the API has it. Raises `Refused`."""
    milestone, equals, at = text.partition("=")
    try:
        instant = datetime.fromisoformat(at)
    except ValueError:
        instant = None
    if not equals or instant is None or instant.tzinfo is None:
        raise Refused(f"--fact {text}: нужно веха=момент со смещением, например detected=2026-11-16T09:00+03:00")
    return {"milestone": milestone, "at": instant.isoformat()}


def headline(item: dict[str, Any]) -> str:
    """One line of a deadline: rule, paragraph, instant, state, debtor."""
    name = item["rule"] + (f"/{item['occurrence']}" if "occurrence" in item else "")
    due = (
        f"до {datetime.fromisoformat(item['due_at']):%d.%m.%Y %H:%M:%S %z}"
        if "due_at" in item
        else DEADLINE_STATES["pending"]
    )
    parts = [name, f"п. {item['paragraph']}", due]
    if "state" in item:
        parts.append(DEADLINE_STATES[item["state"]])
    if "owed_by" in item:
        parts.append(item["owed_by"].get("agency") or item["owed_by"]["role"])
    return " · ".join(parts)


def _asked(
    settings: Settings, authority: str, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    bearer = token.make(settings, ["auditor"], [authority], sub="otklik-deadlines")
    try:
        response = httpx.request(
            method,
            f"{settings.url('sla')}{path}",
            json=body,
            headers={"Authorization": f"Bearer {bearer}"},
            timeout=TIMEOUT_S,
        )
    except httpx.HTTPError as error:
        raise ConnectionError(f"Служба сроков не отвечает ({settings.url('sla')}): {error}") from error
    if response.status_code != 200:
        raise Refused(_refusal(response))
    answer: dict[str, Any] = response.json()
    return answer


def _refusal(response: httpx.Response) -> str:
    try:
        problem = response.json()
        faults = [f"  {fault['pointer']}: {fault['detail']}" for fault in problem.get("errors", [])]
        return "\n".join([str(problem["detail"]), *faults])
    except (ValueError, KeyError, TypeError):
        return f"Служба сроков ответила {response.status_code}."
