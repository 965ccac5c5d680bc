"""`otklik token`: a token of the local key, where no issuer is set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from services.runtime.problems import ProblemError, faults_of
from services.runtime.settings import Settings, SettingsError, load_settings
from services.runtime.tokens import ROLES, Claims, local_token

HOURS = 12


def token(
    role: Annotated[list[str], typer.Option(help=f"роль, можно несколько: {', '.join(ROLES)}")],
    authority: Annotated[
        list[str] | None, typer.Option(help="орган власти, можно несколько; * — все, для operator")
    ] = None,
    agency: Annotated[str | None, typer.Option(help="исполнительный орган, для executor")] = None,
    sub: Annotated[str, typer.Option(help="кто это; по умолчанию складывается из роли и органа")] = "",
    ttl: Annotated[float, typer.Option(help="сколько часов действует")] = HOURS,
) -> None:
    """Напечатать токен, подписанный местным ключом (`otklik up`)."""
    try:
        print(make(load_settings(), role, authority or (), agency, sub=sub, ttl=timedelta(hours=ttl)))
    except (SettingsError, ValueError, ProblemError) as error:
        Console(stderr=True).print(escape(str(error)), highlight=False)
        raise typer.Exit(1) from error


def make(
    settings: Settings,
    roles: Sequence[str],
    authorities: Sequence[str],
    agency: str | None = None,
    *,
    sub: str = "",
    ttl: timedelta = timedelta(hours=HOURS),
) -> str:
    """The token. ValueError in Russian for what no token may say; SettingsError where the local key is off."""
    if settings.local_key is None:
        raise SettingsError("Местный ключ выключен: токены выдаёт издатель (OTKLIK_OIDC_ISSUER).")
    unknown = sorted(set(roles) - set(ROLES))
    if unknown:
        raise ValueError(f"роли {', '.join(unknown)} нет; есть {', '.join(ROLES)}")
    if "executor" in roles and agency is None:
        raise ValueError("исполнителю (executor) нужен орган: --agency")
    named = sub or "-".join(
        [*roles, *(authority.strip("*") or "all" for authority in authorities), *([agency] if agency else [])]
    )
    try:
        claims = Claims(sub=named, authorities=tuple(authorities), roles=tuple(roles), agency=agency)
    except ValidationError as error:
        raise ValueError("; ".join(f"{fault.pointer[1:]}: {fault.detail}" for fault in faults_of(error))) from None
    return local_token(settings.local_key, claims, now=datetime.now(UTC), ttl=ttl)


def maker(settings: Settings) -> Callable[[str, str, str | None], str]:
    """What the demonstration asks for tokens by: role, authority, agency."""

    def made(role: str, authority: str, agency: str | None) -> str:
        return make(settings, [role], [authority], agency)

    return made
