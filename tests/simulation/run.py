"""`python -m tests.simulation.run --seeds N --steps M`: many worlds, on every core; a failing one is made small and told.

`--bug NAME` plants one of `bugs.py`, to see what its story looks like.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.simulation.bugs import BUGS
from tests.simulation.plan import Plan, plan_of
from tests.simulation.shrink import ATTEMPTS, shrunk
from tests.simulation.simulate import Result, simulate
from tests.simulation.world import Parts

CHUNK = 5


def told(plan: Plan, kinds: set[str], parts: Callable[[], Parts] = Parts, attempts: int = ATTEMPTS) -> str:
    """What happened, in order, in the smallest plan that fails so; and what is wrong then."""
    small = shrunk(plan, kinds, parts, attempts)
    result = simulate(small, parts(), story=True)
    lines = [
        f"seed {plan.seed}: {len(plan.steps)} steps, made small: {len(small.steps)}",
        f"lossy {small.profile.lossy}, slow {small.profile.slow}, batch {small.profile.batch_max}, "
        f"outputs {small.profile.outputs_max}, piece {small.profile.piece}, page {small.profile.page}, "
        f"cached {small.profile.cached}, cold {small.profile.cold}",
        *(result.story or ()),
        *(f"→ {one.kind}: {one.text}" for one in result.violations[:8]),
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.run", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many worlds")
    parser.add_argument("--steps", type=int, default=500, help="how long each lives")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--attempts", type=int, default=ATTEMPTS, help="how often a failing one may be tried smaller")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many processes play them")
    parser.add_argument("--bug", choices=sorted(BUGS), help="plant this bug")
    asked = parser.parse_args()
    parts = _parts(asked.bug)
    began, turns, counts = time.perf_counter(), 0, Counter[str]()
    seeds = range(asked.first, asked.first + asked.seeds)
    with ProcessPoolExecutor(asked.jobs, initializer=_undisturbed) as workers:
        played = workers.map(partial(_play, asked.steps, asked.bug), seeds, chunksize=CHUNK)
        for number, (seed, result) in enumerate(zip(seeds, played, strict=True), 1):
            turns += result.turns
            counts.update(result.counts)
            if result.violations:
                workers.shutdown(wait=False, cancel_futures=True)
                print(told(_plan(asked.steps, asked.bug, seed), result.kinds, parts, asked.attempts))
                return 1
            if number % 50 == 0:
                _progress(number, time.perf_counter() - began, turns, counts)
    _progress(asked.seeds, time.perf_counter() - began, turns, counts)
    return 0


def _undisturbed() -> None:
    """What is here before the first world stays to the end: no collection has to look at it again."""
    gc.disable()
    gc.collect()
    gc.freeze()


def _parts(bug: str | None) -> Callable[[], Parts]:
    return BUGS[bug].parts if bug else Parts


def _plan(steps: int, bug: str | None, seed: int) -> Plan:
    return plan_of(seed, steps, BUGS[bug].profile if bug else None)


def _play(steps: int, bug: str | None, seed: int) -> Result:
    return simulate(_plan(steps, bug, seed), _parts(bug)())


def _progress(seeds: int, seconds: float, turns: int, counts: Counter[str]) -> None:
    records = ", ".join(
        f"{topic} {counts[topic]}" for topic in ("inbox", "events", "deadlines", "outcomes", "dead-letters")
    )
    print(
        f"{seeds} seeds in {seconds:.0f} s ({60 * seeds / seconds:.0f} a minute), {turns} callbacks; {records}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
