"""What a seed means: a profile of the world, and the steps of it, each with dice of its own.

A step taken out leaves the dice of all others as they were: that is what makes a failing plan shrink.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

CLIENT_ACTS = ("command", "detect", "detect_again", "repeat", "reuse", "amend", "period", "rubbish")
TIME_ACTS = ("turns", "wait", "leap")
FAULTS = (
    "kill",
    "kill_at",
    "fail_at",
    "pause",
    "pause_at",
    "stop",
    "deploy",
    "break_member",
    "skew",
    "broker_back",
    "drop_tables",
)
USUAL: Mapping[str, float] = {
    "turns": 100,
    "command": 30,
    "detect": 7,
    "detect_again": 3,
    "repeat": 3,
    "reuse": 0.7,
    "amend": 0.4,
    "period": 0.4,
    "rubbish": 2,
    "wait": 8,
    "leap": 3,
    "kill": 1,
    "kill_at": 1.5,
    "fail_at": 2,
    "pause": 1,
    "pause_at": 1.5,
    "stop": 0.5,
    "deploy": 0.3,
    "break_member": 0.3,
    "skew": 0.5,
    "broker_back": 0.5,
    "drop_tables": 0.2,
}
ALWAYS = ("turns", "command", "detect", "wait")


@dataclass(frozen=True)
class Profile:
    """`weights` of the acts; what is not there does not happen. `lossy`: how likely a client's request or its answer is
    lost; `slow`: how likely the broker is to take its time over a transaction. `batch_max`, `outputs_max`, `piece` (of a fold), `page` (of a sweep) and `cached` (states): the runtime's limits, small
    ones to meet every boundary. `points`: where calls may fail or processes die in the middle of one; empty: anywhere.
    `cold`: the law has to be applied amid all this. `exact`: at the end everything is decided once more, and compared."""

    weights: Mapping[str, float]
    lossy: float = 0.1
    slow: float = 0.1
    batch_max: int = 100
    outputs_max: int = 100
    piece: int = 500
    page: int = 500
    cached: int = 20_000
    points: tuple[str, ...] = ()
    cold: bool = False
    exact: bool = True


@dataclass(frozen=True)
class Step:
    act: str
    dice: int


@dataclass(frozen=True)
class Plan:
    seed: int
    profile: Profile
    steps: tuple[Step, ...]

    def with_steps(self, steps: Sequence[Step]) -> Plan:
        return replace(self, steps=tuple(steps))


def profile_of(dice: Random) -> Profile:
    """Every seed has faults and habits of its own: what always happens hides what seldom does."""
    weights = {
        act: weight * dice.choice((0.3, 1, 3)) for act, weight in USUAL.items() if act in ALWAYS or dice.random() < 0.6
    }
    return Profile(
        weights,
        lossy=dice.choice((0.0, 0.1, 0.4)),
        slow=dice.choice((0.0, 0.05, 0.3)),
        batch_max=dice.choice((1, 3, 20, 200)),
        outputs_max=dice.choice((1, 3, 10, 200)),
        piece=dice.choice((1, 7, 500)),
        page=dice.choice((1, 3, 500)),
        cached=dice.choice((1, 5, 20_000)),
        cold=dice.random() < 0.05,
        exact=dice.random() < 0.3,
    )


def plan_of(seed: int, steps: int, profile: Profile | None = None) -> Plan:
    dice = Random(seed)
    chosen = profile_of(dice)
    profile = profile or chosen
    acts = dice.choices(list(profile.weights), list(profile.weights.values()), k=steps)
    return Plan(seed, profile, tuple(Step(act, dice.getrandbits(48)) for act in acts))
