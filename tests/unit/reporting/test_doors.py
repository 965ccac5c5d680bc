"""The doors: who may read what, and the files that come out."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
import pytest_asyncio
from docx import Document
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting.api import app_of
from services.reporting.pages.session import COOKIE
from services.reporting.reports.law import Laws
from services.reporting.store import apply
from services.runtime.http import always_ready
from services.runtime.settings import Settings
from services.runtime.tokens import Claims, ensure_local_key, local_token
from tests.unit.reporting.given import Log, Message, at, eleven

NOW = at("17.11 12:00")


class Door:
    """A client of the whole app, on a database into which a log is folded."""

    def __init__(self, client: httpx.AsyncClient, engine: AsyncEngine, settings: Settings) -> None:
        self.client, self.engine, self.settings = client, engine, settings

    async def fold(self, log: Log) -> None:
        async with self.engine.begin() as connection:
            await apply(connection, log.told)

    def token(self, *roles: str, authorities: tuple[str, ...] = ("kbr",), agency: str | None = None) -> str:
        claims = Claims(sub="e.test", authorities=authorities, roles=roles, agency=agency)
        assert self.settings.local_key is not None
        return local_token(self.settings.local_key, claims, now=datetime.now(UTC), ttl=timedelta(hours=1))

    async def ask(self, path: str, query: dict[str, str]) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token('coordinator')}"}
        return await self.client.get(path, params=query, headers=headers)

    async def get(
        self, path: str, role: str = "coordinator", *, agency: str | None = None, accept: str = "*/*", **query: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token(role, agency=agency)}", "Accept": accept}
        return await self.client.get(path, params=query, headers=headers)


@pytest_asyncio.fixture(loop_scope="session")
async def door(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Door]:
    settings = Settings(data=tmp_path, partitions=1)
    assert settings.local_key is not None
    ensure_local_key(settings.local_key)
    app = app_of(settings, engine, always_ready, eleven, clock=lambda: NOW)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8004") as client:
        yield Door(client, engine, settings)


def a_log() -> Log:
    log = Log()
    log.law()
    one = Message(log, 1, "16.11 09:00", text='=HYPERLINK("http://x")', network="ok")
    one.answered("16.11 09:10", "16.11 12:00", quality=4)
    one.deadline("set", "16.11 09:00", "answer", "16.11 11:00", agency="minstroy")
    one.deadline("breached", "16.11 11:01", "answer", "16.11 11:00", agency="minstroy")
    one.deadline("met-late", "16.11 12:00", "answer", "16.11 11:00", agency="minstroy")
    two = Message(log, 2, "17.11 09:00", text="Нет тепла\nвторой день")
    two.triaged("17.11 09:10", ("Отопление",), importance="high")
    two.routed("17.11 09:20", "minzdrav")
    two.deadline("set", "17.11 09:20", "answer", "17.11 12:10", agency="minzdrav")
    log.reached(at("17.11 11:00"))
    return log


async def test_the_register_row_has_the_fields_of_the_contract(door: Door) -> None:
    await door.fold(a_log())
    answer = await door.get("/v1/register", authority="kbr")
    assert answer.status_code == 200
    first = answer.json()["items"][0]
    assert set(first) == {
        "message_id", "authority", "network", "url", "author", "text", "topics", "location", "importance", "detected_at",
        "agencies", "status", "answered_at", "answer_url", "deadlines_breached", "deadlines_excused",
    }  # fmt: skip
    assert (first["network"], first["status"], first["deadlines_breached"]) == ("ok", "answered", 1)
    assert "next" not in answer.json()


async def test_the_register_is_narrowed_by_day_agency_topic_and_status(door: Door) -> None:
    await door.fold(a_log())
    for query, number in (
        ({"from": "2026-11-17"}, 1),
        ({"to": "2026-11-16"}, 1),
        ({"from": "2026-11-16T09:00:00+03:00", "to": "2026-11-16T09:00:01+03:00"}, 1),
        ({"agency": "minzdrav"}, 1),
        ({"topic": "Отопление"}, 1),
        ({"topic": "Ничего"}, 0),
        ({"status": "answered"}, 1),
        ({}, 2),
    ):
        answer = await door.ask("/v1/register", query)
        assert len(answer.json()["items"]) == number, query


async def test_wrong_parameters_are_refused_with_their_place(door: Door) -> None:
    for query in (
        {"from": "вчера"},
        {"status": "lost"},
        {"after": "x"},
        {"format": "pdf"},
        {"as_of": "2026-11-16T09:00"},
        {"as_of": "0001-01-01T00:00:00+14:00"},
        {"authority": "kbr", "to": "9999-12-31"},
    ):
        answer = await door.get("/v1/register", **query)
        assert answer.status_code == 422, query
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"][0]["pointer"].startswith("/query/")


async def test_an_instant_that_is_not_reached_is_a_conflict(door: Door) -> None:
    await door.fold(a_log())
    answer = await door.get("/v1/register", as_of="2026-11-17T11:00:01+03:00")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:otklik:problem:not-reached")
    answer = await door.get("/v1/register", as_of="2026-11-16T10:00:00+03:00")
    assert [row["status"] for row in answer.json()["items"]] == ["in_work"]
    assert answer.json()["items"][0]["deadlines_breached"] == 0


async def test_csv_is_read_back_whole_and_runs_no_formula(door: Door) -> None:
    await door.fold(a_log())
    answer = await door.get("/v1/register", accept="text/csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["text"] for row in rows] == ['\'=HYPERLINK("http://x")', "Нет тепла\nвторой день"]
    assert rows[1]["topics"] == "Отопление"
    assert datetime.fromisoformat(rows[0]["detected_at"]) == at("16.11 09:00")


async def test_xlsx_of_the_register_holds_texts_as_texts(door: Door) -> None:
    await door.fold(a_log())
    answer = await door.get("/v1/register", format="xlsx")
    with ZipFile(io.BytesIO(answer.content)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "=HYPERLINK" in sheet
    assert "<f>" not in sheet
    assert "отвечено" in sheet


async def test_roles_and_tenants_are_kept_apart(door: Door) -> None:
    await door.fold(a_log())
    summary = "/v1/summaries/kbr/2026-11"
    for role in ("coordinator", "auditor", "head", "deputy", "committee"):
        assert (await door.get(summary, role)).status_code == 200
    for role in ("monitor", "operator"):
        for path in (summary, "/v1/register", "/v1/overdue/kbr", "/v1/accounts/kbr"):
            assert (await door.get(path, role)).status_code == 403, (role, path)
    assert (await door.get(summary, "executor", agency="minstroy")).status_code == 403
    assert (await door.get("/v1/summaries/kemerovo/2026-11")).status_code == 404
    assert (await door.get("/v1/register", authority="kemerovo")).status_code == 404
    assert (await door.client.get("/v1/register")).status_code == 401
    own = await door.get("/v1/register", "executor", agency="minzdrav")
    assert [row["agencies"] for row in own.json()["items"]] == [["minzdrav"]]
    assert (await door.get("/v1/overdue/kbr", "executor", agency="minstroy")).json()["items"] == []


async def test_the_summary_has_the_shape_of_the_contract(door: Door) -> None:
    await door.fold(a_log())
    told = (await door.get("/v1/summaries/kbr/2026-11")).json()
    assert {"authority", "period", "received", "answered", "dismissed", "sent_back", "terms", "previous"} <= set(told)
    assert told["terms"] == [
        {
            "rule": "answer",
            "role": "executor",
            "agency": "minstroy",
            "met": 0,
            "breached": 1,
            "met_late": 1,
            "excused": 0,
            "window": False,
        }
    ]
    assert (await door.get("/v1/summaries/kbr/2026-13")).status_code == 422


async def test_the_summary_is_a_document_that_tells_what_the_act_asks(door: Door) -> None:
    await door.fold(a_log())
    answer = await door.get("/v1/summaries/kbr/2026-11", format="docx")
    document = Document(io.BytesIO(answer.content))
    headings = [paragraph.text for paragraph in document.paragraphs if paragraph.style.name.startswith("Heading 2")]
    assert headings == ["Итоги", "Сроки", "Порядок работы", "Качество", "Исполнители", "Динамика"]
    cells = [cell.text for row in document.tables[1].rows for cell in row.cells]
    assert "Министерство строительства и ЖКХ" in cells
    answer = await door.get("/v1/summaries/kbr/2026-11", format="xlsx")
    with ZipFile(io.BytesIO(answer.content)) as book:
        assert len([name for name in book.namelist() if name.startswith("xl/worksheets/sheet")]) == 10


async def test_the_other_reports_answer(door: Door) -> None:
    await door.fold(a_log())
    soon = (await door.get("/v1/overdue/kbr")).json()["items"]
    assert [(one["rule"], one["overdue"], one["owed_by"]) for one in soon] == [
        ("answer", False, {"role": "executor", "agency": "minzdrav"})
    ]
    days = (await door.get("/v1/dynamics/kbr")).json()["items"]
    assert [(day["start"], day["received"], day["answered"], day["breached"]) for day in days] == [
        ("2026-11-16", 1, 1, 1), ("2026-11-17", 1, 0, 0),
    ]  # fmt: skip
    rating = (await door.get("/v1/ratings/kbr/2026-Q4")).json()
    assert rating["items"][0]["agency"] == "minstroy"
    assert (await door.get("/v1/ratings/kbr/2026-Q4", format="xlsx")).content[:2] == b"PK"
    accounts = (await door.get("/v1/accounts/kbr")).json()
    assert (accounts["paragraph"], len(accounts["items"]), accounts["without"]) == ("5", 2, ["mintrans"])
    assert (await door.get("/v1/accounts/kbr", format="csv")).text.startswith("agency,agency_name,network,url,title")
    assert (await door.get("/v1/register", accept="image/png")).status_code == 406


async def test_openapi_names_every_door(door: Door) -> None:
    paths = (await door.client.get("/openapi.json")).json()["paths"]
    assert set(paths) == {
        "/v1/register", "/v1/summaries/{authority}/{period}", "/v1/ratings/{authority}/{period}",
        "/v1/dynamics/{authority}", "/v1/overdue/{authority}", "/v1/accounts/{authority}",
        "/v1/messages/{message_id}/similar",
    }  # fmt: skip


# --- pages ------------------------------------------------------------------------------------------------------------


async def logged_in(door: Door, role: str, agency: str = "", **more: str) -> httpx.Response:
    return await door.client.post("/login", data={"authority": "kbr", "role": role, "agency": agency} | more)


async def test_a_stranger_is_sent_to_the_login_and_back(door: Door) -> None:
    await door.fold(a_log())
    answer = await door.client.get("/p/register?status=answered")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?back=%2Fp%2Fregister%3Fstatus%3Danswered")
    answer = await logged_in(door, "coordinator", back="/p/register?status=answered")
    assert (answer.status_code, answer.headers["location"]) == (303, "/p/register?status=answered")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert (await door.client.get("/p/register?status=answered")).status_code == 200


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example", "/\n", ""])
async def test_the_login_leads_nowhere_else(door: Door, back: str) -> None:
    await door.fold(a_log())
    assert (await logged_in(door, "coordinator", back=back)).headers["location"] == "/"


async def test_a_choice_that_cannot_be_is_refused(door: Door) -> None:
    await door.fold(a_log())
    for role, agency in (("monitor", ""), ("operator", ""), ("executor", ""), ("executor", "nobody"), ("king", "")):
        answer = await logged_in(door, role, agency)
        assert answer.status_code == 422
        assert "set-cookie" not in answer.headers


async def test_every_page_opens_for_whom_it_is(door: Door) -> None:
    log = a_log()
    await door.fold(log)
    message = log.told[-2].envelope.subject
    pages = ["/", "/p/register", "/p/agencies", "/p/accounts", "/p/summary", "/p/rating", f"/p/messages/{message}"]
    await logged_in(door, "coordinator")
    for path in pages:
        answer = await door.client.get(path)
        assert answer.status_code == 200, (path, answer.text[:2000])
        assert "script-src 'self'" in answer.headers["content-security-policy"]
    await logged_in(door, "executor", "minzdrav")
    assert (await door.client.get(f"/p/messages/{message}")).status_code == 200
    assert (await door.client.get("/p/summary")).status_code == 403
    await logged_in(door, "executor", "minstroy")
    assert (await door.client.get(f"/p/messages/{message}")).status_code == 404
    assert "Нет тепла" not in (await door.client.get("/")).text
    door.client.cookies.clear()
    door.client.cookies.set(COOKIE, door.token("operator"))
    assert "Войти иначе" in (await door.client.get("/")).text


async def test_an_executor_reads_nothing_of_what_others_wrote(door: Door) -> None:
    log = Log()
    log.law()
    one = Message(log, 1, "16.11 09:00")
    one.triaged("16.11 09:10")
    one.routed("16.11 09:20", "minstroy", "minzdrav")
    one.tell(
        "contributed",
        "16.11 10:00",
        assignment_id=one.new("assignment/minzdrav"),
        agency="minzdrav",
        text="Справка больницы",
    )
    one.draft("16.11 11:00", "draft", "minstroy")
    await door.fold(log)
    await logged_in(door, "executor", "minstroy")
    lead = (await door.client.get(f"/p/messages/{one.id}")).text
    assert "Справка больницы" in lead
    await logged_in(door, "executor", "minzdrav")
    contributor = (await door.client.get(f"/p/messages/{one.id}")).text
    assert "Справка больницы" in contributor
    assert "Отвечаем по существу" not in contributor


async def test_what_a_citizen_wrote_is_never_markup_nor_a_link_that_runs(door: Door) -> None:
    log = Log()
    log.law()
    one = Message(log, 1, "16.11 09:00", text="<script>alert(1)</script>", url="javascript:alert(1)")
    await door.fold(log)
    await logged_in(door, "coordinator")
    for path in ("/", "/p/register", f"/p/messages/{one.id}"):
        told = (await door.client.get(path)).text
        assert "<script>alert" not in told
        assert 'href="javascript' not in told


async def test_a_page_waits_for_the_sequence_that_a_command_gave(door: Door) -> None:
    log = a_log()
    await door.fold(log)
    await logged_in(door, "coordinator")
    message = log.told[-2].envelope.subject
    told = (await door.client.get(f"/p/messages/{message}?at_least=3")).text
    assert "ещё не догнала" not in told


async def test_the_page_of_a_message_shows_its_drafts_deadlines_and_forms(door: Door) -> None:
    log = Log()
    log.law()
    one = Message(log, 1, "16.11 09:00")
    one.deadline("set", "16.11 09:00", "answer", "17.11 11:00", amendments=[1, 2])
    one.deadline(
        "moved",
        "16.11 09:00",
        "draft",
        "17.11 11:00",
        reason="assignment-issued",
        previous_due_at=at("17.11 10:00").isoformat(),
        explanation=[],
    )
    one.triaged("16.11 09:10", importance="high")
    one.routed("16.11 09:20", "minstroy", "minzdrav")
    one.draft("16.11 11:00", "draft", "minstroy")
    one.deadline("set", "16.11 11:00", "review", "16.11 11:30")
    one.deadline("breached", "16.11 11:31", "review", "16.11 11:30")
    await door.fold(log)
    await logged_in(door, "coordinator")
    told = (await door.client.get(f"/p/messages/{one.id}")).text
    for expected in (
        "Отвечаем по существу", "на согласовании", "четверг 30.04: 14:00–17:00, 3 ч", "№ 1, № 2", "Министерство здравоохранения",
        "Последнее изменение: Поручение выдано",
        'data-command="approve_draft"', 'data-command="send_back_draft"', 'data-command="excuse_breach"', 'data-sequence="6"',
    ):  # fmt: skip
        assert expected in told, expected
    await logged_in(door, "executor", "minzdrav")
    told = (await door.client.get(f"/p/messages/{one.id}")).text
    assert 'data-command="contribute"' in told
    assert 'data-command="return"' in told
    assert 'data-command="approve_draft"' not in told


@pytest.mark.parametrize("authority", ["kbr", "kemerovo", "nenets", "kursky", "buryatia"])
async def test_every_page_opens_under_every_shipped_law(door: Door, authority: str) -> None:
    log = Log()
    log.shipped_law(authority)
    async with door.engine.begin() as connection:
        await apply(connection, log.told)
        law = await Laws().of(connection, authority)
    first, second = list(law.agencies)[:2]
    more = {"authority": authority, "regulation": law.regulation_at(NOW), "law": law.number}
    messages = [Message(log, number, "16.11 09:00", **more) for number in range(5)]
    for one in messages[1:]:
        one.triaged("16.11 09:10", importance="high")
    for one in messages[2:]:
        one.routed("16.11 09:20", first, second)
        one.draft("16.11 11:00", "draft", first)
    for one in messages[3:]:
        one.approved("16.11 11:10", "draft", first, 5)
    messages[4].published("16.11 11:20", "draft", first)
    messages[4].tell("case-proposed", "16.11 12:00", case_id=messages[4].new("case"), agency=first, text="Решено")
    escalated = {"escalation_id": messages[4].new("escalation"), "ground": "resonance", "summary": "Суть", "to": "Зам"}
    messages[4].tell("escalated", "16.11 12:00", **escalated, then="Глава")
    await door.fold(log)
    pages = ["/", "/p/register", "/p/agencies", "/p/accounts", "/p/summary", "/p/rating"]
    pages += [f"/p/messages/{one.id}" for one in messages]
    for role, agency in (("coordinator", ""), ("head", ""), ("deputy", ""), ("committee", ""), ("executor", first)):
        await logged_in(door, role, agency, authority=authority)
        for path in pages if role != "executor" else pages[:2] + pages[-3:]:
            assert (await door.client.get(path)).status_code in {200, 303}, path
    await logged_in(door, "auditor", authority=authority)
    for kind in ("docx", "xlsx", "json"):
        told = await door.client.get(f"/v1/summaries/{authority}/2026-Q4?format={kind}")
        assert told.status_code == 200
