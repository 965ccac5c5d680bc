"""The demonstration: its posts are fit to be shown, and the real decider, under each region's real act, takes every step."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from rich.console import Console

from schemas.commands import cloud_type
from schemas.detections import Detection
from schemas.envelope import Actor, Envelope
from schemas.inbox import DETECTION
from schemas.outcomes import ACCEPTED
from services.cli.demo import running_clock
from services.demo.posts import Line, lines, placed, working_days
from services.demo.script import Refusal, Told, begins_at, play, working_time
from services.demo.stories import STORIES
from services.runtime.settings import Settings, load_settings
from services.workflow.decider import WorkflowDecider
from services.workflow.state import Message
from services.workflow.views import view
from tests.given import Partition
from tests.unit.workflow.desk import REGIONS, Desk, law

WEDNESDAY = datetime(2026, 11, 25, 11, 40, tzinfo=UTC)
KEPT_OPEN = {"registered", "triaged", "in_work", "in_review", "in_rework", "approved", "clarifying", "interim_answered"}


def inboxed(detection: Detection) -> dict[str, Any]:
    """The detection as intake puts it on the inbox: the person's part in `post`."""
    said = detection.model_dump(mode="json", exclude={"detection_id"})
    return said | {"post": {name: said.pop(name) for name in ("author", "text", "attachments")}}


class House:
    """The front door of intake and workflow, on one partition in memory; its time is set."""

    def __init__(self, at: datetime) -> None:
        self.partition = Partition(WorkflowDecider())
        self.desks = {region: Desk(region, partition=self.partition) for region in REGIONS}
        self.at = at

    async def set_time(self, at: datetime) -> None:
        self.at = max(self.at, at)

    async def play(self, now: datetime, *, real: bool = False) -> Told:
        def token(role: str, authority: str, agency: str | None) -> str:
            return json.dumps([role, authority, agency])

        transport, quiet = httpx.MockTransport(self.answer), Console(quiet=True)
        set_time = None if real else self.set_time
        return await play(
            Settings(), token, law(), now=now, set_time=set_time, console=quiet, transport=transport
        )  # fmt: skip

    @property
    def messages(self) -> list[Message]:
        return [state for state in self.partition.states.values() if isinstance(state, Message)]

    def answer(self, request: httpx.Request) -> httpx.Response:
        role, authority, agency = json.loads(request.headers["authorization"].removeprefix("Bearer "))
        actor = Actor(sub="demo", roles=(role,), authorities=(authority,), agency=agency)
        match request.method, *request.url.path.strip("/").split("/")[1:]:
            case "GET", "authorities":
                return httpx.Response(200, json={"items": [self.authority(region) for region in REGIONS]})
            case "GET", "authorities", region:
                return httpx.Response(200, json=self.authority(region))
            case "POST", "detections":
                return self.detected(Detection.model_validate_json(request.content), actor)
            case "GET", "messages", message:
                return self.shown(message, actor)
            case "POST", "messages", message, "commands":
                return self.commanded(message, request.headers["idempotency-key"], json.loads(request.content), actor)
        return httpx.Response(404)

    def authority(self, region: str) -> dict[str, Any]:
        directory = self.desks[region].directory
        agencies = [{"id": one, "topics": agency.topics} for one, agency in directory.agencies.items()]
        regulation = directory.act(directory.number).id
        return {"id": region, "name": directory.name, "regulation": regulation, "agencies": agencies}

    def detected(self, detection: Detection, actor: Actor) -> httpx.Response:
        if detection.detected_at is not None and detection.detected_at < self.at - timedelta(days=1):
            return httpx.Response(422, json={"detail": "too old"})
        data = inboxed(detection)
        envelope = Envelope(
            id=f"{detection.source.external_id}/{detection.change}", source="/test", type=DETECTION,
            subject=detection.message_id, time=self.at, data=data, actor=actor,
        )  # fmt: skip
        self.partition.when(envelope, self.at)
        return httpx.Response(202, json={})

    def shown(self, message: str, actor: Actor) -> httpx.Response:
        found = self.partition.states.get(f"message/{message}")
        if not isinstance(found, Message):
            return httpx.Response(404, json={})
        shown = view(found, self.desks[found.authority].directory, actor)
        return httpx.Response(200, content=shown.model_dump_json())

    def commanded(self, message: str, key: str, body: dict[str, Any], actor: Actor) -> httpx.Response:
        envelope = Envelope(
            id=key, source="/test", type=cloud_type(body["type"]), subject=message, time=self.at, actor=actor, data=body
        )
        outcome = self.partition.when(envelope, self.at)[-1].envelope
        return httpx.Response(200 if outcome.type == ACCEPTED else 409, json=outcome.data)


def everything() -> Iterable[tuple[str, Line]]:
    return ((region, line) for region in REGIONS for line in lines(region))


def test_there_are_two_hundred_posts_half_of_them_of_one_republic() -> None:
    number = Counter(region for region, _ in everything())
    assert number["kbr"] >= 100
    assert number.total() >= 200
    assert all(number[region] >= 20 for region in REGIONS)
    texts = Counter(line.text for _, line in everything())
    assert texts.most_common(1)[0][1] == 1
    assert {line.network for _, line in everything()} == {"vk", "ok", "telegram"}
    assert min(len(text) for text in texts) < 30 < 500 < max(len(text) for text in texts)


@pytest.mark.parametrize("region", REGIONS)
def test_every_line_can_be_played_under_its_act(region: str) -> None:
    authority = law().authorities[region]
    act = law().acts[authority.regulations[-1].id]
    known = {topic for agency in authority.agencies.values() for topic in agency.topics}
    before: dict[str, Line] = {}
    for post in placed(region, working_time(authority).schedule, WEDNESDAY):
        line = post.line
        assert line.id not in before, line.id
        assert line.story in STORIES, line
        assert line.story not in {"clarify", "clarified"} or "clarification" in act.drafting.kinds, line
        assert line.story in {"thanks", "edited", "obscene", "threat", "spam", "reply", "new"} or known & set(
            line.topics
        )
        assert (line.story == "reply") == (line.replies_to is not None)
        for earlier in filter(None, (line.repeats, line.replies_to)):
            assert before[earlier].days_ago > line.days_ago, line
        assert post.detected_at < WEDNESDAY, line
        Detection.model_validate(post.detection(post.detected_at, before | {line.id: line}))
        before[line.id] = line


def test_nobody_is_named_who_could_be_found() -> None:
    """No telephone, mail, page of a real network, house of a street; authors have no surnames."""
    for _, line in everything():
        assert not re.search(r"\+7|\b8[ -(]\d{3}|@\w|https?:|\bд\. ?\d|\bкв\. ?\d", line.text), line.text
        assert not re.search(r"\b[А-ЯЁ]\w+ [А-ЯЁ]\w+(ов|ев|ин|ова|ева|ина|ко|дзе)$", line.author), line.author


@pytest.mark.parametrize(
    ("now", "days"),
    [
        ("2026-11-25T14:40", ["2026-11-24", "2026-11-23", "2026-11-20", "2026-11-19"]),
        ("2026-11-25T18:40", ["2026-11-25", "2026-11-24", "2026-11-23", "2026-11-20"]),
        ("2026-11-22T12:00", ["2026-11-20", "2026-11-19", "2026-11-18", "2026-11-17"]),
        ("2026-01-08T12:00", ["2025-12-30", "2025-12-29", "2025-12-26", "2025-12-25"]),
    ],
)
def test_the_play_goes_back_over_days_that_were_worked(now: str, days: list[str]) -> None:
    authority = law().authorities["nenets"]
    at = datetime.fromisoformat(now).replace(tzinfo=ZoneInfo("Europe/Moscow"))
    assert list(working_days(working_time(authority).schedule, at)) == [date.fromisoformat(day) for day in days]


async def test_the_play_leaves_something_of_every_kind_and_a_second_one_changes_nothing() -> None:
    house = House(begins_at(law(), WEDNESDAY))
    told = await house.play(WEDNESDAY)
    assert (told.posts.total(), told.known) == (sum(1 for _ in everything()), 0)
    statuses = {region: Counter(one.status for one in house.messages if one.authority == region) for region in REGIONS}
    assert set(statuses["kbr"]) == KEPT_OPEN | {"answered", "dismissed"}
    for region in REGIONS:
        assert {"registered", "in_work", "interim_answered", "answered", "dismissed"} <= set(statuses[region]), region
    assert any(one.escalations for one in house.messages)
    assert any(one.repeat_of and one.answered_at for one in house.messages)
    assert any(one.feedback for one in house.messages)
    # Found when they were written, and never in the future of what was done with them.
    assert len({one.detected_at for one in house.messages}) > 100
    assert house.at <= WEDNESDAY
    said = len(house.partition.log)
    again = await house.play(WEDNESDAY + timedelta(hours=30))
    assert (again.posts.total(), again.known, len(house.partition.log)) == (0, told.posts.total(), said)


async def test_a_play_that_was_cut_short_is_taken_up_where_posts_lack() -> None:
    house = House(begins_at(law(), WEDNESDAY))
    cut = WEDNESDAY - timedelta(days=2)
    stopped = house.answer
    house.answer = lambda request: stopped(request) if house.at < cut else httpx.Response(500)  # type: ignore[method-assign]
    with pytest.raises(Refusal):
        await house.play(WEDNESDAY)
    house.answer = stopped  # type: ignore[method-assign]
    known = len(house.messages)
    told = await house.play(WEDNESDAY)
    assert known == told.known > 50
    assert known + told.posts.total() == sum(1 for _ in everything())


async def test_a_real_clock_is_not_moved_along_whatever_the_settings_say() -> None:
    before = asyncio.all_tasks()
    async with running_clock(load_settings(clock_runs=True)):
        assert asyncio.all_tasks() == before


async def test_by_a_real_clock_the_same_is_done_at_once_and_no_post_is_older_than_a_day() -> None:
    house = House(WEDNESDAY)
    told = await house.play(WEDNESDAY, real=True)
    assert told.posts.total() == sum(1 for _ in everything())
    assert min(one.detected_at for one in house.messages) == WEDNESDAY - timedelta(hours=23)
    assert {one.status for one in house.messages} == KEPT_OPEN | {"answered", "dismissed"}
