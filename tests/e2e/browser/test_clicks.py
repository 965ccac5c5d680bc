"""The walks at the pages, with clicks and keys in headless Chromium."""

from __future__ import annotations

from tests.e2e import pages_walk
from tests.e2e.browser.hands import Hands
from tests.e2e.installation import Client, Installation
from tests.e2e.people import People


async def test_a_person_walks_a_message_from_detection_to_publication_by_clicks(
    people: People, hands: list[Hands], installation: Installation
) -> None:
    client = Client(installation, "kbr")
    pages_walk.working_morning(installation)
    message = await pages_walk.from_detection_to_publication(people, client, "-8_clicks")
    for one in hands:
        await one.go(f"/p/messages/{message}")
        assert await one.sheet.evaluate("window.hacked") is None
    await pages_walk.a_late_message_is_excused_dismissed_and_reopened(people, client, "-8_late")


async def test_what_was_typed_survives_a_refusal_a_change_and_a_new_login(
    people: People, hands: list[Hands], installation: Installation
) -> None:
    client = Client(installation, "kbr")
    message = await client.detect("-8_typed")
    await client.message(message)
    await people("kbr", "coordinator")
    (one,) = hands
    await one.go(f"/p/messages/{message}")
    stated = {"topics": ["roads"], "location": "Чегем", "importance": "ordinary", "reduced": "false"}
    told = await one.refused("triage", repeat_of="не номер", topic_group="дворы", **stated)
    assert "поправьте отмеченное" in told
    assert await one.sheet.evaluate("document.activeElement.name") == "repeat_of"
    # Somebody else is quicker, and this one's login is over besides.
    await client.command(message, "triage", **(stated | {"reduced": False, "location": "Терек"}))
    told = await one.refused("triage", repeat_of="")
    assert "изменилось" in told
    await one.sheet.context.clear_cookies()
    await one.sheet.click("text=Показать, что изменилось")
    await one.sheet.select_option("[name=authority]", "kbr")
    await one.sheet.click("text=Войти")
    group = one.sheet.locator("form[data-command=triage] [name=topic_group]")
    await group.wait_for()
    assert await group.input_value() == "дворы"
    await one.give("triage", reason="уточнена группа тем")
    assert "уточнена группа тем" in await one.page()


async def test_the_queue_is_worked_by_keys_in_either_layout(
    people: People, hands: list[Hands], installation: Installation
) -> None:
    client = Client(installation, "kbr")
    first, second = await client.detect("-8_key1"), await client.detect("-8_key2")
    for message in (first, second):
        await client.message(message)
    await people("kbr", "coordinator")
    (one,) = hands
    await one.go("/?status=registered")
    keys = one.sheet.keyboard
    # The key of «о» in the Russian layout stands where the Latin j does.
    await one.sheet.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {code: 'KeyJ', key: 'о', bubbles: true}))"
    )
    await keys.press("Enter")
    await one.sheet.wait_for_url("**/p/messages/*")
    here = one.sheet.url
    await keys.press("2")
    assert await one.sheet.evaluate("document.activeElement.closest('form').dataset.command") == "dismiss"
    await keys.press("Escape")
    await keys.press("n")
    await one.sheet.wait_for_url(lambda url: url != here and "/p/messages/" in url)
    await keys.press("u")
    await one.sheet.wait_for_url("**/?authority=kbr")
    await keys.press("/")
    assert await one.sheet.evaluate("document.activeElement.name") == "text"
