"""Trying a quarantined key again, by another version of the code than the one that failed.

What it remembers and what was parked are folded in the order of causes; a parked input that was never decided is
decided now. Everything is said in one transaction, with the header of the input that it belongs to: after a crash in
between, an input of which something was said is known to be decided.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel

from services.runtime.dead_letters import FAILED, described
from services.runtime.decider import WORLD, Decider, UnknownEvent
from services.runtime.deciding import Judge, Trial
from services.runtime.log import Record
from services.runtime.states import PartitionStopped, States, fold
from services.runtime.store import OF_SOURCE, DeciderStore, Kept, Quarantined
from services.runtime.transaction import Transactions


class _Failed(Exception):
    """This version cannot fold the key either."""


async def release(
    decider: Decider,
    store: DeciderStore,
    states: States,
    judge: Judge,
    transactions: Transactions,
    row: Quarantined,
    code_version: str,
) -> bool:
    """Whether the key is out of quarantine now; if not, it is noted that this version failed too."""
    key, place = row.key, transactions.place
    kept = (await store.kept(transactions.partition, [key], states.held))[key]
    parked = await store.parked(transactions.partition, key, states.held)
    await states.ensure([key])
    # The judge passes over quarantined keys: from here on this one is tried like any other.
    transactions.quarantined.discard(key)
    trials: list[Trial] = []
    try:
        if decider.remembered(key):
            _fold(decider, states, key, kept, None)
        said = {event.source for event in (*kept, *parked) if event.topic != decider.source}
        for event in parked:
            if event.index == OF_SOURCE and event.source not in said:
                trials += await _decided(decider, states, judge, transactions.partition, key, event)
            _fold(decider, states, key, [event], states.get(key))
    except _Failed as failed:
        for changed in list(states.changed):
            states.forget(changed)
        await states.open()
        detail = described(failed.__cause__ or failed)
        transactions.quarantine(Quarantined(key, row.topic, row.offset, FAILED, detail, code_version))
        await transactions.flush(place.offsets[decider.source], place.at, place.cursor)
        return False
    for spoken in (spoken for trial in trials for spoken in trial.spoken):
        transactions.speak(spoken)
    for event in parked:
        if decider.remembered(key):
            transactions.keep(event)
    transactions.release(key)
    await transactions.flush(place.offsets[decider.source], place.at, place.cursor)
    return True


def _fold(decider: Decider, states: States, key: str, events: Sequence[Kept], state: BaseModel | None) -> None:
    try:
        folded = fold(decider, key, events, state)
        states.put(key, folded, *states.rendered(key, folded))
    except UnknownEvent as error:
        raise PartitionStopped(f"{key}: {error}") from error
    except MemoryError:
        raise
    except Exception as error:  # Whatever it raises, the key stays where it was: an assertion would be a crash loop.
        raise _Failed from error


async def _decided(
    decider: Decider, states: States, judge: Judge, partition: int, key: str, event: Kept
) -> list[Trial]:
    """Decide a parked input, whose effects on the states are taken at once: the next one has to see them."""
    (one,) = judge.prepare([Record(event.topic, partition, event.offset, None, event.body, {}, event.at)], None)
    if one.given is None or one.problem is not None:
        raise _Failed from RuntimeError(f"{one.place()}: {one.problem}")
    if key != min(other for other in one.keys if not other.startswith(WORLD)):
        # It parks under several keys, and is decided with the first of them.
        return []
    trial = await judge.judge(one, one.given, None, None, 0)
    if isinstance(trial, UnknownEvent):
        raise PartitionStopped(f"{one.place()}: {trial}") from trial
    if isinstance(trial, Exception):
        raise _Failed from trial
    for changed, state in trial.states.items():
        states.put(changed, state, *trial.rendered[changed])
    return [trial]
