"""Each planted bug is caught, by one of the invariants that it breaks, within a bounded number of seeds."""

import pytest

from tests.simulation.bugs import BUGS
from tests.simulation.plan import plan_of
from tests.simulation.simulate import simulate

SEEDS = 60
STEPS = 150


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught(name: str) -> None:
    bug = BUGS[name]
    for seed in range(SEEDS):
        plan = plan_of(seed, STEPS, bug.profile)
        found = simulate(plan, bug.parts())
        if found.kinds & bug.kinds:
            # The real code comes through the same weather.
            assert simulate(plan).violations == []
            return
    pytest.fail(f"{name} lives through {SEEDS} seeds")
