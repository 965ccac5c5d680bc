"""A consumer group as Kafka's coordinator keeps it: heartbeats, eager rebalances, and members that are given up.

A member that is silent for too long loses its partitions while it may still believe that it has them: that is how zombies
come about. `SimMember` is the client's side, on the in-memory log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from services.runtime.log import Listener, LogError, TopicPartition
from services.runtime.memory_log import MemoryLog, MemoryMember

HEARTBEAT_S = 0.5
SESSION_S = 3.0
"""After so much silence a member is given up (6 s in production; shorter, so that seeds see more of it)."""
REBALANCE_S = 4.0
"""So long a rebalance waits for members that are alive to let go."""


class Group:
    """One service's group. All of it happens in the broker, in no process of the service."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, topic: str, partitions: int, dice: Random, tell: Callable[[str], None]
    ) -> None:
        self.generation = 0
        self.members: dict[SimMember, float] = {}
        self._loop = loop
        self._topic = topic
        self._partitions = partitions
        self._dice = dice
        self._tell = tell
        self._rejoined: dict[SimMember, None] = {}
        self._stable = True
        loop.call_later(HEARTBEAT_S, self._look)

    def join(self, member: SimMember) -> None:
        self.members[member] = self._loop.time()
        self._prepare()

    def leave(self, member: SimMember) -> None:
        if self.members.pop(member, None) is not None:
            self._prepare()

    def beat(self, member: SimMember) -> bool:
        """Whether the member is still one."""
        if member in self.members:
            self.members[member] = self._loop.time()
        return member in self.members

    def rejoin(self, member: SimMember, generation: int) -> None:
        """The member has let go of what it had, for the sake of this generation."""
        if generation == self.generation and member in self.members:
            self._rejoined[member] = None
            self._assign_if_all()

    def _prepare(self) -> None:
        self.generation += 1
        self._stable = False
        self._rejoined = {}
        for member in self.members:
            member.poke()
        self._loop.call_later(REBALANCE_S, self._late, self.generation)

    def _late(self, generation: int) -> None:
        if generation == self.generation and not self._stable:
            for member in [one for one in self.members if one not in self._rejoined]:
                self._tell(f"{member.name} did not let go in time and is no member any more")
                del self.members[member]
            self._assign_if_all()

    def _assign_if_all(self) -> None:
        if self._stable or len(self._rejoined) < len(self.members):
            return
        self._stable = True
        readers = list(self.members)
        self._dice.shuffle(readers)
        shares: dict[SimMember, set[TopicPartition]] = {reader: set() for reader in readers}
        for partition in range(self._partitions):
            if readers:
                shares[readers[partition % len(readers)]].add(TopicPartition(self._topic, partition))
        for reader, share in shares.items():
            reader.given = (self.generation, frozenset(share))
            reader.poke()

    def _look(self) -> None:
        silent = [one for one, beat in self.members.items() if self._loop.time() - beat > SESSION_S]
        for member in silent:
            self._tell(f"{member.name} was silent for {SESSION_S} s and is no member any more")
            del self.members[member]
        if silent:
            self._prepare()
        self._loop.call_later(HEARTBEAT_S, self._look)


class SimMember(MemoryMember):
    """A member in one process; `broken` makes it fail once, as a client does that lost its coordinator."""

    def __init__(self, log: MemoryLog, service: str, topics: tuple[str, ...], group: Group, name: str) -> None:
        super().__init__(log, service, topics)
        self.name = name
        self.given: tuple[int, frozenset[TopicPartition]] | None = None
        self.broken = False
        self._group = group
        self._poked = asyncio.Event()
        self._beating = False
        self._seen = 0

    def poke(self) -> None:
        self._poked.set()

    async def run(self, listener: Listener) -> None:
        self._listener = listener
        self._beating = True
        self._beat()
        self._group.join(self)
        try:
            while not self._stopping.is_set():
                await self._poked.wait()
                self._poked.clear()
                await self._follow(listener)
                if self.broken:
                    raise LogError("the coordinator cannot be found")
        finally:
            self._beating = False
            await self._revoke()
            self._group.leave(self)

    async def stop(self) -> None:
        await super().stop()
        self.poke()

    def vanish(self) -> None:
        """The process is gone: nothing is fetched for it any more."""
        super().vanish()
        for reader in self._readers:
            if reader in self._log._readers:
                self._log._readers.remove(reader)

    async def _follow(self, listener: Listener) -> None:
        if self._stopping.is_set():
            return
        if self not in self._group.members:
            await self._revoke()
            self._group.join(self)
        if self._seen != self._group.generation:
            self._seen = generation = self._group.generation
            await self._revoke()
            self._group.rejoin(self, generation)
            self.poke()
        elif self.given is not None and self.given[0] == self._group.generation:
            share, self.given = self.given[1], None
            self.owned = set(share)
            await listener.assigned(share)

    def _beat(self) -> None:
        if not self._beating:
            return
        if not self._group.beat(self) or self.broken:
            self.poke()
        asyncio.get_running_loop().call_later(HEARTBEAT_S, self._beat)
