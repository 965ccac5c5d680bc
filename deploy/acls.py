"""Who may do what on the broker: a pure function from authorities and agencies to ACLs.

Nobody but these users has any right, and the broker runs with a StandardAuthorizer that allows nothing by default. The
names follow the code: groups are `<prefix>-<service>`, transactional ids `<prefix>-<service>-<partition>`, and
`<prefix>-amendments` for what goes to every partition at once. No partner has a transactional id: an open transaction
holds up every reader of its partition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from schemas import topics
from schemas.ids import Slug
from services.runtime.settings import SERVICE_PORTS


class Resource(IntEnum):
    """Kafka's numbers of what a right is about."""

    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5


class Pattern(IntEnum):
    """Kafka's numbers of how a name is meant: this name alone, or all that begin so."""

    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """Kafka's numbers of what may be done. READ and WRITE bring DESCRIBE with them."""

    READ = 3
    WRITE = 4
    CREATE = 5
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10


class Acl(NamedTuple):
    """One right: `user` (without `User:`) may do `operation`, from any host."""

    user: str
    resource: Resource
    pattern: Pattern
    name: str
    operation: Operation

    def line(self) -> str:
        """The same for Kafka's own tool, without the address and the account that it is run with."""
        kind = {
            Resource.TOPIC: f"--topic {self.name}",
            Resource.GROUP: f"--group {self.name}",
            Resource.CLUSTER: "--cluster",
            Resource.TRANSACTIONAL_ID: f"--transactional-id {self.name}",
        }[self.resource]
        pattern = f"--resource-pattern-type {self.pattern.name.lower()}"
        operation = "".join(word.title() for word in self.operation.name.split("_"))
        return f"kafka-acls.sh --add --allow-principal User:{self.user} --operation {operation} {kind} {pattern}"


CLUSTER = "kafka-cluster"
"""The one name that Kafka has for the cluster as a resource."""
AMENDMENTS = "amendments"
"""Of the transactional id under which an amendment goes to every partition: `services.runtime.broadcast`."""
OPERATOR = "operator"


class Partners(BaseModel):
    """Systems besides the agencies', by names of their own: monitoring that prefers Kafka to HTTP, systems trusted with
    every authority, and systems of the leadership that are told of escalations. A dot in a name would be another's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    monitors: tuple[Slug, ...] = ()
    trusted: tuple[Slug, ...] = ()
    leadership: tuple[Slug, ...] = ()


@dataclass(frozen=True, slots=True)
class _Doors:
    """The rights of one of our services. Names are without the prefix; `…_each` begin the names of many topics. `watches`:
    services whose progress it asks for."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    reads_each: tuple[str, ...] = ()
    writes_each: tuple[str, ...] = ()
    makes_each: tuple[str, ...] = ()
    transactional: bool = True
    amends: bool = False
    watches: tuple[str, ...] = ()


_COMMANDS = topics.commands("", "").partition(".")[0] + "."
_ASSIGNMENTS = topics.assignments("", "").partition(".")[0] + "."

SERVICES: Mapping[str, _Doors] = {
    # What an authority takes (its largest age of a detection) stands in the amendments, on `events`.
    "intake": _Doors(reads=(topics.DETECTIONS, topics.EVENTS), writes=(topics.INBOX, topics.DEAD_LETTERS)),
    "workflow": _Doors(
        # `deadlines` for the list's `due_before` alone.
        reads=(topics.INBOX, topics.EVENTS, topics.OUTCOMES, topics.DEADLINES),
        writes=(topics.INBOX, topics.EVENTS, topics.OUTCOMES, topics.ESCALATIONS, topics.DEAD_LETTERS),
        reads_each=(_COMMANDS,),
        writes_each=(_ASSIGNMENTS,),
        # An amendment may bring a new agency, and a record to a topic that is missing would hold up its partition.
        makes_each=(_COMMANDS, _ASSIGNMENTS),
        amends=True,
    ),
    "sla": _Doors(
        reads=(topics.EVENTS, topics.DEADLINES),
        writes=(topics.INBOX, topics.DEADLINES, topics.DEAD_LETTERS),
        writes_each=(_ASSIGNMENTS,),
    ),
    # Its positions stand in PostgreSQL beside its rows, so it has no transaction in Kafka. What it tells of an instant is
    # final when sla has come so far.
    "reporting": _Doors(
        reads=(topics.EVENTS, topics.DEADLINES), writes=(topics.DEAD_LETTERS,), transactional=False, watches=("sla",)
    ),
}  # fmt: skip


def service_user(prefix: str, service: str) -> str:
    return f"{prefix}.{service}"


def agency_user(prefix: str, authority: str, agency: str) -> str:
    """Also the name of the agency's consumer group; further groups begin so, with a dot after it."""
    return f"{prefix}.agency.{authority}.{agency}"


def partner_user(prefix: str, kind: str, name: str) -> str:
    """`kind` is `monitor`, `trusted` or `leadership`."""
    return f"{prefix}.{kind}.{name}"


def is_ours(prefix: str, user: str) -> bool:
    """Whether `user` is one of this installation, whose rights are told here alone."""
    return user.startswith(f"{prefix}.")


def users(prefix: str, agencies: Iterable[tuple[str, str]], partners: Partners | None = None) -> list[str]:
    """Every user, our services first."""
    partners = partners or Partners()
    return [
        *(service_user(prefix, service) for service in SERVICES),
        service_user(prefix, OPERATOR),
        *(agency_user(prefix, *agency) for agency in agencies),
        *(partner_user(prefix, "monitor", name) for name in partners.monitors),
        *(partner_user(prefix, "trusted", name) for name in partners.trusted),
        *(partner_user(prefix, "leadership", name) for name in partners.leadership),
    ]


def acls(prefix: str, agencies: Iterable[tuple[str, str]], partners: Partners | None = None) -> list[Acl]:
    """Every right of an installation whose agencies are these pairs of (authority, agency). A right stands here once."""
    partners = partners or Partners()
    found: list[Acl] = []
    for service, doors in SERVICES.items():
        found += _of_service(prefix, service, doors)
    found += _of_operator(prefix)
    for authority, agency in agencies:
        user = agency_user(prefix, authority, agency)
        found.append(_topic(prefix, user, topics.commands(authority, agency), Operation.WRITE))
        found.append(_topic(prefix, user, topics.assignments(authority, agency), Operation.READ))
        found += _own_groups(user)
    for name in partners.monitors:
        found.append(_topic(prefix, partner_user(prefix, "monitor", name), topics.DETECTIONS, Operation.WRITE))
    for kind, names, read in (
        ("trusted", partners.trusted, (topics.EVENTS, topics.DEADLINES)),
        ("leadership", partners.leadership, (topics.ESCALATIONS,)),
    ):
        for name in names:
            user = partner_user(prefix, kind, name)
            found += [_topic(prefix, user, topic, Operation.READ) for topic in read]
            found += _own_groups(user)
    return found


def _of_service(prefix: str, service: str, doors: _Doors) -> Iterator[Acl]:
    user = service_user(prefix, service)
    yield from (_topic(prefix, user, topic, Operation.READ) for topic in doors.reads)
    yield from (_topic(prefix, user, topic, Operation.WRITE) for topic in doors.writes)
    yield from (_topics(prefix, user, begin, Operation.READ) for begin in doors.reads_each)
    yield from (_topics(prefix, user, begin, Operation.WRITE) for begin in doors.writes_each)
    yield from (_topics(prefix, user, begin, Operation.CREATE) for begin in doors.makes_each)
    yield from _checks_at_start(prefix, user)
    # `<prefix>-workflow` is the decider's group, and what begins with `<prefix>-workflow-` belongs to its other loops.
    name = f"{prefix}-{service}"
    yield Acl(user, Resource.GROUP, Pattern.LITERAL, name, Operation.READ)
    yield Acl(user, Resource.GROUP, Pattern.PREFIXED, f"{name}-", Operation.READ)
    for other in doors.watches:
        yield Acl(user, Resource.GROUP, Pattern.LITERAL, f"{prefix}-{other}", Operation.DESCRIBE)
    if doors.transactional:
        yield Acl(user, Resource.TRANSACTIONAL_ID, Pattern.PREFIXED, f"{name}-", Operation.WRITE)
    if doors.amends:
        yield _amendments(prefix, user)


def _of_operator(prefix: str) -> Iterator[Acl]:
    """The daily account: makes topics, applies the law, reads everything, and can neither alter nor forge what is there.

    What makes a log anew (`otklik import`) is done as `admin`, the broker's super user."""
    user = service_user(prefix, OPERATOR)
    yield _topics(prefix, user, "", Operation.READ)
    yield _topics(prefix, user, "", Operation.CREATE)
    yield _topics(prefix, user, "", Operation.DESCRIBE_CONFIGS)
    yield Acl(user, Resource.CLUSTER, Pattern.LITERAL, CLUSTER, Operation.DESCRIBE_CONFIGS)
    yield _topic(prefix, user, topics.INBOX, Operation.WRITE)
    yield _topic(prefix, user, topics.DEAD_LETTERS, Operation.WRITE)
    yield _amendments(prefix, user)
    yield Acl(user, Resource.TRANSACTIONAL_ID, Pattern.LITERAL, f"{prefix}-{topics.DEAD_LETTERS}", Operation.WRITE)
    # Whose offsets stand where: to look, not to move them.
    yield Acl(user, Resource.GROUP, Pattern.PREFIXED, f"{prefix}-", Operation.DESCRIBE)
    yield Acl(user, Resource.GROUP, Pattern.PREFIXED, f"{prefix}.", Operation.DESCRIBE)


def _checks_at_start(prefix: str, user: str) -> Iterator[Acl]:
    """A service refuses to start on topics or brokers that could lose what was acknowledged: so it may look at them."""
    yield _topics(prefix, user, "", Operation.DESCRIBE)
    yield _topics(prefix, user, "", Operation.DESCRIBE_CONFIGS)
    yield Acl(user, Resource.CLUSTER, Pattern.LITERAL, CLUSTER, Operation.DESCRIBE_CONFIGS)


def _own_groups(user: str) -> Iterator[Acl]:
    """The group named like the user, and those that begin with that and a dot: `minzdrav` is no part of `minzdrav-2`."""
    yield Acl(user, Resource.GROUP, Pattern.LITERAL, user, Operation.READ)
    yield Acl(user, Resource.GROUP, Pattern.PREFIXED, f"{user}.", Operation.READ)


def _topic(prefix: str, user: str, topic: str, operation: Operation) -> Acl:
    return Acl(user, Resource.TOPIC, Pattern.LITERAL, topics.full(prefix, topic), operation)


def _topics(prefix: str, user: str, begin: str, operation: Operation) -> Acl:
    return Acl(user, Resource.TOPIC, Pattern.PREFIXED, topics.full(prefix, begin), operation)


def _amendments(prefix: str, user: str) -> Acl:
    return Acl(user, Resource.TRANSACTIONAL_ID, Pattern.LITERAL, f"{prefix}-{AMENDMENTS}", Operation.WRITE)


if set(SERVICES) != set(SERVICE_PORTS):
    raise RuntimeError("a service without rights, or rights without a service")
