"""The law of one authority that is in force, folded from its amendments: what deciders judge by."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Self
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BaseModel, ConfigDict

from regulations.agency import Account, Agency, Serving, serving
from regulations.authority import Authority, Committee, DetectionCounts, InForce, Leader, TopicList
from regulations.model import Act
from regulations.working_time.calendar_year import CalendarYear, RegionalDay
from regulations.working_time.hours import Hours
from regulations.working_time.production_calendar import Calendar
from regulations.working_time.schedule import Schedule
from schemas.events import AmendmentKind


class NotInForce(LookupError):
    """The authority's file has not come by the log yet (or no act as of that number), so nothing can be judged."""


class Note(BaseModel):
    """One amendment in the history. `time` is the event time of the partition that folded it."""

    model_config = ConfigDict(frozen=True)
    number: int
    amendment_id: str
    kind: AmendmentKind
    reason: str
    basis: str | None = None
    hash: str
    time: AwareDatetime


class Law(BaseModel):
    """An act as it judges messages registered from amendment `since` on, the authority's own numbers merged in."""

    model_config = ConfigDict(frozen=True)
    since: int
    act: Act


class Directory(BaseModel):
    """One authority's law in force. Frozen: every amendment gives a new one.

    Until the file of the authority has come (`in_force` False), only `id`, `number` and `amendments` may be asked; all
    else raises `NotInForce`. `filed`: the authority as its file last said; `current`: the same with what operators
    amended. `texts`: the acts as their files last said, without the notes on paragraphs. `shaped`: the last amendment
    that shaped each piece of working time (`hours`, `year/2026`, `day/2026-05-27`, `authority`).
    """

    model_config = ConfigDict(frozen=True)

    id: str
    number: int = 0
    amendments: tuple[Note, ...] = ()
    filed: Authority | None = None
    current: Authority | None = None
    texts: dict[str, Act] = {}
    laws: tuple[Law, ...] = ()
    years: tuple[CalendarYear, ...] = ()
    decreed_days: tuple[RegionalDay, ...] = ()
    shaped: dict[str, int] = {}

    def model_copy(self, *, update: Any = None, deep: bool = False) -> Self:
        """A copy without what this one has worked out and remembered."""
        copy = super().model_copy(update=update, deep=deep)
        for name in ("working_schedule", "zone"):
            copy.__dict__.pop(name, None)
        return copy

    @property
    def in_force(self) -> bool:
        """Whether the authority's file has come, so that messages can be judged."""
        return self.current is not None

    @property
    def authority(self) -> Authority:
        """The authority as it is now; raises `NotInForce`."""
        if self.current is None:
            raise NotInForce(f"орган {self.id}: закон ещё не поступил (otklik law apply)")
        return self.current

    @property
    def name(self) -> str:
        return self.authority.name

    @property
    def timezone(self) -> str:
        """IANA name; the authority's local days are of this zone."""
        return self.authority.timezone

    @cached_property
    def zone(self) -> ZoneInfo:
        """The zone of the authority's local days."""
        return ZoneInfo(self.timezone)

    @property
    def regulations(self) -> tuple[InForce, ...]:
        return self.authority.regulations

    @property
    def regulation(self) -> str:
        """The act in force when the last amendment came. For a message use `regulation_at`: days pass without amendments."""
        return self.regulation_at(self.amendments[-1].time)

    def regulation_at(self, at: datetime) -> str:
        """The id of the act that judges a message registered at this instant: the last one whose first local day has come.

        Before the first day of all it is the earliest, so that an earlier clock (training, tests) still has a law.
        """
        return self.regulation_on(at.astimezone(self.zone).date())

    def regulation_on(self, day: date, law: int | None = None) -> str:
        """The same for a local day, with which an act begins. `law`: of those acts alone that amendment had brought by then;
        raises `NotInForce` where it had brought none."""
        known = {entry.act.id for entry in self.laws if law is not None and entry.since <= law}
        ordered = [entry for entry in self.regulations if law is None or entry.id in known]
        if not ordered:
            raise NotInForce(f"орган {self.id}: на поправку № {law} акта нет")
        ordered.sort(key=lambda entry: entry.from_)
        return next((entry.id for entry in reversed(ordered) if entry.from_ <= day), ordered[0].id)

    @property
    def judges_since(self) -> Note:
        """The amendment with which the first act came into force here; raises `NotInForce`."""
        if not self.laws:
            raise NotInForce(f"орган {self.id}: закон ещё не поступил (otklik law apply)")
        return next(note for note in self.amendments if note.number == self.laws[0].since)

    def act(self, law: int, regulation: str | None = None) -> Act:
        """The act as of amendment number `law` (a message's `registered.law`), the authority's reduced numbers merged in.

        `regulation` (a message's `registered.regulation`) says which, where several were known; else the one in force
        when that amendment came. Raises `NotInForce` where there was none yet.
        """
        if regulation is None:
            at = next((note.time for note in reversed(self.amendments) if note.number <= law), None)
            if at is None:
                raise NotInForce(f"орган {self.id}: поправки № {law} нет")
            regulation = self.regulation_at(at)
        for entry in reversed(self.laws):
            if entry.since <= law and entry.act.id == regulation:
                return entry.act
        raise NotInForce(f"орган {self.id}: акт {regulation} не действовал на поправку № {law}")

    @property
    def hours(self) -> Hours:
        return self.authority.hours

    @property
    def regional_days(self) -> tuple[RegionalDay, ...]:
        """Regional days of the file and decrees since, in order of date; the later word of a day counts."""
        days = {entry.date: entry for entry in (*self.authority.regional_days, *self.decreed_days)}
        return tuple(days[day] for day in sorted(days))

    @property
    def agencies(self) -> dict[str, Agency]:
        return self.authority.agencies

    @property
    def leaders(self) -> tuple[Leader, ...]:
        return self.authority.leaders

    @property
    def committees(self) -> tuple[Committee, ...]:
        return self.authority.committees

    @property
    def accounts(self) -> tuple[Account, ...]:
        """The accounts of the authority itself; agencies have their own."""
        return self.authority.accounts

    @property
    def topic_list(self) -> TopicList | None:
        return self.authority.topic_list

    @property
    def max_detection_age(self) -> timedelta:
        """How far back a detection may state its `detected_at`."""
        return self.authority.max_detection_age

    @property
    def detection_counts(self) -> DetectionCounts:
        """From what `detected` counts (reading 2)."""
        return self.authority.detection_counts

    def serving(self, agency_id: str, on: date) -> Serving:
        """Who serves in an agency on a local day, substitutes taken into account. KeyError: no such agency."""
        return serving(self.agencies[agency_id], on)

    def reduced_by_topics(self, topics: tuple[str, ...]) -> bool:
        """Whether one of the topics stands on the approved list (nenets 16)."""
        return self.topic_list is not None and self.topic_list.covers(tuple(topics))

    def shortcomings_to(self, act: Act, agency_id: str) -> tuple[str, ...]:
        """The posts that hear of an agency's shortcomings: its supervisor by field, or all whom the act names where none
        is known, and its head where the act says so. Empty where the act knows no such report."""
        if act.shortcomings is None:
            return ()
        agency = self.agencies[agency_id]
        named = [leader.post for title in act.shortcomings.to for leader in self.authority.leaders_of(title)]
        posts = [agency.supervisor] if agency.supervisor in named else named
        if act.shortcomings.agency_head and agency.head:
            posts = [*posts, agency.head]
        return tuple(dict.fromkeys(post for post in posts if post))

    def may_hear_of_shortcomings(self, act: Act, agency_id: str) -> tuple[str, ...]:
        """Every post that the act lets shortcomings of this agency be reported to."""
        if act.shortcomings is None:
            return ()
        named = [leader.post for title in act.shortcomings.to for leader in self.authority.leaders_of(title)]
        head = self.agencies[agency_id].head if act.shortcomings.agency_head else None
        return tuple(dict.fromkeys(post for post in (*named, head) if post))

    def calendar_amendments_of(self, first: date, last: date) -> tuple[int, ...]:
        """The numbers of the amendments that shaped hours and calendar of the local days from `first` to `last`."""
        years = {f"year/{year}" for year in range(first.year, last.year + 1)}

        def touches(piece: str) -> bool:
            kind, _, day = piece.partition("/")
            if kind == "day":
                return first <= date.fromisoformat(day) <= last
            return kind != "year" or piece in years

        return tuple(sorted({number for piece, number in self.shaped.items() if touches(piece)}))

    @cached_property
    def working_schedule(self) -> Schedule:
        """Hours and calendar put together; raises `NotInForce`. A day of a year that is not on the log: `YearUnknown`."""
        return _schedule(self.timezone, self.hours, self.years, self.authority.regional_days, self.decreed_days)


@lru_cache(maxsize=64)
def _schedule(
    timezone: str,
    hours: Hours,
    years: tuple[CalendarYear, ...],
    regional_days: tuple[RegionalDay, ...],
    decreed_days: tuple[RegionalDay, ...],
) -> Schedule:
    # The directories of all partitions share what one of them has worked out.
    return Schedule(timezone, hours, Calendar(years, regional_days, decreed_days))
