"""What operators may amend at run time: for each kind the shape of its `data`, what it is checked for, what it changes.

All is pure: the directory in force goes in, changes of it come out. Texts of faults are in Russian.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar

from pydantic import AliasChoices, ConfigDict, Field, StringConstraints, ValidationInfo, model_validator

from regulations.agency import Account, Agency, Level, Post, Substitute, Topic
from regulations.authority import Authority, Leader, TopicList
from regulations.in_force import Directory
from regulations.model import Datum
from regulations.working_time.calendar_year import RegionalDay
from regulations.working_time.hours import Hours
from regulations.wrong import Wrong
from schemas.detections import Url
from schemas.ids import Slug

Changes = dict[str, Any]
"""Fields of the directory, with their new values."""


class Change(Datum, ABC):
    """The `data` of one kind of amendment, `amends`. It is read with the amendment's `basis` and `reason` as context."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)
    amends: ClassVar[str]
    wraps: ClassVar[str | None] = None
    """The field that the data themselves are, where they are not the fields."""

    def faults(self, directory: Directory) -> list[Wrong]:
        """What is wrong with it against the law in force; places are in the data."""
        return []

    @abstractmethod
    def changes(self, directory: Directory) -> Changes:
        """What it changes in a directory that it has no faults against."""


class CalendarDay(Change):
    """`calendar_day`: what one local day is from now on; the fields of a regional day, whose basis is the amendment's."""

    amends = "calendar_day"
    wraps = "day"
    day: RegionalDay

    @model_validator(mode="before")
    @classmethod
    def _the_data_is_the_day(cls, data: Any, info: ValidationInfo) -> Any:
        said = info.context or {}
        return {"day": {"basis": said.get("basis") or said.get("reason"), **data}} if _is_plain(data, "day") else data

    def changes(self, directory: Directory) -> Changes:
        others = tuple(entry for entry in directory.decreed_days if entry.date != self.day.date)
        return {"decreed_days": (*others, self.day)}


class HoursChange(Change):
    """`hours`: one entry `{days, from, to, lunch}`, or `{entries: […]}`; all weekly hours are replaced."""

    amends = "hours"
    wraps = "hours"
    hours: Hours

    @model_validator(mode="before")
    @classmethod
    def _the_data_are_the_hours(cls, data: Any) -> Any:
        return {"hours": data} if _is_plain(data, "hours") else data

    def changes(self, directory: Directory) -> Changes:
        return _authority(directory, hours=self.hours)


class AgencyChange(Change):
    """`agency`: a new agency, or those fields of one that are given; `closed` lets it keep what it has and get nothing new."""

    amends = "agency"
    id: Annotated[Slug, Field(validation_alias=AliasChoices("id", "agency"))]
    name: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = None
    topics: tuple[Topic, ...] | None = None
    head: Post | None = None
    official: Post | None = None
    official_level: Level | None = None
    executors: Annotated[tuple[Post, ...], Field(min_length=1)] | None = None
    supervisor: Post | None = None
    sector_block: Post | None = None
    municipal: bool | None = None
    closed: bool | None = None

    def faults(self, directory: Directory) -> list[Wrong]:
        if self.id in directory.agencies:
            return []
        missing = [field for field in ("name", "executors") if getattr(self, field) is None]
        return [Wrong((field,), "обязательное поле нового органа не заполнено") for field in missing]

    def changes(self, directory: Directory) -> Changes:
        given = {name: getattr(self, name) for name in self.model_fields_set if getattr(self, name) is not None}
        known = directory.agencies.get(self.id)
        return _agency(directory, known.model_copy(update=given) if known else Agency(**given))


class OfAgency(Change, ABC):
    """A change of one agency that must be known."""

    agency: Slug

    def faults(self, directory: Directory) -> list[Wrong]:
        if self.agency in directory.agencies:
            return []
        known = ", ".join(sorted(directory.agencies))
        return [Wrong(("agency",), f"органа {self.agency} нет; известны: {known}")]


class OfficialChange(OfAgency):
    """`official`: who is responsible for this work in an agency from now on; without a `level`, of the same as before."""

    amends = "official"
    post: Annotated[Post, Field(validation_alias=AliasChoices("post", "official"))]
    level: Annotated[Level | None, Field(validation_alias=AliasChoices("level", "official_level"))] = None

    def changes(self, directory: Directory) -> Changes:
        agency = directory.agencies[self.agency]
        level = self.level or agency.official_level
        return _agency(directory, agency.model_copy(update={"official": self.post, "official_level": level}))


class SubstituteChange(OfAgency):
    """`substitute`: on the local days `from`–`until` the holder of `post` is absent, and `by` stands in for him.

    Without `by`: a `post` that the agency has is absent, and its other posts do the work; one that it does not have is
    itself the one who stands in, for the agency's first executor.
    """

    amends = "substitute"
    post: Post
    from_: date = Field(alias="from")
    until: date
    by: Post | None = None

    def faults(self, directory: Directory) -> list[Wrong]:
        found = super().faults(directory)
        if self.until < self.from_:
            found.append(Wrong(("until",), f"ожидается день не раньше {self.from_:%d.%m.%Y}"))
        if not found and self.by is not None and self.post not in directory.agencies[self.agency].posts:
            posts = "; ".join(directory.agencies[self.agency].posts)
            found.append(Wrong(("post",), f"такой должности в органе нет; есть: {posts}"))
        if self.by == self.post:
            found.append(Wrong(("by",), "ожидается другая должность: сам себя не замещают"))
        return found

    def changes(self, directory: Directory) -> Changes:
        agency = directory.agencies[self.agency]
        post, by = self.post, self.by
        if by is None and post not in agency.posts:
            post, by = agency.executors[0], post
        entry = Substitute(post=post, from_=self.from_, until=self.until, by=by)
        return _agency(directory, agency.model_copy(update={"substitutes": (*agency.substitutes, entry)}))


class AccountChange(Change):
    """`account`: an official account of an agency (of the authority itself, where none is named); `removed` strikes it."""

    amends = "account"
    agency: Slug | None = None
    network: Slug
    url: Url
    title: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = None
    removed: bool = False

    def faults(self, directory: Directory) -> list[Wrong]:
        if self.agency is not None and self.agency not in directory.agencies:
            known = ", ".join(sorted(directory.agencies))
            return [Wrong(("agency",), f"органа {self.agency} нет; известны: {known}")]
        if self.removed and all(account.url != self.url for account in self._accounts(directory)):
            return [Wrong(("url",), "такого аккаунта в реестре нет")]
        return []

    def changes(self, directory: Directory) -> Changes:
        accounts = tuple(account for account in self._accounts(directory) if account.url != self.url)
        if not self.removed:
            accounts = (*accounts, Account(network=self.network, url=self.url, title=self.title or self.url))
        if self.agency is None:
            return _authority(directory, accounts=accounts)
        return _agency(directory, directory.agencies[self.agency].model_copy(update={"accounts": accounts}))

    def _accounts(self, directory: Directory) -> tuple[Account, ...]:
        return directory.accounts if self.agency is None else directory.agencies[self.agency].accounts


class TopicListChange(Change):
    """`topic_list`: the approved list of topics, whole, with the legal act that approved it (else the amendment's basis is
    that act; one of the two must be told)."""

    amends = "topic_list"
    wraps = "topic_list"
    topic_list: TopicList

    @model_validator(mode="before")
    @classmethod
    def _the_data_are_the_list(cls, data: Any, info: ValidationInfo) -> Any:
        basis = (info.context or {}).get("basis")
        approved = {"approved_by": basis} if basis else {}
        return {"topic_list": approved | {**data}} if _is_plain(data, "topic_list") else data

    def changes(self, directory: Directory) -> Changes:
        return _authority(directory, topic_list=self.topic_list)


class LeaderChange(Change):
    """`leader`: a leader by post, new or changed; `removed` strikes the post."""

    amends = "leader"
    post: Post
    rank: Post | None = None
    field: str | None = None
    removed: bool = False

    def faults(self, directory: Directory) -> list[Wrong]:
        if self.removed and all(leader.post != self.post for leader in directory.leaders):
            return [Wrong(("post",), "такой должности среди руководителей нет")]
        return []

    def changes(self, directory: Directory) -> Changes:
        leaders = {leader.post: leader for leader in directory.leaders}
        known = leaders.pop(self.post, Leader(post=self.post))
        if not self.removed:
            said: Changes = {name: getattr(self, name) for name in ("rank", "field") if name in self.model_fields_set}
            leaders[self.post] = known.model_copy(update=said)
        return _authority(directory, leaders=tuple(leaders.values()))


CHANGES: dict[str, type[Change]] = {
    change.amends: change
    for change in (
        *(CalendarDay, HoursChange, AgencyChange, OfficialChange),
        *(SubstituteChange, AccountChange, TopicListChange, LeaderChange),
    )
}
"""Every kind of amendment that an operator may enter, by its name."""


def _is_plain(data: Any, wrapper: str) -> bool:
    """Whether the data are given as they are, not yet under the name that they have here."""
    return isinstance(data, Mapping) and wrapper not in data


def _authority(directory: Directory, **fields: Any) -> Changes:
    changed: Authority = directory.authority.model_copy(update=fields)
    return {"current": changed}


def _agency(directory: Directory, agency: Agency) -> Changes:
    return _authority(directory, agencies={**directory.agencies, agency.id: agency})
