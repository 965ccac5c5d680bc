"""What a service knows about its own health: for `/readyz`, `/metrics`, and the watchdog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

STARTING, JOINING, MEMBER, LEFT = "запускается", "вступает в группу", "в группе", "остановлен"
"""How a process stands to its group, in the words that an operator reads."""
STATES = {"opening": "принимается", "running": "идёт", "waiting": "ждёт повтора", "stopped": "остановлена"}
"""What an operator reads of a partition's state."""


@dataclass(slots=True)
class PartitionHealth:
    """`state`: `opening`, `running`, `waiting` (after an error, to try again), `stopped` (until someone mends it).

    `since` and `moved` are of the monotonic clock, in seconds; `busy` tells whether work is in hand, so that standing
    still is a fault."""

    partition: str
    state: str = "opening"
    detail: str = ""
    owner: str = ""
    at: datetime | None = None
    next_offset: int = 0
    end_offset: int = 0
    fetched_to: int = 0
    quarantined: frozenset[str] = frozenset()
    records: int = 0
    errors: int = 0
    since: float = 0.0
    moved: float = 0.0
    busy: bool = False
    behind_since: float | None = None

    @property
    def lag(self) -> int:
        """Records of the source that are not stored yet. Marks of transactions count as records while work is in hand;
        what idles has taken all that was fetched, and lags by what was not."""
        return max(0, self.end_offset - (self.next_offset if self.busy else max(self.next_offset, self.fetched_to)))


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `/readyz`: a thing that readiness depends on. `detail` is for operators, in Russian."""

    ok: bool
    detail: str = ""


@dataclass(slots=True)
class Health:
    """`monotonic` is the clock of the watchdog, in seconds; the loops write here, HTTP reads."""

    monotonic: Callable[[], float]
    partitions: dict[str, PartitionHealth] = field(default_factory=dict)
    member: str = STARTING
    unreachable: str = ""
    lag_limit: int = 10_000
    stall_limit_s: float = 60.0

    def of(self, partition: str) -> PartitionHealth:
        if partition not in self.partitions:
            now = self.monotonic()
            self.partitions[partition] = PartitionHealth(partition, since=now, moved=now)
        return self.partitions[partition]

    def gone(self, partition: str) -> None:
        self.partitions.pop(partition, None)

    def moved(self, partition: str, *, busy: bool) -> None:
        one = self.of(partition)
        one.moved, one.busy = self.monotonic(), busy

    def stalled(self) -> list[str]:
        """Partitions that have work in hand and have not moved for too long."""
        limit = self.monotonic() - self.stall_limit_s
        return [name for name, one in self.partitions.items() if one.busy and one.moved < limit]

    def measured(self, partition: str, end_offset: int, fetched_to: int) -> None:
        """Where the log ends just now, and how far it was fetched."""
        one = self.of(partition)
        one.end_offset, one.fetched_to = end_offset, fetched_to
        if one.lag == 0 or one.busy:
            one.behind_since = None
        elif one.behind_since is None:
            one.behind_since = self.monotonic()

    def starved(self) -> list[str]:
        """Partitions that idle though there is something to read, and have done so for too long."""
        limit = self.monotonic() - self.stall_limit_s
        return [
            name for name, one in self.partitions.items() if one.behind_since is not None and one.behind_since < limit
        ]

    @property
    def lag(self) -> int:
        return sum(one.lag for one in self.partitions.values())

    @property
    def reached(self) -> datetime | None:
        """The smallest event time of the partitions; None while one has none."""
        times = [one.at for one in self.partitions.values()]
        known = [at for at in times if at is not None]
        return min(known) if known and len(known) == len(times) else None

    def checks(self) -> dict[str, Check]:
        """Each check with its word; ready is: all of them are ok."""
        found = {
            "member": Check(self.member == MEMBER, self.member),
            "kafka": Check(not self.unreachable, self.unreachable or "отвечает"),
        }
        for name, one in sorted(self.partitions.items()):
            told = STATES[one.state] + (f": {one.detail}" if one.detail else "")
            found[f"partition {name}"] = Check(one.state == "running", told)
            if one.quarantined:
                keys = ", ".join(sorted(one.quarantined)[:5])
                found[f"quarantine {name}"] = Check(False, f"{len(one.quarantined)}: {keys}")
        found["lag"] = Check(self.lag <= self.lag_limit, str(self.lag))
        stalled = [*self.stalled(), *self.starved()]
        found["progress"] = Check(not stalled, f"нет движения: {', '.join(stalled)}" if stalled else "есть")
        return found

    @property
    def ready(self) -> bool:
        return all(check.ok for check in self.checks().values())
