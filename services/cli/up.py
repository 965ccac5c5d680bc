"""`otklik up`: the whole system on this machine, with embedded Kafka and PostgreSQL, until Ctrl-C."""

import asyncio
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated

import httpx
import typer
from rich.console import Console

from services.cli import showing
from services.cli.demo import play_by_real_clock, play_the_days, running_clock
from services.cli.law import files_of
from services.cli.showing import Token
from services.cli.telling import told
from services.cli.token import maker
from services.runtime.child import ChildProcess, StartError, answers
from services.runtime.embedded import EmbeddedKafka, EmbeddedPostgres, fetch_kafka
from services.runtime.embedded_guards import require_port
from services.runtime.settings import ENV_PREFIX, SERVICE_PORTS, ClockKind, Settings, SettingsError, load_settings
from services.runtime.supervisor import Supervisor

_READY_TIMEOUT_S = 120.0


def up(
    clock: Annotated[
        str, typer.Option(help="real — настоящее время; simulated — двигается командой otklik clock")
    ] = "",
    now: Annotated[str, typer.Option(help="с какого момента идут условные часы, например 2026-11-16T09:00+03:00")] = "",
    demo: Annotated[
        bool,
        typer.Option(
            "--demo", help="показательные сообщения за последние рабочие дни; условные часы доходят до настоящих"
        ),
    ] = False,
) -> None:
    """Поднять всю систему: Kafka, PostgreSQL и четыре службы; остановка — Ctrl-C."""
    with told() as console:
        settings = _settings(clock)
        started_at = _instant(now, settings.clock)
        asyncio.run(_up(settings, started_at, demo=demo, by_itself=demo and not clock and not now, console=console))


async def _up(settings: Settings, now: datetime | None, *, demo: bool, by_itself: bool, console: Console) -> None:
    """`by_itself`: the demonstration chooses the clock, a simulated one that comes up to the machine's and runs on with it."""
    async with Supervisor(settings.data, console=console) as supervisor:
        # Told before anything is downloaded; and a stranger's service must not be taken for ours that is ready.
        for service in SERVICE_PORTS:
            require_port(settings.http_port(service), service)
        if not os.environ.get(ENV_PREFIX + "KAFKA"):
            await fetch_kafka(console)
            await supervisor.start(
                EmbeddedKafka(settings.data, settings.kafka_port, settings.kafka_controller_port, console=console)
            )
        if not os.environ.get(ENV_PREFIX + "POSTGRES"):
            await supervisor.start(EmbeddedPostgres(settings.data, settings.postgres_port))

        # Imported here: `otklik --help` needs neither the law nor Kafka's client.
        from services.cli.bootstrap import bootstrap, lives_by

        begins_at = now
        if demo:
            lives = await lives_by(settings)
            if by_itself:
                runs = lives != "real"
                settings = settings.model_copy(update={"clock": lives or "simulated", "clock_runs": runs})
            if settings.clock == "simulated":
                begins_at = None if lives else _first_instant(settings, now)
        with console.status("темы, право, ключ …"):
            await bootstrap(settings, clock=settings.clock, now=begins_at)

        environment = _environment(settings)
        # Together: each waits for the parts above and for no other service.
        await supervisor.start(*(_service(service, settings, supervisor, environment) for service in SERVICE_PORTS))
        # A real issuer gives tokens of his own.
        token = maker(settings) if settings.local_key is not None else None
        authorities = _most_told_first(files_of(settings.law_folders).authorities, demo=demo)
        first = next(iter(authorities), None)
        if demo:
            await _play(settings, token, now, console)
        async with running_clock(settings):
            if demo and token is not None:
                await showing.register(settings, console, token, authorities)
            showing.addresses(settings, console, token, first)
            await supervisor.until_stopped()


def _service(name: str, settings: Settings, supervisor: Supervisor, environment: Mapping[str, str]) -> ChildProcess:
    return ChildProcess(
        name,
        [sys.executable, "-m", f"services.{name}"],
        run=supervisor.run,
        log=supervisor.logs / f"{name}.log",
        environment=environment,
        ready=answers(f"{settings.url(name)}/readyz"),
        ready_timeout=_READY_TIMEOUT_S,
    )


def _first_instant(settings: Settings, ends_at: datetime | None) -> datetime:
    from services.demo.script import begins_at

    return begins_at(files_of(settings.law_folders), ends_at or datetime.now(UTC))


def _most_told_first(authorities: Iterable[str], *, demo: bool) -> list[str]:
    """Where the demonstration has most to show stands first."""
    if not demo:
        return list(authorities)
    from services.demo.posts import lines

    return sorted(authorities, key=lambda authority: -len(lines(authority)))


async def _play(settings: Settings, token: Token | None, now: datetime | None, console: Console) -> None:
    from services.cli.clock import ClockError
    from services.demo.desk import Refusal
    from services.runtime.log import LogError

    if token is None:
        raise StartError("--demo ходит с токенами местного ключа, а задан настоящий издатель (OTKLIK_OIDC_ISSUER).")
    try:
        play = play_by_real_clock if settings.clock == "real" else play_the_days
        await play(settings, token, now or datetime.now(UTC), console)
    except (Refusal, ClockError, LogError, httpx.HTTPError) as error:
        raise StartError(
            f"Показ прерван: {error or type(error).__name__}\nЖурналы: {settings.data / 'logs'}"
        ) from error


def _settings(clock: str) -> Settings:
    """Settings of an embedded run: the environment, and what `up` itself decides."""
    chosen: dict[str, object] = {"environment": "embedded"}
    if clock:
        chosen["clock"] = clock
    settings = load_settings(**chosen)
    # Absolute: the children and the commands of other directories mean the same place.
    return settings.model_copy(update={"data": settings.data.resolve()})


def _environment(settings: Settings) -> Mapping[str, str]:
    """What the services are started with: all that `up` has decided, so that each child reads the same settings."""
    decided = (
        "environment", "partitions", "replication", "clock", "clock_runs", "data", "kafka", "postgres", "port_base", "prefix",
    )  # fmt: skip
    values = settings.model_dump()
    return dict(os.environ) | {ENV_PREFIX + name.upper(): str(values[name]) for name in decided}


def _instant(text: str, clock: ClockKind) -> datetime | None:
    if not text:
        return None
    if clock != "simulated":
        raise SettingsError("--now имеет смысл только с --clock simulated: настоящее время задаёт брокер.")
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"--now {text}: нужен момент вида 2026-11-16T09:00+03:00") from None
    if instant.tzinfo is None:
        raise SettingsError(f"--now {text}: укажите смещение от UTC, например {text}+03:00")
    return instant
