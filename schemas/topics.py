"""Topics: names, who shares a partition count, how long they are kept, how large a record may be."""

from __future__ import annotations

from dataclasses import dataclass

DETECTIONS = "detections"
INBOX = "inbox"
EVENTS = "events"
OUTCOMES = "outcomes"
DEADLINES = "deadlines"
ESCALATIONS = "escalations"
DEAD_LETTERS = "dead-letters"
CLOCK = "clock"
IMPORT = "import"
"""There only while a log is being restored: its being there keeps the services from starting on half a log."""

SHARED = frozenset({INBOX, EVENTS, OUTCOMES, DEADLINES})
"""Topics with one number of partitions and the key `message_id`: one partition number is one world."""

MAX_IN_BYTES = 1 << 20
"""What a gate takes, and a partner may write."""
MAX_OUT_BYTES = 4 << 20
"""What the way out bears: a wrapped input is larger than the input was."""

_DAY_MS = 86_400_000


def full(prefix: str, topic: str) -> str:
    return f"{prefix}.{topic}"


def commands(authority: str, agency: str) -> str:
    """Where that agency's system writes its commands."""
    return f"commands.{authority}.{agency}"


def assignments(authority: str, agency: str) -> str:
    """Where that agency's system reads what concerns it."""
    return f"assignments.{authority}.{agency}"


def agency_of(topic: str) -> tuple[str, str]:
    """`commands.kbr.minzdrav` → (`kbr`, `minzdrav`); ValueError for any other name."""
    kind, authority, agency = topic.split(".")
    if kind not in {"commands", "assignments"}:
        raise ValueError(topic)
    return authority, agency


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic without the prefix; `partitions` None: the shared number; `kept_days` None: for ever."""

    name: str
    partitions: int | None
    kept_days: int | None
    append_time: bool = False
    max_bytes: int = MAX_OUT_BYTES

    def config(self, *, simulated: bool) -> dict[str, str]:
        """Kafka's settings. A simulated installation stamps its records itself, in any year, and forgets nothing."""
        config = {
            "retention.ms": "-1" if self.kept_days is None or simulated else str(self.kept_days * _DAY_MS),
            "cleanup.policy": "delete",
            "max.message.bytes": str(self.max_bytes),
            "message.timestamp.type": "LogAppendTime" if self.append_time and not simulated else "CreateTime",
        }
        if simulated or not self.append_time:
            config["message.timestamp.after.max.ms"] = str((1 << 63) - 1)
            config["message.timestamp.before.max.ms"] = str((1 << 63) - 1)
        return config


STANDING = (
    TopicSpec(DETECTIONS, None, 30, append_time=True, max_bytes=MAX_IN_BYTES + 65_536),
    TopicSpec(INBOX, None, 35, append_time=True),
    TopicSpec(EVENTS, None, None),
    TopicSpec(OUTCOMES, None, 35),
    TopicSpec(DEADLINES, None, None),
    TopicSpec(ESCALATIONS, 1, 365),
    TopicSpec(DEAD_LETTERS, 1, 365),
    TopicSpec(CLOCK, 1, None),
)


def of_agency(authority: str, agency: str) -> tuple[TopicSpec, TopicSpec]:
    """The two topics of an agency; one partition each, so that a system reads one order."""
    return (
        TopicSpec(commands(authority, agency), 1, 30, append_time=True, max_bytes=MAX_IN_BYTES + 65_536),
        TopicSpec(assignments(authority, agency), 1, 365),
    )
