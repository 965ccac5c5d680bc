"""An authority as data: what `authorities/<id>.toml` may say. Posts, never persons; a region is this file and its act."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from regulations.agency import Account, Agency, Post, Topic
from regulations.model import Datum, RuleName
from regulations.working_time.calendar_year import RegionalDay
from regulations.working_time.hours import FORTY_HOUR_WEEK, Hours
from schemas.ids import Slug

DetectionCounts = Literal["detection", "first_triage"]
"""From what `detected` counts (reading 2): the detection itself, or the coordinator's first triage."""
ReducedTerm = timedelta | Literal["none"]
"""A term on the rule's own clock; `none`: no deadline while the message is reduced."""
MAX_DETECTION_AGE = timedelta(hours=24)


class InForce(Datum):
    """A regulation and the local day from which it judges new messages.

    `stated` False: the text gives no day, or gives one (publication) that the authority has not told; `from` then is the
    day of adoption, and `note` says so to whoever reads the file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)

    id: Slug
    from_: date = Field(alias="from")
    stated: bool
    note: str | None = None

    @property
    def key(self) -> str:
        """By what the entry is told from the others."""
        return self.id


class Leader(Datum):
    """A leader by post. `rank`: the kind of post that acts speak of (a deputy governor); `field`: what he oversees."""

    post: Post
    rank: Post | None = None
    field: str | None = None

    @property
    def key(self) -> str:
        """By what the leader is told from the others."""
        return self.post

    def answers_to(self, title: str) -> bool:
        """Whether an act that names `title` means this leader: by his post, or by his rank."""
        return title in {self.post, self.rank}


class Committee(Datum):
    """A committee that agrees reports and cases; `chair` is a post."""

    id: Slug
    name: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    chair: Post

    @property
    def key(self) -> str:
        """By what the committee is told from the others."""
        return self.id


class TopicList(Datum):
    """Topics that are answered in the reduced term, with the legal act that approved them (nenets 16).

    `example`: shipped for show; the authority has to approve its own.
    """

    approved_by: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"\S")]
    topics: Annotated[tuple[Topic, ...], Field(min_length=1)]
    example: bool = False

    def covers(self, topics: tuple[str, ...]) -> bool:
        """Whether any of these topics stands on the list; case and spaces around do not count."""
        listed = {_folded(topic) for topic in self.topics}
        return any(_folded(topic) in listed for topic in topics)


class Override(Datum):
    """An authority's own reading of its act, where it differs from the one that is shipped.

    `reading` is the number in the list of readings. 1: `clock` of `rules`; 18: `warn` of `rules`; 15: `due_day` of the
    summary. `note` is the line shown in explanations, `basis` says who decided it. (Readings 2 and 10 have fields of
    their own: `detection_counts`, `reduced`.)
    """

    reading: Literal[1, 15, 18]
    rules: tuple[RuleName, ...] = ()
    clock: Literal["working", "plain"] | None = None
    warn: Annotated[float, Field(gt=0, lt=1)] | None = None
    due_day: Annotated[int, Field(ge=1, le=28)] | None = None
    note: str
    basis: str

    @model_validator(mode="after")
    def _says_what_its_reading_is_about(self) -> Override:
        needs = {1: "clock", 15: "due_day", 18: "warn"}[self.reading]
        given = {name for name in ("clock", "warn", "due_day") if getattr(self, name) is not None}
        if given != {needs}:
            raise ValueError(f"прочтение {self.reading} меняется полем {needs}, и только им")
        if (needs == "due_day") == bool(self.rules):
            raise ValueError(f"прочтение {self.reading}: поле rules " + ("не нужно" if self.rules else "обязательно"))
        return self


class Authority(Datum):
    """One authority. Its id is the file's name; days are local days of `timezone`.

    `reduced`: the reduced numbers that the authority sets itself where its act names a reduced term without one (reading
    10); `none` for the draft: a reduced message has no such deadline (as in reading 8).
    `max_detection_age`: how far back a detection may state its `detected_at`.
    """

    id: Slug
    name: Annotated[str, StringConstraints(min_length=1, max_length=300)]
    timezone: str
    regulations: Annotated[tuple[InForce, ...], Field(min_length=1)]
    hours: Hours = FORTY_HOUR_WEEK
    regional_days: tuple[RegionalDay, ...] = ()
    agencies: Annotated[dict[Slug, Agency], Field(min_length=1)]
    leaders: tuple[Leader, ...] = ()
    committees: tuple[Committee, ...] = ()
    accounts: tuple[Account, ...] = ()
    topic_list: TopicList | None = None
    reduced: dict[RuleName, ReducedTerm] = {}
    overrides: tuple[Override, ...] = ()
    max_detection_age: timedelta = MAX_DETECTION_AGE
    detection_counts: DetectionCounts = "detection"

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("неизвестный часовой пояс; ожидается имя IANA, например Europe/Moscow") from None
        return name

    @field_validator("agencies", mode="before")
    @classmethod
    def _an_agency_is_named_by_its_key(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        named = {}
        for key, agency in data.items():
            named[key] = {"id": key, **agency} if isinstance(agency, Mapping) else agency
        return named

    def leaders_of(self, title: str) -> tuple[Leader, ...]:
        """The leaders whom an act means by `title`: a post, or a rank that several hold."""
        return tuple(leader for leader in self.leaders if leader.answers_to(title))


def _folded(topic: str) -> str:
    return " ".join(topic.split()).casefold()
