"""What `deploy/` says of the services is what they are: users, ports, secrets, metrics, and what an operator is told."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_client import REGISTRY
from pydantic import ValidationError
from typer import Context
from typer.core import TyperGroup
from typer.main import get_command

import services.sla.__main__  # noqa: F401 - its metrics
from deploy.acls import Acl, Operation, Partners, Pattern, Resource, acls, users
from deploy.certificates import make
from deploy.cluster import difference, row, wanted_topics
from deploy.vault import NoSecret, Secrets
from schemas import topics
from services.cli.__main__ import app
from services.runtime import telemetry
from services.runtime.settings import SERVICE_PORTS

DEPLOY = Path(__file__).parents[2] / "deploy"
OPERATIONS = (DEPLOY.parent / "docs" / "operations.md").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
ALERTS = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
BROKERS = ("kafka-1", "kafka-2", "kafka-3")
HOSTS = dict.fromkeys(BROKERS, ("localhost",))


def metrics_told() -> set[str]:
    """Names of all series that our processes can give."""
    found: set[str] = set()
    for family in REGISTRY.collect():
        if family.name.startswith("otklik_"):
            found |= {family.name + end for end in ("", "_total", "_bucket", "_count", "_sum")}
    assert telemetry.EXPOSITION_TYPE and found
    return found


def expressions() -> list[str]:
    dashboard = json.loads((DEPLOY / "grafana" / "otklik.json").read_text(encoding="utf-8"))
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return [rule["expr"] for rule in ALERTS] + shown


def test_alarms_and_dashboard_ask_for_metrics_that_exist() -> None:
    asked = {name for expression in expressions() for name in re.findall(r"\botklik_[a-z_]+", expression)}
    assert asked
    assert asked <= metrics_told()


def test_every_alarm_has_its_part_on_the_operators_page_and_the_other_way_round() -> None:
    named = re.findall(r"^### (\w+)$", OPERATIONS, re.MULTILINE)
    assert named == [rule["alert"] for rule in ALERTS]


def test_the_operators_page_names_no_command_that_does_not_exist() -> None:
    told = re.findall(r"`(?:[^`]*\s)?otklik ([a-z-]+(?: [a-z-]+)?)", OPERATIONS)
    assert "law apply" in told
    known = get_command(app)
    assert isinstance(known, TyperGroup)
    for words in told:
        first, _, second = words.partition(" ")
        found = known.get_command(Context(known), first)
        assert found is not None, words
        if isinstance(found, TyperGroup) and second:
            assert found.get_command(Context(found), second) is not None, words


def test_every_service_runs_under_its_own_name_behind_its_own_port() -> None:
    user_names = users("otklik", [])
    for service, offset in SERVICE_PORTS.items():
        said = COMPOSE["services"][service]
        assert said["command"] == ["otklik", "serve", service]
        assert said["environment"]["OTKLIK_KAFKA_USER"] == f"otklik.{service}"
        assert said["environment"]["OTKLIK_KAFKA_USER"] in user_names
        assert f"//{service}@" in said["environment"]["OTKLIK_POSTGRES"]
        assert said["ports"][0].endswith(f":{8000 + offset}")
        mounted = {one["source"] for one in said["secrets"] if isinstance(one, dict)}
        assert mounted == {f"kafka_{service}", f"postgres_{service}"}


def test_no_password_stands_in_the_compose_file() -> None:
    for name, service in COMPOSE["services"].items():
        for variable, value in service.get("environment", {}).items():
            assert "PASSWORD" not in variable or str(value).startswith("/run/secrets/"), (name, variable)


def test_every_secret_of_the_compose_file_is_made(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "secrets")
    secrets.make(users("otklik", []), HOSTS)
    for said in COMPOSE["secrets"].values():
        assert secrets.read(Path(said["file"]).name)
    assert secrets.path("").stat().st_mode & 0o777 == 0o700


def test_secrets_are_made_once_and_anew_only_when_removed(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    first = secrets.make(["otklik.sla"], {"kafka-1": ["localhost"]})
    assert secrets.make(["otklik.sla"], {"kafka-1": ["localhost"]}) == []
    before = secrets.read("otklik.sla")
    assert len(set(map(secrets.read, first))) == len(first)
    secrets.path("otklik.sla").unlink()
    with pytest.raises(NoSecret, match="python -m deploy secrets"):
        secrets.read("otklik.sla")
    assert secrets.make(["otklik.sla"], {"kafka-1": ["localhost"]}) == ["otklik.sla"]
    assert secrets.read("otklik.sla") != before


def test_a_certificate_more_makes_all_of_them_anew_as_their_authority_signs_once(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path)
    secrets.make([], {"kafka-1": ["localhost"]})
    before = secrets.read("kafka_ca")
    assert set(secrets.make([], HOSTS)) == {"kafka_ca", *BROKERS}
    assert secrets.read("kafka_ca") != before
    assert secrets.read("kafka_ca") in secrets.read("kafka-2")


def test_a_brokers_file_holds_its_key_its_certificate_and_the_authority() -> None:
    made = make({"kafka-1": ["kafka-1", "127.0.0.1"]})
    assert re.findall(r"-----BEGIN ([A-Z ]+)-----", made["kafka-1"]) == ["PRIVATE KEY", "CERTIFICATE", "CERTIFICATE"]


def test_no_partner_has_a_transactional_id_or_a_right_to_the_cluster() -> None:
    partners = Partners(monitors=("a",), trusted=("b",), leadership=("c",))
    outside = [acl for acl in acls("otklik", [("kbr", "minzdrav")], partners) if acl.user.count(".") > 1]
    assert {acl.resource for acl in outside} == {Resource.TOPIC, Resource.GROUP}
    assert {acl.operation for acl in outside} == {Operation.READ, Operation.WRITE}
    # Only groups of one's own are given by their beginning, and that ends with a dot.
    assert all(acl.resource is Resource.GROUP and acl.name == f"{acl.user}." for acl in outside
               if acl.pattern is Pattern.PREFIXED)  # fmt: skip


def test_a_right_is_told_once() -> None:
    told = acls("otklik", [("kbr", "minzdrav"), ("buryatia", "minzdrav")])
    assert len(told) == len(set(told))


def test_a_name_with_a_dot_is_no_partner() -> None:
    with pytest.raises(ValidationError):
        Partners(monitors=("agency.kbr",))


@pytest.mark.parametrize(
    ("name", "pattern", "foreign"),
    [
        ("otklik.events", Pattern.LITERAL, True),
        ("otklik.", Pattern.PREFIXED, True),
        ("otk", Pattern.PREFIXED, True),
        ("", Pattern.PREFIXED, True),
        ("otklik.commands.kbr.", Pattern.PREFIXED, True),
        ("*", Pattern.LITERAL, True),
        ("otklik2.events", Pattern.LITERAL, False),
        ("otk", Pattern.LITERAL, False),
    ],
)
def test_rights_of_strangers_to_what_is_ours_are_seen(name: str, pattern: Pattern, foreign: bool) -> None:
    strange = row(Acl("somebody", Resource.TOPIC, pattern, name, Operation.READ))
    assert bool(difference("otklik", [], [strange]).foreign) is foreign


def test_two_of_three_copies_acknowledge_and_nothing_unclean_is_elected() -> None:
    wanted = {one.name: one for one in wanted_topics([("kbr", "minzdrav")], partitions=24, replication=3)}
    assert {topics.commands("kbr", "minzdrav"), topics.assignments("kbr", "minzdrav"), topics.EVENTS} <= set(wanted)
    for one in wanted.values():
        assert one.replication == 3
        assert one.config["min.insync.replicas"] == "2"
        assert one.config["unclean.leader.election.enable"] == "false"
    assert wanted[topics.EVENTS].config["retention.ms"] == "-1"
    assert wanted[topics.INBOX].config["message.timestamp.type"] == "LogAppendTime"


def test_the_plan_is_shown_as_lines_for_kafkas_own_tools() -> None:
    shown = subprocess.run([sys.executable, "-m", "deploy", "show"], capture_output=True, text=True, check=True).stdout
    assert (
        "kafka-topics.sh --create --if-not-exists --topic otklik.events --partitions 24 --replication-factor 3" in shown
    )
    right = "--operation Write --topic otklik.commands.kbr.minzdrav --resource-pattern-type literal"
    assert f"kafka-acls.sh --add --allow-principal User:otklik.agency.kbr.minzdrav {right}" in shown


def test_an_agency_that_came_by_an_amendment_keeps_its_door(tmp_path: Path) -> None:
    partners = tmp_path / "partners.toml"
    partners.write_text('agencies = ["kbr/minsport"]')
    run = [sys.executable, "-m", "deploy", "show", "--partners", str(partners)]
    shown = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert "User:otklik.agency.kbr.minsport" in shown
    partners.write_text('agencies = ["kbr/min.sport"]')
    assert subprocess.run(run, capture_output=True, text=True).returncode == 2
