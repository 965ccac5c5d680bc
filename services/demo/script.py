"""The play of `make run`: posts of every authority in force go in by the front door and are worked as people would.

It knows `contract.md` and the acts' data, and nothing of the services' insides.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from regulations.load import load_acts
from regulations.model import Act
from schemas.ids import message_id
from services.demo.posts import DemoPost, make
from services.runtime.settings import Settings

Token = Callable[[str, str, str | None], str]
"""role, authority, agency → a bearer token."""

ANSWERS = {
    "answer": "Здравствуйте! Специалисты выехали на место, работы начаты и будут закончены в течение двух дней. Спасибо, что написали.",
    "interim": "Здравствуйте! Обращение приняли, обследование назначено на эту неделю. О результате напишем здесь же.",
    "clarification": "Здравствуйте! Подскажите, пожалуйста, точный адрес – улицу и номер дома, чтобы мы передали заявку в службу.",
}


class Refusal(Exception):
    """The system refused a step of the play: its problem, as told."""


class Desk:
    """The people of one authority at their desks, each with a token of his own."""

    def __init__(self, http: httpx.AsyncClient, settings: Settings, token: Token, authority: str, act: Act) -> None:
        self._http = http
        self._intake = f"http://127.0.0.1:{settings.http_port('intake')}"
        self._workflow = f"http://127.0.0.1:{settings.http_port('workflow')}"
        self._token = token
        self.authority = authority
        self.act = act
        self.agencies: list[dict[str, Any]] = []

    def _auth(self, role: str, agency: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token(role, self.authority, agency)}"}

    async def open(self) -> None:
        answer = await self._http.get(
            f"{self._workflow}/v1/authorities/{self.authority}", headers=self._auth("coordinator")
        )
        answer.raise_for_status()
        self.agencies = answer.json()["agencies"]

    async def push(self, posts: list[DemoPost]) -> None:
        """All posts in one stream; a line that is refused is a fault of the play."""
        body = "".join(json.dumps(post.detection, ensure_ascii=False) + "\n" for post in posts)
        answer = await self._http.post(
            f"{self._intake}/v1/detections/batch",
            content=body.encode(),
            headers=self._auth("monitor") | {"Content-Type": "application/x-ndjson"},
        )
        answer.raise_for_status()
        for line in answer.text.splitlines():
            if error := json.loads(line).get("error"):
                raise Refusal(json.dumps(error, ensure_ascii=False))

    async def message(self, message: str, at_least: int = 1) -> dict[str, Any]:
        answer = await self._http.get(
            f"{self._workflow}/v1/messages/{message}?at_least={at_least}", headers=self._auth("coordinator")
        )
        answer.raise_for_status()
        return dict(answer.json())

    async def command(self, message: str, kind: str, /, *, by: str | None = None, **data: Any) -> dict[str, Any]:
        """One command, by the coordinator or by an agency's executor; the new ids are in the events that come back."""
        answer = await self._http.post(
            f"{self._workflow}/v1/messages/{message}/commands",
            json={"type": kind, "data": data},
            headers=self._auth("executor" if by else "coordinator", by),
        )
        if answer.status_code != 200:
            raise Refusal(f"{self.authority} {kind}: {answer.text}")
        return dict(answer.json())

    def agencies_for(self, topic: str, count: int) -> list[str]:
        """The agencies in charge of the topic first, then the others."""
        ranked = sorted(self.agencies, key=lambda agency: topic not in agency.get("topics", []))
        return [str(agency["id"]) for agency in ranked[:count]]


def _new(outcome: dict[str, Any], field: str) -> str:
    return next(str(event["data"][field]) for event in outcome["events"] if field in event["data"])


async def triage(desk: Desk, message: str, post: DemoPost, *, high: bool = False) -> None:
    stated: dict[str, Any] = {}
    if desk.act.reducing.source == "importance":
        stated = {"reduced": high}
    elif desk.act.reducing.stated:
        stated = {"reduced": False}
    await desk.command(
        message,
        "triage",
        topics=[post.topic],
        location=post.detection["location"],
        importance="high" if high else "ordinary",
        **stated,
    )


async def route(desk: Desk, message: str, agencies: list[str]) -> None:
    """The last of several agencies leads, so that the text of every region is content."""
    roles = ["contributor"] * (len(agencies) - 1) + ["lead"]
    assignments: list[dict[str, Any]] = [
        {"agency": agency, "role": role, "order": order}
        for order, (agency, role) in enumerate(zip(agencies, roles, strict=True), start=1)
    ]
    named = len(agencies) > 1 and desk.act.joint.drafted_by == "named"
    await desk.command(message, "route", assignments=assignments, **({"drafted_by": agencies[-1]} if named else {}))


async def contribute_all(desk: Desk, message: str) -> None:
    """Every agency that owes its part sends it, each in its turn."""
    while True:
        view = await desk.message(message)
        turn = next(
            (
                assignment
                for assignment in view["assignments"]
                if assignment["status"] == "issued" and assignment["agency"] != view["drafted_by"]
            ),
            None,
        )
        if turn is None or len(view["assignments"]) == 1:
            return
        about = {"assignment_id": turn["assignment_id"]}
        done = await desk.command(
            message, "contribute", by=turn["agency"], text="По нашей части работы назначены на завтра.", **about
        )
        if desk.act.joint.contributions_approved:
            done = await desk.command(message, "approve_contribution", **about)
        await desk.message(message, done["sequence"])


async def draft(desk: Desk, message: str, kind: str) -> str:
    view = await desk.message(message)
    drafter = view["drafted_by"]
    more = {"measures": "Работы начаты"} if view.get("repeat_of") else {}
    outcome = await desk.command(
        message,
        "submit_draft",
        by=None if drafter == "coordinator" else drafter,
        kind=kind,
        text=ANSWERS[kind],
        **more,
    )
    return _new(outcome, "draft_id")


async def publish(desk: Desk, message: str, draft_id: str, url: str) -> None:
    approved = await desk.command(message, "approve_draft", draft_id=draft_id, quality=5)
    view = await desk.message(message, approved["sequence"])
    lead = next(
        assignment["agency"]
        for assignment in view["assignments"]
        if assignment["role"] == "lead" and assignment["status"] in {"issued", "contributed", "done"}
    )
    await desk.command(
        message,
        "report_publication",
        by=lead if desk.act.publication.by == "lead" else None,
        draft_id=draft_id,
        url=url,
        place="same",
    )


async def work(desk: Desk, post: DemoPost) -> None:
    """One post through its story. The stories `open`, `overdue` and `return` leave something to do for who looks on."""
    source = post.detection["source"]
    message = message_id(desk.authority, source["network"], source["external_id"])
    await desk.message(message)
    dismissed = {"dismiss": "no_response_needed", "obscene": "obscene_or_insulting", "threat": "threat"}
    if post.story in dismissed:
        await desk.command(message, "dismiss", ground=dismissed[post.story])
        return
    if post.story == "overdue":
        return
    await triage(desk, message, post, high=post.story == "escalate")
    agencies = desk.agencies_for(post.topic, 3 if post.story == "joint" else 1)
    await route(desk, message, agencies)
    if post.story == "escalate":
        await desk.command(
            message, "escalate", ground=desk.act.escalation.grounds[0], summary="О случае пишет весь город"
        )
    if post.story in {"open", "escalate"}:
        return
    if post.story == "return":
        view = await desk.message(message)
        assignment = view["assignments"][0]["assignment_id"]
        await desk.command(
            message, "return", by=agencies[0], assignment_id=assignment, justification="Не относится к полномочиям"
        )
        return
    if post.story == "joint":
        await contribute_all(desk, message)
    kind = {"interim": "interim", "clarify": "clarification"}.get(post.story, "answer")
    if kind not in desk.act.drafting.kinds:
        kind = "answer"
    draft_id = await draft(desk, message, kind)
    if post.story == "rework":
        await desk.command(message, "send_back_draft", draft_id=draft_id, comments="Укажите срок и ответственного")
        draft_id = await draft(desk, message, kind)
    await publish(desk, message, draft_id, source["url"] + "?reply=1")


async def play(
    settings: Settings,
    token: Token,
    *,
    count: int = 12,
    now: datetime | None = None,
    console: Console | None = None,
) -> Counter[str]:
    """Push `count` posts for each authority in force and work them; returns how many went each way.

    `now` (aware): the installation's time, the machine's own by default. Raises `Refusal` if the system refuses a step.
    """
    console = console or Console()
    now = now or datetime.now(UTC)
    acts = load_acts()
    told: Counter[str] = Counter()
    limits = httpx.Limits(max_connections=16)
    async with httpx.AsyncClient(timeout=60, limits=limits) as http:
        workflow = f"http://127.0.0.1:{settings.http_port('workflow')}"
        listed = await http.get(
            f"{workflow}/v1/authorities", headers={"Authorization": f"Bearer {token('operator', '*', None)}"}
        )
        listed.raise_for_status()
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed}/{task.total}"))
        with Progress(*columns, console=console) as progress:

            async def of_authority(authority: dict[str, Any]) -> None:
                desk = Desk(http, settings, token, authority["id"], acts[authority["regulation"]])
                await desk.open()
                posts = make(desk.authority, count, now)
                task = progress.add_task(authority["name"], total=len(posts))
                await desk.push(posts)
                for post in posts:
                    await work(desk, post)
                    told[post.story] += 1
                    progress.advance(task)

            async with asyncio.TaskGroup() as group:
                for authority in listed.json()["items"]:
                    group.create_task(of_authority(authority))
    return told
