"""Making a failing plan small: a shorter life, fewer kinds of acts, fewer steps, as long as it fails in the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.simulation.plan import Plan, Step
from tests.simulation.simulate import simulate
from tests.simulation.world import Parts

ATTEMPTS = 200


class _Shrinking:
    def __init__(self, plan: Plan, kinds: set[str], parts: Callable[[], Parts], attempts: int) -> None:
        self.steps = list(plan.steps)
        self._plan = plan
        self._kinds = kinds
        self._parts = parts
        self._left = attempts

    def try_(self, steps: Sequence[Step]) -> bool:
        """Take these steps instead, if they fail too."""
        if self._left <= 0 or len(steps) >= len(self.steps):
            return False
        self._left -= 1
        fails = bool(simulate(self._plan.with_steps(steps), self._parts()).kinds & self._kinds)
        if fails:
            self.steps = list(steps)
        return fails

    def shorten(self) -> None:
        """The end first: what comes after the failure matters to nobody."""
        low, high = 0, len(self.steps)
        while high - low > max(1, high // 16):
            middle = (low + high) // 2
            if self.try_(self.steps[:middle]):
                high = middle
            else:
                low = middle

    def calm(self) -> None:
        """Whole kinds of acts: a story without amendments is easier to read than one with a few."""
        for act in sorted({step.act for step in self.steps}):
            self.try_([step for step in self.steps if step.act != act])

    def thin(self) -> bool:
        """Ever smaller pieces, anywhere. Whether anything could go."""
        before = len(self.steps)
        piece = max(1, before // 2)
        while True:
            start = 0
            while start < len(self.steps):
                if not self.try_(self.steps[:start] + self.steps[start + piece :]):
                    start += piece
            if piece == 1:
                return len(self.steps) < before
            piece //= 2


def shrunk(plan: Plan, kinds: set[str], parts: Callable[[], Parts] = Parts, attempts: int = ATTEMPTS) -> Plan:
    """The smallest plan found in so many attempts that still breaks one of the invariants `kinds`."""
    shrinking = _Shrinking(plan, kinds, parts, attempts)
    shrinking.shorten()
    shrinking.calm()
    while shrinking.thin():
        pass
    return plan.with_steps(shrinking.steps)
