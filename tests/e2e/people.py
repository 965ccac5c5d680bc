"""People at the pages: what they can do there, and people without a browser, who read the forms and send what they say.

The walks in `pages_walk.py` know nothing of HTML; in `browser/` the same people have a mouse and a keyboard.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import httpx
from lxml import html
from lxml.html import HtmlElement

from tests.e2e.installation import Installation


class Person(Protocol):
    """Somebody at a page. Fields are named as the command names them; a list ticks, `assignments` are the agencies with
    `order` and `lead`. `about`: words of the form's second line, where several forms give the same command."""

    async def enter(self, authority: str, role: str, agency: str = "") -> None:
        """By the login's own form, to the queue."""

    async def go(self, path: str) -> None: ...

    async def follow(self, words: str) -> None:
        """By the link that says so."""

    async def give(self, command: str, about: str = "", **fields: Any) -> None:
        """Fill in the form and send it; AssertionError with the refusal's words if it is not taken."""

    async def refused(self, command: str, about: str = "", **fields: Any) -> str:
        """The same, and what stands beside the form then."""

    async def page(self) -> str:
        """What the page says."""

    async def offered(self) -> list[str]:
        """The commands that the page has forms for."""


People = Callable[..., Awaitable[Person]]
"""authority, role, agency? → somebody who is logged in."""


class Refused(AssertionError):
    pass


class Reader:
    """A person without a browser."""

    def __init__(self, installation: Installation) -> None:
        self._base = installation.url("reporting")
        self._http = httpx.AsyncClient(timeout=60, follow_redirects=True)
        self._page: HtmlElement = html.fromstring("<p></p>")
        self._path = "/"

    async def enter(self, authority: str, role: str, agency: str = "") -> None:
        await self.go("/")
        login = next(form for form in self._page.forms if form.get("action") == "/login")
        offered = {option.get("value") for option in login.xpath(".//select[@name='agency']/option")}
        assert agency in offered and role in login.inputs["role"].value_options
        data = dict(login.form_values()) | {"authority": authority, "role": role, "agency": agency}
        self._read(await self._http.post(f"{self._base}/login", data=data))

    async def go(self, path: str) -> None:
        self._read(await self._http.get(self._base + path))

    async def follow(self, words: str) -> None:
        link = next(link for link in self._page.iter("a") if words in _words(link))
        await self.go(link.get("href"))

    async def give(self, command: str, about: str = "", **fields: Any) -> None:
        answer = await self._send(command, about, fields)
        if answer.status_code != 200:
            raise Refused(answer.text)
        path, _, query = self._path.partition("?")
        kept = httpx.QueryParams(query).set("at_least", answer.json()["sequence"])
        await self.go(f"{path}?{kept}")

    async def refused(self, command: str, about: str = "", **fields: Any) -> str:
        answer = await self._send(command, about, fields)
        assert answer.status_code != 200, answer.text
        problem = answer.json()
        where = f" (пункт {problem['paragraph']} положения)" if "paragraph" in problem else ""
        return "\n".join([problem["detail"] + where, *(fault["detail"] for fault in problem.get("errors", []))])

    async def page(self) -> str:
        return _words(self._page)

    async def offered(self) -> list[str]:
        return [form.get("data-command") for form in self._page.xpath("//form[@data-command]")]

    def _read(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200, answer.text
        self._page = html.fromstring(answer.text)
        self._path = answer.url.raw_path.decode()

    async def _send(self, command: str, about: str, fields: dict[str, Any]) -> httpx.Response:
        found = self._page.xpath(f"//details[.//form[@data-command='{command}']]")
        place = next((one for one in found if about in _words(one.find("summary"))), None)
        assert place is not None, f"no form for {command} {about}: {await self.offered()}"
        form = place.find(".//form")
        body: dict[str, Any] = {"type": command, "data": _data(form, fields)}
        if sequence := form.get("data-sequence"):
            body["expected_sequence"] = int(sequence)
        token, workflow = (
            self._page.xpath(f"//meta[@name='otklik-{name}']/@content")[0] for name in ("token", "workflow")
        )
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}
        return await self._http.post(workflow + form.get("data-to"), json=body, headers=headers)


def _words(element: HtmlElement) -> str:
    return re.sub(r"\s+", " ", element.text_content())


def _data(form: HtmlElement, fields: dict[str, Any]) -> dict[str, Any]:
    """What the form says with these fields filled in; a field that it does not have is a fault of the walk."""
    data: dict[str, Any] = {}
    for control in form.xpath(".//*[@name][@data-kind]"):
        name, kind = control.get("name"), control.get("data-kind")
        typed = fields.pop(name, control.value if control.tag != "textarea" else control.text)
        if typed not in (None, ""):
            data[name] = typed == "true" if kind == "bool" else int(typed) if kind == "number" else typed
    for group in form.xpath(".//fieldset[@data-kind='checks']"):
        name = group.get("data-field")
        boxes = {box.get("value"): box.checked for box in group.xpath(".//input[@type='checkbox']")}
        ticked = fields.pop(name, [value for value, checked in boxes.items() if checked])
        assert set(ticked) <= set(boxes), f"{name}: {ticked} of {list(boxes)}"
        if ticked:
            data[name] = ticked
    for part in form.xpath(".//fieldset[@data-route]"):
        rows = {row.get("data-agency") for row in part.xpath(".//*[@data-agency]")}
        data["assignments"] = [_part(rows, one) for one in fields.pop("assignments")]
    assert not fields, f"the form has no {list(fields)}"
    return data


def _part(rows: set[str], told: dict[str, Any]) -> dict[str, Any]:
    assert told["agency"] in rows
    role = {} if "lead" not in told else {"role": "lead" if told["lead"] else "contributor"}
    return {"agency": told["agency"], **role, **({"order": told["order"]} if "order" in told else {})}
