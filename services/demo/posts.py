"""The posts of the demonstration: `posts/<authority>.ndjson`, a line a post, and where they fall in the last working days."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from regulations.working_time import WorkingTime
from regulations.working_time.schedule import Schedule
from schemas.ids import message_id

FOLDER = Path(__file__).parent / "posts"
DAYS = 4
"""How many working days before today the play goes back."""
FRESHEST_OF_A_REAL_CLOCK = timedelta(hours=23)
"""Without a clock of its own the play can make a post at most so old: an authority accepts no older ones than a day."""
PAGES = {"vk": "https://vk.example/", "ok": "https://ok.example/profile/", "telegram": "https://t.example/"}
WALLS = {"vk": "https://vk.example/wall-", "ok": "https://ok.example/topic/", "telegram": "https://t.example/chat/"}


class Line(BaseModel):
    """A line of a file. `days_ago`: working days before today, with `at` by the authority's clock; 0: `minutes_ago`.

    `repeats`, `replies_to`: the `id` of an earlier line; `satisfied`: what the author says of the answer, if anything."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    days_ago: int
    at: time = time(0)
    minutes_ago: int = 0
    network: Literal["vk", "ok", "telegram"]
    author: str
    profile: str
    place: str
    topics: tuple[str, ...]
    story: str
    text: str
    repeats: str | None = None
    replies_to: str | None = None
    satisfied: bool | None = None


@dataclass(frozen=True, slots=True)
class DemoPost:
    """A post of an authority, with the instant (aware) at which monitoring finds it."""

    authority: str
    line: Line
    detected_at: datetime

    @property
    def message_id(self) -> str:
        return id_of(self.authority, self.line)

    def dice(self) -> random.Random:
        """The same for the same post, so that two plays are alike."""
        return random.Random(self.line.id)

    def detection(self, stated_at: datetime, earlier: dict[str, Line], **more: Any) -> dict[str, Any]:
        """As the contract wants it. `stated_at`: `detected_at` as monitoring states it."""
        line = self.line
        told: dict[str, Any] = {
            "authority": self.authority,
            "source": {"network": line.network, "external_id": _external(line), "url": WALLS[line.network] + line.id},
            "author": {"name": line.author, "url": PAGES[line.network] + line.profile},
            "text": line.text,
            "detected_at": stated_at.isoformat(),
            "posted_at": (stated_at - timedelta(minutes=self.dice().randint(2, 40))).isoformat(),
            "location": line.place,
            "detected_by": "demo-monitor",
        }
        if line.replies_to is not None:
            asked = earlier[line.replies_to]
            told["reply_to"] = {"network": asked.network, "external_id": _external(asked)}
        return told | more


def _external(line: Line) -> str:
    return f"demo-{line.id}"


def id_of(authority: str, line: Line) -> str:
    """The message that the line becomes: the same in every play, so that a second one changes nothing."""
    return message_id(authority, line.network, _external(line))


def lines(authority: str) -> list[Line]:
    """The authority's posts, oldest first; none for an authority that the demonstration has no file of."""
    path = FOLDER / f"{authority}.ndjson"
    if not path.exists():
        return []
    found = path.read_text(encoding="utf-8").splitlines()
    return [Line.model_validate_json(line) for line in found]


def placed(authority: str, schedule: Schedule, now: datetime) -> list[DemoPost]:
    """The posts in the working days before `now` (aware), in the order of their detection."""
    days = working_days(schedule, now)
    made = []
    for line in lines(authority):
        if line.days_ago:
            at = datetime.combine(days[line.days_ago - 1], line.at, schedule.zone)
        else:
            at = now - timedelta(minutes=line.minutes_ago)
        made.append(DemoPost(authority, line, at))
    return sorted(made, key=lambda post: post.detected_at)


def working_days(schedule: Schedule, now: datetime) -> Sequence[date]:
    """The last working days that are over by `now`, the latest first."""
    today = now.astimezone(schedule.zone).date()
    over = schedule.day(today).working_minutes > 0 and WorkingTime(schedule).end_of_working_day(today) <= now
    day = today if over else today - timedelta(days=1)
    found: list[date] = []
    while len(found) < DAYS:
        if schedule.day(day).working_minutes > 0:
            found.append(day)
        day -= timedelta(days=1)
    return found
