"""One partition of a decider: what becomes of each input, in order.

The order within an input, on which every fold relies: what `decide` says without a due entry; then the sweeps, entry by
entry; then, where the source is remembered, the input itself. Each output's `evolve` comes right after its `decide`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime

from services.runtime.dead_letters import QUARANTINED, Problem, dead_letter, described, told_of
from services.runtime.decider import WORLD, Decider, Due, Input, UnknownEvent
from services.runtime.deciding import Judge, Prepared, Spoken, Trial, check_text, problem_of
from services.runtime.feed import Feed
from services.runtime.headers import Cursor
from services.runtime.log import Record
from services.runtime.states import PartitionStopped, States
from services.runtime.store import OF_SOURCE, DeciderStore, Kept, OwnershipLost, Place, Quarantined
from services.runtime.sweeping import Sweeping
from services.runtime.transaction import Limits, Transactions

logger = logging.getLogger(__name__)

FAIR_AFTER = 20


class PartitionWorker:
    """Made by `assignment.open_partition`, for one task; of no use after its first error."""

    def __init__(
        self,
        decider: Decider,
        store: DeciderStore,
        states: States,
        judge: Judge,
        transactions: Transactions,
        quarantined: set[str],
        partition: int,
        code_version: str,
        limits: Limits,
    ) -> None:
        place = transactions.place
        self.decider = decider
        self.partition = partition
        self.quarantined = quarantined
        self.feed: Feed | None = None
        self._store = store
        self._states = states
        self._judge = judge
        self._transactions = transactions
        self._code_version = code_version
        self._limits = limits
        self._next = place.offsets[decider.source]
        self._at = place.at
        self._cursor = place.cursor
        self._index = 0
        self._touched: set[str] = set()
        self._steps = 0
        self.said: Counter[tuple[str, str]] = Counter()
        """Events by topic and type, and `letters` by reason: counted by whoever runs the worker, once they are stored."""
        self.letters: Counter[str] = Counter()

    @property
    def place(self) -> Place:
        """What is stored."""
        return self._transactions.place

    @property
    def next_offset(self) -> int:
        """The source's next record."""
        return self._next

    @property
    def at(self) -> datetime | None:
        """Event time: the largest stamp read so far."""
        return self._at

    async def take(self) -> list[Record]:
        """Wait for records."""
        if self.feed is None:
            raise RuntimeError("nothing to read from")
        return await self.feed.take(self._limits.batch_max, self._limits.bytes_max)

    async def check_stands(self) -> None:
        """Raises `OwnershipLost` when the store does not stand where it was left: dropped, or restored from an older copy."""
        found = await self._store.place(self.partition)
        if found is None or found.serial != self.place.serial:
            raise OwnershipLost(f"{self.decider.source}/{self.partition}: записанного в таблицы больше нет")

    async def handle(self, records: Sequence[Record]) -> None:
        """Decide and store these records; one transaction, or several when they say much."""
        fresh = [record for record in records if record.offset >= self._next]
        if not fresh:
            return
        prepared = self._judge.prepare(fresh, self._at)
        await self._states.ensure(key for one in prepared for key in (*one.scope.keys, *one.keys))
        for one in prepared:
            await self._be_fair()
            cursor, self._cursor = self._cursor, None
            resumed = cursor if cursor is not None and cursor.offset == one.record.offset else None
            self._index = 0 if resumed is None else resumed.index
            self._next = one.record.offset
            self._at = one.at
            if self.decider.remembers_source:
                await self._own(one, resumed)
            else:
                await self._outside(one, resumed)
            self._next = one.record.offset + 1
            if self._transactions.full():
                await self._transactions.flush(self._next, self._at, None)
        await self._transactions.flush(self._next, self._at, None)

    # An input from outside.

    async def _outside(self, one: Prepared, resumed: Cursor | None) -> None:
        problem = one.problem
        blocked = [key for key in one.scope.keys if key in self.quarantined]
        if problem is None and blocked:
            problem = Problem(QUARANTINED, f"{', '.join(blocked)}: эта версия не может рассмотреть")
        if problem is None and resumed is None and one.given is not None:
            error = await self._decide(one, one.given, None, None)
            problem = None if error is None else problem_of(error)
        if problem is not None:
            await self._refuse(one, problem)
        elif one.given is not None:
            await self._sweep_all(one, one.given, resumed)

    async def _refuse(self, one: Prepared, problem: Problem) -> None:
        if one.given is not None:
            trial = await self._judge.refused(one, one.given, problem, self._index)
            if isinstance(trial, Exception):
                problem = Problem(problem.reason, f"{problem.detail} (не вышло и отказать: {described(trial)})")
            else:
                self._accept(trial)
        told_of(logger, one.record, one.given.envelope if one.given is not None else None, problem.reason)
        self.letters[problem.reason] += 1
        cause = self._judge.cause(one, self._index)
        self._index += 1
        self._transactions.speak(Spoken(dead_letter(one.record, problem, {}), cause))

    # A record of our own log.

    async def _own(self, one: Prepared, resumed: Cursor | None) -> None:
        given = one.given
        if given is None:
            raise PartitionStopped(f"{one.place()} не читается")
        messages = [key for key in one.keys if not key.startswith(WORLD)]
        if any(key in self.quarantined for key in messages):
            self._quarantine(messages, one, Problem(QUARANTINED, "общее событие с тем, что в карантине"))
        elif one.problem is not None:
            self._quarantine_whole(messages, one, one.problem)
        elif resumed is None:
            error = await self._decide(one, given, None, None)
            if isinstance(error, UnknownEvent):
                raise PartitionStopped(f"{one.place()}: {error}") from error
            if error is not None:
                self._quarantine_whole(messages, one, problem_of(error))
        await self._sweep_all(one, given, resumed)
        await self._states.ensure(one.keys)
        for key in one.keys:
            self._fold_own(key, one, given)

    def _fold_own(self, key: str, one: Prepared, given: Input) -> None:
        record = one.record
        row = Kept(key, record.topic, record.offset, record.offset, OF_SOURCE, one.at, record.value or b"")
        if key not in self.quarantined:
            try:
                state = self.decider.evolve(key, self._states.get(key), self.decider.source, given.envelope)
                body, agenda = self._states.rendered(key, state)
                check_text(entry.item for entry in agenda)
            except UnknownEvent as error:
                raise PartitionStopped(f"{one.place()}: {error}") from error
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - our own record: the key waits, the others go on
                self._quarantine_whole([key], one, problem_of(error))
            else:
                self._states.put(key, state, body, agenda)
                if self.decider.remembered(key):
                    self._transactions.keep(row)
        if key in self.quarantined:
            self._transactions.park(row)

    def _quarantine_whole(self, keys: Sequence[str], one: Prepared, problem: Problem) -> None:
        """Quarantine what the record is about; when that is the partition's own world, the partition has to stop."""
        if not keys or any(key.startswith(WORLD) for key in keys):
            raise PartitionStopped(f"{one.place()} касается всей партиции: {problem.detail}")
        self._quarantine(keys, one, problem)

    def _quarantine(self, keys: Sequence[str], one: Prepared, problem: Problem) -> None:
        for key in keys:
            if key not in self.quarantined:
                record = one.record
                place = one.place()
                logger.error("%s is in quarantine: %s, %s: %s", key, place, problem.reason, problem.detail)
                self._transactions.quarantine(
                    Quarantined(key, record.topic, record.offset, problem.reason, problem.detail, self._code_version)
                )

    # Both.

    async def _decide(self, one: Prepared, given: Input, due: Due | None, cursor: Cursor | None) -> Exception | None:
        """Decide, and take what is said as pending; returns what the decider raised, and then nothing was said."""
        trial = await self._judge.judge(one, given, due, cursor, self._index)
        self._touched = set() if isinstance(trial, Exception) else set(trial.states)
        if isinstance(trial, Exception):
            return trial
        self._accept(trial)
        return None

    def _accept(self, trial: Trial) -> None:
        self._transactions.accept(trial)
        self._index += len(trial.spoken)
        for spoken in trial.spoken:
            if spoken.envelope is not None:
                self.said[spoken.outgoing.topic, spoken.envelope.type] += 1

    async def _be_fair(self) -> None:
        """Heartbeats and HTTP share this thread: neither a batch nor a sweep keeps it for long."""
        self._steps += 1
        if self._steps % FAIR_AFTER == 0:
            await asyncio.sleep(0)

    async def _sweep_all(self, one: Prepared, given: Input, resumed: Cursor | None) -> None:
        for number, sweep in enumerate(one.scope.sweeps):
            if resumed is not None and number < resumed.sweep:
                continue
            after = None
            if resumed is not None and number == resumed.sweep and resumed.at is not None:
                after = (resumed.at, resumed.item, resumed.key)
            sweeping = Sweeping(self._store, self._states, self.partition, sweep, after)
            async with aclosing(sweeping.entries()) as entries:
                async for found in entries:
                    await self._be_fair()
                    if found.key in self.quarantined:
                        continue
                    entry = found.entry
                    cursor = Cursor(one.record.offset, self._index, number, entry.at, entry.item, found.key)
                    error = await self._decide(one, given, Due(found.key, entry), cursor)
                    if error is not None:
                        self._quarantine_whole([found.key], one, problem_of(error))
                    sweeping.changed(self._touched)
                    if self._transactions.full():
                        await self._transactions.flush(self._next, self._at, replace(cursor, index=self._index))
