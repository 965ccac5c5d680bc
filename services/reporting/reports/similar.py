"""Earlier messages that one may be repeating: by author, place and words, for the coordinator to confirm at triage
(kbr 17, kemerovo 19, nenets 23, kursky 17, buryatia 16). Nothing is decided here: a message is a repeat when triage says so.

Words are PostgreSQL's Russian stems. Each weighs the more the rarer it is among what may be meant at all, so that «дом» and
«улица», which everybody writes, join nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log, sqrt
from typing import Any, Literal

from pydantic import BaseModel
from sqlalchemy import Select, Uuid, and_, any_, func, literal, or_, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.messages import RegisterRow
from services.reporting import tables
from services.reporting.access import Sight
from services.reporting.reports.register import Wanted, conditions, row_of, select_rows
from services.runtime import problems

BACK = timedelta(days=180)
"""How far back words alone are looked for; an author's own messages are found however old."""
BY_WORDS, BY_AUTHOR = 1000, 100
"""The latest candidates that are weighed: more of them tell nothing new, and the answer has to come while one types."""
ASKED = 100
"""Stems that a long text is looked for by: its longest, which are its rarest."""
ENOUGH, ENOUGH_AT_THE_PLACE = 0.25, 0.15
"""The share of common words, from 0 to 1, that makes two messages alike by words alone, and at one place."""
BY_SHARE = {"words": 0.6, "author": 0.3, "author_name": 0.15, "place": 0.1}
"""What each reason adds to the score at most."""
TOLD_WORDS = 6


class Reason(BaseModel):
    """Why a message is suggested. `author_name`: the same name in the same network, where a page's address is not known.
    `words`: the common words, as this message writes them, the rarest first. `detail`: the same in Russian."""

    kind: Literal["author", "author_name", "place", "words"]
    detail: str
    words: list[str] = []


class Similar(RegisterRow):
    """An earlier message. `score`: from 0 to 1. `answered`: only such a one may be named in `repeat_of`."""

    score: float
    answered: bool
    reasons: list[Reason]


@dataclass(frozen=True, slots=True)
class Told:
    """What a message is compared by. `stems`: without those that say nothing."""

    message_id: str
    network: str
    location: str | None
    author: str
    author_url: str | None
    stems: frozenset[str]

    @classmethod
    def of(cls, columns: Mapping[Any, Any]) -> Told:
        told = {name: columns[name] for name in ("message_id", "network", "location", "author", "author_url")}
        return cls(**told, stems=frozenset(columns["stems"] or ()))


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much an earlier message is like one. `stems`: those in common, the rarest first."""

    message_id: str
    score: float
    author: Literal["author", "author_name"] | None
    place: bool
    stems: tuple[str, ...]


async def similar(connection: AsyncConnection, seen: Sight, message_id: str, limit: int) -> list[Similar]:
    """The likeliest first; 404 for a message that does not exist or is not his. What he may not see is not suggested."""
    row = tables.register
    found = (await connection.execute(_told(seen).where(row.c.message_id == message_id))).mappings().one_or_none()
    if found is None:
        raise problems.not_found()
    own = Told.of(found)
    earlier = _told(seen).where(
        row.c.authority == found["authority"],
        tuple_(row.c.detected_at, row.c.message_id)
        < tuple_(literal(found["detected_at"]), literal(message_id, row.c.message_id.type)),
    )
    candidates: dict[str, Told] = {}
    for query in (_by_author(earlier, own), _by_words(earlier, own, found["detected_at"] - BACK)):
        if query is not None:
            told = (Told.of(columns) for columns in (await connection.execute(query)).mappings())
            candidates |= {one.message_id: one for one in told}
    likely = weigh(own, list(candidates.values()))[:limit]
    rows = await _rows(connection, seen, [one.message_id for one in likely])
    written = await _written(connection, found["text"]) if any(one.stems for one in likely) else {}
    return [_similar(rows[one.message_id], one, own, written) for one in likely if one.message_id in rows]


def weigh(own: Told, candidates: Sequence[Told]) -> list[Likeness]:
    """Those that are like it, the likeliest first, and the latest found of equals."""
    number = Counter(stem for told in (own, *candidates) for stem in told.stems)
    weights = {stem: log(1 + (len(candidates) + 1) / count) for stem, count in number.items()}
    found = (_likeness(own, told, weights) for told in candidates)
    return sorted((one for one in found if one is not None), key=lambda one: -one.score)


def _likeness(own: Told, told: Told, weights: Mapping[str, float]) -> Likeness | None:
    common = own.stems & told.stems
    lengths = _length(own.stems, weights) * _length(told.stems, weights)
    share = _length(common, weights) ** 2 / lengths if common else 0.0
    author = _same_author(own, told)
    place = own.location is not None and told.location is not None and _plain(own.location) == _plain(told.location)
    alike = share >= (ENOUGH_AT_THE_PLACE if place else ENOUGH)
    if author is None and not alike:
        return None
    score = BY_SHARE["words"] * share + (BY_SHARE[author] if author else 0) + (BY_SHARE["place"] if place else 0)
    stems = sorted(common, key=lambda stem: (-weights[stem], stem)) if alike else ()
    return Likeness(told.message_id, round(score, 3), author, place, tuple(stems))


def _length(stems: Iterable[str], weights: Mapping[str, float]) -> float:
    return sqrt(sum(weights[stem] ** 2 for stem in stems))


def _same_author(own: Told, told: Told) -> Literal["author", "author_name"] | None:
    """A page's address tells persons apart; a name alone does not, and counts only where an address lacks."""
    if own.author_url is not None and told.author_url is not None:
        return "author" if own.author_url == told.author_url else None
    alike = own.network == told.network and own.author.strip() and _plain(own.author) == _plain(told.author)
    return "author_name" if alike else None


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("ё", "е").split())


def _told(seen: Sight) -> Select[Any]:
    """Messages as they stand, with the latest wording of each."""
    row, post, later = tables.register, tables.posts, tables.posts.alias("later")
    latest = select(func.max(later.c.sequence)).where(later.c.message_id == row.c.message_id).scalar_subquery()
    return (
        select(
            row.c.message_id, row.c.authority, row.c.network, row.c.location, row.c.detected_at,
            post.c.author, post.c.author_url, post.c.text, func.tsvector_to_array(post.c.words).label("stems"),
        )
        .select_from(row.join(post, and_(post.c.message_id == row.c.message_id, post.c.sequence == latest)))
        .where(*conditions(Wanted(seen)))
        .order_by(row.c.detected_at.desc(), row.c.message_id.desc())
    )  # fmt: skip


def _by_author(earlier: Select[Any], own: Told) -> Select[Any]:
    post = tables.posts
    same = post.c.author == own.author
    if own.author_url is not None:
        same = or_(same, post.c.author_url == own.author_url)
    return earlier.where(same).limit(BY_AUTHOR)


def _by_words(earlier: Select[Any], own: Told, since: datetime) -> Select[Any] | None:
    if not own.stems:
        return None
    asked = sorted(own.stems, key=lambda stem: (-len(stem), stem))[:ASKED]
    any_of_them = " | ".join("'" + stem.replace("\\", "\\\\").replace("'", "''") + "'" for stem in asked)
    words = tables.posts.c.words.bool_op("@@")(literal(any_of_them).cast(TSQUERY))
    return earlier.where(tables.register.c.detected_at >= since, words).limit(BY_WORDS)


async def _rows(connection: AsyncConnection, seen: Sight, wanted: list[str]) -> dict[str, RegisterRow]:
    ids = literal(wanted, ARRAY(Uuid(as_uuid=False)))
    found = await connection.execute(select_rows(Wanted(seen)).where(tables.register.c.message_id == any_(ids)))
    return {str(columns["message_id"]): row_of(columns) for columns in found.mappings()}


async def _written(connection: AsyncConnection, text: str) -> dict[str, str]:
    """How the text writes each of its stems, the first time."""
    parsed = func.ts_parse("default", func.left(text, 20_000)).table_valued("tokid", "token", name="parsed")
    stems = func.tsvector_to_array(func.to_tsvector("russian", parsed.c.token)).label("stems")
    found = await connection.execute(select(parsed.c.token, stems))
    written: dict[str, str] = {}
    for token, of_it in found:
        for stem in of_it:
            written.setdefault(stem, token.lower())
    return written


def _similar(row: RegisterRow, one: Likeness, own: Told, written: Mapping[str, str]) -> Similar:
    reasons = []
    if one.author == "author":
        reasons.append(Reason(kind="author", detail="тот же автор"))
    elif one.author == "author_name":
        reasons.append(Reason(kind="author_name", detail="автор с тем же именем в той же сети"))
    if one.place:
        reasons.append(Reason(kind="place", detail=f"то же место: {own.location}"))
    if one.stems:
        words = [written.get(stem, stem) for stem in one.stems[:TOLD_WORDS]]
        reasons.append(Reason(kind="words", detail=f"общие слова: {', '.join(words)}", words=words))
    return Similar(**row.model_dump(), score=one.score, answered=row.answered_at is not None, reasons=reasons)
