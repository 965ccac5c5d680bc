"""The authorities in force folded anew: a small fold, so it is made in memory and put in place in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from regulations.directory import Directory
from schemas import topics
from services.intake.law import AmendmentFold
from services.intake.store import AuthorityStore
from services.runtime.log import Log, TopicPartition

PLACE = TopicPartition(topics.EVENTS, 0)

Progress = Callable[[int, int], None]


async def refold(log: Log, end: int | None, progress: Progress) -> tuple[int, dict[str, Directory]]:
    """The next offset and the authorities, by the log up to `end` (None: all of it). Raises `LogError`, ValueError for an
    amendment that this version cannot read."""
    beginning = (await log.beginnings([PLACE]))[PLACE]
    end = (await log.ends([PLACE]))[PLACE] if end is None else end
    fold, following = AmendmentFold(), beginning
    async for records in log.read(PLACE, beginning, end):
        for record in records:
            fold.take(record)
        following = records[-1].offset + 1
        progress(following - beginning, end - beginning)
    progress(1, 1)
    return following, fold.known


async def rebuild(log: Log, store: AuthorityStore, progress: Progress) -> None:
    """Fold all, and let it stand in the place of what was stored: the running gates follow the log by themselves."""
    identity: Mapping[str, str] = await log.identity((topics.EVENTS,))
    following, known = await refold(log, None, progress)
    await store.replace(identity, following, known)
