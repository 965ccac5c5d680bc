"""From a plan to what is wrong with it: the steps, then quiet, then the checks."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random

from tests.simulation import nemesis
from tests.simulation.checks import Violation, violations
from tests.simulation.plan import CLIENT_ACTS, Plan
from tests.simulation.world import Parts, World

PATIENCE_S = 120.0
"""So long, in virtual seconds, may everything take to settle once faults have stopped."""
COLLECT_EVERY = 25
_played = 0
LAST_LEAPS = (timedelta(hours=4), timedelta(days=9))


@dataclass
class Result:
    violations: list[Violation]
    turns: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    story: list[str] | None = None

    @property
    def kinds(self) -> set[str]:
        return {one.kind for one in self.violations}


def simulate(plan: Plan, parts: Parts | None = None, *, story: bool = False) -> Result:
    """Play the plan and judge how it ends. The same plan gives the same, in any process."""
    told: list[str] | None = [] if story else None
    with _undisturbed(), World(plan, parts, told).alive() as world:
        with world.parts.planted():
            _play(world)
            found = _settle(world)
        found = found or violations(world)
        counts = {topic: sum(len(world.log.records(topic, number)) for number in range(partitions))
                  for topic, partitions in world.log.topics.items()}  # fmt: skip
    return Result(found, world.loop.turns, counts, told)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Nothing is collected while a world lives; what a killed process left behind is let go of without a word."""
    global _played
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*was never awaited")
            yield
            _played += 1
            if _played % COLLECT_EVERY == 0:
                gc.collect()
    finally:
        if collecting:
            gc.enable()


def _play(world: World) -> None:
    assert world.clients is not None
    loop = world.loop
    for number, step in enumerate(world.plan.steps, 1):
        world.step = number
        dice = loop.dice = Random(step.dice)
        if step.act in CLIENT_ACTS:
            getattr(world.clients, step.act)(dice)
        else:
            act: Callable[[World, Random], None] = getattr(nemesis, step.act)
            act(world, dice)
        world.bury()


def _settle(world: World) -> list[Violation]:
    """No more faults: everybody is started, every client answered, and time passes until all that was due has fired."""
    assert world.clients is not None
    world.step += 1
    world.settling = True
    world.tell("faults stop")
    world.broker_skew = timedelta(0)
    for slot in world.slots:
        slot.release = 1
        one = slot.replica
        if one is not None and one.process.alive:
            one.process.faults.clear()
            one.clock.skew = timedelta(0)
            one.process.resume()
    if not _waited(world, lambda: not world.behind()):
        return [_unsettled(world)]
    for after in LAST_LEAPS:
        world.leapt += after
        until = world.true_now()
        world.tell(f"{after} pass; what is due by {until:%d.%m %H:%M} is waited for")
        if not _waited(world, partial(_told_of, world, until)):
            return [_unsettled(world)]
    return []


def _told_of(world: World, until: datetime) -> bool:
    return world.reached(until) and not world.behind()


def _unsettled(world: World) -> Violation:
    assert world.clients is not None
    waiting = [f"no answer to {one.what}" for one in world.clients.memory.unanswered]
    why = [*world.faults(), *world.behind(), *waiting] or [f"nobody tells of {world.true_now()}"]
    return Violation("settles", "; ".join(why[:6]))


def _waited(world: World, done: Callable[[], bool]) -> bool:
    assert world.clients is not None
    since = world.loop.time()
    while world.loop.time() < since + PATIENCE_S:
        if world.clients.memory.unanswered:
            # One amendment at a time gets through: a second one fences the first.
            world.clients.finish()
        world.loop.advance(0.25)
        world.bury()
        if done() and not world.clients.memory.unanswered:
            return True
    return False
