"""Every door: who gets in, by role, tenant and agency, for each route of OpenAPI and each command. A hole fails the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec

from schemas.commands import COMMANDS
from schemas.ids import period_id
from schemas.roles import ROLES
from services.cli.openapi import documents
from services.runtime.tokens import LOCAL_AUDIENCE, LOCAL_ISSUER, Claims, load_local_key, local_token
from tests.e2e.installation import Client, Installation
from tests.unit.workflow.test_commands import EXAMPLES

PEOPLE = (
    *("monitor", "coordinator", "executor", "elsewhere", "deputy"),
    *("head", "committee", "auditor", "operator", "nobody"),
)
"""The columns. `executor`: of the agency that has the message; `elsewhere`: of another one; `nobody`: a token of no role.
Strangers are the same people of another authority, whose agencies bear the very ids of ours."""
MEANING = {
    "m": "2xx, and the message is in it",
    "+": "2xx",
    "o": "2xx with nothing of ours in it",
    ">": "past the door: taken, or refused for what it says and not for who says it",
    "3": "403",
    "4": "404, as if it did not exist",
}

# Columns:             m c x e d h c a o n     the same of a stranger
TABLE: dict[str, tuple[str, str]] = {
    "intake POST /v1/detections": ("+333333333", "4333333333"),
    "intake POST /v1/detections/batch": ("+333333333", "o333333333"),
    "workflow GET /v1/messages": ("3mmommmm33", "3ooooooo33"),
    "workflow GET /v1/messages?authority={authority}": ("3mmommmm33", "4444444444"),
    "workflow GET /v1/messages?agency={agency}": ("3mm4mmmm33", "3oo4oooo33"),
    "workflow GET /v1/messages/{message_id}": ("4mm4mmmm44", "4444444444"),
    "workflow GET /v1/messages/{message_id}/history": ("4mm4mmmm44", "4444444444"),
    "workflow GET /v1/commands/{command_id}": ("4+44++++44", "4444444444"),
    "workflow GET /v1/authorities": ("++++++++++", "oooooooooo"),
    "workflow GET /v1/authorities/{authority}": ("++++++++++", "4444444444"),
    "workflow POST /v1/authorities/{authority}/amendments": ("33333333>3", "3333333343"),
    "sla GET /v1/messages/{message_id}/deadlines": ("4mm4mmmm44", "4444444444"),
    "sla POST /v1/deadlines/calculate": ("++++++++++", "4444444444"),
    "sla GET /v1/calendars/{authority}/{year}": ("++++++++++", "4444444444"),
    "reporting GET /v1/register?limit=1000": ("3mmommmm33", "3ooooooo33"),
    "reporting GET /v1/register?authority={authority}&limit=1000": ("3mmommmm33", "3444444433"),
    "reporting GET /v1/register?format=csv": ("3mmommmm33", "3ooooooo33"),
    "reporting GET /v1/summaries/{authority}/{period}": ("3+33++++33", "3444444433"),
    "reporting GET /v1/ratings/{authority}/{period}": ("3+33++++33", "3444444433"),
    "reporting GET /v1/dynamics/{authority}": ("3+33++++33", "3444444433"),
    "reporting GET /v1/overdue/{authority}": ("3++o++++33", "3444444433"),
    "reporting GET /v1/accounts/{authority}": ("3+++++++33", "3444444433"),
    "reporting GET /v1/messages/{message_id}/similar": ("3++4++++33", "3444444433"),
}
BY_COMMAND = {"workflow POST /v1/messages/{message_id}/commands", "workflow POST /v1/periods/{period_id}/commands"}
"""These two doors have a table of their own: who gives which command (contract, "Commands")."""

GIVEN_BY: dict[str, str] = {
    **dict.fromkeys(("triage", "dismiss", "reopen", "route", "reassign", "recall"), "coordinator"),
    **dict.fromkeys(("return", "contribute", "propose_case", "report_case_publication", "report_case"), "executor"),
    **dict.fromkeys(("approve_contribution", "send_back_contribution", "approve_draft"), "coordinator"),
    **dict.fromkeys(("send_back_draft", "escalate", "report_shortcoming", "record_feedback"), "coordinator"),
    **dict.fromkeys(("submit_draft", "report_publication", "refer_to_law_enforcement"), "executor coordinator"),
    "score_answer": "coordinator",
    "forward_escalation": "deputy",
    "excuse_breach": "head coordinator",
    **dict.fromkeys(("agree_case", "refuse_case"), "committee"),
    **dict.fromkeys(("agree_summary", "refuse_summary", "agree_rating", "refuse_rating"), "committee"),
    **dict.fromkeys(("send_summary_for_agreement", "send_rating_for_agreement", "deliver_summary"), "coordinator"),
    "deliver_rating": "coordinator committee",
}

OURS, STRANGERS = "kbr", "kursky"
WORDS = "Тайные слова поста за дверью"
NEW_DETECTION = {
    "authority": OURS,
    "source": {"network": "vk", "external_id": "-1_door", "url": "https://vk.example/door"},
    "author": {"name": "Житель"},
    "text": "Ещё один пост",
}
BODIES: dict[str, Any] = {
    "intake POST /v1/detections": NEW_DETECTION,
    # No such day: the door is passed, and the law stays as it is.
    "workflow POST /v1/authorities/{authority}/amendments": {
        "kind": "calendar_day", "reason": "Проверка дверей", "data": {"date": "2026-02-31", "kind": "off"},
    },
    "sla POST /v1/deadlines/calculate": {
        "authority": OURS, "facts": [{"milestone": "detected", "at": "2026-11-16T09:00:00+03:00"}],
    },
}  # fmt: skip


@dataclass
class House:
    """The installation with one message behind its doors, assigned to `agency`."""

    installation: Installation
    http: httpx.AsyncClient
    message_id: str
    agency: str
    elsewhere: str
    command_id: str
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)

    def token(self, who: str, authority: str) -> str:
        if (who, authority) not in self.tokens:
            agency = {"executor": self.agency, "elsewhere": self.elsewhere}.get(who)
            roles = {"elsewhere": ("executor",), "nobody": ()}.get(who, (who,))
            # As `otklik token` names them: the coordinator is the one who gave the command of the fixture.
            claims = Claims(sub=f"{who}-{authority}", authorities=(authority,), roles=roles, agency=agency)
            self.tokens[who, authority] = local_token(
                self.key, claims, now=datetime.now(UTC), ttl=timedelta(minutes=30)
            )
        return self.tokens[who, authority]

    @property
    def key(self) -> Any:
        return self.installation.folder / "otklik" / "local_key.pem"

    def address(self, door: str) -> tuple[str, str]:
        service, method, template = door.split(" ", 2)
        places = {"authority": OURS, "agency": self.agency, "message_id": self.message_id, "period": "2026-11"}
        places |= {"year": "2026", "command_id": self.command_id, "period_id": period_id(OURS, "summary", "2026-11")}
        return method, self.installation.url(service) + template.format_map(places)

    async def knock(self, door: str, token: str | None) -> httpx.Response:
        method, url = self.address(door)
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        if door.endswith("/batch"):
            body = json.dumps(NEW_DETECTION).encode() + b"\n"
            return await self.http.request(
                method, url, content=body, headers=headers | {"content-type": "application/x-ndjson"}
            )
        return await self.http.request(method, url, json=BODIES.get(door), headers=headers)

    async def give(self, command: str, token: str | None) -> httpx.Response:
        subject, data = self.message_id, EXAMPLES.get(command)
        path = "messages"
        if COMMANDS[command].subject == "period":
            path, subject = "periods", period_id(OURS, "rating" if "rating" in command else "summary", "2026-11")
            data = {"authority": OURS, "period": "2026-11"} | ({"reason": "Х"} if "refuse" in command else {})
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        url = f"{self.installation.url('workflow')}/v1/{path}/{subject}/commands"
        return await self.http.post(url, json={"type": command, "data": data}, headers=headers)

    async def sequence(self) -> int:
        door = "workflow GET /v1/messages/{message_id}"
        return int((await self.knock(door, self.token("coordinator", OURS))).json()["sequence"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(installation: Installation) -> AsyncIterator[House]:
    client = Client(installation, OURS)
    agency, elsewhere = (await client.agencies())[:2]
    message = await client.detect("-1_behind_doors", text=WORDS)
    await client.message(message)
    stated = {"topics": ["roads"], "location": "Нальчик", "importance": "ordinary", "reduced": False}
    given = await client.command(message, "triage", **stated)
    await client.command(message, "route", assignments=[{"agency": agency, "role": "lead"}])
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=8)) as http:
        made = House(installation, http, message, agency, elsewhere, given["command_id"])
        register = "reporting GET /v1/register?authority={authority}&limit=1000"
        async with asyncio.timeout(30):
            while True:
                rows = (await made.knock(register, made.token("coordinator", OURS))).json()["items"]
                if any(row["message_id"] == message and row["agencies"] for row in rows):
                    break
                await asyncio.sleep(0.2)
        yield made


# The table has no hole


def routes() -> set[str]:
    return {
        f"{service} {method.upper()} {path}"
        for service, document in documents().items()
        for path, operations in document["paths"].items()
        for method in operations
    }


def test_every_route_of_openapi_is_in_the_table() -> None:
    assert {door.partition("?")[0] for door in TABLE} | BY_COMMAND == routes()


def test_every_command_is_in_the_table() -> None:
    assert GIVEN_BY.keys() == COMMANDS.keys()
    assert EXAMPLES.keys() == {name for name, data in COMMANDS.items() if data.subject == "message"}


def test_every_role_is_a_column_and_every_cell_is_filled() -> None:
    assert set(PEOPLE) == {*ROLES, "elsewhere", "nobody"}
    for door, (ours, strangers) in TABLE.items():
        assert len(ours) == len(strangers) == len(PEOPLE), door
        assert set(ours + strangers) <= set(MEANING), door
    assert {role for roles in GIVEN_BY.values() for role in roles.split()} <= set(ROLES)


# The doors


def fault(house: House, expected: str, response: httpx.Response) -> str | None:
    """What is wrong about the answer, if anything."""
    status, body = response.status_code, response.text
    slug = response.json()["type"].removeprefix("urn:otklik:problem:") if status >= 400 else ""
    ours = house.message_id in body or WORDS in body
    match expected:
        case "m":
            right = 200 <= status < 300 and ours
        case "+":
            right = 200 <= status < 300
        case "o":
            right = 200 <= status < 300 and not ours and f'"id":"{OURS}"' not in body
        case ">":
            inside = slug not in {
                "unauthenticated",
                "forbidden",
                "wrong-role",
                "not-found",
                "unknown-message",
                "invalid",
            }
            right = inside and (status in (200, 409, 422) or slug.startswith("unknown-"))
        case _:
            right = status == int(f"40{expected}") and not ours
    return None if right else f"{MEANING[expected]}, but {status} {body[:300]}"


def people() -> list[tuple[str, str, int]]:
    return [(who, authority, place) for authority in (OURS, STRANGERS) for place, who in enumerate(PEOPLE)]


@pytest.mark.parametrize("door", TABLE)
async def test_a_door_opens_to_those_it_is_for(house: House, door: str) -> None:
    ours, strangers = TABLE[door]

    async def try_it(who: str, authority: str, place: int) -> str | None:
        expected = (ours if authority == OURS else strangers)[place]
        response = await house.knock(door, house.token(who, authority))
        if door.endswith("/batch") and expected == "o":
            assert [json.loads(line)["error"]["status"] for line in response.text.splitlines()] == [404]
        told = fault(house, expected, response)
        return told and f"{who} of {authority}: {told}"

    assert [told for told in await asyncio.gather(*(try_it(*one) for one in people())) if told] == []


def cell(command: str, who: str, authority: str) -> str:
    role = "executor" if who == "elsewhere" else who
    if role not in GIVEN_BY[command].split():
        return "3"
    return ">" if authority == OURS and who != "elsewhere" else "4"


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_is_heard_from_those_who_may_give_it(house: House, command: str) -> None:
    async def try_it(who: str, authority: str) -> str | None:
        told = fault(house, cell(command, who, authority), await house.give(command, house.token(who, authority)))
        return told and f"{who} of {authority}: {told}"

    refused = [(who, authority) for who, authority, _ in people() if cell(command, who, authority) != ">"]
    heard = [(who, authority) for who, authority, _ in people() if cell(command, who, authority) == ">"]
    before = await house.sequence()
    found = await asyncio.gather(*(try_it(*one) for one in refused))
    assert await house.sequence() == before
    found += [await try_it(*one) for one in heard]
    assert [told for told in found if told] == []


def bad_tokens(house: House) -> dict[str, str | None]:
    now = int(datetime.now(UTC).timestamp())
    said: dict[str, Any] = {"sub": "x", "authorities": [OURS], "roles": list(ROLES), "agency": house.agency}
    good = said | {"iss": LOCAL_ISSUER, "aud": LOCAL_AUDIENCE, "iat": now, "exp": now + 600}
    key, another = load_local_key(house.key), ec.generate_private_key(ec.SECP256R1())

    def signed(by: Any = key, algorithm: str = "ES256", **other: Any) -> str:
        return jwt.encode({name: value for name, value in (good | other).items() if value}, by, algorithm=algorithm)

    head, _, signature = signed().split(".")
    return {
        "no token": None,
        "expired": signed(iat=now - 7200, exp=now - 3600),
        "endless": signed(exp=None),
        "of a foreign issuer": signed(iss="https://issuer.example"),
        "for another audience": signed(aud="another"),
        "signed by another key": signed(another),
        "signed by nobody": signed(None, "none"),
        "signed by a shared secret": signed("secret" * 8, "HS256"),
        "with another's words": ".".join((head, signed(sub="y").split(".")[1], signature)),
        "no token at all but words": "letmein",
    }


@pytest.mark.parametrize("door", [*TABLE, *COMMANDS])
async def test_no_door_opens_without_a_token_that_holds(house: House, door: str) -> None:
    for kind, token in bad_tokens(house).items():
        response = await (house.knock(door, token) if door in TABLE else house.give(door, token))
        assert response.status_code == 401, (kind, response.text)
        assert response.json()["type"] == "urn:otklik:problem:unauthenticated", kind
        assert response.headers["www-authenticate"].startswith("Bearer"), kind
