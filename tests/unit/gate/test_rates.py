"""Whoever asks too often is told when to come again, and nobody else is held up by it."""

from __future__ import annotations

from datetime import timedelta

import httpx

from services.intake.api import make_app
from services.intake.detections import Intake
from services.runtime.http import always_ready
from services.runtime.problems import ProblemError
from services.runtime.rates import SENDERS, Rates
from services.runtime.settings import Settings
from tests.unit.gate.test_http import a_detection, bearer, settings
from tests.unit.gate.test_intake import NOW, Appended

__all__ = ["settings"]


class Hand:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def refused(rates: Rates, sub: str) -> int | None:
    """After how many seconds to come again; None when it was let through."""
    try:
        rates.take(sub)
    except ProblemError as refusal:
        return int(refusal.headers["Retry-After"])
    return None


def test_a_burst_is_let_through_and_then_as_many_as_the_rate_allows() -> None:
    clock = Hand()
    rates = Rates(0.5, 3, clock)
    assert [refused(rates, "one") for _ in range(5)] == [None, None, None, 2, 2]
    assert refused(rates, "other") is None
    clock.at += 2
    assert [refused(rates, "one") for _ in range(2)] == [None, 2]
    clock.at += 3600
    assert [refused(rates, "one") for _ in range(4)] == [None, None, None, 2]


def test_a_rate_of_zero_limits_nobody() -> None:
    rates = Rates(0, 1, Hand())
    assert {refused(rates, "one") for _ in range(100)} == {None}


def test_senders_who_do_not_come_again_are_forgotten() -> None:
    rates = Rates(1, 1, Hand())
    for number in range(SENDERS + 5):
        rates.take(f"sender-{number}")
    assert len(rates._left) == SENDERS
    assert refused(rates, "sender-0") is None
    assert refused(rates, f"sender-{SENDERS}") == 1


async def test_the_gate_answers_429_with_when_to_come_again_and_a_stream_counts_once(settings: Settings) -> None:
    chosen = settings.model_copy(update={"requests_per_second": 0.01, "requests_burst": 2})
    appended = Appended()
    intake = Intake(appended, lambda: {"kbr": timedelta(hours=24)}, lambda: NOW)
    app = make_app(chosen, lambda: intake, always_ready)
    line = httpx.Request("POST", "http://test", json=a_detection()).read()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        stream = bearer(settings) | {"Content-Type": "application/x-ndjson"}
        many = await http.post("/v1/detections/batch", content=(line + b"\n") * 50, headers=stream)
        once = await http.post("/v1/detections", json=a_detection(), headers=bearer(settings))
        often = await http.post("/v1/detections", json=a_detection(), headers=bearer(settings))
        other = await http.post("/v1/detections", json=a_detection(), headers=bearer(settings, sub="other"))
        stranger = await http.post("/v1/detections", json=a_detection())
        ready = await http.get("/readyz")
    assert [one.status_code for one in (many, once, often, other, stranger, ready)] == [200, 202, 429, 202, 401, 200]
    assert often.headers["content-type"] == "application/problem+json"
    assert often.json()["type"] == "urn:otklik:problem:rate-limited"
    assert 0 < int(often.headers["retry-after"]) <= 100
    assert often.json()["detail"].endswith("Много сразу быстрее подавать потоком: /v1/detections/batch.")
    assert len(appended.taken) == 52
