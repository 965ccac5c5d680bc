"""Detections: what a monitoring system pushes, and how it stands on the inbox."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from schemas.ids import Slug, message_id
from schemas.instants import Instant

ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$")]
Text = Annotated[str, StringConstraints(max_length=200_000)]
Short = Annotated[str, StringConstraints(max_length=500)]


class Strict(BaseModel):
    """A shape from outside: an unknown field is a fault that its sender should hear of."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Strict):
    network: Slug
    external_id: ExternalId
    url: Url


class Author(Strict):
    name: Short
    url: Url | None = None


class Attachment(Strict):
    url: Url
    media_type: Short


class Reference(Strict):
    network: Slug
    external_id: ExternalId


class Post(Strict):
    """All that identifies a person, in one place."""

    author: Author
    text: Text
    attachments: tuple[Attachment, ...] = ()


class Detection(Strict):
    """A detection as it comes over HTTP or on the topic `detections` (contract, "A detection")."""

    detection_id: UUID | None = None
    authority: Slug
    source: Source
    author: Author
    text: Text
    detected_at: Instant | None = None
    posted_at: Instant | None = None
    location: Short | None = None
    topics: Annotated[tuple[Short, ...], Field(max_length=50)] = ()
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=100)] = ()
    detected_by: Short | None = None
    reply_to: Reference | None = None
    change: Literal["new", "edited", "removed"] = "new"

    @property
    def message_id(self) -> str:
        return message_id(self.authority, self.source.network, self.source.external_id)


class InboxDetection(BaseModel):
    """A detection as it stands on the inbox: the same, with the person's part in `post`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    authority: str
    source: Source
    post: Post
    detected_at: AwareDatetime | None = None
    posted_at: AwareDatetime | None = None
    location: str | None = None
    topics: tuple[str, ...] = ()
    detected_by: str | None = None
    reply_to: Reference | None = None
    change: Literal["new", "edited", "removed"] = "new"
