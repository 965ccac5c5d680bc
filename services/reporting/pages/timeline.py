"""A message's story as people read it: each event with a line of its own, and no more of it than the visitor may see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from regulations.directory import Directory
from regulations.model import Act
from schemas import events
from services.reporting.exports import words
from services.reporting.pages import naming
from services.reporting.projections.register import HELD, Row


@dataclass(frozen=True, slots=True)
class Moment:
    """One event. `lines`: what it says, label and text; `tone`: how it is marked (`good`, `bad`, `plain`)."""

    sequence: int
    at: datetime
    title: str
    actor: str
    tone: str = "plain"
    lines: Sequence[tuple[str, str]] = field(default_factory=tuple)
    link: str | None = None


TITLES: dict[str, tuple[str, str]] = {
    "registered": ("Сообщение зарегистрировано", "plain"),
    "post-edited": ("Автор изменил публикацию", "plain"),
    "post-removed": ("Публикация удалена", "bad"),
    "triaged": ("Разобрано", "plain"),
    "dismissed": ("Признано не подлежащим обработке", "bad"),
    "reopened": ("Возвращено в работу", "plain"),
    "routed": ("Направлено исполнителям", "plain"),
    "assignment-issued": ("Поручение выдано", "plain"),
    "assignment-returned": ("Возвращено не по компетенции", "bad"),
    "assignment-recalled": ("Поручение отозвано", "bad"),
    "contributed": ("Информация предоставлена", "plain"),
    "contribution-approved": ("Информация согласована", "good"),
    "contribution-sent-back": ("Информация возвращена", "bad"),
    "draft-submitted": ("Проект направлен на согласование", "plain"),
    "draft-approved": ("Проект согласован", "good"),
    "draft-sent-back": ("Проект возвращён на доработку", "bad"),
    "published": ("Размещено", "good"),
    "escalated": ("Доложено руководству", "plain"),
    "escalation-forwarded": ("Доклад направлен дальше", "plain"),
    "referred-to-law-enforcement": ("Передано в правоохранительные органы", "plain"),
    "shortcoming-reported": ("Сообщено о недостатках", "bad"),
    "feedback-recorded": ("Мнение автора", "plain"),
    "answer-scored": ("Оценка ответа", "plain"),
    "breach-excused": ("Нарушение срока признано уважительным", "plain"),
    "case-proposed": ("Предложен кейс", "plain"),
    "case-agreed": ("Кейс согласован", "good"),
    "case-refused": ("В согласовании кейса отказано", "bad"),
    "case-published": ("Кейс опубликован", "good"),
    "case-reported": ("Отчёт о кейсе", "plain"),
    "notified": ("Извещены", "plain"),
}
_FIELDS = {
    "topics": "Темы", "topic_group": "Группа тем", "location": "Местность", "importance": "Важность", "reduced": "Сокращённый срок",
    "repeat_of": "Повторное к", "reason": "Причина", "ground": "Основание", "note": "Примечание", "moderation": "Меры",
    "agency": "Орган", "justification": "Обоснование", "text": "Текст", "measures": "Принятые меры", "progress": "Ход решения",
    "kind": "Вид", "by": "Готовит", "quality": "Оценка", "comments": "Замечания", "url": "Ссылка", "place": "Место",
    "summary": "Суть", "to": "Кому", "then": "Затем", "body": "Орган", "description": "Недостаток", "satisfied": "Доволен ответом",
    "score": "Оценка", "rule": "Срок", "whom": "Кто", "paragraph": "Пункт", "detected_by": "Выявлено", "executors": "Исполнители",
    "official": "Ответственный", "drafted_by": "Готовит ответ", "author_link": "Автор",
}  # fmt: skip
_SKIPPED = {"substituted", "role", "joint", "marked", "lead"}


def moments(rows: Sequence[Any], directory: Directory) -> list[Moment]:
    """The events as told by the story's rows, in their order."""
    return [_moment(row, directory) for row in rows]


def _moment(row: Any, directory: Directory) -> Moment:
    kind = events.short(row["type"])
    title, tone = TITLES.get(kind, (kind, "plain"))
    data: dict[str, Any] = row["data"]
    if kind == "published":
        title = f"Размещён: {words.of(words.KINDS, data['kind'])}"
    lines = [
        (_FIELDS[name], text)
        for name, value in data.items()
        if name in _FIELDS and (text := _text(name, value, directory))
    ]
    if kind == "routed":
        lines += [("Кому", ", ".join(naming.agency(directory, one["agency"]) for one in data["assignments"]))]
        if not data["joint"]:
            lines = [line for line in lines if line[0] != "Готовит ответ"]
    actor = _actor(row["actor"], directory)
    # Who did it stands beside the title already.
    lines = [line for line in lines if line[1] != actor]
    return Moment(row["sequence"], row["at"], title, actor, tone, lines, data.get("url"))


def _text(name: str, value: Any, directory: Directory) -> str:
    if name in _SKIPPED or value is None or value == [] or value == "":
        return ""
    tables: dict[str, dict[str, str]] = {
        "importance": words.IMPORTANCE, "ground": words.GROUNDS, "kind": words.KINDS, "rule": words.RULES,
        "place": {"same": "там же, где сообщение", "own_account": "в аккаунте органа"},
    }  # fmt: skip
    if isinstance(value, bool):
        return "да" if value else "нет"
    if name == "topics":
        return words.topics(value)
    if name == "moderation":
        return ", ".join(words.of(words.MODERATION, one) for one in value)
    if name == "whom":
        return ", ".join(naming.told(directory, one) for one in value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if name in tables:
        return words.of(tables[name], str(value))
    if name in {"agency", "by", "drafted_by"}:
        return naming.agency(directory, str(value))
    return str(value)


def _actor(actor: dict[str, Any] | None, directory: Directory) -> str:
    if actor is None:
        return "система"
    if actor.get("agency"):
        return naming.agency(directory, actor["agency"])
    return ", ".join(naming.role(directory, role) for role in actor.get("roles", [])) or str(actor["sub"])


_OPEN = frozenset({
    "registered", "post-edited", "post-removed", "triaged", "dismissed", "reopened", "routed", "published",
    "feedback-recorded", "answer-scored", "breach-excused",
})  # fmt: skip


def visible(rows: Sequence[Any], row: Row, act: Act, agency: str | None) -> list[Any]:
    """What an executor of that agency may see of the story, as workflow's history shows it; None: all. Of the others he
    learns what is published, what he is to publish, and what was contributed to an answer that he drafts."""
    if agency is None:
        return list(rows)
    # What was returned, or never issued, gives no insight into the others' work.
    standing = [
        held
        for held in row.work.assignments
        if held.agency == agency and held.issued_at is not None and held.status in HELD
    ]
    drafts = any(held.drafts for held in standing)
    publishes = act.publication.by == "lead" and any(held.role == "lead" for held in standing)
    approved = {one["data"]["assignment_id"] for one in rows if one["type"] == events.ContributionApproved.type}
    said = {one["data"]["assignment_id"]: one["data"]["text"] for one in rows if one["type"] == events.Contributed.type}

    def own(data: dict[str, Any]) -> bool:
        return bool(data.get("agency", data.get("by")) == agency)

    def contributed(data: dict[str, Any]) -> bool:
        usable = not act.joint.contributions_approved or data["assignment_id"] in approved
        # An earlier text that was sent back is no part of the answer.
        last = data.get("text", said.get(data["assignment_id"])) == said.get(data["assignment_id"])
        return own(data) or (drafts and usable and last)

    def of_draft(data: dict[str, Any]) -> bool:
        draft = row.draft(data["draft_id"])
        if draft is None:
            return False
        return own(data) or draft.status == "published" or (draft.status == "approved" and publishes)

    rules: dict[str, Callable[[dict[str, Any]], bool]] = {
        "contributed": contributed,
        "contribution-approved": contributed,
        "draft-submitted": of_draft,
        "draft-approved": of_draft,
    }
    whole = {"escalated", "escalation-forwarded", "shortcoming-reported"}
    return [
        one
        for one in rows
        if (kind := events.short(one["type"])) in _OPEN or (kind not in whole and rules.get(kind, own)(one["data"]))
    ]
