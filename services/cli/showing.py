"""What `otklik up` shows when all is up: where to look, a token to look with, and the register as it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from rich.console import Console
from rich.table import Table

from services.reporting.exports.words import STATUSES
from services.runtime.settings import SERVICE_PORTS, Settings

PAGE, PAGES = 1000, 3
OF_EACH_STATUS = 2
TEXT = 46
Token = Callable[[str, str, str | None], str]
"""role, authority, agency → a bearer token."""


def addresses(settings: Settings, console: Console, token: Token | None, authority: str | None) -> None:
    """URLs of everything, and a coordinator's token where the key is ours."""
    lines = [
        ("страницы", f"{settings.url('reporting')}/", "очередь, сообщения, сводка; роль выбирается при входе"),
        *((service, f"{settings.url(service)}/openapi.json", "") for service in SERVICE_PORTS),
        ("Kafka", settings.kafka, f"темы {settings.prefix}.*"),
        ("PostgreSQL", settings.postgres.rpartition("@")[2], ""),
        ("данные", str(settings.data), f"журналы — {settings.data / 'logs'}"),
    ]
    # Plain lines: a table would break the addresses of a narrow terminal in two.
    console.print()
    for name, address, what in lines:
        console.print(f"  {name:<11}{address}  {what}".rstrip(), soft_wrap=True, highlight=False, markup=False)
    if token is not None and authority is not None:
        console.print(f"\nТокен куратора ({authority}); другие: otklik token --role … --authority …", highlight=False)
        console.print(token("coordinator", authority, None), soft_wrap=True, highlight=False, markup=False)
        url = f"{settings.url('reporting')}/v1/register?authority={authority}"
        console.print(f"\nРеестр: curl -H 'Authorization: Bearer …' '{url}'", soft_wrap=True, highlight=False)
    console.print("\n[bold]Отклик работает; остановка — Ctrl-C[/]")


async def register(settings: Settings, console: Console, token: Token, authorities: Iterable[str]) -> None:
    """How many messages stand where, an authority a line; and some rows of the first one's register, of every kind."""
    async with httpx.AsyncClient(timeout=30) as http:
        read = {one: await _rows(http, settings, token, one) for one in authorities}
    console.print(_counts(read))
    first = next(iter(read), None)
    if first is not None:
        console.print(_excerpt(first, read[first], await _zone(settings, token, first)))


def _counts(read: Mapping[str, list[dict[str, Any]]]) -> Table:
    table = Table("сообщений", title="Что сейчас где", title_justify="left")
    for authority in read:
        table.add_column(authority, justify="right")
    numbers = [Counter(row["status"] for row in rows) for rows in read.values()]
    for status, name in STATUSES.items():
        table.add_row(name, *(str(number[status] or "") for number in numbers))
    table.add_section()
    table.add_row("всего", *(str(len(rows)) for rows in read.values()))
    late = (sum(row["deadlines_breached"] > 0 for row in rows) for rows in read.values())
    table.add_row("с нарушенным сроком", *(str(number or "") for number in late))
    return table


async def _rows(http: httpx.AsyncClient, settings: Settings, token: Token, authority: str) -> list[dict[str, Any]]:
    url, rows = f"{settings.url('reporting')}/v1/register", []
    asked: dict[str, str | int] = {"authority": authority, "limit": PAGE}
    for _ in range(PAGES):
        answer = await http.get(url, params=asked, headers=_headers(token, authority))
        answer.raise_for_status()
        page = answer.json()
        rows += page["items"]
        if "next" not in page:
            break
        asked["after"] = page["next"]
    return rows


async def _zone(settings: Settings, token: Token, authority: str) -> ZoneInfo:
    url = f"{settings.url('workflow')}/v1/authorities/{authority}"
    async with httpx.AsyncClient(timeout=30) as http:
        answer = await http.get(url, headers=_headers(token, authority))
    answer.raise_for_status()
    return ZoneInfo(answer.json()["timezone"])


def _headers(token: Token, authority: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token('coordinator', authority, None)}"}


def _excerpt(authority: str, rows: list[dict[str, Any]], zone: ZoneInfo) -> Table:
    """The latest of each status, so that every kind of thing to look at is there."""
    seen: Counter[str] = Counter()
    chosen = []
    for row in reversed(rows):
        seen[row["status"]] += 1
        if seen[row["status"]] <= OF_EACH_STATUS:
            chosen.append(row)
    table = Table(title=f"Из реестра {authority} ({len(chosen)} из {len(rows)})", title_justify="left")
    for column in ("выявлено", "сообщение", "ведомства", "статус"):
        table.add_column(column, overflow="fold")
    table.add_column("наруш.", justify="right")
    for row in reversed(chosen):
        at = datetime.fromisoformat(row["detected_at"]).astimezone(zone)
        text = " ".join(row["text"].split())
        table.add_row(
            f"{at:%d.%m %H:%M}",
            text if len(text) <= TEXT else text[: TEXT - 1] + "…",
            ", ".join(row["agencies"]),
            STATUSES[row["status"]],
            str(row["deadlines_breached"] or ""),
        )
    return table
