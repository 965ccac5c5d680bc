"""Settings come from the environment, are validated, and say in Russian what is wrong."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.runtime.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTKLIK_")]:
        monkeypatch.delenv(name)


def test_ports_follow_the_port_base(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTKLIK_PORT_BASE", "9100")
    settings = load_settings()
    assert [settings.http_port(name) for name in ("intake", "workflow", "sla", "reporting")] == [9101, 9102, 9103, 9104]
    assert settings.kafka == "127.0.0.1:9192"
    assert settings.kafka_controller_port == 9193
    assert settings.postgres == "postgresql+asyncpg://postgres@127.0.0.1:9132/otklik"


def test_an_address_given_is_kept_and_gets_our_driver() -> None:
    settings = load_settings(kafka="a:9092,b:9092", postgres="postgresql://u:p@db:5432/otklik")
    assert settings.kafka == "a:9092,b:9092"
    assert settings.postgres == "postgresql+asyncpg://u:p@db:5432/otklik"


def test_production_has_24_partitions_and_three_copies() -> None:
    settings = load_settings(environment="production", oidc_issuer="https://id.example", oidc_audience="otklik")
    assert (settings.partitions, settings.replication) == (24, 3)


def test_embedded_has_four_partitions_and_one_copy() -> None:
    assert (load_settings().partitions, load_settings().replication) == (4, 1)


def test_production_without_an_issuer_is_refused() -> None:
    with pytest.raises(SettingsError, match="OTKLIK_OIDC_ISSUER"):
        load_settings(environment="production")


def test_production_refuses_a_simulated_clock() -> None:
    with pytest.raises(SettingsError, match="OTKLIK_CLOCK"):
        load_settings(environment="production", oidc_issuer="i", oidc_audience="a", clock="simulated")


def test_a_real_issuer_turns_the_local_key_off() -> None:
    assert load_settings(data=Path("d")).local_key == Path("d/local_key.pem")
    assert load_settings(oidc_issuer="i", oidc_audience="a").local_key is None


def test_every_fault_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTKLIK_PORT_BASE", "восемь")
    monkeypatch.setenv("OTKLIK_CLOCK", "sundial")
    monkeypatch.setenv("OTKLIK_KAFKA", "nowhere")
    monkeypatch.setenv("OTKLIK_PREFIX", "Отклик")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    for word in ("OTKLIK_PORT_BASE", "целое число", "OTKLIK_CLOCK", "OTKLIK_KAFKA", "host:port", "OTKLIK_PREFIX"):
        assert word in str(refused.value)


def test_what_follows_from_a_fault_is_no_fault_of_its_own() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(port_base=80)
    assert str(refused.value).splitlines()[1:] == ["  OTKLIK_PORT_BASE: 80 — нужно не меньше 1024"]


def test_a_wrong_database_address_does_not_show_its_password() -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(postgres="mysql://u:hunter2@db/x")
    assert "hunter2" not in str(refused.value)


def test_an_empty_variable_is_as_if_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTKLIK_KAFKA", "")
    assert load_settings().kafka == "127.0.0.1:8092"


def test_further_law_is_a_list_of_folders_that_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    monkeypatch.setenv("OTKLIK_LAW", f"{tmp_path}:{tmp_path / 'own'}")
    assert load_settings().law_folders == (tmp_path, tmp_path / "own")
    monkeypatch.setenv("OTKLIK_LAW", str(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match=r"OTKLIK_LAW.*nowhere"):
        load_settings()


def test_settings_never_change() -> None:
    with pytest.raises(ValidationError):
        load_settings().prefix = "other"  # type: ignore[misc]


def test_describe_names_every_setting_and_masks_passwords() -> None:
    lines = load_settings(postgres="postgresql://u:hunter2@db/otklik").describe()
    assert {line.name for line in lines} == {"OTKLIK_" + name.upper() for name in Settings.model_fields}
    assert all(line.meaning for line in lines)
    shown = {line.name: line for line in lines}
    assert "hunter2" not in shown["OTKLIK_POSTGRES"].value
    assert shown["OTKLIK_POSTGRES"].default == "postgresql+asyncpg://postgres@127.0.0.1:8032/otklik"
