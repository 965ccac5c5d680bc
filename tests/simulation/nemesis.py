"""What befalls the replicas, the broker and the clocks: one act for each kind of fault, decided by the step's dice."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from tests.simulation.replica import LOG_POINTS, POINTS, STORE_POINTS, Replica
from tests.simulation.world import PARTITIONS, SERVICES, Slot, World

LONGEST_LEAP = timedelta(days=15)
"""All leaps together: command ids are remembered for 30 days, and what comes at the end takes ten."""


DEADLY = (*LOG_POINTS, *STORE_POINTS)


def _point(world: World, dice: Random, of: tuple[str, ...]) -> str:
    return dice.choice([point for point in of if point in world.plan.profile.points] or of)


def _living(world: World, dice: Random) -> tuple[Slot, Replica] | None:
    living = [(slot, slot.replica) for slot in world.slots if slot.replica is not None and slot.replica.process.alive]
    return dice.choice(living) if living else None


def kill(world: World, dice: Random) -> None:
    """SIGKILL, between any two steps of whatever it does."""
    if found := _living(world, dice):
        world.kill(found[0])


def kill_at(world: World, dice: Random) -> None:
    if found := _living(world, dice):
        process = found[1].process
        process.faults.arm(_point(world, dice, DEADLY), dice.randint(1, 3), process.kill, "is killed")


def fail_at(world: World, dice: Random) -> None:
    """A call fails: before it was done, or after, with its answer lost."""
    if found := _living(world, dice):
        faults, point = found[1].process.faults, _point(world, dice, POINTS)
        faults.arm(point, dice.randint(1, 3), faults.fail(point), "the call fails")


def pause(world: World, dice: Random) -> None:
    """SIGSTOP, long enough to be given up by its group, or not."""
    if found := _living(world, dice):
        _pause(world, found[1], round(dice.uniform(0.3, 9.0), 1), "pauses")


def pause_at(world: World, dice: Random) -> None:
    if found := _living(world, dice):
        one, seconds = found[1], round(dice.uniform(0.3, 9.0), 1)
        point = _point(world, dice, DEADLY)
        one.process.faults.arm(point, dice.randint(1, 3), lambda: _pause(world, one, seconds, None), "pauses")


def _pause(world: World, one: Replica, seconds: float, told: str | None) -> None:
    if one.process.paused:
        return
    if told is not None:
        world.tell(f"{one.process.name} {told} for {seconds} s")
    one.process.pause()
    world.loop.call_later(seconds, _resume, world, one)


def _resume(world: World, one: Replica) -> None:
    if one.process.alive and one.process.paused:
        world.tell(f"{one.process.name} goes on")
        one.process.resume()


def stop(world: World, dice: Random) -> None:
    """SIGTERM: it finishes what is in hand, leaves, and is started again."""
    if found := _living(world, dice):
        world.tell(f"{found[1].process.name} is asked to stop")
        found[1].stop()


def deploy(world: World, dice: Random) -> None:
    """One replica comes back with another release of the code; now and then with the one before."""
    if found := _living(world, dice):
        slot, one = found
        slot.release = 1 - slot.release
        world.tell(f"{one.process.name} is asked to stop, to come back with release {slot.release}")
        one.stop()


def break_member(world: World, dice: Random) -> None:
    """The client of a group loses its coordinator."""
    if found := _living(world, dice):
        for member in found[1].log.members[-1:]:
            world.tell(f"{found[1].process.name} loses its group's coordinator")
            member.broken = True


def skew(world: World, dice: Random) -> None:
    """A machine's clock is wrong."""
    if found := _living(world, dice):
        found[1].clock.skew = timedelta(minutes=dice.choice((-60, 60, -3, 10, 0)))
        world.tell(f"the clock of {found[1].process.name} is wrong by {found[1].clock.skew}")


def broker_back(world: World, dice: Random) -> None:
    """A broker with a slower clock takes over, or the right one comes back."""
    world.broker_skew = -timedelta(minutes=dice.choice((0, 1, 20, 60)))
    world.tell(f"the broker's clock is behind by {-world.broker_skew}")


def drop_tables(world: World, dice: Random) -> None:
    """Tables are lost: with whoever was connected, or under the feet of workers that live on."""
    service, partition = dice.choice(SERVICES), dice.randrange(PARTITIONS)
    if world.stores[service].partitions.pop(partition, None) is not None:
        world.tell(f"the tables of {service}, partition {partition}, are lost")
        if dice.random() < 0.5:
            for slot in world.slots:
                if slot.service == service:
                    world.kill(slot)


def leap(world: World, dice: Random) -> None:
    """Hours pass in which nothing else happens."""
    hours = timedelta(minutes=dice.choice((5, 31, 65, 180, 600, 1440, 4320)))
    if world.leapt + hours <= LONGEST_LEAP:
        world.leapt += hours
        world.tell(f"{hours} pass")


def turns(world: World, dice: Random) -> None:
    """Some callbacks run, and a moment passes: few let faults meet in mid-air, many let something be finished."""
    world.loop.run(dice.choice((1, 2, 5, 10, 25, 60)))
    world.loop.skip(dice.random() * 0.2)


def wait(world: World, dice: Random) -> None:
    """A few seconds pass, in which everybody goes on."""
    world.loop.advance(dice.choice((0.2, 1.0, 2.0, 6.0)))
