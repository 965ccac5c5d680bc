"""The API of sla: who sees which deadlines, and what is refused with which words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from schemas import topics
from schemas.ids import period_id
from services.runtime import reading
from services.runtime.gate import StoredWaiter
from services.runtime.http import always_ready
from services.runtime.memory_store import MemoryStore
from services.runtime.settings import Settings, load_settings
from services.runtime.store import Stored
from services.runtime.tokens import Claims, ensure_local_key, local_token
from services.sla.api import make_app
from services.sla.store import Reader
from tests.unit.sla import happenings as h
from tests.unit.sla.given import MESSAGE_ID, World

DETECTED = {"milestone": "detected", "at": "2026-11-16T09:00:00+03:00"}


class Api:
    def __init__(self, http: httpx.AsyncClient, settings: Settings, world: World) -> None:
        self.http = http
        self.settings = settings
        self.world = world

    async def get(self, path: str, **claims: Any) -> httpx.Response:
        return await self.http.get(path, headers=self.bearer(**claims))

    async def calculate(self, body: Any, **claims: Any) -> httpx.Response:
        return await self.http.post("/v1/deadlines/calculate", json=body, headers=self.bearer(**claims))

    def bearer(self, **claims: Any) -> dict[str, str]:
        assert self.settings.local_key is not None
        said = Claims(sub="some", **{"authorities": ("kbr",), "roles": ("coordinator",), **claims})
        made = local_token(self.settings.local_key, said, now=datetime.now(UTC), ttl=timedelta(minutes=5))
        return {"Authorization": f"Bearer {made}"}


def nobody_tells() -> StoredWaiter:
    """A waiter that hears of nothing that is stored."""
    return StoredWaiter("postgresql://nowhere/none", "sla", topics.EVENTS)


async def stored(world: World) -> MemoryStore:
    """The world's states, as a partition has them stored."""
    memory = MemoryStore()
    await memory.claim(0, "me")
    partition = memory.partitions[0]
    for key, state in world.states.items():
        partition.states[key] = Stored(world.decider.state_version, world.decider.encode(key, state))
    return memory


@pytest_asyncio.fixture(loop_scope="session")
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    monkeypatch.delenv("OTKLIK_OIDC_ISSUER", raising=False)
    monkeypatch.setattr(reading, "AT_LEAST_SECONDS", 0.05)
    settings = load_settings(data=tmp_path, log_level="error")
    assert settings.local_key is not None
    ensure_local_key(settings.local_key)
    world = World("kbr", (2025, 2026))
    world.event(h.registered(world, "2026-12-29 09:00"), "2026-12-29 09:00")
    world.event(h.routed("a", "b"), "2026-12-29 09:10").event(h.issued("a"), "2026-12-29 09:10")
    world.event(h.published("d1", "a", "interim"), "2026-12-29 10:00")
    reader = Reader(await stored(world), world.decider, nobody_tells(), 1)
    app = make_app(settings, lambda: reader, always_ready)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sla") as http:
        yield Api(http, settings, world)


async def test_deadlines_of_a_message_stand_in_the_order_in_which_they_were_set(api: Api) -> None:
    body = (await api.get(f"/v1/messages/{MESSAGE_ID}/deadlines")).json()
    assert [(one["rule"], one["state"]) for one in body["items"]] == [
        ("route", "met"),
        ("answer", "met"),
        ("draft", "open"),
        ("return", "open"),
    ]
    answer = body["items"][1]
    assert answer["message_id"] == MESSAGE_ID and answer["due_at"].endswith("+03:00") and answer["explanation"]
    assert answer["owed_by"] == {"role": "executor", "agency": "a"}
    assert "previous_due_at" not in answer


async def test_a_deadline_that_waits_for_a_year_says_which(api: Api) -> None:
    body = (await api.get(f"/v1/messages/{MESSAGE_ID}/deadlines")).json()
    assert [(one["rule"], one["year"]) for one in body["pending"]] == [("final_draft", 2027)]
    assert "производственный календарь на 2027 год не задан" in body["pending"][0]["reason"]


async def test_deadlines_of_a_period_are_read_by_its_id_by_those_who_read_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "AT_LEAST_SECONDS", 0.05)
    settings = load_settings(data=tmp_path, log_level="error")
    assert settings.local_key is not None
    ensure_local_key(settings.local_key)
    world = World("kursky").reached("2026-11-20 10:00").reached("2026-12-01 00:01")
    reader = Reader(await stored(world), world.decider, nobody_tells(), 1)
    app = make_app(settings, lambda: reader, always_ready)
    path = f"/v1/messages/{period_id('kursky', 'summary', '2026-11')}/deadlines"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sla") as http:
        api = Api(http, settings, world)
        body = (await api.get(path, authorities=("kursky",), roles=("auditor",))).json()
        assert [(one["rule"], one["state"], one["about"]) for one in body["items"]] == [
            ("summary", "open", {"period": "2026-11"})
        ]
        assert body["items"][0]["authority"] == "kursky" and body["items"][0]["explanation"]
        executor = {"authorities": ("kursky",), "roles": ("executor",), "agency": "upr-obr"}
        assert (await api.get(path, **executor)).status_code == 404
        assert (await api.get(path, authorities=("kbr",))).status_code == 404
        # The period has no event yet.
        assert (await api.get(f"{path}?at_least=1", authorities=("kursky",))).status_code == 504


async def test_another_authoritys_message_does_not_exist(api: Api) -> None:
    path = f"/v1/messages/{MESSAGE_ID}/deadlines"
    assert (await api.get(path, authorities=("buryatia",))).status_code == 404
    assert (await api.get("/v1/messages/d964e7a7-eb02-55b4-ba6c-aa87ea22cb31/deadlines")).status_code == 404


async def test_an_executor_sees_only_what_was_issued_to_its_agency(api: Api) -> None:
    path = f"/v1/messages/{MESSAGE_ID}/deadlines"
    assert (await api.get(path, roles=("executor",), agency="a")).status_code == 200
    # Its turn has not come yet.
    assert (await api.get(path, roles=("executor",), agency="b")).status_code == 404
    assert (await api.get(path, roles=("monitor",))).status_code == 404


async def test_a_sequence_that_is_not_folded_yet_is_waited_for_and_then_told(api: Api) -> None:
    path = f"/v1/messages/{MESSAGE_ID}/deadlines"
    assert (await api.get(f"{path}?at_least=4")).status_code == 200
    assert (await api.get(f"{path}?at_least=5")).status_code == 504


async def test_calculate_answers_with_explanations_and_the_authoritys_offset(api: Api) -> None:
    answer = await api.calculate({"authority": "kbr", "facts": [DETECTED]})
    route = answer.json()["deadlines"][0]
    assert (route["rule"], route["paragraph"], route["clock"]) == ("route", "8", "working")
    assert (route["starts_at"], route["due_at"]) == ("2026-11-16T09:00:00+03:00", "2026-11-16T09:30:00+03:00")
    assert any("понедельник 16.11: 09:00–09:30" in line for line in route["explanation"])


async def test_received_alone_is_taken_for_detected_too(api: Api) -> None:
    received = {"milestone": "received", "at": "2026-11-16T09:00:00Z"}
    rules = [
        one["rule"] for one in (await api.calculate({"authority": "kbr", "facts": [received]})).json()["deadlines"]
    ]
    assert rules == ["route", "answer", "draft"]


async def test_calculate_knows_no_authority_of_others(api: Api) -> None:
    assert (
        await api.calculate({"authority": "nowhere", "facts": [DETECTED]}, authorities=("nowhere",))
    ).status_code == 404
    assert (await api.calculate({"authority": "buryatia", "facts": [DETECTED]})).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"authority": "kbr"}, ["/facts"]),
        ({"authority": "kbr", "facts": []}, ["/facts"]),
        ({"authority": "kbr", "facts": [{"milestone": "detected", "at": "2026-11-16T09:00:00"}]}, ["/facts/0/at"]),
        ({"authority": "kbr", "facts": [{"milestone": "detected", "at": "2026-02-30T09:00:00Z"}]}, ["/facts/0/at"]),
        # Seconds or milliseconds? An instant is text, and one that no zone can hold is none.
        ({"authority": "kbr", "facts": [{"milestone": "detected", "at": 1_763_000_000}]}, ["/facts/0/at"]),
        ({"authority": "kbr", "facts": [{"milestone": "detected", "at": "1763000000"}]}, ["/facts/0/at"]),
        ({"authority": "kbr", "facts": [{"milestone": "issued", "at": "0001-01-01T00:00:00+14:00"}]}, ["/facts/0/at"]),
        ({"authority": "kbr", "facts": [{"milestone": "issued", "at": "9999-12-31T23:59:00-12:00"}]}, ["/facts/0/at"]),
        ({"authority": "kbr", "reduced": "yes", "facts": [DETECTED]}, ["/reduced"]),
        (
            {"authority": "K", "facts": [{"milestone": "lost", "at": "yesterday"}], "more": 1},
            ["/authority", "/facts/0/milestone", "/facts/0/at", "/more"],
        ),
        ({"authority": "kbr", "regulation": "kbr-1999", "facts": [DETECTED]}, ["/regulation"]),
    ],
)
async def test_bad_input_is_refused_with_every_fault(api: Api, body: Any, pointers: list[str]) -> None:
    answer = await api.calculate(body)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == pointers


async def test_a_year_that_nobody_gave_is_refused_and_not_guessed(api: Api) -> None:
    answer = await api.calculate(
        {"authority": "kbr", "facts": [{"milestone": "detected", "at": "2026-12-30T17:30:00+03:00"}]}
    )
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:otklik:problem:calendar-year-unknown"
    assert "2027 год не задан (заданы годы 2025–2026)" in answer.json()["detail"]


async def test_a_calendar_tells_days_months_and_the_norm(api: Api) -> None:
    year = (await api.get("/v1/calendars/kbr/2026")).json()
    assert (len(year["days"]), len(year["months"])) == (365, 12)
    assert year["days"][0] == {"date": "2026-01-01", "kind": "off", "hours": 0}
    assert year["norm"]["working_days"] > year["working_days"]
    unknown = await api.get("/v1/calendars/kbr/2031")
    assert unknown.status_code == 404
    assert unknown.json()["detail"] == "Производственный календарь на 2031 год не задан (заданы годы 2025–2026)."
    assert (await api.get("/v1/calendars/buryatia/2026")).status_code == 404


async def test_without_a_token_nothing_is_told(api: Api) -> None:
    assert (await api.http.get("/v1/calendars/kbr/2026")).status_code == 401
