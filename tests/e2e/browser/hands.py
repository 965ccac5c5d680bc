"""A person with a mouse and a keyboard: a browser context of his own, with his own login."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page

from tests.e2e.people import Refused

PATIENCE_MS = 30_000
_EXPECTED = re.compile(r"the server responded with a status of (409|422)")
"""What a browser itself says of a refusal."""


class Hands:
    def __init__(self, context: BrowserContext, sheet: Page, base: str) -> None:
        self._context, self.sheet, self._base = context, sheet, base
        self.complaints: list[str] = []
        sheet.on("pageerror", lambda error: self.complaints.append(str(error)))
        sheet.on("console", self._said)

    @classmethod
    async def at(cls, browser: Browser, base: str) -> Hands:
        context = await browser.new_context(locale="ru-RU", viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        return cls(context, await context.new_page(), base)

    async def leave(self) -> None:
        await self._context.close()

    def _said(self, message: ConsoleMessage) -> None:
        """A script that was stopped, a fault of ours: anything but the refusals that the walk asks for."""
        if message.type == "error" and not _EXPECTED.search(message.text):
            self.complaints.append(message.text)

    async def enter(self, authority: str, role: str, agency: str = "") -> None:
        await self.go("/")
        await self.sheet.select_option("[name=authority]", authority)
        await self.sheet.select_option("[name=role]", role)
        if agency:
            await self.sheet.select_option("[name=agency]", agency)
        await self.sheet.click("text=Войти")
        await self.sheet.wait_for_selector("[data-help]")

    async def go(self, path: str) -> None:
        await self.sheet.goto(self._base + path)

    async def follow(self, words: str) -> None:
        await self.sheet.click(f"a:has-text('{words}')")
        await self.sheet.wait_for_url("**/p/messages/*")

    async def give(self, command: str, about: str = "", **fields: Any) -> None:
        form = await self._filled(command, about, fields)
        # What the command before this one left on the page is no answer to this one.
        await self.sheet.evaluate("document.getElementById('done').hidden = true")
        await form.locator("button:not([type=button])").click()
        # Either the page comes back and says so, or the refusal stands beside the form.
        answer = self.sheet.locator("#done:visible, [data-problem]:visible").first
        await answer.wait_for()
        if not await self.sheet.locator("#done:visible").count():
            raise Refused(await answer.inner_text())

    async def refused(self, command: str, about: str = "", **fields: Any) -> str:
        form = await self._filled(command, about, fields)
        # By the keyboard, as who types would.
        await form.locator("input:visible, select:visible, textarea:visible").first.press("Control+Enter")
        await form.locator("[data-problem]:visible").wait_for()
        return await form.inner_text()

    async def page(self) -> str:
        """Whole, also what is folded up; as the reader without a browser has it."""
        return re.sub(r"\s+", " ", await self.sheet.locator("body").text_content() or "")

    async def offered(self) -> list[str]:
        forms = await self.sheet.locator("form[data-command]").all()
        return [await form.get_attribute("data-command") or "" for form in forms]

    async def _filled(self, command: str, about: str, fields: dict[str, Any]) -> Locator:
        places = self.sheet.locator("details.command", has=self.sheet.locator(f"form[data-command='{command}']"))
        place = places.filter(has=self.sheet.locator("summary", has_text=about)).first
        if await place.get_attribute("open") is None:
            await place.locator("summary").click()
        form = place.locator("form")
        for name, value in fields.items():
            if name == "assignments":
                await self._route(form, value)
            elif isinstance(value, list):
                for box in await form.locator(f"[data-field={name}] input[type=checkbox]").all():
                    await box.set_checked(await box.get_attribute("value") in value)
            elif await form.locator(f"select[name={name}]").count():
                await form.locator(f"select[name={name}]").select_option(value)
            else:
                await form.locator(f"[name={name}]:not([type=hidden])").fill(value)
        return form

    async def _route(self, form: Locator, told: list[dict[str, Any]]) -> None:
        for box in await form.locator("[data-part=chosen]").all():
            await box.set_checked(await box.get_attribute("value") in {one["agency"] for one in told})
        for one in told:
            row = form.locator(f"[data-agency='{one['agency']}']")
            if one.get("lead"):
                await row.locator("[data-part=lead]").check()
            if "order" in one:
                await row.locator("[data-part=order]").fill(str(one["order"]))
