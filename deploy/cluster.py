"""What stands on a cluster, and putting it right: ACLs, users with their passwords, quotas, topics.

All of it may be run again at any time: what is right already stays as it is.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aiokafka.errors import for_code
from aiokafka.protocol.admin import DescribeAclsRequest

from deploy import wire
from deploy.acls import Acl, Operation, Pattern, Resource, is_ours
from deploy.wire import ALLOW, AclRow
from schemas import topics
from services.runtime.kafka_admin import Wanted
from services.runtime.log import LogError

SCRAM_ITERATIONS = 8192
ANY_HOST = "*"
_ANY = 1
"""Kafka's number for «any» in a filter, of resources, patterns, operations and permissions alike."""
_MIB = float(1 << 20)
PARTNER_QUOTA: Mapping[str, float] = {
    # Bytes a second, and percent of one of the broker's threads, on each broker: a partner that floods slows itself.
    "producer_byte_rate": 2 * _MIB,
    "consumer_byte_rate": 8 * _MIB,
    "request_percentage": 50.0,
}
_LOOKING = {Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS}


def row(acl: Acl) -> AclRow:
    """As Kafka keeps it."""
    return (acl.resource, acl.name, acl.pattern, f"User:{acl.user}", ANY_HOST, acl.operation, ALLOW)


def shown(entry: AclRow) -> str:
    """A row for people; numbers that we have no name for stay numbers."""
    resource, name, pattern, principal, host, operation, permission = entry
    words = (_named(Operation, operation), _named(Resource, resource), _named(Pattern, pattern))
    return f"{'ALLOW' if permission == ALLOW else 'DENY'} {principal} {' '.join(words)} {name} host={host}"


def _named(names: type[Resource] | type[Pattern] | type[Operation], number: int) -> str:
    return names(number).name if number in {one.value for one in names} else str(number)


@dataclass(frozen=True, slots=True)
class Difference:
    """`missing` and `surplus` are of our users. `foreign` are rights of others to what is ours: nobody here gave them,
    so nobody here takes them away, but an operator has to know."""

    missing: tuple[AclRow, ...]
    surplus: tuple[AclRow, ...]
    foreign: tuple[AclRow, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.surplus or self.foreign)


def difference(prefix: str, wanted: Iterable[Acl], present: Iterable[AclRow]) -> Difference:
    """Compare what stands on the cluster with what should."""
    wish, found = {row(acl) for acl in wanted}, set(present)
    ours = {entry for entry in found if is_ours(prefix, entry[3].removeprefix("User:"))}
    foreign = {entry for entry in found - ours if entry[6] == ALLOW and _touches(prefix, entry)}
    return Difference(tuple(sorted(wish - found)), tuple(sorted(ours - wish)), tuple(sorted(foreign)))


def _touches(prefix: str, entry: AclRow) -> bool:
    resource, name, pattern, _, _, operation, _ = entry
    if resource == Resource.CLUSTER:
        return operation not in _LOOKING
    # Kafka takes a literal asterisk for every name.
    if name == "*":
        return True
    begins = (f"{prefix}.", f"{prefix}-")
    if pattern == Pattern.PREFIXED:
        return any(name.startswith(begin) or begin.startswith(name) for begin in begins)
    return name.startswith(begins)


async def present_acls(admin: Any) -> list[AclRow]:
    """Every ACL of the cluster. Raises `LogError`."""
    request = DescribeAclsRequest(_ANY, None, _ANY, None, None, _ANY, _ANY)
    answer = await admin._send_request(request)
    _raise_on(answer.error_code, answer.error_message, "asking for the ACLs")
    return [
        (resource, name, pattern, principal, host, operation, permission)
        for resource, name, pattern, entries in answer.resources
        for principal, host, operation, permission in entries
    ]


async def apply_acls(admin: Any, prefix: str, wanted: Sequence[Acl]) -> Difference:
    """Give our users the rights that they lack, and take away all others of theirs. Returns what there was to do."""
    found = difference(prefix, wanted, await present_acls(admin))
    # First give, then take: a right that is being replaced is never missing in between.
    if found.missing:
        await create_acls(admin, found.missing)
    if found.surplus:
        await delete_acls(admin, found.surplus)
    return found


async def create_acls(admin: Any, rows: Sequence[AclRow]) -> None:
    """Raises `LogError`."""
    answer = await admin._send_to_controller(wire.CreateAcls(rows))
    for code, message in answer.creation_responses:
        _raise_on(code, message, "giving a right")


async def delete_acls(admin: Any, rows: Sequence[AclRow]) -> None:
    """Raises `LogError`."""
    answer = await admin._send_to_controller(wire.DeleteAcls(rows))
    for code, message, *_ in answer.filter_responses:
        _raise_on(code, message, "taking a right away")


async def set_passwords(admin: Any, passwords: Mapping[str, str]) -> None:
    """Make the users, or give them new passwords; only what is salted goes over the wire. Raises `LogError`."""
    credentials = {}
    for user, password in passwords.items():
        salt = secrets.token_bytes(32)
        salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, SCRAM_ITERATIONS)
        credentials[user] = (SCRAM_ITERATIONS, salt, salted)
    answer = await admin._send_to_controller(wire.AlterScram(credentials))
    for user, code, message, *_ in answer.results:
        _raise_on(code, message, f"setting the password of {user}")


async def set_quotas(admin: Any, users: Iterable[str]) -> None:
    """Bound what each of these may ask of the brokers. Raises `LogError`."""
    answer = await admin._send_to_controller(wire.AlterQuotas(dict.fromkeys(users, PARTNER_QUOTA)))
    for code, message, entity in answer.entries:
        _raise_on(code, message, f"setting the quota of {entity}")


def wanted_topics(agencies: Iterable[tuple[str, str]], *, partitions: int, replication: int) -> list[Wanted]:
    """Every topic of a production installation, by `schemas.topics`. Where there are three copies, two have to
    acknowledge, so one broker may be away without anybody noticing."""
    durable = {"unclean.leader.election.enable": "false"}
    if replication >= 3:
        durable["min.insync.replicas"] = "2"
    specs = [*topics.STANDING, *(spec for agency in agencies for spec in topics.of_agency(*agency))]
    return [
        Wanted(spec.name, spec.partitions or partitions, replication, spec.config(simulated=False) | durable)
        for spec in specs
    ]


def topic_line(prefix: str, wanted: Wanted) -> str:
    """The same for Kafka's own tool."""
    config = " ".join(f"--config {name}={value}" for name, value in sorted(wanted.config.items()))
    return (
        f"kafka-topics.sh --create --if-not-exists --topic {topics.full(prefix, wanted.name)}"
        f" --partitions {wanted.partitions} --replication-factor {wanted.replication} {config}"
    )


def user_lines(user: str, *, partner: bool) -> list[str]:
    """The same for Kafka's own tool; the password is to be filled in, and stands nowhere."""
    scram = f"SCRAM-SHA-512=[iterations={SCRAM_ITERATIONS},password=ПАРОЛЬ]"
    settings = [scram, *(f"{name}={value:g}" for name, value in PARTNER_QUOTA.items())] if partner else [scram]
    return [
        f"kafka-configs.sh --alter --entity-type users --entity-name {user} --add-config '{one}'" for one in settings
    ]


def _raise_on(code: int, message: str | None, doing: str) -> None:
    if code:
        raise LogError(f"{doing}: {cast(Any, for_code(code)).__name__} {message or ''}")
