"""Who may do what on the broker, by hand from the contract's table of topics. A new user, topic or right is a line here."""

from __future__ import annotations

from typing import NamedTuple

SEEN = {"describe", "describe-configs"}
READ, WRITE = {"read", "describe"}, {"write", "describe"}
STANDING = (
    "detections",
    "inbox",
    "events",
    "outcomes",
    "deadlines",
    "escalations",
    "dead-letters",
    "clock",
)
OF_AGENCIES = (
    "commands.kbr.minzdrav",
    "assignments.kbr.minzdrav",
    "commands.kbr.minzdrav-2",
    "assignments.kbr.minzdrav-2",
    "commands.buryatia.minzdrav",
    "assignments.buryatia.minzdrav",
)
TOPICS = tuple(f"otklik.{name}" for name in (*STANDING, *OF_AGENCIES))
COMMANDS = tuple(name for name in OF_AGENCIES if name.startswith("commands"))
ASSIGNMENTS = tuple(name for name in OF_AGENCIES if name.startswith("assignments"))

ON_TOPICS: dict[str, dict[str, set[str]]] = {
    "otklik.intake": {
        "detections": READ,
        "events": READ,
        "inbox": WRITE,
        "dead-letters": WRITE,
    },
    "otklik.workflow": {
        "inbox": READ | WRITE,
        "events": READ | WRITE,
        "outcomes": READ | WRITE,
        "deadlines": READ,
        "escalations": WRITE,
        "dead-letters": WRITE,
        **dict.fromkeys(COMMANDS, READ | {"create"}),
        **dict.fromkeys(ASSIGNMENTS, WRITE | {"create"}),
    },
    "otklik.sla": {
        "inbox": WRITE,
        "events": READ,
        "deadlines": READ | WRITE,
        "dead-letters": WRITE,
        **dict.fromkeys(ASSIGNMENTS, WRITE),
    },
    "otklik.reporting": {
        "events": READ,
        "deadlines": READ,
        "dead-letters": WRITE,
    },
    "otklik.operator": {
        **dict.fromkeys((*STANDING, *OF_AGENCIES), READ | {"create"}),
        "inbox": READ | WRITE | {"create"},
        "dead-letters": READ | WRITE | {"create"},
    },
    "otklik.agency.kbr.minzdrav": {"commands.kbr.minzdrav": WRITE, "assignments.kbr.minzdrav": READ},
    "otklik.agency.kbr.minzdrav-2": {"commands.kbr.minzdrav-2": WRITE, "assignments.kbr.minzdrav-2": READ},
    "otklik.agency.buryatia.minzdrav": {"commands.buryatia.minzdrav": WRITE, "assignments.buryatia.minzdrav": READ},
    "otklik.monitor.scanner": {"detections": WRITE},
    "otklik.trusted.archive": {"events": READ, "deadlines": READ},
    "otklik.leadership.board": {"escalations": READ},
}
INSIDERS = ("otklik.intake", "otklik.workflow", "otklik.sla", "otklik.reporting", "otklik.operator")
"""They look at all topics and at the brokers' settings before they start to work; nobody else sees what is not his."""

ON_GROUPS: dict[str, tuple[str, ...]] = {
    "otklik.intake": ("otklik-intake", "otklik-intake-detections"),
    "otklik.workflow": ("otklik-workflow", "otklik-workflow-gate"),
    "otklik.sla": ("otklik-sla", "otklik-sla-ticks"),
    "otklik.reporting": ("otklik-reporting", "otklik-reporting-rebuilt"),
    "otklik.operator": (),
    "otklik.agency.kbr.minzdrav": ("otklik.agency.kbr.minzdrav", "otklik.agency.kbr.minzdrav.trial"),
    "otklik.agency.kbr.minzdrav-2": ("otklik.agency.kbr.minzdrav-2", "otklik.agency.kbr.minzdrav-2.trial"),
    "otklik.agency.buryatia.minzdrav": ("otklik.agency.buryatia.minzdrav", "otklik.agency.buryatia.minzdrav.trial"),
    "otklik.monitor.scanner": (),
    "otklik.trusted.archive": ("otklik.trusted.archive", "otklik.trusted.archive.trial"),
    "otklik.leadership.board": ("otklik.leadership.board", "otklik.leadership.board.trial"),
}
STRANGE_GROUPS = (
    "otklik-workflowers",
    "otklik",
    "minzdrav",
    "otklik2-workflow",
    "otklik.monitor.scanner",
    "otklik.trusted.archive-2",
    "otklik.leadership.board-2",
)
GROUPS = tuple(sorted({*STRANGE_GROUPS, *(group for groups in ON_GROUPS.values() for group in groups)}))

ON_TRANSACTIONAL_IDS: dict[str, tuple[str, ...]] = {
    "otklik.intake": ("otklik-intake-0",),
    "otklik.workflow": ("otklik-workflow-0", "otklik-workflow-gate-1", "otklik-amendments"),
    "otklik.sla": ("otklik-sla-0",),
    "otklik.operator": ("otklik-amendments", "otklik-dead-letters"),
}
"""Who is not named here has none: every partner, and reporting."""
STRANGE_IDS = (
    "otklik-workflow",
    "otklik-amendments-2",
    "otklik-reporting-0",
    "otklik2-workflow-0",
    "otklik.agency.kbr.minzdrav",
    "minzdrav",
)
IDS = tuple(sorted({*STRANGE_IDS, *(one for ids in ON_TRANSACTIONAL_IDS.values() for one in ids)}))


class Rights(NamedTuple):
    topics: dict[str, frozenset[str]]
    groups: dict[str, frozenset[str]]
    transactional_ids: frozenset[str]
    cluster: frozenset[str]


def table_of(user: str) -> Rights:
    """What the table says of a user. A topic or group that it may not see is absent."""
    inside = user in INSIDERS
    named = {f"otklik.{name}": operations for name, operations in ON_TOPICS[user].items()}
    topics = {topic: frozenset(named.get(topic, set()) | (SEEN if inside else set())) for topic in TOPICS}
    groups = dict.fromkeys(ON_GROUPS[user], frozenset(READ))
    if user == "otklik.operator":
        ours = (group for group in GROUPS if group.startswith(("otklik-", "otklik.")))
        groups = dict.fromkeys(ours, frozenset({"describe"}))
    if user == "otklik.reporting":
        # How far sla has come, by which it knows that an instant is over.
        groups["otklik-sla"] = frozenset({"describe"})
    return Rights(
        {topic: operations for topic, operations in topics.items() if operations},
        groups,
        frozenset(ON_TRANSACTIONAL_IDS.get(user, ())),
        frozenset({"describe-configs"} if inside else set()),
    )
