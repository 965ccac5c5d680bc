"""Who is told on the way, where the act asks for it: as `notified` events after what they are told of."""

from __future__ import annotations

from collections.abc import Iterator

from regulations.model import Act
from schemas.events import (
    COORDINATOR,
    AssignmentIssued,
    EventData,
    Notified,
    Routed,
    short,
)

ROUTED = short(Routed.type)


def due(act: Act, data: EventData) -> Iterator[Notified]:
    """The notices that this event causes.

    Those of `routed` are given at each issue, for that agency: who waits for his turn is told when it comes, and a
    replacement is told as the first was.
    """
    if isinstance(data, Notified | Routed):
        return
    about = ROUTED if isinstance(data, AssignmentIssued) else short(data.type)
    agency = getattr(data, "agency", None) or getattr(data, "by", None)
    for notice in act.notices:
        if notice.on in (about, short(data.type)):
            yield Notified(
                about=notice.on,
                whom=notice.whom,
                agency=None if agency == COORDINATOR else agency,
                paragraph=notice.paragraph,
            )
