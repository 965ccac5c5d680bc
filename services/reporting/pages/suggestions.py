"""Earlier messages that this one may be repeating, shown beside the triage form."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Actor
from services.reporting.access import Sight
from services.reporting.pages.queue import CLOSED
from services.reporting.projections.register import Row
from services.reporting.reports.similar import Similar, similar

SHOWN = 5


async def suggested(connection: AsyncConnection, seen: Sight, actor: Actor, row: Row) -> list[Similar]:
    """For whoever may triage while the message is open, which is who may confirm one; nothing for others."""
    if "coordinator" not in actor.roles or row.status in CLOSED:
        return []
    return await similar(connection, seen, row.message_id, SHOWN)
