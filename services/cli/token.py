"""`otklik token`: a token of the local key, where no issuer is set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from pydantic import ValidationError

from schemas.roles import ROLES
from services.cli.telling import Refused, told
from services.runtime.problems import ProblemError
from services.runtime.settings import Settings, SettingsError, load_settings
from services.runtime.tokens import Claims, local_token

HOURS = 12
WORDS = {
    "authorities": "--authority: строчные латинские буквы, цифры и дефис, не больше 60 знаков",
    "agency": "--agency: строчные латинские буквы, цифры и дефис, не больше 60 знаков",
    "sub": "--sub: от 1 до 200 знаков",
    "roles": "--role: не больше 50",
}
"""What each claim has to be."""


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
    with told():
        print(make(load_settings(), role, authority or (), agency, sub=sub, ttl=timedelta(hours=ttl)))


def make(
    settings: Settings,
    roles: Sequence[str],
    authorities: Sequence[str],
    agency: str | None = None,
    *,
    sub: str = "",
    ttl: timedelta = timedelta(hours=HOURS),
) -> str:
    """The token. `Refused` for what no token may say or where there is no key yet; SettingsError where the local key is
    off."""
    if settings.local_key is None:
        raise SettingsError("Местный ключ выключен: токены выдаёт издатель (OTKLIK_OIDC_ISSUER).")
    unknown = sorted(set(roles) - set(ROLES))
    if unknown:
        raise Refused(f"роли {', '.join(unknown)} нет; есть {', '.join(ROLES)}")
    if "executor" in roles and agency is None:
        raise Refused("исполнителю (executor) нужно ведомство: --agency")
    named = sub or "-".join(
        [*roles, *(authority.strip("*") or "all" for authority in authorities), *([agency] if agency else [])]
    )
    try:
        claims = Claims(sub=named, authorities=tuple(authorities), roles=tuple(roles), agency=agency)
    except ValidationError as error:
        wrong = sorted({WORDS[str(fault["loc"][0])] for fault in error.errors()})
        raise Refused("; ".join(wrong)) from None
    try:
        return local_token(settings.local_key, claims, now=datetime.now(UTC), ttl=ttl)
    except ProblemError as error:
        raise Refused(f"{error} Он ищется в {settings.local_key} (OTKLIK_DATA).") from error


def maker(settings: Settings) -> Callable[[str, str, str | None], str]:
    """What the demonstration asks for tokens by: role, authority, agency."""

    def made(role: str, authority: str, agency: str | None) -> str:
        return make(settings, [role], [authority], agency)

    return made
