"""What workflow keeps besides the runtime's tables: messages to be listed, outcomes to be waited for. All is a fold of the log."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from schemas import topics
from schemas.envelope import Envelope
from schemas.outcomes import ACCEPTED
from services.runtime.log import Position
from services.runtime.postgres_positions import reading, transaction
from services.runtime.postgres_store import PostgresStore
from services.runtime.store import Changes
from services.workflow.outcomes import FINGERPRINT
from services.workflow.state import Message

SCHEMA = "workflow"
OUTCOMES_KEPT = timedelta(days=35)
_PRUNE_EVERY_SAVES = 500


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """The outcome of one command record. `body` is `Accepted` or `Refused` as JSON; `sub` gave the command."""

    command_id: str
    subject: str | None
    sub: str | None
    accepted: bool
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages a list asks for. `agency`: only those that it was issued; `of`: only of these authorities."""

    of: tuple[str, ...]
    status: str | None = None
    agency: str | None = None
    due_before: datetime | None = None
    limit: int = 100
    after: tuple[datetime, str] | None = None


_PROJECT = """
WITH listed AS (
    INSERT INTO "{schema}".messages (partition, message_id, authority, status, sequence, agencies, received_at)
    SELECT :partition, new.id, new.authority, new.status, new.sequence,
        string_to_array(nullif(new.agencies, ''), ','), new.received_at
    FROM unnest(CAST(:ids AS text[]), CAST(:authorities AS text[]), CAST(:statuses AS text[]),
        CAST(:sequences AS integer[]), CAST(:agencies AS text[]), CAST(:received AS timestamptz[]))
        AS new(id, authority, status, sequence, agencies, received_at)
    ON CONFLICT (message_id) DO UPDATE SET partition = excluded.partition, status = excluded.status,
        sequence = excluded.sequence, agencies = excluded.agencies
)
INSERT INTO "{schema}".outcomes (partition, source, command_id, subject, sub, accepted, at, body)
SELECT :partition, new.* FROM unnest(CAST(:sources AS bigint[]), CAST(:command_ids AS text[]),
    CAST(:subjects AS text[]), CAST(:subs AS text[]), CAST(:accepted AS boolean[]),
    CAST(:ats AS timestamptz[]), CAST(:bodies AS text[])) AS new ON CONFLICT DO NOTHING
"""
"""Both tables in one statement: somebody waits for each round trip."""


def make_store(
    engine: AsyncEngine, schema: str = SCHEMA, written: Callable[[Changes], None] = lambda _: None
) -> PostgresStore:
    """The runtime's tables and the derived ones, in the service's schema or in one beside it. `written` is told of each
    save whose rows are written, before it is committed."""
    projecting = text(_PROJECT.format(schema=schema))

    async def project(connection: AsyncConnection, changes: Changes) -> None:
        messages = [state for state in changes.states.values() if isinstance(state, Message)]
        said = outcomes_of(changes)
        if messages or said:
            given = {"partition": changes.partition} | _message_columns(messages) | _outcome_columns(said)
            await connection.execute(projecting, given)
        if changes.new.at is not None and changes.new.serial % _PRUNE_EVERY_SAVES == 0:
            await connection.execute(
                text(f'DELETE FROM "{schema}".outcomes WHERE partition = :partition AND at < :before'),
                {"partition": changes.partition, "before": changes.new.at - OUTCOMES_KEPT},
            )
        written(changes)

    async def wipe(connection: AsyncConnection, partition: int) -> None:
        for table in ("messages", "outcomes"):
            await connection.execute(
                text(f'DELETE FROM "{schema}".{table} WHERE partition = :partition'), {"partition": partition}
            )

    return PostgresStore(engine, schema, topics.INBOX, project, wipe)


def _message_columns(messages: Sequence[Message]) -> dict[str, list[Any]]:
    return {
        "ids": [message.message_id for message in messages],
        "authorities": [message.authority for message in messages],
        "statuses": [message.status for message in messages],
        "sequences": [message.sequence for message in messages],
        # Slugs hold no comma; PostgreSQL has no arrays of arrays of different lengths.
        "agencies": [",".join(_issued_to(message)) for message in messages],
        "received": [message.received_at for message in messages],
    }


def _outcome_columns(said: Sequence[tuple[int, Envelope]]) -> dict[str, list[Any]]:
    rows = [stored_outcome(envelope) for _, envelope in said]
    return {
        "sources": [source for source, _ in said],
        "command_ids": [row.command_id for row in rows],
        "subjects": [row.subject for row in rows],
        "subs": [row.sub for row in rows],
        "accepted": [row.accepted for row in rows],
        "ats": [envelope.time for _, envelope in said],
        "bodies": [json.dumps(row.body, ensure_ascii=False) for row in rows],
    }


def _issued_to(message: Message) -> list[str]:
    return sorted({one.agency for one in message.assignments if one.issued_at is not None})


def outcomes_of(changes: Changes) -> list[tuple[int, Envelope]]:
    """The outcomes of a save, each with the offset of its command record on the inbox."""
    return [
        (one.cause.offset, one.envelope)
        for one in changes.said
        if one.position.topic == topics.OUTCOMES and one.cause is not None and one.cause.topic == topics.INBOX
    ]


def stored_outcome(envelope: Envelope) -> StoredOutcome:
    """The outcome as its sender is told it: the fingerprint is the decider's own."""
    return StoredOutcome(
        command_id=str(envelope.data["command_id"]),
        subject=envelope.subject,
        sub=envelope.actor.sub if envelope.actor else None,
        accepted=envelope.type == ACCEPTED,
        body={name: value for name, value in envelope.data.items() if name != FINGERPRINT},
    )


class WorkflowReads:
    """Questions of the API. Everything raises `StoreError` when PostgreSQL does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def outcome_at(self, position: Position) -> StoredOutcome | None:
        """What became of the command record at this position of the inbox."""
        found = await self._rows(
            f"SELECT {_OUTCOME} FROM workflow.outcomes WHERE partition = :partition AND source = :source",
            {"partition": position.partition, "source": position.offset},
        )
        return _outcome(found[0]) if found else None

    async def outcome_of(self, command_id: str) -> StoredOutcome | None:
        """The first outcome under this id: the one that took effect."""
        found = await self._rows(
            f"SELECT {_OUTCOME} FROM workflow.outcomes WHERE command_id = :id ORDER BY at, partition, source LIMIT 1",
            {"id": command_id},
        )
        return _outcome(found[0]) if found else None

    async def remember_pending(self, command_id: str, sub: str, subject: str | None, position: Position) -> None:
        """Note a command whose sender was told that its outcome is not known yet."""
        async with transaction(self._engine, "noting a pending command") as connection:
            await connection.execute(
                text(
                    "INSERT INTO workflow.pending (command_id, sub, subject, partition, source, at) "
                    "VALUES (:id, :sub, :subject, :partition, :source, :at) ON CONFLICT (command_id) DO NOTHING"
                ),
                {
                    "id": command_id, "sub": sub, "subject": subject,
                    "partition": position.partition, "source": position.offset, "at": position.stamp,
                },
            )  # fmt: skip
            await connection.execute(
                text("DELETE FROM workflow.pending WHERE at < :before"), {"before": position.stamp - OUTCOMES_KEPT}
            )

    async def pending_sub(self, command_id: str) -> str | None:
        """Who gave a command that is noted as pending."""
        found = await self._rows("SELECT sub FROM workflow.pending WHERE command_id = :id", {"id": command_id})
        return str(found[0].sub) if found else None

    async def listed(self, wanted: Wanted) -> list[tuple[int, str, datetime]]:
        """Partition, id and receipt of messages, the newest first; one more than the limit when there are more."""
        where = ["m.authority = ANY(CAST(:of AS text[]))"]
        given: dict[str, Any] = {"of": list(wanted.of), "limit": wanted.limit + 1}
        if wanted.status is not None:
            where.append("m.status = :status")
            given["status"] = wanted.status
        if wanted.agency is not None:
            where.append("m.agencies @> ARRAY[CAST(:agency AS text)]")
            given["agency"] = wanted.agency
        if wanted.due_before is not None:
            where.append(
                "EXISTS (SELECT 1 FROM workflow.due AS d WHERE d.message_id = m.message_id AND d.due_at < :due_before)"
            )
            given["due_before"] = wanted.due_before
        if wanted.after is not None:
            where.append("(m.received_at, m.message_id) < (:after_at, :after_id)")
            given |= {"after_at": wanted.after[0], "after_id": wanted.after[1]}
        found = await self._rows(
            f"SELECT m.partition, m.message_id, m.received_at FROM workflow.messages AS m WHERE {' AND '.join(where)} "
            "ORDER BY m.received_at DESC, m.message_id DESC LIMIT :limit",
            given,
        )
        return [(row.partition, row.message_id, row.received_at) for row in found]

    async def _rows(self, query: str, given: Mapping[str, Any]) -> Sequence[Any]:
        async with reading(self._engine, "reading") as connection:
            return (await connection.execute(text(query), given)).all()


_OUTCOME = "command_id, subject, sub, accepted, body"


def _outcome(row: Any) -> StoredOutcome:
    return StoredOutcome(row.command_id, row.subject, row.sub, row.accepted, json.loads(row.body))


def cursor(received_at: datetime, message_id: str) -> str:
    """The `next` of a list of messages."""
    return base64.urlsafe_b64encode(f"{received_at.isoformat()} {message_id}".encode()).decode()


def from_cursor(after: str) -> tuple[datetime, str]:
    """What `cursor` made; raises ValueError on anything else."""
    try:
        instant, _, message_id = base64.urlsafe_b64decode(after.encode()).decode().partition(" ")
        received_at = datetime.fromisoformat(instant)
    except (binascii.Error, UnicodeError) as error:
        raise ValueError("not a cursor") from error
    if received_at.tzinfo is None or not message_id:
        raise ValueError("not a cursor")
    return received_at, message_id
