"""`python -m deploy …`: secrets, topics, users, quotas and rights of a production cluster; `--help` tells the commands."""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints, ValidationError

from deploy.acls import Partners, acls, users
from deploy.cluster import (
    apply_acls,
    difference,
    present_acls,
    set_passwords,
    set_quotas,
    shown,
    topic_line,
    user_lines,
    wanted_topics,
)
from deploy.vault import NoSecret, Secrets, partners_of
from regulations.load import SHIPPED, WrongLaw, load
from schemas import topics
from services.runtime.kafka_admin import Unsuitable, administering, ensure_topics
from services.runtime.kafka_client import KafkaSettings
from services.runtime.log import LogError

DESCRIPTION = """Пароли, темы, пользователи, ограничения скорости и права кластера.

secrets   создать пароли и сертификаты, которых ещё нет, в каталоге --secrets
show      напечатать, что должно стоять в кластере, строками для инструментов Kafka
check     сравнить с этим права кластера; код выхода 1, если они различаются
apply     сделать темы, пользователей, ограничения и права такими, как нужно
"""


class PartnersFile(Partners):
    """`--partners`: the partners, and agencies that came by an amendment and stand in no file of the law."""

    agencies: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,60}/[a-z0-9-]{1,60}$")], ...] = ()


class Plan:
    """What is to stand on the cluster."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.prefix: str = arguments.prefix
        said = load(SHIPPED, *arguments.law).authorities
        text = arguments.partners.read_text(encoding="utf-8") if arguments.partners else ""
        partners = PartnersFile.model_validate(tomllib.loads(text))
        agencies = {(authority.id, agency) for authority in said.values() for agency in authority.agencies}
        agencies |= {(one.partition("/")[0], one.partition("/")[2]) for one in partners.agencies}
        self.agencies = sorted(agencies)
        self.users = users(self.prefix, self.agencies, partners)
        self.bounded = partners_of(self.prefix, self.users)
        self.acls = acls(self.prefix, self.agencies, partners)
        self.topics = wanted_topics(
            self.agencies, partitions=arguments.partitions, replication=arguments.replication
        )  # fmt: skip

    def lines(self) -> list[str]:
        return [
            *(topic_line(self.prefix, one) for one in self.topics),
            *(line for user in self.users for line in user_lines(user, partner=user in self.bounded)),
            *(acl.line() for acl in self.acls),
        ]


def _settings(arguments: argparse.Namespace, secrets: Secrets) -> KafkaSettings:
    return KafkaSettings(
        bootstrap=arguments.bootstrap,
        prefix=arguments.prefix,
        security_protocol="SASL_SSL",
        ssl_context=ssl.create_default_context(cafile=str(secrets.path("kafka_ca"))),
        sasl_mechanism="PLAIN",
        sasl_username="admin",
        sasl_password=secrets.read("kafka_admin"),
    )


async def _check(arguments: argparse.Namespace, plan: Plan, secrets: Secrets) -> int:
    async with administering(_settings(arguments, secrets)) as admin:
        found = difference(plan.prefix, plan.acls, await present_acls(admin))
    for word, rows in (("нет", found.missing), ("лишнее", found.surplus), ("чужое", found.foreign)):
        for one in rows:
            print(f"{word}: {shown(one)}")
    return 1 if found else 0


async def _apply(arguments: argparse.Namespace, plan: Plan, secrets: Secrets) -> int:
    settings = _settings(arguments, secrets)
    made = await ensure_topics(settings, plan.topics, alter=False)
    async with administering(settings) as admin:
        await set_passwords(admin, {user: secrets.read(user) for user in plan.users})
        if plan.bounded:
            await set_quotas(admin, plan.bounded)
        found = await apply_acls(admin, plan.prefix, plan.acls)
    for name in made:
        print(f"тема {topics.full(plan.prefix, name)} создана")
    for word, rows in (("дано", found.missing), ("отнято", found.surplus), ("ЧУЖОЕ, не тронуто", found.foreign)):
        for one in rows:
            print(f"{word}: {shown(one)}")
    print(f"пользователей: {len(plan.users)}, прав: {len(plan.acls)}, тем: {len(plan.topics)}")
    return 0


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m deploy", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("secrets", "show", "check", "apply"))
    parser.add_argument("--prefix", default="otklik", help="начало имён тем, групп и пользователей")
    parser.add_argument("--law", type=Path, action="append", default=[], help="ещё каталог с acts/ и authorities/")
    parser.add_argument("--partners", type=Path, help="файл partners.toml: monitors, trusted, leadership")
    parser.add_argument("--partitions", type=int, default=24, help="число партиций, однажды и навсегда")
    parser.add_argument("--replication", type=int, default=3, help="число копий")
    parser.add_argument("--bootstrap", default="kafka-1:9094,kafka-2:9094,kafka-3:9094", help="дверь INTERNAL брокеров")
    parser.add_argument("--secrets", type=Path, default=Path("deploy/secrets"), help="каталог паролей и сертификатов")
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        help="брокер для сертификата и все его имена: kafka-1=kafka-1,kafka.example.org",
    )
    return parser.parse_args()


def main() -> int:
    arguments = _parsed()
    secrets = Secrets(arguments.secrets)
    try:
        plan = Plan(arguments)
        match arguments.what:
            case "secrets":
                for made in secrets.make(plan.users, _hosts(arguments.host)):
                    print(f"создан {secrets.path(made)}")
                return 0
            case "show":
                print("\n".join(plan.lines()))
                return 0
            case "check":
                return asyncio.run(_check(arguments, plan, secrets))
        return asyncio.run(_apply(arguments, plan, secrets))
    except (LogError, Unsuitable, WrongLaw, NoSecret, ValidationError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


def _hosts(said: list[str]) -> dict[str, list[str]]:
    hosts = {name: [name, "localhost", "127.0.0.1"] for name in ("kafka-1", "kafka-2", "kafka-3")}
    return hosts | {name: called.split(",") for name, _, called in (one.partition("=") for one in said)}


if __name__ == "__main__":
    sys.exit(main())
