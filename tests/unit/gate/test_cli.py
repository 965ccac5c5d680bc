"""The words of `otklik`: tokens that may be had, durations, instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli import token
from services.cli.__main__ import COMMANDS, app
from services.cli.clock import ClockError, duration_of, instant_of
from services.cli.telling import Refused
from services.runtime.settings import SettingsError, load_settings
from services.runtime.tokens import Verifier, ensure_local_key
from tests.ports import free_port_base


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("PT30M", timedelta(minutes=30)),
        ("P1D", timedelta(days=1)),
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
    ],
)
def test_durations_are_iso_or_short(text: str, duration: timedelta) -> None:
    assert duration_of(text) == duration


@pytest.mark.parametrize("text", ["", "tomorrow", "-PT1M", "30", "m"])
def test_what_is_no_duration_is_told(text: str) -> None:
    with pytest.raises(ClockError):
        duration_of(text)


def test_an_instant_needs_its_offset() -> None:
    assert instant_of("2026-11-16T09:00+03:00") == datetime(2026, 11, 16, 6, tzinfo=UTC)
    with pytest.raises(ClockError, match=r"смещение .* 2026-11-16T00:00\+03:00"):
        instant_of("2026-11-16")


def test_no_name_of_a_setting_is_cut_however_narrow_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(app, ["settings"]).stdout
    for line in load_settings().describe():
        assert line.name in shown


async def test_a_local_token_says_what_was_asked_for(tmp_path: Path) -> None:
    settings = load_settings(data=tmp_path)
    assert settings.local_key is not None
    ensure_local_key(settings.local_key)
    actor = await Verifier(settings).actor(token.make(settings, ["executor"], ["kbr"], "minzdrav"))
    assert (actor.roles, actor.authorities, actor.agency) == (("executor",), ("kbr",), "minzdrav")
    everywhere = await Verifier(settings).actor(token.make(settings, ["operator"], ["*"]))
    assert everywhere.authorities == ("*",)


def test_a_token_that_nobody_could_use_is_refused(tmp_path: Path) -> None:
    settings = load_settings(data=tmp_path)
    for roles, authorities, agency in (
        (["king"], ["kbr"], None),
        (["executor"], ["kbr"], None),
        (["monitor"], ["КБР"], None),
    ):
        with pytest.raises(Refused):
            token.make(settings, roles, authorities, agency)


def test_where_an_issuer_signs_there_are_no_local_tokens(tmp_path: Path) -> None:
    settings = load_settings(data=tmp_path, oidc_issuer="https://id.example", oidc_audience="otklik")
    with pytest.raises(SettingsError):
        token.make(settings, ["monitor"], ["kbr"])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_tells_how_it_is_used(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0, result.output


def test_an_unknown_command_is_refused() -> None:
    assert CliRunner().invoke(app, ["fly"]).exit_code == 2


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A shell whose settings name a port base where nobody listens, and a data folder without a key."""
    base = free_port_base()
    for name, value in (("PORT_BASE", str(base)), ("DATA", str(tmp_path))):
        monkeypatch.setenv(f"OTKLIK_{name}", value)


@pytest.mark.usefixtures("nothing_runs")
@pytest.mark.parametrize(
    "command", ["topics --check", "law apply", "clock show", "demo", "dead-letters list", "verify"]
)
def test_where_nothing_runs_every_command_says_so_and_may_be_tried_again(command: str) -> None:
    result = CliRunner().invoke(app, command.split())
    assert isinstance(result.exception, SystemExit) and result.exit_code == 3, result.output
    assert "Kafka" in result.stderr and "otklik settings" in result.stderr, result.stderr


@pytest.mark.usefixtures("nothing_runs")
def test_deadlines_need_a_message_or_a_fact_and_a_key() -> None:
    bare = CliRunner().invoke(app, ["deadlines"])
    assert (bare.exit_code, "--fact" in bare.stderr) == (1, True), bare.stderr
    keyless = CliRunner().invoke(app, ["deadlines", "--fact", "detected=2026-11-16T09:00+03:00"])
    assert (keyless.exit_code, "OTKLIK_DATA" in keyless.stderr) == (1, True), keyless.stderr


def test_a_folder_of_law_that_is_none_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["law", "apply", "--folder", str(tmp_path / "misspelt")])
    assert (result.exit_code, "ни acts/, ни authorities/" in result.stderr) == (1, True), result.stderr
