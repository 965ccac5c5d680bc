"""Writes `docs/regulations/<authority>.md` from the acts: `python -m regulations.docs`; with `--check` only compares.

The pages tell, paragraph by paragraph, where each lives in the system, so that a lawyer can check them beside the text.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from regulations.authority import Authority
from regulations.describe import rule, section
from regulations.load import LawFiles, WrongLaw, load
from regulations.merging import act_in_force
from regulations.model import Act, ParagraphNote, RuleName
from schemas.generated import write_or_check

FOLDER = Path(__file__).parent.parent / "docs" / "regulations"
ROOMS = {
    "intake": "приём сообщений (служба intake)",
    "workflow": "ведение сообщения (служба workflow)",
    "sla": "сроки (служба sla)",
    "reporting": "реестры и сводки (служба reporting)",
}
FIELDS = {
    "regulations": "день вступления в силу – данные органа власти",
    "agencies": "органы, ответственные, исполнители, замещающие, аккаунты – данные органа власти",
    "accounts": "аккаунты – данные органа власти",
    "leaders": "руководители по должностям – данные органа власти",
    "topic_list": "утверждённый перечень тем – данные органа власти, с актом, который его утвердил",
}
PLACES = {
    "detection_paragraph": "выявление – то, что сообщает мониторинг (прочтение 2)",
    "routing_paragraph": "разбор и направление – команды triage и route",
    "official_paragraph": "должности без имён: ответственный и исполнители каждого органа",
}


def pages(law: LawFiles) -> dict[str, str]:
    """The text of every page, by file name."""
    return {
        f"{name}.md": "\n".join(_page(authority, [law.acts[entry.id] for entry in authority.regulations])) + "\n"
        for name, authority in sorted(law.authorities.items())
    }


def _page(authority: Authority, acts: list[Act]) -> Iterator[str]:
    yield f"# {authority.name}"
    yield ""
    yield "<!-- Создано из regulations/: python -m regulations.docs. Править данные, а не эту страницу. -->"
    for act in acts:
        yield from _act(authority, act)


def _act(authority: Authority, act: Act) -> Iterator[str]:
    entry = next(entry for entry in authority.regulations if entry.id == act.id)
    number = f" № {act.number}" if act.number else ", без номера"
    yield from ("", f"## {act.title}", "")
    yield f"{act.enactment} от {act.adopted:%d.%m.%Y}{number}; в системе – `{act.id}`."
    stated = "" if entry.stated else f" Не подтверждено: {entry.note}." if entry.note else " Не подтверждено."
    yield f"Действует с {entry.from_:%d.%m.%Y}.{stated} Часовой пояс – {authority.timezone}."
    yield from ("", "### Сроки", "", "| правило | пункт | что и сколько |", "|---|---|---|")
    applied = act_in_force(act, authority)
    for name, said in applied.rules.items():
        yield f"| `{name}` | {said.paragraph} | {rule(name, said)} |"
    yield from ("", f"### {act.name} по пунктам", "")
    for note in act.paragraphs:
        if note.part == "regulation":
            yield from _note(act, note)
    yield from (
        "",
        f"### {act.enactment}, которым оно введено" if act.name == "Положение" else f"### {act.enactment}",
        "",
    )
    for note in act.paragraphs:
        if note.part == "enactment":
            yield from _note(act, note)
    yield from ("", "### Как прочитано неясное", "")
    for reading in applied.readings:
        where = f" (пункт {reading.paragraph})" if reading.paragraph else ""
        yield f"- **{reading.reading}.** {reading.note[0].upper()}{reading.note[1:]}{where}."


def _note(act: Act, note: ParagraphNote) -> Iterator[str]:
    yield f"- **{note.paragraph}.** {note.about[0].upper()}{note.about[1:]}."
    if note.nothing is not None:
        yield f"  - Системе делать нечего: {note.nothing}."
    for place in note.lives:
        for line in _lines(act, note, place):
            yield f"  - {line}."


def _lines(act: Act, note: ParagraphNote, place: str) -> list[str]:
    first, _, rest = place.partition(".")
    if first == "authority":
        return [FIELDS[rest]]
    if first == "rules":
        name: RuleName = next(name for name in act.rules if name == rest)
        return [f"`{name}`: {rule(name, act.rules[name])}"]
    if place in ROOMS:
        return [ROOMS[place]]
    if place in PLACES:
        return [PLACES[place]]
    if place == "notices":
        of_this = tuple(notice for notice in act.notices if note.paragraph in notice.paragraph.split(", "))
        act = act.model_copy(update={"notices": of_this})
    return [f"`{place}`: {line}" for line in section(act, place)]


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` tell which differ; 0 if nothing is wrong."""
    try:
        written = pages(load())
    except WrongLaw as error:
        print(error, file=sys.stderr)
        return 1
    return write_or_check(FOLDER, "*.md", written, check="--check" in arguments, command="python -m regulations.docs")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
