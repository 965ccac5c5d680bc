"""What `otklik up` shows when all is up: where to look, a token to look with, and the register as it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from services.runtime.settings import SERVICE_PORTS, Settings

ROWS = 15
Token = Callable[[str, str, str | None], str]
"""role, authority, agency → a bearer token."""

STATUSES = {
    "registered": "зарегистрировано", "triaged": "размечено", "in_work": "в работе", "in_review": "на согласовании",
    "in_rework": "на доработке", "approved": "согласовано", "clarifying": "уточняется",
    "interim_answered": "промежуточный ответ", "answered": "отвечено", "dismissed": "не подлежит обработке",
}  # fmt: skip


def addresses(settings: Settings, console: Console, token: Token | None, authority: str | None) -> None:
    """URLs of everything, and a coordinator's token where the key is ours."""
    table = Table(title="Отклик работает; остановка — Ctrl-C", title_justify="left", show_header=False, box=None)
    table.add_row("страницы", settings.url("reporting") + "/", "очередь, сообщения, сводка; роль выбирается при входе")
    for service in SERVICE_PORTS:
        table.add_row(service, settings.url(service), f"{settings.url(service)}/openapi.json")
    table.add_row("Kafka", settings.kafka, f"темы {settings.prefix}.*")
    table.add_row("PostgreSQL", settings.postgres.rpartition("@")[2])
    table.add_row("данные", str(settings.data), f"журналы — {settings.data / 'logs'}")
    console.print(table)
    if token is not None and authority is not None:
        console.print(f"\nТокен куратора ({authority}); другие — otklik token --role … --authority …:")
        console.print(token("coordinator", authority, None), soft_wrap=True, highlight=False, markup=False)
        console.print(
            f"\nРеестр: curl -H 'Authorization: Bearer …' '{settings.url('reporting')}/v1/register?authority={authority}'"
        )


async def register(settings: Settings, console: Console, token: Token, authority: str, *, wait_for: int = 1) -> None:
    """The authority's register, newest first; waits a little for reporting to have folded `wait_for` rows."""
    url = f"{settings.url('reporting')}/v1/register"
    headers = {"Authorization": f"Bearer {token('coordinator', authority, None)}"}
    rows: list[dict[str, Any]] = []
    async with httpx.AsyncClient(timeout=10) as http:
        for _ in range(100):
            answer = await http.get(url, params={"authority": authority, "limit": ROWS}, headers=headers)
            answer.raise_for_status()
            rows = answer.json()["items"]
            if len(rows) >= min(wait_for, ROWS):
                break
            await asyncio.sleep(0.1)
    table = Table(title=f"Реестр: {authority}", title_justify="left")
    for column in ("выявлено", "сообщение", "ведомства", "статус", "нарушено сроков"):
        table.add_column(column, overflow="fold")
    for row in rows:
        text = row["text"] if len(row["text"]) <= 60 else row["text"][:57] + "…"
        breached = str(row["deadlines_breached"] or "")
        table.add_row(
            row["detected_at"][5:16].replace("T", " "),
            text,
            ", ".join(row["agencies"]),
            STATUSES[row["status"]],
            breached,
        )
    console.print(table)
