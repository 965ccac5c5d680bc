"""The one envelope of everything on the log: CloudEvents 1.0 in JSON, structured mode."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, AwareDatetime, BaseModel, ConfigDict, Field

from schemas.as_bytes import as_bytes
from schemas.roles import READERS

CONTENT_TYPE = b"application/cloudevents+json"
"""Value of the Kafka header `content-type` of every envelope."""


def schema_of(cloud_type: str) -> str:
    """The `dataschema` of a type."""
    return f"urn:otklik:schema:{cloud_type}"


class Actor(BaseModel):
    """Who caused a record: the token's subject, or the system that a topic's ACL names."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sub: str
    roles: tuple[str, ...] = ()
    authorities: tuple[str, ...] = ()
    agency: str | None = None

    @property
    def reads_all(self) -> bool:
        """Whether one of the roles reads every message of `authorities`."""
        return not READERS.isdisjoint(self.roles)


class Envelope(BaseModel):
    """A CloudEvent. `time` is aware; on `events` it is the event time of the record that caused it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str | None = None
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str | None = None
    authority: str | None = None
    sequence: int | None = None
    causationid: str | None = None
    actor: Actor | None = None
    data: dict[str, Any] = Field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Encode for the log; the same envelope always gives the same bytes."""
        return as_bytes(self, exclude_none=True)

    @classmethod
    def from_bytes(cls, value: bytes) -> Envelope:
        """Decode; raises `pydantic.ValidationError` on anything that is not a CloudEvent of ours."""
        return cls.model_validate_json(value)


class Received(BaseModel):
    """A CloudEvent as partners write it to Kafka. CloudEvents itself asks for no `time`, and it would count for nothing: the
    log's stamp does. `expected_sequence` stands beside `data` where the record bears the bare data of a command; an attribute
    of CloudEvents has no underscore in its name, so that it may be `expectedsequence`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str | None = None
    time: AwareDatetime | None = None
    actor: Actor | None = None
    expected_sequence: int | None = Field(
        default=None, ge=0, validation_alias=AliasChoices("expectedsequence", "expected_sequence")
    )
    data: dict[str, Any] = Field(default_factory=dict)
