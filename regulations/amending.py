"""What operators may amend at run time: for each kind the shape of its `data`, what it is checked for, what it changes.

All is pure: the directory in force goes in, changes of it come out. Texts of faults are in Russian.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from typing import Annotated, Any, ClassVar

from pydantic import (
    AliasChoices,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.fields import FieldInfo

from regulations.agency import Account, Agency, Level, Post, Substitute, Topic
from regulations.authority import Authority, Leader, TopicList
from regulations.in_force import Directory
from regulations.model import Datum
from regulations.working_time.calendar_year import RegionalDay
from regulations.working_time.hours import Hours
from regulations.wrong import Place, Wrong
from schemas.detections import Url
from schemas.ids import Slug

Changes = dict[str, Any]
"""Fields of the directory, with their new values."""
Said = dict[str, Any]
"""Fields of a change by their names here, each of its own shape; those that could not be read are not there."""


class Change(Datum, ABC):
    """The `data` of one kind of amendment, `amends`. It is read with the amendment's `basis` and `reason` as context."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)
    amends: ClassVar[str]
    wraps: ClassVar[str | None] = None
    """The field that the data themselves are, where they are not the fields."""

    @classmethod
    def readable(cls, data: Mapping[str, Any]) -> Said:
        """Those fields of the data that are of the right shape, or left out as they may be, where others are neither."""
        said: Said = {}
        for name, field in cls.model_fields.items():
            kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            shape: TypeAdapter[Any] = TypeAdapter(kind)
            keys = [key for key in _keys(name, field) if key in data]
            if not keys and not field.is_required():
                said[name] = field.default
            for key in keys:
                with suppress(ValidationError):
                    said[name] = shape.validate_python(data[key])
        return said

    @classmethod
    def faults(cls, said: Said, directory: Directory) -> list[Wrong]:
        """What is wrong with the fields that could be read, against the law in force; places are in the data."""
        return []

    @classmethod
    def drafted(cls, said: Said, directory: Directory) -> Changes | None:
        """What data that have faults would change all the same, as far as they can be read; None where that tells nothing."""
        return None

    @abstractmethod
    def changes(self, directory: Directory) -> Changes:
        """What it changes in a directory that it has no faults against."""

    @classmethod
    def place(cls, at: Place, said: Said) -> Place:
        """Where in the data the cause stands of what lies in the authority at `at` once they are in force."""
        return ()

    @classmethod
    def spelt(cls, at: Place, data: Mapping[str, Any]) -> Place:
        """The place by the name under which the data have the field, where it may have several."""
        field = cls.model_fields.get(str(at[0])) if at else None
        if field is None:
            return at
        return (next((key for key in _keys(str(at[0]), field) if key in data), at[0]), *at[1:])


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


class AccountSaid(Datum):
    """An account as operators tell it: without a title its address is its title."""

    network: Slug
    url: Url
    title: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = None

    @property
    def account(self) -> Account:
        """The account as the authority has it."""
        return Account(network=self.network, url=self.url, title=self.title or self.url)


class AgencyChange(Change):
    """`agency`: a new agency, or those fields of one that are given, its lists as a whole; `closed` lets it keep what it has
    and get nothing new. Of a new one the contract's fields are enough: what else an act asks of it is then not known."""

    amends = "agency"
    id: Annotated[Slug, Field(validation_alias=AliasChoices("id", "agency"))]
    name: Annotated[str, StringConstraints(min_length=1, max_length=300)] | None = None
    topics: tuple[Topic, ...] | None = None
    head: Post | None = None
    official: Post | None = None
    official_level: Level | None = None
    executors: Annotated[tuple[Post, ...], Field(min_length=1)] | None = None
    substitutes: tuple[Substitute, ...] | None = None
    supervisor: Post | None = None
    sector_block: Post | None = None
    accounts: tuple[AccountSaid, ...] | None = None
    municipal: bool | None = None
    closed: bool | None = None

    @classmethod
    def faults(cls, said: Said, directory: Directory) -> list[Wrong]:
        if "id" not in said or said["id"] in directory.agencies:
            return []
        missing = [field for field in ("name", "executors") if field in said and said[field] is None]
        return [Wrong((field,), "обязательное поле нового органа не заполнено") for field in missing]

    @classmethod
    def drafted(cls, said: Said, directory: Directory) -> Changes | None:
        if "id" not in said:
            return None
        given = {name: value for name, value in said.items() if value is not None}
        known = directory.agencies.get(given["id"])
        # What is missing or of the wrong shape is told already: an agency is put together from the rest, and no fault is
        # found with absences because its executors could not be read.
        absent = tuple(dict.fromkeys(entry.post for entry in given.get("substitutes", ())))
        agency = known or Agency.model_construct(id=given["id"], name=given["id"], executors=absent)
        if "accounts" in given:
            given["accounts"] = tuple(entry.account for entry in given["accounts"])
        changed = agency.model_copy(update=given)
        if "substitutes" in given:
            standing = tuple(_standing_in(changed, entry) for entry in given["substitutes"])
            changed = changed.model_copy(update={"substitutes": standing})
        return _agency(directory, changed)

    def changes(self, directory: Directory) -> Changes:
        return self.drafted(dict(self), directory) or {}

    @classmethod
    def place(cls, at: Place, said: Said) -> Place:
        if at[:2] != ("agencies", said["id"]):
            return ()
        field, *rest = at[2:] or ("id",)
        if field == "substitutes" and said.get("substitutes") is None:
            # Absences told before, of a post that the agency has no more.
            return ("official",) if said.get("executors") is None else ("executors",)
        return (field, *rest)


class OfAgency(Change, ABC):
    """A change of one agency that must be known."""

    agency: Slug

    @classmethod
    def faults(cls, said: Said, directory: Directory) -> list[Wrong]:
        return _unknown_agency(said, directory)


class OfficialChange(OfAgency):
    """`official`: who is responsible for this work in an agency from now on; without a `level`, of the same as before."""

    amends = "official"
    post: Annotated[Post, Field(validation_alias=AliasChoices("post", "official"))]
    level: Annotated[Level | None, Field(validation_alias=AliasChoices("level", "official_level"))] = None

    def changes(self, directory: Directory) -> Changes:
        agency = directory.agencies[self.agency]
        level = self.level or agency.official_level
        return _agency(directory, agency.model_copy(update={"official": self.post, "official_level": level}))

    @classmethod
    def place(cls, at: Place, said: Said) -> Place:
        return ("level",) if at[2:] == ("official_level",) and said.get("level") is not None else ("post",)


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

    @classmethod
    def faults(cls, said: Said, directory: Directory) -> list[Wrong]:
        found = super().faults(said, directory)
        begins, until, post, by = (said.get(name) for name in ("from_", "until", "post", "by"))
        if begins is not None and until is not None and until < begins:
            found.append(Wrong(("until",), f"ожидается день не раньше {begins:%d.%m.%Y}"))
        agency = directory.agencies.get(said.get("agency", ""))
        if agency is not None and post is not None and by is not None and post not in agency.posts:
            found.append(Wrong(("post",), f"такой должности в органе нет; есть: {'; '.join(agency.posts)}"))
        if by is not None and by == post:
            found.append(Wrong(("by",), "ожидается другая должность: сам себя не замещают"))
        return found

    def changes(self, directory: Directory) -> Changes:
        agency = directory.agencies[self.agency]
        entry = Substitute(post=self.post, from_=self.from_, until=self.until, by=self.by)
        standing = (*agency.substitutes, _standing_in(agency, entry))
        return _agency(directory, agency.model_copy(update={"substitutes": standing}))


class AccountChange(AccountSaid, Change):
    """`account`: an official account of an agency (of the authority itself, where none is named); `removed` strikes it."""

    amends = "account"
    agency: Slug | None = None
    removed: bool = False

    @classmethod
    def faults(cls, said: Said, directory: Directory) -> list[Wrong]:
        if found := _unknown_agency(said, directory):
            return found
        known = {account.url for account in _accounts(directory, said.get("agency"))}
        if said.get("removed") and "url" in said and said["url"] not in known:
            return [Wrong(("url",), "такого аккаунта в реестре нет")]
        return []

    def changes(self, directory: Directory) -> Changes:
        accounts = tuple(account for account in _accounts(directory, self.agency) if account.url != self.url)
        if not self.removed:
            accounts = (*accounts, self.account)
        if self.agency is None:
            return _authority(directory, accounts=accounts)
        return _agency(directory, directory.agencies[self.agency].model_copy(update={"accounts": accounts}))


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

    @classmethod
    def faults(cls, said: Said, directory: Directory) -> list[Wrong]:
        if said.get("removed") and "post" in said and all(leader.post != said["post"] for leader in directory.leaders):
            return [Wrong(("post",), "такой должности среди руководителей нет")]
        return []

    def changes(self, directory: Directory) -> Changes:
        leaders = {leader.post: leader for leader in directory.leaders}
        known = leaders.pop(self.post, Leader(post=self.post))
        if not self.removed:
            said: Changes = {name: getattr(self, name) for name in ("rank", "field") if name in self.model_fields_set}
            leaders[self.post] = known.model_copy(update=said)
        return _authority(directory, leaders=tuple(leaders.values()))

    @classmethod
    def place(cls, at: Place, said: Said) -> Place:
        return ("post",)


CHANGES: dict[str, type[Change]] = {
    change.amends: change
    for change in (
        *(CalendarDay, HoursChange, AgencyChange, OfficialChange),
        *(SubstituteChange, AccountChange, TopicListChange, LeaderChange),
    )
}
"""Every kind of amendment that an operator may enter, by its name."""


def _keys(name: str, field: FieldInfo) -> tuple[str, ...]:
    """The names under which the data may have a field."""
    if isinstance(field.validation_alias, AliasChoices):
        return tuple(str(choice) for choice in field.validation_alias.choices)
    return (name, field.alias) if field.alias else (name,)


def _unknown_agency(said: Said, directory: Directory) -> list[Wrong]:
    agency = said.get("agency")
    if agency is None or agency in directory.agencies:
        return []
    known = ", ".join(sorted(directory.agencies))
    return [Wrong(("agency",), f"органа {agency} нет; известны: {known}")]


def _standing_in(agency: Agency, said: Substitute) -> Substitute:
    """The absence that is told: a post that the agency lacks, with nobody `by`, stands in for its first executor."""
    if said.by is not None or said.post in agency.posts or not agency.executors:
        return said
    return said.model_copy(update={"post": agency.executors[0], "by": said.post})


def _accounts(directory: Directory, agency: str | None) -> tuple[Account, ...]:
    return directory.accounts if agency is None else directory.agencies[agency].accounts


def _is_plain(data: Any, wrapper: str) -> bool:
    """Whether the data are given as they are, not yet under the name that they have here."""
    return isinstance(data, Mapping) and wrapper not in data


def _authority(directory: Directory, **fields: Any) -> Changes:
    changed: Authority = directory.authority.model_copy(update=fields)
    return {"current": changed}


def _agency(directory: Directory, agency: Agency) -> Changes:
    return _authority(directory, agencies={**directory.agencies, agency.id: agency})
