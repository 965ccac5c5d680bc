"""Reading what the decider has stored: a message as it stands, its events, the law in force."""

from __future__ import annotations

from collections.abc import Sequence

from regulations.directory import Directory
from schemas.envelope import Envelope
from services.runtime import problems
from services.runtime.decider import Decider
from services.runtime.gate import StoredWaiter
from services.runtime.reading import StateReader
from services.runtime.store import DeciderStore
from services.workflow import amendments
from services.workflow.state import Message

MESSAGE = "message/"


class MessageReader:
    """Messages and the law, as any replica has stored them. Raises `StoreError` when PostgreSQL does not answer."""

    def __init__(self, store: DeciderStore, decider: Decider, waiter: StoredWaiter, partitions: int) -> None:
        standing = "Сообщение пока в состоянии"
        self._states = StateReader(
            store, decider, waiter, partitions, Message, lambda message: message.sequence, standing
        )

    async def message(self, message_id: str, at_least: int | None) -> Message | None:
        """The message; with `at_least`, waits up to 5 s for that sequence. Raises ProblemError 504 when the message is
        there and has not come that far, and 503 when it is not there and the tables are being folded anew."""
        return await self._states.awaited(self._states.partition(message_id), [MESSAGE + message_id], at_least)

    async def messages(self, wanted: Sequence[tuple[int, str]]) -> dict[str, Message]:
        """Messages by id; `wanted` are partitions and ids."""
        by_partition: dict[int, list[str]] = {}
        for partition, message_id in wanted:
            by_partition.setdefault(partition, []).append(MESSAGE + message_id)
        found: dict[str, Message] = {}
        for partition, keys in by_partition.items():
            for message in (await self._states.states(partition, keys)).values():
                found[message.message_id] = message
        return found

    async def history(self, message_id: str) -> list[Envelope]:
        """Every event of the message, in order."""
        kept = await self._states.kept(self._states.partition(message_id), MESSAGE + message_id)
        events = {envelope.sequence: envelope for envelope in (Envelope.from_bytes(one.body) for one in kept)}
        return [events[sequence] for sequence in sorted(events, key=lambda sequence: sequence or 0)]

    async def directories(self) -> dict[str, Directory]:
        """The authorities in force, as the first partition has folded them."""
        states = (await self._states.world()).values()
        return {state.id: state for state in states if isinstance(state, Directory) and state.in_force}

    async def law_of(self, message: Message) -> Directory:
        """The law by which the message is shown. Raises ProblemError 503 while it is not stored here yet."""
        known = self._states.remembered(amendments.world(message.authority))
        if not isinstance(known, Directory) or known.number < message.law or not known.in_force:
            known = (await self.directories()).get(message.authority)
        if known is None:
            raise problems.unavailable(1, "Право этого органа ещё не прочитано из журнала.")
        return known
