"""What an act says, told in Russian from its data: one line for each datum. For `docs/regulations/`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta

from regulations.model import Act, Clock, Debtor, Rule, RuleName
from regulations.words import RULES

SPANS: Mapping[RuleName, str] = {
    "route": "от выявления до первого направления или закрытия",
    "return": "от поручения до возврата",
    "reroute": "от возврата до нового поручения или закрытия",
    "answer": "до размещения ответа или промежуточного ответа",
    "draft": "первый проект на согласование",
    "review": "от проекта до согласования или возврата на доработку",
    "rework": "от возврата проекта до следующего проекта",
    "publish": "от согласования до размещения",
    "contribution": "от поручения до информации",
    "contribution_review": "от её поступления до решения",
    "final_draft": "от первого промежуточного ответа до проекта ответа",
    "case_review": "от предложения до решения",
    "case_report": "от опубликования до сведений",
    "summary": "от конца периода до представления",
    "summary_review": "от направления комитету до решения",
}
"""From what to what each rule runs."""
DEBTORS: dict[Debtor, str] = {
    "coordinator": "координатор",
    "assignee": "орган, которому дано поручение",
    "lead": "ведущий орган (пока его нет – координатор)",
    "drafter": "тот, кто готовит проект",
    "committee": "комитет",
    "proposer": "орган, предложивший кейс",
}
_KINDS = {"answer": "ответ", "interim": "промежуточный ответ", "clarification": "уточнение"}
_GROUNDS = {
    "intent_to_harm": "намерение причинить вред",
    "obscene_or_insulting": "нецензурные или оскорбительные выражения",
    "threat": "угрозы",
    "spam": "спам",
    "socially_significant": "общественная значимость",
    "rising_activity": "рост социальной активности",
    "resonance": "общественный резонанс",
}
_SOURCES = {
    "decision": "решение координатора",
    "importance": "категория важности: повышенная – сокращённый срок, и наоборот",
    "topic_list": "тема из утверждённого перечня; одно решение координатора лишь помечает сообщение",
    "none": "сокращённого срока нет, при разборе он отклоняется",
}
_DRAFTERS = {
    "named": "кого назовёт координатор – орган или он сам",
    "coordinator": "координатор",
    "last": "последний по очереди исполнитель",
    "lead": "ведущий (основной, ответственный) исполнитель",
}
_TELLS = {
    "timeliness": "своевременность",
    "order": "соблюдение порядка",
    "quality": "качество",
    "dynamics": "динамика",
    "topics": "тематика",
    "structure": "количество и структура",
}
_RATED = {"quality": "качество", "in_time": "в срок", "activity": "активность", "mean_time": "среднее время"}
_ANALYSED = {
    "conflicts": "конфликты и ошибки",
    "best_practices": "лучшие практики",
    "problem_fields": "проблемные сферы",
}
_TOLD = {"executor": "исполнитель", "sector_block": "руководитель отраслевого блока", "coordinator": "координатор"}
_EVENTS = {
    "routed": "направлено",
    "assignment-returned": "возвращено",
    "draft-submitted": "проект представлен",
    "draft-approved": "проект согласован",
    "draft-sent-back": "проект возвращён на доработку",
}
_PERIODS = {"month": "месяц", "quarter": "квартал"}


def term(length: timedelta, clock: Clock) -> str:
    """A term in words: `30 минут рабочего времени`, `9 рабочих часов`, `8 часов круглосуточно`, `7 рабочих дней`."""
    if clock == "working_days" or (length >= timedelta(days=1) and not length % timedelta(days=1)):
        count = length // timedelta(days=1)
        return (
            f"{count} {'рабочих' if clock == 'working_days' else 'календарных'} {_form(count, 'день', 'дня', 'дней')}"
        )
    minutes = length // timedelta(minutes=1)
    if minutes % 60:
        text = f"{minutes} {_form(minutes, 'минута', 'минуты', 'минут')}"
        return f"{text} рабочего времени" if clock == "working" else f"{text} круглосуточно"
    hours = minutes // 60
    noun = _form(hours, "час", "часа", "часов")
    if clock == "plain":
        return f"{hours} {noun} круглосуточно"
    return f"{hours} {'рабочий' if noun == 'час' else 'рабочих'} {noun}"


def rule(name: RuleName, said: Rule) -> str:
    """One rule in one line, without its paragraph."""
    text = f"{RULES[name]}: {SPANS[name]} – "
    if said.before is not None:
        text += f"не позднее чем за {term(said.term, said.clock)} до срока ответа"
    else:
        text += term(said.term, said.clock)
    if said.reduced is not None:
        short = "нет срока" if said.reduced.term is None else term(said.reduced.term, said.clock)
        text += f"; при сокращённом сроке – {short} (пункт {said.reduced.paragraph})"
    if said.start == "received":
        text += "; счёт от получения"
    if said.capped_by is not None:
        text += "; не позже срока ответа"
    if said.window:
        return f"{text}; право, а не обязанность: {DEBTORS[said.owed_by]}"
    return f"{text}; отвечает {DEBTORS[said.owed_by]}"


def section(act: Act, name: str) -> list[str]:
    """What one part of an act says (`joint`, `dismissal`, …), in lines; [] where there is nothing to add."""
    tell = _SECTIONS.get(name)
    return list(tell(act)) if tell is not None else []


def _words(act: Act) -> Iterator[str]:
    yield f"координатор назван здесь «{act.words.coordinator}», высший руководитель – «{act.words.leader}»"


def _returning(act: Act) -> Iterator[str]:
    yield f"обоснование возврата: {'обязательно' if act.returning.justification else 'не требуется'}"


def _reducing(act: Act) -> Iterator[str]:
    stated = "; решение всегда указывается" if act.reducing.stated else ""
    yield f"откуда сокращённый срок: {_SOURCES[act.reducing.source]}{stated}"


def _joint(act: Act) -> Iterator[str]:
    joint = act.joint
    due = " к сроку ответа" if joint.draft_due else ""
    yield f"общий ответ готовит{due}: {_DRAFTERS[joint.drafted_by]}"
    order = "по очереди, которую задаёт координатор" if joint.order == "sequence" else "параллельно"
    approved = ", координатор её согласует" if joint.contributions_approved else ""
    names = {"coordinator": "координатору", "lead": "ведущему исполнителю"}
    yield f"информация готовится {order}; направляется {' и '.join(names[to] for to in joint.contributions_to)}{approved}"


def _drafting(act: Act) -> Iterator[str]:
    yield f"виды проекта: {_all(act.drafting.kinds, _KINDS)} (пункт {act.drafting.paragraph})"
    yield f"ответ – по существу, в стиле сети, с фото или видео, если есть (пункт {act.drafting.content_paragraph})"


def _publication(act: Act) -> Iterator[str]:
    yield f"размещает {'ведущий орган' if act.publication.by == 'lead' else 'координатор'}, там же, где сообщение"
    if "own_account" in act.publication.places:
        yield "если там технически нельзя – в своём аккаунте со ссылкой на автора"


def _dismissal(act: Act) -> Iterator[str]:
    for ground, paragraph in act.dismissal.grounds.items():
        whom = ""
        if ground == "threat":
            whom = " кому бы то ни было" if act.dismissal.threat_to == "anyone" else " должностному лицу или его семье"
        yield f"не обрабатывается: {_GROUNDS[ground]}{whom} (пункт {paragraph})"
    if act.dismissal.moderation is not None:
        yield f"комментарий можно удалить, автора – заблокировать (пункт {act.dismissal.moderation})"


def _repeat(act: Act) -> Iterator[str]:
    measures = "; ответ сообщает о мерах или о ходе решения" if act.repeat.must_tell_measures else ""
    yield f"направляется заново, порядок – пункты {act.repeat.procedure}{measures}"


def _escalation(act: Act) -> Iterator[str]:
    said = act.escalation
    through = f", через: {said.forwarded_by}" if said.forwarded_by else ""
    yield f"незамедлительно – {said.to}{through}; основания: {_all(said.grounds, _GROUNDS)}"
    if said.owed_by_high_importance:
        yield "доклад нужен о каждом сообщении повышенной важности"


def _shortcomings(act: Act) -> Iterator[str]:
    if act.shortcomings is not None:
        heads = "; руководитель органа" if act.shortcomings.agency_head else ""
        yield f"о недостатках сообщают (по сфере): {'; '.join(act.shortcomings.to)}{heads}"


def _law_enforcement(act: Act) -> Iterator[str]:
    if act.law_enforcement is not None:
        yield "исполнитель незамедлительно сообщает в правоохранительные органы (refer_to_law_enforcement)"


def _notices(act: Act) -> Iterator[str]:
    for notice in act.notices:
        yield f"извещаются, когда {_EVENTS.get(notice.on, notice.on)}: {_all(notice.whom, _TOLD)} (пункт {notice.paragraph})"


def _summary(act: Act) -> Iterator[str]:
    said = act.summary
    due = f"не позднее {said.due_day}-го числа" if said.due_day else "день не назван, срока нет"
    yield f"раз в {_PERIODS[said.period]}, {due}; кому: {said.to}; о чём: {_all(said.tells, _TELLS)}"
    if said.agreed_by_committee:
        yield "текст согласует комитет"


def _rating(act: Act) -> Iterator[str]:
    if act.rating is not None:
        agreed = "согласует комитет; " if act.rating.agreed_by_committee else ""
        yield f"рейтинг исполнителей: {_all(act.rating.indicators, _RATED)}; {agreed}кому: {act.rating.to}"


def _cases(act: Act) -> Iterator[str]:
    if act.cases is not None:
        yield "успешный кейс: предложен, согласован или отклонён с причиной, опубликован, сообщено об опубликовании"


def _analysis(act: Act) -> Iterator[str]:
    if act.analysis is not None:
        yield f"анализ: {_all(act.analysis.tells, _ANALYSED)}"


def _registers(act: Act) -> Iterator[str]:
    if act.registers.answered is not None:
        yield f"реестр отвеченных сообщений (пункт {act.registers.answered})"
    if act.registers.accounts is not None:
        yield f"реестр официальных аккаунтов (пункт {act.registers.accounts})"
    if act.registers.posts_a_week is not None:
        yield f"рекомендация: {act.registers.posts_a_week} публикаций в неделю (пункт {act.registers.posts_paragraph})"


def _answerable(act: Act) -> Iterator[str]:
    names = {"executor": "исполнитель", "agency_head": "руководитель органа"}
    yield f"отвечает: {_all(act.answerable.who, names)}"


def _official(act: Act) -> Iterator[str]:
    if act.official.not_below is not None:
        yield "ответственное должностное лицо – не ниже заместителя руководителя (проверяется)"
    if act.official.substitutes is not None:
        yield "временно отсутствующих исполнителей замещают (дни и должности – в файле органа)"


def _channels(act: Act) -> Iterator[str]:
    other = " и другие" if act.other_channels else ""
    yield f"каналы: {', '.join(act.channels)}{other}"


def _appeals(act: Act) -> Iterator[str]:
    yield "сообщение – не обращение: сроков закона об обращениях система не ведёт"


def _satisfaction(act: Act) -> Iterator[str]:
    yield "удовлетворённость авторов записывается (record_feedback)"


_SECTIONS: dict[str, Callable[[Act], Iterator[str]]] = {
    "words": _words,
    "returning": _returning,
    "reducing": _reducing,
    "joint": _joint,
    "drafting": _drafting,
    "publication": _publication,
    "dismissal": _dismissal,
    "repeat": _repeat,
    "escalation": _escalation,
    "shortcomings": _shortcomings,
    "law_enforcement": _law_enforcement,
    "notices": _notices,
    "summary": _summary,
    "rating": _rating,
    "cases": _cases,
    "analysis": _analysis,
    "registers": _registers,
    "answerable": _answerable,
    "official": _official,
    "channels": _channels,
    "appeals_law_paragraph": _appeals,
    "satisfaction_paragraph": _satisfaction,
}


def _all(values: tuple[str, ...], names: dict[str, str]) -> str:
    return ", ".join(names[value] for value in values)


def _form(count: int, one: str, few: str, many: str) -> str:
    if count % 10 == 1 and count % 100 != 11:
        return one
    return few if count % 10 in {2, 3, 4} and count % 100 not in {12, 13, 14} else many
