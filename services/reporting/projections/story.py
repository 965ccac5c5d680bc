"""The story: every event of a message or a period as it happened, without what identifies a person."""

from __future__ import annotations

from typing import Any

from schemas.envelope import Envelope

PERSONAL = "post"
"""The one sub-object that may hold an author's name, words and pictures (contract, "Conventions")."""


def tell(envelope: Envelope) -> dict[str, Any]:
    """The event as the story's row."""
    actor = envelope.actor
    return {
        "message_id": envelope.subject,
        "sequence": envelope.sequence,
        "id": envelope.id,
        "authority": envelope.authority,
        "type": envelope.type,
        "at": envelope.time,
        "actor": None if actor is None else actor.model_dump(mode="json", exclude={"authorities"}),
        "data": {name: value for name, value in envelope.data.items() if name != PERSONAL},
    }


def post(envelope: Envelope) -> dict[str, Any] | None:
    """The person's part of the event as a row of the register's own table; None where it has none."""
    told = envelope.data.get(PERSONAL)
    if told is None:
        return None
    return {
        "message_id": envelope.subject,
        "sequence": envelope.sequence,
        "author": told["author"]["name"],
        "author_url": told["author"].get("url"),
        "text": told["text"],
        "attachments": told.get("attachments", []),
    }
