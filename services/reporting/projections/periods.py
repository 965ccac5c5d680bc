"""Periods: where the summary or the rating of a period stands on its way to its addressee."""

from __future__ import annotations

from typing import Any

from schemas import events
from schemas.envelope import Envelope


def evolve(envelope: Envelope) -> dict[str, Any]:
    """The period's row after the event; the latest sequence counts."""
    event = events.PERIOD_EVENTS[envelope.type].model_validate(envelope.data)
    assert isinstance(event, events.PeriodEvent)
    return {
        "period_id": envelope.subject,
        "authority": envelope.authority,
        "report": event.report,
        "period": event.period,
        "sequence": envelope.sequence,
        "state": events.short(envelope.type).removeprefix(f"{event.report}-"),
        "at": envelope.time,
        "data": envelope.data,
    }
