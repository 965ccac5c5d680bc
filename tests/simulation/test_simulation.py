"""Seeds on the real code: whatever happens on the way, all invariants hold once it is over."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.bugs import BUGS, WEATHER
from tests.simulation.plan import FAULTS, USUAL, Plan, Profile, plan_of
from tests.simulation.run import told
from tests.simulation.shrink import shrunk
from tests.simulation.simulate import simulate

STEPS = 250
EACH = 8
FAILED_ONCE = {
    "ticks stopped for as long as a clock had been wrong": (23, 300),
    "a sweep that was taken up again gave a number twice": (1016, 500),
}
"""Seeds that have told of faults, mended since."""


def holds(plan: Plan) -> None:
    result = simulate(plan)
    if result.violations:
        pytest.fail(told(plan, result.kinds, attempts=60), pytrace=False)


@pytest.mark.parametrize("first", range(0, 40, EACH))
def test_whatever_happens_the_invariants_hold(first: int) -> None:
    for seed in range(first, first + EACH):
        holds(plan_of(seed, STEPS))


@pytest.mark.parametrize("fault", FAULTS)
def test_the_invariants_hold_where_one_fault_is_frequent(fault: str) -> None:
    quiet = {act: weight for act, weight in USUAL.items() if act not in FAULTS}
    for seed in range(2):
        holds(plan_of(seed, 120, Profile(quiet | {fault: 15.0}, batch_max=5, outputs_max=3, piece=2, cached=3)))


def test_the_law_is_applied_amid_all_faults() -> None:
    for seed in range(3):
        holds(plan_of(seed, 120, Profile(WEATHER, cold=True)))


@pytest.mark.parametrize(("seed", "steps"), FAILED_ONCE.values(), ids=FAILED_ONCE.keys())
def test_what_failed_once_holds_now(seed: int, steps: int) -> None:
    holds(plan_of(seed, steps))


def test_a_quiet_world_answers_everybody_and_says_something() -> None:
    quiet = {act: weight for act, weight in USUAL.items() if act not in FAULTS}
    result = simulate(plan_of(1, 200, Profile(quiet, lossy=0.0)))
    assert result.violations == []
    assert result.counts["events"] > 50 and result.counts["deadlines"] > 50 and result.counts["outcomes"] > 20


def test_a_seed_tells_the_same_story_in_any_process() -> None:
    plan = plan_of(7, 150)
    here = simulate(plan, story=True).story
    again = simulate(plan, story=True).story
    script = (
        "from tests.simulation.plan import plan_of; from tests.simulation.simulate import simulate;"
        "print('\\n'.join(simulate(plan_of(7, 150), story=True).story or ()))"
    )
    root = Path(__file__).parents[2]
    there = subprocess.run(
        [sys.executable, "-c", script],
        cwd=root,
        env={**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert here == again == there


def test_a_failing_plan_is_made_small() -> None:
    bug = BUGS["event-time-backwards"]
    plan = next(
        plan for seed in range(20) if simulate(plan := plan_of(seed, 60, bug.profile), bug.parts()).kinds & bug.kinds
    )
    small = shrunk(plan, set(bug.kinds), bug.parts)
    assert len(small.steps) < 8
    assert "the broker's clock" in told(small, set(bug.kinds), bug.parts, attempts=0)
