"""Templates: every value is escaped, nothing is taken from outside, and a browser is told so."""

from __future__ import annotations

import hashlib
from datetime import datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.reporting.exports import words
from services.reporting.pages import naming
from services.runtime.settings import Settings

HERE = Path(__file__).parent
STATIC = HERE / "static"


def page(request: Request, template: str, told: dict[str, Any], *, status: int = 200) -> HTMLResponse:
    """The page. `workflow` among what is told: a further address that its scripts may ask."""
    body = _environment().get_template(template).render(request=request, **told)
    connect = origin_of(told["workflow"]) if "workflow" in told else ""
    policy = (
        f"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self' {connect}; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(body, status, headers)


def origin_of(url: str) -> str:
    """Scheme, host and port: with a path, a policy would allow that very path and nothing below it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def to_workflow(request: Request, settings: Settings) -> dict[str, str]:
    """Where the browser sends the commands of a page's forms: beside this service, unless a proxy stands in front."""
    beside = f"{request.url.scheme}://{request.url.hostname}:{settings.http_port('workflow')}"
    return {"workflow": (settings.workflow_url or beside).rstrip("/")}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(words=words, of=words.of, naming=naming, asset=_asset)
    environment.filters.update(
        moment=words.moment,
        topics=words.topics,
        paragraph=words.paragraph,
        day=_day,
        web=_web,
        percent=words.percent,
        decimal=words.decimal,
        lasting=words.lasting,
        excerpt=_excerpt,
        plural=_plural,
    )
    return environment


@cache
def _asset(name: str) -> str:
    """The address of a static file; it changes with the content, so that browsers may keep it for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def _day(at: datetime, zone: tzinfo) -> str:
    return f"{at.astimezone(zone):%d.%m.%Y}"


def _web(url: str | None) -> str | None:
    """The address, if it is one of the web: a post may bear any scheme, and some of them run code."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.netloc else None


def _excerpt(text: str, length: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[: length - 1].rsplit(" ", 1)[0] + "…"


def _plural(number: int, one: str, few: str, many: str) -> str:
    """«1 сообщение», «2 сообщения», «5 сообщений»."""
    tens, ones = number % 100, number % 10
    word = many if 10 < tens < 20 or ones == 0 or ones > 4 else one if ones == 1 else few
    return f"{number} {word}"
