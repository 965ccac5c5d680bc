"""Why a deadline stands where it stands, in Russian, line by line: paragraph, readings applied, start, every stretch of time
that counted, what was skipped and why, end, warning, and the amendments that it was judged by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from regulations.words import RULES
from regulations.working_time.explain import (
    explain_before,
    explain_last_working_day,
    explain_plain_before,
    explain_plain_term,
    explain_term,
    explain_working_days,
)
from regulations.working_time.wording import duration, moment
from services.sla.law import Law
from services.sla.terms import Term, counts_from, warned_part

STARTS = {
    "route": "выявление сообщения",
    "return": "направление исполнителю",
    "reroute": "возврат",
    "answer": "выявление сообщения",
    "draft": "выявление сообщения",
    "review": "представление проекта",
    "rework": "возврат проекта на доработку",
    "publish": "согласование проекта",
    "contribution": "направление соисполнителю",
    "contribution_review": "поступление информации соисполнителя",
    "final_draft": "размещение первого промежуточного ответа",
    "case_review": "представление кейса",
    "case_report": "размещение кейса",
    "summary": "окончание периода",
    "summary_review": "направление на согласование",
}
WITH_THE_MESSAGE = frozenset({"route", "answer", "draft"})
BEGINNINGS = {"received": "поступление сообщения", "first_triage": "первое рассмотрение сообщения (прочтение 2)"}
NOTES = {
    1: "минуты и часы внутри срока в рабочих часах считаются по рабочему времени",
    3: "срок кончается в тот миг, когда истекло столько рабочего времени; ровно в срок – вовремя",
    4: "«не позднее чем за» – последний миг, до которого остаётся не меньше указанного времени",
    5: "рабочие дни считаются со дня после начала, последний – до конца рабочего дня",
    6: "это право, а не обязанность: просрочки и предупреждения нет",
    10: "сокращённый срок назван без числа: остаётся обычный",
    13: "размещение – не позднее срока ответа, пока ответ не дан",
    15: "если последний день – выходной, то последний рабочий день перед ним",
    17: "сокращённого срока здесь нет: признак не учитывается",
}
"""What the readings of `regulations.md` say, in one line; an act's own note goes before."""
BY_TRIAGE = (
    "орган считает срок не от выявления, а от первого рассмотрения сообщения;"
    " до него срок не идёт, хотя бы сообщение закрывали и возвращали в работу"
)
"""Reading 2 where the authority chose so (`detection_counts`); the act's own note speaks of the detection."""


def explain(law: Law, found: Term) -> tuple[str, ...]:
    """The lines of one deadline. They hang on nothing but the law and the term, so they are the same wherever they are made."""
    return (
        f"{_sentence(RULES[found.rule])}: {_article(law, found)}, {_length(law, found)}",
        *_readings(law, found),
        *_start(found, law),
        *_course(law, found),
        *_end(law, found),
        *_judged(found),
    )


def _article(law: Law, found: Term) -> str:
    number = "пункт" if "," not in found.paragraph else "пункты"
    issued = f" № {law.act.number}" if law.act.number else ""
    return f"{number} {found.paragraph} ({law.act.id}{issued})"


def _length(law: Law, found: Term) -> str:
    if found.how == "last_day":
        return f"не позднее {law.act.summary.due_day}-го числа следующего месяца"
    length = found.length or timedelta(0)
    if found.how == "days":
        return f"{length.days} {_days(length.days)}"
    by = "" if found.clock == "plain" else " рабочего времени"
    text = f"{duration(length)}{by}"
    if found.joint:
        return "общий ответ готовит координатор к сроку ответа"
    if found.how == "before":
        text = f"не позднее чем за {text} до срока ответа"
    return f"{text} (сокращённый срок)" if found.reduced else text


def _readings(law: Law, found: Term) -> Iterator[str]:
    for number in _applied(law, found):
        if number == 2 and counts_from(law, found.rule) == "first_triage":
            yield f"прочтение 2: {BY_TRIAGE}"
        else:
            yield from _noted(law, number)


def _noted(law: Law, number: int) -> Iterator[str]:
    """The line of a reading: the act's own note (or the authority's, which overrides it), else ours."""
    notes = NOTES | {reading.reading: reading.note for reading in law.act.readings}
    if number in notes:
        yield f"прочтение {number}: {notes[number]}"


def _applied(law: Law, found: Term) -> list[int]:
    """The numbers of the readings that this term leans on."""
    if found.how == "last_day":
        return [15]
    # Reading 2 stands where the term begins with the message itself.
    applied = [2] if found.rule in WITH_THE_MESSAGE else []
    plain_or_nested = found.clock == "plain" or (found.clock == "working" and found.rule != "answer")
    if plain_or_nested:
        applied.append(1)
    if found.how == "after" and found.clock == "working":
        applied.append(3)
    if found.how == "before" and not found.joint:
        applied.append(4)
    if found.how == "days":
        applied.append(5)
    if found.window:
        applied.append(6)
    if found.cap_at is not None:
        applied.append(13)
    if found.unnumbered:
        applied.append(17 if law.act.reducing.source == "none" else 10)
    if any(
        note.reading == 8 and note.paragraph and found.paragraph in note.paragraph.split(", ")
        for note in law.act.readings
    ):
        # A paragraph that refers to the wrong one (nenets 17).
        applied.append(8)
    return applied


def _start(found: Term, law: Law) -> Iterator[str]:
    start = STARTS[found.rule]
    if found.rule in WITH_THE_MESSAGE:
        start = BEGINNINGS.get(counts_from(law, found.rule), start)
    # The course of every other term tells the instant itself.
    yield f"отсчёт от события: {start}" + (f", {moment(found.starts_at)}" if found.how == "last_day" else "")


def _course(law: Law, found: Term) -> list[str]:
    plain = found.clock == "plain"
    if found.how == "last_day" and found.wanted is not None:
        if found.due_at.date() > found.wanted:
            return [
                f"последний день: {found.wanted:%d.%m.%Y}",
                "от конца периода до него нет рабочих дней (прочтение 15 вернуло бы срок в сам период)",
                f"окончание – с концом этого дня: {moment(found.due_at)}",
            ]
        return explain_last_working_day(law.schedule, found.wanted, found.due_at)
    if found.how == "days":
        return explain_working_days(law.schedule, found.starts_at, found.due_at)
    if found.how == "before" and found.anchor_at is not None:
        answer = explain_plain_term(law.plain, found.starts_at, found.anchor_at) if plain else explain_term(
            law.schedule, found.starts_at, found.anchor_at
        )  # fmt: skip
        lines = ["срок ответа:", *answer]
        if found.joint:
            return lines
        back = explain_plain_before(law.plain, found.due_at, found.anchor_at) if plain else explain_before(
            law.schedule, found.due_at, found.anchor_at
        )  # fmt: skip
        return [*lines, "срок проекта:", *back]
    if plain:
        return explain_plain_term(law.plain, found.starts_at, found.due_at)
    return explain_term(law.schedule, found.starts_at, found.due_at)


def _end(law: Law, found: Term) -> Iterator[str]:
    if found.cap_at is not None:
        yield f"не позднее срока ответа: {moment(found.cap_at)}"
    if found.warn_at is not None:
        part = warned_part(law, found.rule)
        yield f"предупреждение: {moment(found.warn_at)}, за {round(part * 100)} % времени до срока"
        yield from _noted(law, 18)


def _judged(found: Term) -> Iterator[str]:
    numbers = ", ".join(str(number) for number in found.amendments)
    yield f"по поправкам № {numbers}" if "," in numbers else f"по поправке № {numbers}"


def _days(number: int) -> str:
    if number % 10 == 1 and number % 100 != 11:
        return "рабочий день"
    if number % 10 in (2, 3, 4) and number % 100 not in (12, 13, 14):
        return "рабочих дня"
    return "рабочих дней"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
