"""The walks of people at the pages, from a post to its answer; who they are with, a browser or without, they do not know."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.e2e.installation import Client, Installation
from tests.e2e.people import People

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> Яма на ул. Мира & «школа» {}'
MINSTROY, MINTRANS = "Министерство строительства", "Министерство транспорта"


def now(installation: Installation) -> datetime:
    told = datetime.fromisoformat(installation.cli("clock", "show").splitlines()[-1])
    return told.astimezone(ZoneInfo("Europe/Moscow"))


def working_morning(installation: Installation) -> None:
    """Set the clock to ten in the morning of the next weekday, unless it is a working morning already."""
    at = told = now(installation)
    while at.weekday() > 4 or not 9 <= at.hour < 11:
        at = (at + timedelta(days=0 if at.hour < 9 and at.weekday() < 5 else 1)).replace(hour=10, minute=0)
    if at != told:
        installation.cli("clock", "set", at.isoformat())


async def from_detection_to_publication(people: People, client: Client, external_id: str) -> str:
    """A joint answer: triaged, routed to two agencies, one of which returns it; drafted, sent back, approved, published."""
    text = HOSTILE.format(external_id)
    message = await client.detect(
        external_id, text=text, author={"name": "<b>Марина</b>", "url": "javascript:hacked=1"}
    )
    await client.message(message)
    path = f"/p/messages/{message}"

    coordinator = await people("kbr", "coordinator")
    await coordinator.go("/?text=" + external_id)
    assert "зарегистрировано" in await coordinator.page()
    await coordinator.follow(f"«школа» {external_id}")
    assert text in await coordinator.page()
    stated = {"location": "Нальчик", "importance": "ordinary", "reduced": "false"}
    assert "обязательное поле" in await coordinator.refused("triage", topics=[], **stated)
    await coordinator.give("triage", topics=["roads", "improvement"], **stated)
    both = [{"agency": "minstroy", "order": 1, "lead": False}, {"agency": "mintrans", "order": 2, "lead": True}]
    told = await coordinator.refused("route", assignments=both)
    assert "пункт 16" in told
    await coordinator.give("route", assignments=both, drafted_by="mintrans")
    assert "в работе" in await coordinator.page()

    helper = await people("kbr", "executor", "minstroy")
    await helper.go("/")
    await helper.follow(f"«школа» {external_id}")
    assert "contribute" in await helper.offered() and "approve_draft" not in await helper.offered()
    await helper.give("return", justification="Улица не в нашем ведении")
    await coordinator.go(path)
    assert "Улица не в нашем ведении" in await coordinator.page()
    await coordinator.give("reassign", about=f"{MINSTROY} и жилищно-коммунального хозяйства", agency="nalchik")
    town = await people("kbr", "executor", "nalchik")
    await town.go(path)
    await town.give("contribute", text="Подрядчик выйдет в четверг", attachments="")

    lead = await people("kbr", "executor", "mintrans")
    await lead.go(path)
    assert "Подрядчик выйдет в четверг" in await lead.page()
    await lead.give("submit_draft", kind="answer", text="Починим в четверг")
    await coordinator.go(path)
    await coordinator.give("send_back_draft", comments="Назовите улицу")
    await lead.go(path)
    assert "Назовите улицу" in await lead.page() and "на доработке" in await lead.page()
    await lead.give("submit_draft", text="Яму на улице Мира починим в четверг")
    await coordinator.go(path)
    await coordinator.give("approve_draft", quality="5")
    await lead.go(path)
    told = await lead.refused("report_publication", url="https://vk.example/answer", place="own_account")
    assert "ссылкой на автора" in told and "пункт 14" in told
    await lead.give("report_publication", url="https://vk.example/answer", place="same")
    assert "отвечено" in await lead.page()

    await coordinator.go(path)
    told = await coordinator.page()
    for expected in ("отвечено", "исполнен в срок", "пункт 10", "рабочего времени", "Оценка 5"):
        assert expected in told, expected
    await coordinator.give("record_feedback", satisfied="true", note="Спасибо")
    await coordinator.give("score_answer", score="4")
    await coordinator.give("escalate", ground="socially_significant", summary="Пишет весь район")
    assert "Доложено руководству" in await coordinator.page()
    return message


async def a_late_message_is_excused_dismissed_and_reopened(people: People, client: Client, external_id: str) -> None:
    """Begins in working time: 45 minutes later the term of routing is over."""
    message = await client.detect(external_id, text=f"Никто не отвечает {external_id}")
    await client.message(message)
    client.installation.cli("clock", "advance", "PT45M")
    path = f"/p/messages/{message}"
    coordinator = await people("kbr", "coordinator")
    await coordinator.go("/?text=" + external_id)
    assert "Просрочено" in await coordinator.page()
    head = await people("kbr", "head")
    await head.go(path)
    assert "нарушен" in await head.page()
    assert await head.offered() == ["excuse_breach"]
    await head.give("excuse_breach", about="направление", reason="Отключали свет")
    await coordinator.go(path)
    await coordinator.give("dismiss", ground="threat", note="Угрозы")
    assert "не подлежит обработке" in await coordinator.page()
    await coordinator.give("reopen", reason="Разобрались: угроз нет")
    assert "Нарушение срока признано уважительным" in await coordinator.page()
    assert "triage" in await coordinator.offered()


async def a_quarter_is_agreed_and_delivered(people: People) -> None:
    """Buryatia 25: to the committee, refused, to the committee again, agreed, delivered."""
    page = "/p/summary?authority=buryatia&period=2026-Q3"
    coordinator, committee = await people("buryatia", "coordinator"), await people("buryatia", "committee")
    await coordinator.go(page)
    assert await coordinator.offered() == ["send_summary_for_agreement"]
    await coordinator.give("send_summary_for_agreement", note="Первая")
    await committee.go(page)
    assert await committee.offered() == ["agree_summary", "refuse_summary"]
    await committee.give("refuse_summary", reason="Нет структуры по каналам")
    assert "отказано" in await committee.page()
    await coordinator.go(page)
    await coordinator.give("send_summary_for_agreement")
    await committee.go(page)
    await committee.give("agree_summary")
    await coordinator.go(page)
    await coordinator.give("deliver_summary", url="https://docs.example/2026-Q3.docx")
    assert "представлено" in await coordinator.page() and await coordinator.offered() == []
