"""The people of one authority at their desks: what they read and send over HTTP, each with a token of his own."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import httpx

from regulations.model import Act
from services.demo.posts import DemoPost, Line
from services.runtime.settings import Settings

Token = Callable[[str, str, str | None], str]
"""role, authority, agency → a bearer token."""

BUSY = frozenset({502, 503, 504})
ATTEMPTS = 20
RETRY_S = 1.0


class Refusal(Exception):
    """The system refused a step of the play: its problem, as told."""


@cache
def replies() -> dict[str, Any]:
    """What the people at the desks write: `replies.toml`."""
    return tomllib.loads((Path(__file__).parent / "replies.toml").read_text(encoding="utf-8"))


class Desk:
    """One authority's coordinators, executors and monitoring. `act`: what its regulation asks of them."""

    def __init__(
        self, http: httpx.AsyncClient, settings: Settings, token: Token, authority: dict[str, Any], act: Act
    ) -> None:
        self._http = http
        self._intake = settings.url("intake")
        self._workflow = settings.url("workflow")
        self._token = token
        self._headers: dict[tuple[str, str | None], dict[str, str]] = {}
        self.authority: str = authority["id"]
        self.name: str = authority["name"]
        self.agencies: list[dict[str, Any]] = authority["agencies"]
        self.act = act

    def _auth(self, role: str, agency: str | None = None) -> dict[str, str]:
        key = (role, agency)
        if key not in self._headers:
            self._headers[key] = {"Authorization": f"Bearer {self._token(role, self.authority, agency)}"}
        return self._headers[key]

    async def _send(self, method: str, url: str, **what: Any) -> httpx.Response:
        """A busy service is asked again: what is sent bears its id, so that a repeat does nothing twice."""
        for attempt in range(ATTEMPTS):
            answer = await self._http.request(method, url, **what)
            if answer.status_code not in BUSY or attempt == ATTEMPTS - 1:
                break
            await asyncio.sleep(RETRY_S)
        return answer

    async def push(self, detection: dict[str, Any]) -> None:
        """Monitoring tells of a post."""
        answer = await self._send(
            "POST", f"{self._intake}/v1/detections", json=detection, headers=self._auth("monitor")
        )
        if answer.status_code != 202:
            raise Refusal(f"{self.authority} {detection['source']['external_id']}: {answer.text}")

    async def knows(self, message: str) -> bool:
        """Whether the message is registered."""
        url = f"{self._workflow}/v1/messages/{message}"
        answer = await self._send("GET", url, headers=self._auth("coordinator"))
        return answer.status_code == 200

    async def message(self, message: str, at_least: int = 1) -> dict[str, Any]:
        """The message as workflow shows it, from the event with that sequence on."""
        url = f"{self._workflow}/v1/messages/{message}?at_least={at_least}"
        for attempt in range(ATTEMPTS):
            answer = await self._send("GET", url, headers=self._auth("coordinator"))
            if answer.status_code == 200:
                break
            if answer.status_code != 404 or attempt == ATTEMPTS - 1:
                raise Refusal(f"{self.authority} {message}: {answer.text}")
        return dict(answer.json())

    async def command(self, case: Case, kind: str, /, *, by: str | None = None, **data: Any) -> dict[str, Any]:
        """One command, by the coordinator or by an agency's executor; the new ids are in the events that come back."""
        case.commands += 1
        key = uuid5(NAMESPACE_URL, f"otklik-demo/{case.message_id}/{case.commands}")
        answer = await self._send(
            "POST",
            f"{self._workflow}/v1/messages/{case.message_id}/commands",
            json={"type": kind, "data": data},
            headers=self._auth("executor" if by else "coordinator", by) | {"Idempotency-Key": str(key)},
        )
        if answer.status_code != 200:
            raise Refusal(f"{self.authority} {case.post.line.id} {kind}: {answer.text}")
        outcome = dict(answer.json())
        case.sequence = outcome["sequence"]
        return outcome

    def agencies_for(self, topics: Sequence[str], count: int) -> list[str]:
        """The agencies in charge of the topics first, then the others."""
        ranked = sorted(self.agencies, key=lambda agency: not set(topics) & set(agency.get("topics", [])))
        return [str(agency["id"]) for agency in ranked[:count]]


class Case:
    """A post on its way through the house, as far as the play has to remember it. `stated_at` (aware): what monitoring
    states as its `detected_at`."""

    def __init__(self, desk: Desk, post: DemoPost, earlier: dict[str, Line], stated_at: datetime) -> None:
        self.desk = desk
        self.post = post
        self.earlier = earlier
        self.stated_at = stated_at
        self.message_id = post.message_id
        self.dice = post.dice()
        self.commands = 0
        self.sequence = 1
        self.agencies: list[str] = []
        self.draft_id: str | None = None

    async def view(self) -> dict[str, Any]:
        """The message, not older than this case's last command."""
        return await self.desk.message(self.message_id, self.sequence)

    async def command(self, kind: str, /, *, by: str | None = None, **data: Any) -> dict[str, Any]:
        """One command on this message."""
        return await self.desk.command(self, kind, by=by, **data)

    def words(self, kind: str) -> str:
        """One of the texts of that kind, for this place."""
        return str(self.dice.choice(replies()[kind])).replace("{place}", self.post.line.place)

    def answer(self) -> str:
        """An answer to what the post is about."""
        known = replies()["answer"]
        texts = next((known[topic] for topic in self.post.line.topics if topic in known), known["other"])
        return str(self.dice.choice(texts)).replace("{place}", self.post.line.place)
