"""The frame of every page: who looks, at which authority, when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from regulations.directory import Directory, schedule
from regulations.working_time import WorkingTime, WorkingTimeError
from regulations.working_time.wording import duration
from services.reporting.access import Sight, sight
from services.reporting.context import Context
from services.reporting.pages.session import Visitor
from services.runtime import problems


async def frame(
    context: Context, connection: AsyncConnection, visitor: Visitor, authority: str | None
) -> dict[str, Any]:
    """What every page shows: who looks, which authority, which time it is. 404 for an authority that is not his."""
    seen = sight(visitor.actor)
    laws = await context.laws.all(connection)
    own = {one: laws[one] for one in seen.authorities if one in laws}
    chosen = authority or next(iter(own), None)
    if chosen is None or chosen not in own:
        raise problems.not_found("Закон этого органа ещё не поступил или орган вам не доступен.")
    now = await context.now(connection)
    return {
        "visitor": visitor,
        "laws": own,
        "law": own[chosen],
        "zone": own[chosen].zone,
        "seen": Sight((chosen,), seen.agency),
        "now": now,
        "working_left": _working_left(own[chosen], now),
        "simulated": context.settings.clock == "simulated" and not context.settings.clock_runs,
    }


def _working_left(directory: Directory, now: datetime) -> Callable[[datetime, str], str | None]:
    """How much of the working clock is left until an instant, in words; None on other clocks, afterwards, and where the
    calendar is not known."""
    working = WorkingTime(schedule(directory))

    def left(due_at: datetime, clock: str) -> str | None:
        if clock != "working" or due_at <= now:
            return None
        try:
            minutes = working.between(now, due_at)
        except WorkingTimeError:
            return None
        return duration(minutes - minutes % _MINUTE)

    return left


_MINUTE = timedelta(minutes=1)
