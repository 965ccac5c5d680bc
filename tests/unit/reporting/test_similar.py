"""Suggestions of earlier messages for a repeat: who, where, in which words; and who may see them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from services.reporting.reports.similar import Told, weigh
from tests.unit.reporting.given import Log, Message, at, post
from tests.unit.reporting.test_doors import Door, door, logged_in

__all__ = ["door"]

COLD = "Людмила, ул. Свободы. Батареи еле тёплые, в комнате 15 градусов, звоню в управляющую компанию"


def written(text: str, author: str = "Людмила", url: str | None = "https://ok.example/ludmila") -> dict[str, Any]:
    told = post(text, author)
    return told | {"author": {"name": author} | ({"url": url} if url else {})}


class Town:
    """One authority's log, with messages told in a line each."""

    def __init__(self) -> None:
        self.log = Log()
        self.log.law()
        self.number = 0

    def says(self, when: str, text: str, *, by: str = "Людмила", url: str | None = "https://ok.example/ludmila",
             place: str | None = "Нальчик", **more: Any) -> Message:  # fmt: skip
        self.number += 1
        return Message(self.log, self.number, when, post=written(text, by, url), location=place, **more)


async def suggested(door: Door, message: Message, role: str = "coordinator", **who: Any) -> list[dict[str, Any]]:
    answer = await door.get(f"/v1/messages/{message.id}/similar", role, **who)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def kinds(item: dict[str, Any]) -> list[str]:
    return [reason["kind"] for reason in item["reasons"]]


def a_town() -> tuple[Town, Message, Message, Message]:
    """An answered message on cold radiators, one by another of the same, unanswered, a stranger's one, and the repeat."""
    town = Town()
    answered = town.says("10.11 09:00", COLD)
    answered.answered("10.11 09:10", "10.11 12:00")
    town.says(
        "11.11 09:00", "Яма на дороге у школы, пробила колесо", by="Олег", url="https://vk.example/oleg", place="Терек"
    )
    another = town.says(
        "12.11 09:00", "Холодные батареи на Свободы третий день, градусов 14", by="Нина", url="https://vk.example/nina"
    )
    another.triaged("12.11 09:10")
    another.routed("12.11 09:20", "minzdrav")
    repeat = town.says("16.11 09:00", "Снова я: на Свободы холодные батареи, в комнатах 15 градусов. Какие меры?")
    return town, answered, another, repeat


async def test_an_earlier_message_is_suggested_by_author_place_and_words(door: Door) -> None:
    town, answered, another, repeat = a_town()
    await door.fold(town.log)
    first, second = await suggested(door, repeat)
    assert (first["message_id"], first["answered"], kinds(first)) == (answered.id, True, ["author", "place", "words"])
    # Stems join «комнате» and «комнатах»; they are told as this message writes them.
    assert {"батареи", "комнатах", "градусов", "свободы"} <= set(first["reasons"][2]["words"])
    assert (second["message_id"], second["answered"], kinds(second)) == (another.id, False, ["place", "words"])
    assert 1 >= first["score"] > second["score"] > 0


async def test_only_earlier_messages_are_suggested_and_never_itself(door: Door) -> None:
    town, answered, another, _ = a_town()
    await door.fold(town.log)
    assert await suggested(door, answered) == []
    assert [one["message_id"] for one in await suggested(door, another)] == [answered.id]


async def test_an_author_is_found_whatever_he_writes_and_a_namesake_only_without_an_address(door: Door) -> None:
    town = Town()
    roads = town.says("10.11 09:00", "Светофор не работает")
    town.says("11.11 09:00", "Автобус не ходит", by="Людмила", url="https://vk.example/another")
    nameless = town.says("12.11 09:00", "Мусор не вывозят", by="Людмила", url=None)
    last = town.says("16.11 09:00", "Прививок нет в поликлинике", place="Майский")
    await door.fold(town.log)
    found = {one["message_id"]: kinds(one) for one in await suggested(door, last)}
    assert found == {roads.id: ["author"], nameless.id: ["author_name"]}


async def test_the_words_of_an_edited_post_count_as_it_stands_now(door: Door) -> None:
    town = Town()
    one = town.says("10.11 09:00", "Спасибо за праздник", by="Олег", url="https://vk.example/oleg")
    edited = {"url": "https://vk.example/1", "edited_at": at("10.11 10:00").isoformat(), "detection_id": str(uuid4())}
    one.tell("post-edited", "10.11 10:00", **edited, post=written(COLD, "Олег", "https://vk.example/oleg"))
    cold = town.says("16.11 09:00", COLD)
    await door.fold(town.log)
    assert [kinds(found) for found in await suggested(door, cold)] == [["place", "words"]]


async def test_an_executor_is_told_only_of_what_was_assigned_to_its_agency(door: Door) -> None:
    town, answered, another, repeat = a_town()
    repeat.triaged("16.11 09:10")
    repeat.routed("16.11 09:20", "minzdrav")
    await door.fold(town.log)
    own = await suggested(door, repeat, "executor", agency="minzdrav")
    assert [one["message_id"] for one in own] == [another.id]
    assert COLD not in str(own)
    for path in (repeat.id, answered.id):
        answer = await door.get(f"/v1/messages/{path}/similar", "executor", agency="mintrans")
        assert (answer.status_code, answer.json()["type"]) == (404, "urn:otklik:problem:not-found")


async def test_another_authoritys_messages_are_neither_found_nor_suggested(door: Door) -> None:
    town, *_ = a_town()
    town.log.law("kemerovo", "Asia/Novokuznetsk", "kemerovo-2020-65")
    theirs = town.says("17.11 09:00", COLD, authority="kemerovo", regulation="kemerovo-2020-65")
    await door.fold(town.log)
    assert (await door.get(f"/v1/messages/{theirs.id}/similar")).status_code == 404
    headers = {"Authorization": f"Bearer {door.token('coordinator', authorities=('kbr', 'kemerovo'))}"}
    both = await door.client.get(f"/v1/messages/{theirs.id}/similar", headers=headers)
    assert (both.status_code, both.json()["items"]) == (200, [])
    assert (await door.get(f"/v1/messages/{theirs.id}/similar", "monitor")).status_code == 403


@pytest.mark.parametrize(
    "text", ["", "и в на", "''' \\ | & ! <-> :* \\' батареи\\", "я" * 150_000, "слово" * 3000 + " " + COLD]
)
async def test_no_text_is_too_odd_to_be_compared(door: Door, text: str) -> None:
    town = Town()
    town.says("10.11 09:00", text)
    last = town.says("16.11 09:00", text)
    await door.fold(town.log)
    assert "author" in kinds((await suggested(door, last))[0])


def told(number: int, *stems: str) -> Told:
    return Told(str(number), "vk", None, f"автор {number}", f"https://vk.example/{number}", frozenset(stems))


def test_what_everybody_writes_joins_nothing() -> None:
    everybody = [told(number, "дом", "улиц", "вод", f"слово{number}", f"ещё{number}") for number in range(200)]
    own = told(999, "дом", "улиц", "вод", "насос", "скважин", "гнил")
    assert weigh(own, everybody) == []
    likely = weigh(own, [*everybody, told(500, "насос", "скважин", "воня", "дом")])
    assert [(one.message_id, one.stems[:2]) for one in likely] == [("500", ("насос", "скважин"))]


async def test_the_page_offers_a_repeat_to_the_coordinator_alone(door: Door) -> None:
    town, answered, another, repeat = a_town()
    repeat.triaged("16.11 09:10")
    repeat.routed("16.11 09:20", "minzdrav")
    await door.fold(town.log)
    await logged_in(door, "coordinator")
    page = (await door.client.get(f"/p/messages/{repeat.id}")).text
    assert f'data-repeat-of="{answered.id}"' in page
    assert f'data-repeat-of="{another.id}"' not in page
    assert f'href="/p/messages/{another.id}"' in page
    await logged_in(door, "executor", "minzdrav")
    assert "data-repeat-of" not in (await door.client.get(f"/p/messages/{repeat.id}")).text
