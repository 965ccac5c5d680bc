"""What a run of chaos tells: a line of JSON, and a row of the table in docs/reliability.md."""

from __future__ import annotations

import fcntl
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.load import Told
from tests.chaos.watch import Seen

HEAD = (
    "| seed | seconds | faults | restarts | ownership changes | failover, median / longest | posts acknowledged | commands | refused | repeated | retries | events | deadline events"
    " | breaches | dead letters | caught up in | violations |\n" + "|---" * 17 + "|\n"
)


@dataclass
class Report:
    """`clocks`: whether they could be set wrong on this machine."""

    seed: int
    seconds: float
    faults: Counter[str]
    seen: Seen
    told: Told
    records: dict[str, int]
    breaches: int
    catch_up_s: float
    violations: list[str] = field(default_factory=list)
    clocks: bool = True

    def line(self) -> str:
        told = self.told
        return json.dumps(
            {
                "seed": self.seed, "seconds": round(self.seconds), "faults": dict(sorted(self.faults.items())),
                "restarts": dict(sorted(self.seen.restarts.items())), "ownership_changes": self.seen.changes,
                "failover": self.seen.failover(), "failovers": len(self.seen.gaps),
                "acknowledged": len(told.acknowledged), "commands": told.commands, "refused": told.refused,
                "repeats": told.repeats, "retries": told.retries, "answers": len(told.answers), "reads": len(told.reads),
                "records": self.records, "breaches": self.breaches, "catch_up_s": round(self.catch_up_s, 1),
                "clocks": self.clocks, "violations": len(self.violations),
            },
            ensure_ascii=False,
        )  # fmt: skip

    def row(self) -> str:
        told, records = self.told, self.records
        kinds: dict[str, list[str]] = {}
        for fault, times in sorted(self.faults.items()):
            kind, _, part = fault.partition(" ")
            kinds.setdefault(kind, []).append(f"{part} {times}")
        faults = "; ".join(f"{kind} {', '.join(parts)}" for kind, parts in kinds.items())
        cells = [
            self.seed, round(self.seconds), faults, self.seen.restarts.total(), self.seen.changes, self.seen.failover(),
            *(f"{count:,}" for count in (
                len(told.acknowledged), told.commands, told.refused, told.repeats, told.retries, records["events"],
                records["deadlines"], self.breaches, records["dead-letters"])),
            f"{self.catch_up_s:.1f} s", f"**{len(self.violations)}**",
        ]  # fmt: skip
        return "| " + " | ".join(str(cell) for cell in cells) + " |\n"

    def append_to(self, path: Path) -> None:
        """Add the row; several drivers may write to one file."""
        with path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if file.tell() == 0:
                file.write(HEAD)
            file.write(self.row())
