"""The play of `make run`: posts of every authority go in by the front door and are worked as people would, over the last
working days. It knows `contract.md` and the law's files, and nothing of the services' insides.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from regulations.authority import Authority
from regulations.load import LawFiles
from regulations.working_time import WorkingTime
from regulations.working_time.library_years import library_years
from regulations.working_time.production_calendar import Calendar
from regulations.working_time.schedule import Schedule
from regulations.working_time.wording import weekday
from services.demo.desk import Case, Desk, Refusal, Token
from services.demo.posts import FRESHEST_OF_A_REAL_CLOCK, DemoPost, lines, placed
from services.demo.stories import STORIES
from services.runtime.settings import Settings

__all__ = ["Refusal", "Told", "begins_at", "play"]

SetTime = Callable[[datetime], Awaitable[object]]
"""Moves the installation's simulated clock on to an aware instant."""
TOGETHER = timedelta(minutes=15)
"""Turns that lie so near are taken together, at the time of the first: a post is found early by that much, and a step waits
for the one before as long as its story says or less, so that no term is broken by it."""
CONNECTIONS = 16
SHOWN_ZONE = ZoneInfo("Europe/Moscow")
"""In which the progress of the play is told; each authority works by its own."""
BEFORE = timedelta(minutes=30)
WAITING = frozenset({"overdue", "stuck", "late", "late_open", "interim_late", "joint_open"})
"""Stories that need time to pass; where the clock is real, it has to have passed before."""


@dataclass(slots=True)
class Told:
    """What the play did. `posts`: that were pushed, by story; `steps`: that were taken; `known`: posts that were there."""

    posts: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    known: int = 0


@dataclass(order=True, slots=True)
class _Turn:
    at: datetime
    number: int
    case: Case = field(compare=False)
    step: int = field(compare=False, default=-1)
    """-1: the post itself goes in."""


def working_time(authority: Authority) -> WorkingTime:
    """The authority's, by its file and the calendar of the library."""
    calendar = Calendar(library_years(), authority.regional_days)
    return WorkingTime(Schedule(authority.timezone, authority.hours, calendar))


def begins_at(law: LawFiles, now: datetime) -> datetime:
    """When a play that ends at `now` begins: a while before its first post."""
    firsts = [
        posts[0].detected_at
        for authority in law.authorities.values()
        if (posts := placed(authority.id, working_time(authority).schedule, now))
    ]
    return min((*firsts, now)) - BEFORE


async def play(
    settings: Settings,
    token: Token,
    law: LawFiles,
    *,
    now: datetime,
    set_time: SetTime | None = None,
    console: Console | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Told:
    """Push the posts of each authority in force and work them up to `now` (aware). What is there already is left alone.

    `set_time` None: the clock is real; the same steps are taken at once, of posts that were found in the last day.
    `transport`: another way to the services than the network.
    Raises `Refusal` if the system refuses a step, httpx's errors when it does not answer."""
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    async with httpx.AsyncClient(timeout=60, limits=limits, transport=transport) as http:
        headers = {"Authorization": f"Bearer {token('operator', '*', None)}"}
        listed = await http.get(f"{settings.url('workflow')}/v1/authorities", headers=headers)
        listed.raise_for_status()
        stage = _Stage(now, set_time, console or Console(stderr=True))
        for told in listed.json()["items"]:
            authority = law.authorities.get(told["id"])
            if authority is None or not lines(authority.id):
                continue
            whole = await http.get(f"{settings.url('workflow')}/v1/authorities/{authority.id}", headers=headers)
            whole.raise_for_status()
            desk = Desk(http, settings, token, whole.json(), law.acts[told["regulation"]])
            await stage.invite(desk, working_time(authority))
        return await stage.play()


class _Stage:
    """Whose turn it is, over all authorities, in the order of time."""

    def __init__(self, now: datetime, set_time: SetTime | None, console: Console) -> None:
        self._now = now
        self._set_time = set_time
        self._console = console
        self._turns: list[_Turn] = []
        self._time: dict[str, WorkingTime] = {}
        self._told = Told()

    async def invite(self, desk: Desk, working: WorkingTime) -> None:
        """The posts of an authority that are not there yet."""
        self._time[desk.authority] = working
        posts = placed(desk.authority, working.schedule, self._now)
        earlier = {post.line.id: post.line for post in posts}
        # The last one goes in last: when it is there, so are the others, and none need be asked for.
        if posts and await desk.knows(posts[-1].message_id):
            self._told.known += len(posts)
            return
        for post in posts:
            if await desk.knows(post.message_id):
                self._told.known += 1
                continue
            case = Case(desk, post, earlier, self._stated(post))
            heapq.heappush(self._turns, _Turn(post.detected_at, len(self._turns), case))

    async def play(self) -> Told:
        columns = (TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.completed}/{task.total}"))
        with Progress(*columns, TimeElapsedColumn(), console=self._console, transient=True) as progress:
            bar = progress.add_task("показательная неделя", total=len(self._turns))
            day: date | None = None
            posts, steps = 0, 0
            while self._turns and self._turns[0].at <= self._now:
                group = self._group()
                at = group[0].at
                local = at.astimezone(SHOWN_ZONE)
                if day is not None and day != local.date():
                    self._day(progress.console, day, posts, steps)
                    posts, steps = 0, 0
                day = local.date()
                progress.update(bar, description=f"{weekday(day)} {local:%d.%m %H:%M}")
                if self._set_time is not None:
                    await self._set_time(at)
                await self._take_all(group, at)
                pushed = sum(turn.step == -1 for turn in group)
                posts, steps = posts + pushed, steps + len(group) - pushed
                progress.update(bar, advance=pushed)
            if day is not None:
                self._day(progress.console, day, posts, steps)
        return self._told

    def _group(self) -> list[_Turn]:
        """The next turns, near enough to each other; what is only minutes old comes alone, at its own minute."""
        group = [heapq.heappop(self._turns)]
        if group[0].case.post.line.days_ago == 0:
            return group
        while self._turns and self._turns[0].at <= min(group[0].at + TOGETHER, self._now):
            group.append(heapq.heappop(self._turns))
        return group

    async def _take_all(self, group: list[_Turn], at: datetime) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                for turn in group:
                    tasks.create_task(self._take(turn, at))
        except ExceptionGroup as failed:
            # Of several that failed at once, the first tells enough.
            raise failed.exceptions[0] from failed

    async def _take(self, turn: _Turn, at: datetime) -> None:
        """One turn, taken at `at`, and the place of the next one of the same post."""
        case, story = turn.case, STORIES[turn.case.post.line.story]
        if turn.step == -1:
            await case.desk.push(case.post.detection(case.stated_at, case.earlier))
            await case.desk.message(case.message_id)
            self._told.posts[case.post.line.story] += 1
        else:
            await story[turn.step].do(case)
            self._told.steps += 1
        if turn.step + 1 < len(story):
            wait = timedelta(minutes=round(story[turn.step + 1].after * case.dice.uniform(0.7, 1.3)))
            # What is only minutes old is worked at once, whatever the hour: somebody is on duty.
            fresh = case.post.line.days_ago == 0
            next_at = at + wait if fresh else self._time[case.desk.authority].add(at, wait)
            heapq.heappush(self._turns, _Turn(next_at, turn.number, case, turn.step + 1))

    def _stated(self, post: DemoPost) -> datetime:
        """`detected_at`: by a real clock nothing may be older than a day."""
        if self._set_time is not None:
            return post.detected_at
        age = FRESHEST_OF_A_REAL_CLOCK if post.line.story in WAITING else timedelta(minutes=5 * post.line.days_ago)
        return max(post.detected_at, self._now - age)

    def _day(self, console: Console, day: date, posts: int, steps: int) -> None:
        console.print(f"  {weekday(day)} {day:%d.%m}: сообщений {posts}, действий {steps}", highlight=False)
