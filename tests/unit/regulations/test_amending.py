"""Operators' amendments: the contract's shapes are enough, and every fault is told at once, where it stands."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from regulations.directory import Directory, schedule, unknown_of
from schemas.inbox import Amendment
from tests.unit.regulations.given import LAW, after, an_amendment, in_force, refused

EXECUTOR = "Главный специалист отдела по работе с обращениями"
AUTHORITIES = sorted(LAW.authorities)
BY_THE_CONTRACT: dict[str, Any] = {
    "id": "minkult",
    "name": "Минкультуры",
    "topics": ["culture"],
    "official": "Заместитель министра",
    "executors": ["Советник"],
    "substitutes": [{"post": "Врио", "from": "2026-11-16", "until": "2026-11-20"}],
    "accounts": [{"network": "vk", "url": "https://vk.example/minkult"}],
}
"""An agency with every field that the contract names, and no other."""


@pytest.mark.parametrize("authority", AUTHORITIES)
def test_the_contracts_fields_alone_found_an_agency_everywhere(authority: str) -> None:
    directory = after(in_force(authority), an_amendment("agency", **BY_THE_CONTRACT))
    agency = directory.agencies["minkult"]
    assert (agency.head, agency.official_level, agency.sector_block) == (None, None, None)
    account = {"network": "vk", "url": "https://vk.example/minkult", "title": "https://vk.example/minkult"}
    assert [entry.model_dump() for entry in agency.accounts] == [account]
    # As the amendment `substitute` has it: a post that the agency lacks stands in for its first executor.
    assert directory.serving("minkult", date(2026, 11, 17)).executors == ("Врио",)
    assert directory.serving("minkult", date(2026, 11, 21)).executors == ("Советник",)
    assert Directory.model_validate_json(directory.model_dump_json()) == directory
    closed = after(directory, an_amendment("agency", id="minkult", substitutes=[], accounts=[], closed=True))
    assert (closed.agencies["minkult"].substitutes, closed.agencies["minkult"].accounts) == ((), ())


def test_what_an_act_asks_of_an_agency_and_nobody_told_is_named() -> None:
    asked = {
        "kbr": ["/data/official_level"],
        "kemerovo": ["/data/head", "/data/official_level"],
        "nenets": ["/data/head"],
        "buryatia": ["/data/sector_block", "/data/head"],
        "kursky": [],
    }
    for authority, pointers in asked.items():
        directory = after(in_force(authority), an_amendment("agency", **BY_THE_CONTRACT))
        assert [fault.pointer for fault in unknown_of(directory, "minkult")] == pointers
        assert unknown_of(directory, next(iter(directory.agencies))) == []
        head = {"head": "Министр", "official_level": "head", "sector_block": "Заместитель"}
        told = after(directory, an_amendment("agency", id="minkult", **head))
        assert unknown_of(told, "minkult") == []


def test_an_agency_as_it_is_read_may_be_sent_back() -> None:
    directory = in_force("kemerovo")
    for agency in directory.agencies.values():
        again = after(directory, an_amendment("agency", **agency.model_dump(mode="json")))
        assert again.agencies == directory.agencies


DRAFT = {"id": "new", "name": "Новый", "topics": ["roads", "roads"]}
BACKWARDS = {"agency": "nope", "post": "К", "from": "2026-12-19", "until": "2026-12-01"}
ALL_AT_ONCE = [
    ("kemerovo", an_amendment("agency", **DRAFT), {"/data/executors", "/data/official", "/data/topics/1"}),
    ("kbr", an_amendment("agency", **DRAFT, head="М"), {"/data/head", "/data/executors", "/data/official", "/data/topics/1"}),
    ("kbr", an_amendment("agency", id="new", executors=["Я"]), {"/data/name", "/data/executors/0", "/data/official"}),
    ("kbr", an_amendment("agency", id="minzdrav", official_level="other"), {"/data/official_level"}),
    ("kbr", an_amendment("agency", id="coordinator", name="К", executors=["Советник"], official="Министр"), {"/data/id"}),
    ("kbr", an_amendment("agency", id="minzdrav", substitutes=[{"post": EXECUTOR, "from": "2026-12-19", "until": "2026-12-01", "by": EXECUTOR}]), {"/data/substitutes/0/until", "/data/substitutes/0/by"}),
    ("kbr", an_amendment("agency", **DRAFT | {"topics": []}, official="Министр", substitutes=BY_THE_CONTRACT["substitutes"]), {"/data/executors"}),
    ("kbr", an_amendment("official", agency="minzdrav", official="Начальник", official_level="other"), {"/data/official_level"}),
    ("kbr", an_amendment("agency", id="minzdrav", supervisor="Никто"), {"/data/supervisor"}),
    ("kemerovo", an_amendment("agency", id="minzdrav", executors=["Советник"]), {"/data/executors"}),
    ("kbr", an_amendment("substitute", **BACKWARDS), {"/data/post", "/data/agency", "/data/until"}),
    ("kbr", an_amendment("substitute", **BACKWARDS | {"agency": "minzdrav", "post": "Никто", "by": "Врио"}), {"/data/post", "/data/until"}),
    ("kbr", an_amendment("official", agency="nope", post="К"), {"/data/agency", "/data/post"}),
    ("kbr", an_amendment("account", agency="nope", network="vk", url="текст"), {"/data/agency", "/data/url"}),
]  # fmt: skip


@pytest.mark.parametrize(("authority", "amendment", "pointers"), ALL_AT_ONCE)
def test_every_fault_is_told_at_once_where_it_stands(authority: str, amendment: Amendment, pointers: set[str]) -> None:
    assert set(refused(in_force(authority), amendment)) == pointers


def test_a_day_off_may_be_told_as_calendars_show_it() -> None:
    directory = after(in_force("kbr"), an_amendment("calendar_day", date="2026-11-20", kind="off", hours=0))
    assert schedule(directory).day(date(2026, 11, 20)).kind == "off"
    for wrong in ({"kind": "short", "hours": 0}, {"kind": "short", "hours": "пять"}, {"kind": "off", "hours": 1}):
        found = refused(directory, an_amendment("calendar_day", date="2026-11-20", **wrong))
        assert list(found) == ["/data/hours"] and "таблица" not in found["/data/hours"]
