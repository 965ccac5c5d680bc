"""Whether an act is of one mind: what its parts ask of one another. Pure; texts in Russian."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from regulations.authority import Authority
from regulations.canonical import as_data
from regulations.model import Act, RuleName
from regulations.working_time.wording import duration
from regulations.wrong import Place, Wrong

ROOMS = frozenset({"intake", "workflow", "sla", "reporting"})
"""Rooms of the system in which a paragraph may live that is no datum of the act."""
ONE_DAY = timedelta(days=1)


def contradictions(act: Act) -> list[Wrong]:
    """Every fault of an act against itself; places are in the act's data."""
    return [*_of_terms(act), *_of_rules(act), *_of_parts(act), *_of_notes(act)]


def lives_somewhere(act: Act, place: str) -> bool:
    """Whether `place` names something: a datum of the act, a field of the authority's file, or a room."""
    first, _, rest = place.partition(".")
    if first == "authority":
        return rest in Authority.model_fields
    if first == "rules":
        return rest in act.rules
    return place in ROOMS or (not rest and place in Act.model_fields)


def paragraphs_cited(act: Act) -> dict[str, Place]:
    """Every paragraph of the regulation that a datum of the act cites, with the first place that does."""
    data = as_data(act)
    data.pop("paragraphs", None)
    cited: dict[str, Place] = {}
    for place, text in _citations(data, ()):
        for paragraph in text.split(", "):
            cited.setdefault(paragraph, place)
    return cited


def _of_terms(act: Act) -> Iterator[Wrong]:
    for name, rule in act.rules.items():
        if rule.term <= timedelta(0):
            yield Wrong(("rules", name, "term"), "ожидается срок больше нуля")
        if rule.clock == "working_days" and rule.term % ONE_DAY:
            yield Wrong(("rules", name, "term"), "на часах working_days ожидается целое число дней, например P7D")
        if rule.reduced is not None and rule.reduced.term is not None and rule.reduced.term > rule.term:
            yield Wrong(("rules", name, "reduced", "term"), "сокращённый срок длиннее обычного")
        for field in ("before", "capped_by"):
            other = getattr(rule, field)
            if other is not None and (other not in act.rules or other == name):
                yield Wrong(("rules", name, field), f"правила {other} нет" if other != name else "правило о самом себе")
        if rule.before is not None and rule.before in act.rules and rule.term >= act.rules[rule.before].term:
            yield Wrong(
                ("rules", name, "term"), f"ожидается срок короче срока {rule.before}, до конца которого он идёт"
            )
        elif crowded := no_room_when_reduced(act, name):
            yield Wrong(("rules", name, "reduced"), crowded)


def no_room_when_reduced(act: Act, name: RuleName) -> str:
    """What is wrong with a rule that stands before another: when both are reduced, it would be due at the start itself or
    before. Such a message has no such deadline (reading 8), or a shorter one; "" if all is well."""
    rule = act.rules[name]
    other = act.rules.get(rule.before) if rule.before is not None else None
    own, whole = rule.length(reduced=True), other.length(reduced=True) if other is not None else None
    if own is None or whole is None or own < whole:
        return ""
    return (
        f"срок {name} отсчитан назад на {duration(own)} от сокращённого срока {rule.before}, а тот сам – {duration(whole)}:"
        f" ожидается сокращённый срок короче {duration(whole)} или никакого"
    )


def _of_rules(act: Act) -> Iterator[Wrong]:
    if "answer" not in act.rules:
        yield Wrong(("rules", "answer"), "обязательное правило: срок ответа")
    reduced = [name for name, rule in act.rules.items() if rule.reduced is not None]
    for name in reduced:
        if name not in {"answer", "draft"}:
            yield Wrong(("rules", name, "reduced"), "сокращёнными бывают только answer и draft")
        elif act.reducing.source == "none":
            yield Wrong(("rules", name, "reduced"), "reducing.source = none: сокращённого срока нет")
    if act.reducing.source in {"importance", "topic_list"} and "answer" not in reduced:
        yield Wrong(("rules", "answer"), f"reducing.source = {act.reducing.source}: нужен сокращённый срок ответа")
    publish = act.rules.get("publish")
    if publish is not None and publish.owed_by != act.publication.by:
        yield Wrong(("rules", "publish", "owed_by"), f"ожидается {act.publication.by}, как в publication.by")
    pairs = (
        ("contribution_review", act.joint.contributions_approved, ("joint", "contributions_approved")),
        ("case_review", act.cases is not None, ("cases",)),
        ("case_report", act.cases is not None, ("cases",)),
        ("summary", act.summary.due_day is not None, ("summary", "due_day")),
        ("summary_review", act.summary.agreed_by_committee, ("summary", "agreed_by_committee")),
    )
    for needed, asked, place in pairs:
        where = ".".join(place)
        if asked and needed not in act.rules:
            yield Wrong(("rules", needed), f"нужно правило: о нём говорит {where}")
        elif needed in act.rules and not asked:
            yield Wrong(place, f"есть правило {needed}, а {where} о нём не говорит")
    summary = act.rules.get("summary")
    if summary is not None and act.summary.due_day is not None and summary.term != act.summary.due_day * ONE_DAY:
        yield Wrong(("rules", "summary", "term"), f"ожидается P{act.summary.due_day}D, как в summary.due_day")


def _of_parts(act: Act) -> Iterator[Wrong]:
    if "answer" not in act.drafting.kinds:
        yield Wrong(("drafting", "kinds"), "среди видов проекта нет ответа (answer)")
    if (act.joint.draft_due is None) != (act.joint.draft_paragraph is None):
        yield Wrong(("joint", "draft_paragraph"), "draft_due и draft_paragraph называют вместе")
    if act.dismissal.moderation is None and "spam" in act.dismissal.grounds:
        yield Wrong(("dismissal", "grounds", "spam"), "спам – основание модерации, а moderation не названа")
    if act.escalation.forwarded_by == act.escalation.to:
        yield Wrong(("escalation", "forwarded_by"), "ожидается другая должность, чем в escalation.to")


def _of_notes(act: Act) -> Iterator[Wrong]:
    numbers = [entry.reading for entry in act.readings]
    for number, reading in enumerate(numbers):
        if reading in numbers[:number]:
            yield Wrong(("readings", number, "reading"), f"прочтение {reading} названо дважды")
    seen: set[tuple[str, str]] = set()
    for number, note in enumerate(act.paragraphs):
        at: Place = ("paragraphs", number)
        if (note.part, note.paragraph) in seen:
            yield Wrong((*at, "paragraph"), f"пункт {note.paragraph} назван дважды")
        seen.add((note.part, note.paragraph))
        if bool(note.lives) == bool(note.nothing):
            yield Wrong(at, "ожидается одно из двух: lives (где пункт живёт) или nothing (почему ничего не требует)")
        for place in note.lives:
            if not lives_somewhere(act, place):
                rooms = ", ".join(sorted(ROOMS))
                yield Wrong(
                    (*at, "lives"), f"места {place} нет; ожидается поле акта, authority.<поле> или одно из: {rooms}"
                )
    if act.paragraphs:
        known = {paragraph for _, paragraph in seen}
        for paragraph, cited_at in paragraphs_cited(act).items():
            if paragraph not in known:
                yield Wrong(cited_at, f"пункта {paragraph} нет в перечне paragraphs")


def _citations(data: Any, at: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(data, list):
        for number, item in enumerate(data):
            yield from _citations(item, (*at, number))
    elif isinstance(data, dict):
        for name, value in data.items():
            here = (*at, name)
            if isinstance(value, str) and (_cites(name) or at[-1:] in {("grounds",), ("registers",)}):
                yield here, value
            else:
                yield from _citations(value, here)


def _cites(name: str) -> bool:
    return name == "paragraph" or name.endswith("_paragraph") or name in {"moderation", "substitutes"}
