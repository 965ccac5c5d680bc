"""The clock: a tick is told on as the event time that it brought; no later event of the partition is earlier."""

from __future__ import annotations

from uuid import uuid5

from schemas import topics
from schemas.envelope import Envelope, schema_of
from schemas.events import Reached
from schemas.ids import NAMESPACE
from services.runtime.decider import Input, Output
from services.workflow.hearing import SOURCE

KEY = "clock"


def reached(given: Input) -> Output:
    """What a tick becomes; it is nobody's event and bears no sequence."""
    event = Envelope(
        id=str(uuid5(NAMESPACE, f"reached/{given.partition}/{given.offset}")),
        source=SOURCE,
        type=Reached.type,
        time=given.at,
        dataschema=schema_of(Reached.type),
        causationid=given.envelope.id,
        data=Reached(at=given.at).model_dump(mode="json"),
    )
    return Output(topics.EVENTS, KEY, event)
