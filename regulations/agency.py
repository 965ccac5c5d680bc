"""An agency of an authority: who answers for it, who works, who stands in on which days, and its official accounts."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from regulations.model import Datum
from schemas.detections import Url
from schemas.ids import Slug

Post = Annotated[str, StringConstraints(min_length=3, max_length=300, pattern=r"\S")]
"""A post, never a person's name."""
Topic = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"\S")]
Level = Literal["head", "deputy_head", "other"]
"""How high the responsible official stands in the agency: `head`, `deputy_head` (any deputy), or lower."""


class Substitute(Datum):
    """On the local days `from`–`until` (both included) the holder of `post` is absent and `by` stands in for him.

    Without `by` the other executors do the work (the official, if none is there), and the head stands in for the official.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)

    post: Post
    from_: date = Field(alias="from")
    until: date
    by: Post | None = None

    def covers(self, on: date) -> bool:
        """Whether the absence lasts on this local day."""
        return self.from_ <= on <= self.until


class Account(Datum):
    """An official account of the agency, or of the authority itself."""

    network: Slug
    url: Url
    title: Annotated[str, StringConstraints(min_length=1, max_length=300)]

    @property
    def key(self) -> str:
        """By what the account is told from the others."""
        return self.url


class Agency(Datum):
    """An agency. `head`, `official`, `executors`, `supervisor`, `sector_block` are posts.

    `official`: responsible for this work; `official_level`: how high he stands, where the act asks for it.
    `supervisor`: the leader in whose field the agency works; shortcomings are reported to him.
    `sector_block`: the head of the coordinator's sector block, told of what is routed, where the act asks for it.
    `closed`: it keeps what it has and gets nothing new.
    """

    id: Slug
    name: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    topics: tuple[Topic, ...] = ()
    head: Post | None = None
    official: Post | None = None
    official_level: Level | None = None
    executors: Annotated[tuple[Post, ...], Field(min_length=1)]
    substitutes: tuple[Substitute, ...] = ()
    supervisor: Post | None = None
    sector_block: Post | None = None
    accounts: tuple[Account, ...] = ()
    municipal: bool = False
    closed: bool = False

    @property
    def posts(self) -> tuple[str, ...]:
        """The posts whose absence can be told of: the official's and the executors'."""
        return tuple(dict.fromkeys(filter(None, (self.official, *self.executors))))


class Serving(Datum):
    """Who serves in an agency on one local day; `substituted` are the absent posts."""

    official: str | None
    executors: tuple[str, ...]
    substituted: tuple[str, ...] = ()


def serving(agency: Agency, on: date) -> Serving:
    """Say who serves on a local day: of several absences told of one post, the last told counts."""
    absent = {entry.post: entry.by for entry in agency.substitutes if entry.covers(on)}

    def stands_in(post: str) -> str | None:
        seen = {post}
        by = absent.get(post, post)
        while by is not None and by in absent:
            if by in seen:
                return None  # They stand in for one another: nobody of them is there.
            seen.add(by)
            by = absent[by]
        return by

    executors = tuple(dict.fromkeys(filter(None, map(stands_in, agency.executors))))
    official = stands_in(agency.official) if agency.official else None
    if agency.official and official is None and agency.head not in absent:
        official = agency.head
    if not executors and official is not None:
        executors = (official,)
    return Serving(
        official=official,
        executors=executors,
        substituted=tuple(post for post in agency.posts if post in absent),
    )
