"""Ratings of agencies: by quality, in time, by activity, by mean time (buryatia 21); and how content authors are (3)."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection

from regulations.directory import Directory
from regulations.periods import Period, act_of_period
from services.reporting.reports import figures
from services.reporting.reports.figures import AgencyFigures, Span, share
from services.reporting.reports.summary import delivery

INDICATORS = ("quality", "in_time", "activity", "mean_time")


class Rated(BaseModel):
    """One agency. `places`: by each indicator, 1 the best, equals share a place, None without data; `place`: by the mean of these.

    `quality`: mean score, 1–5. `in_time`: share of its duties met, of those met or breached and not excused. `activity`: what it
    did (contributions, drafts, returns, cases) for each assignment issued to it. `mean_seconds`: from the issue to it to the
    published answer, plain time. `satisfied`: share of the asked authors.
    """

    place: int | None = None
    agency: str
    name: str
    answered: int
    quality: float | None
    scored: int
    in_time: float | None
    activity: float | None
    mean_seconds: float | None
    satisfied: float | None
    asked: int
    places: dict[str, int | None]


class Rating(BaseModel):
    """`required`: whether the act asks for a rating (then `paragraph` and `to` say where and for whom)."""

    authority: str
    period: str
    required: bool
    paragraph: str | None
    to: str | None
    delivery: str | None
    begins_at: datetime
    ends_at: datetime
    items: list[Rated]
    satisfied: float | None
    asked: int


async def rate(connection: AsyncConnection, directory: Directory, period: Period) -> Rating:
    """Every agency of the authority; those of which nothing was counted stand last, without a place."""
    begin, end = period.bounds(directory.zone)
    span = Span(directory.id, begin, end)
    told = {one.agency: one for one in await figures.by_agency(connection, span)}
    agencies = [told.get(agency, AgencyFigures(agency=agency)) for agency in sorted({*directory.agencies, *told})]
    names = {agency.id: agency.name for agency in directory.agencies.values()}
    act = act_of_period(directory, period).rating
    overall = await figures.quality(connection, span)
    return Rating(
        authority=directory.id,
        period=period.name,
        required=act is not None,
        paragraph=None if act is None else act.paragraph,
        to=None if act is None else act.to,
        delivery=await delivery(connection, directory.id, "rating", period.name),
        begins_at=begin,
        ends_at=end,
        items=ranked([_rated(one, names.get(one.agency, one.agency)) for one in agencies]),
        satisfied=overall.satisfied,
        asked=overall.asked,
    )


def _rated(one: AgencyFigures, name: str) -> Rated:
    did = one.contributed + one.submitted + one.returned + one.cases
    return Rated(
        agency=one.agency,
        name=name,
        answered=one.answered,
        quality=one.quality.mean_score,
        scored=one.quality.scored,
        in_time=share(one.met, one.met + max(0, one.breached - one.excused)),
        activity=None if not one.issued else round(did / one.issued, 2),
        mean_seconds=one.mean_seconds,
        satisfied=one.quality.satisfied,
        asked=one.quality.asked,
        places={},
    )


def ranked(items: list[Rated]) -> list[Rated]:
    """With places, the best first; the same items always come in the same order."""
    for indicator in INDICATORS:
        known = [own for item in items if (own := _value(item, indicator)) is not None]
        for item in items:
            own = _value(item, indicator)
            item.places[indicator] = None if own is None else 1 + sum(other > own for other in known)
    means = {item.agency: _mean([place for place in item.places.values() if place is not None]) for item in items}
    for item in items:
        mean = means[item.agency]
        item.place = None if mean is None else 1 + sum(other is not None and other < mean for other in means.values())
    return sorted(items, key=lambda item: (item.place is None, item.place or 0, item.agency))


def _value(item: Rated, indicator: str) -> float | None:
    """The more the better, for every indicator."""
    if indicator == "mean_time":
        return None if item.mean_seconds is None else -item.mean_seconds
    value: float | None = getattr(item, indicator)
    return value


def _mean(places: list[int]) -> float | None:
    return sum(places) / len(places) if places else None
