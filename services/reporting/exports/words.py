"""Russian words for what the contract names in English: the same on pages and in files."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo

from regulations.words import RULES as RULES
from schemas.roles import ROLES as ROLES

STATUSES = {
    "registered": "зарегистрировано",
    "triaged": "разобрано",
    "in_work": "в работе",
    "in_review": "на согласовании",
    "in_rework": "на доработке",
    "approved": "согласовано",
    "clarifying": "запрошено уточнение",
    "interim_answered": "дан промежуточный ответ",
    "answered": "отвечено",
    "dismissed": "не подлежит обработке",
}
DEADLINE_STATES = {
    "open": "идёт",
    "met": "исполнен в срок",
    "breached": "нарушен",
    "met_late": "исполнен с опозданием",
    "cancelled": "отменён",
    "excused": "нарушение признано уважительным",
    "pending": "ждёт календаря",
}
"""The contract's states of a deadline; `pending`: none yet, for want of a calendar year."""
NETWORKS = {
    "vk": "ВКонтакте",
    "ok": "Одноклассники",
    "telegram": "Telegram",
    "max": "MAX",
    "dzen": "Дзен",
    "site": "сайт",
    "messenger": "мессенджер",
}
TOPICS = {
    "utilities": "коммунальные услуги",
    "housing": "жильё",
    "improvement": "благоустройство",
    "roads": "дороги",
    "transport": "транспорт",
    "social": "социальная защита",
    "health": "здравоохранение",
    "garbage": "мусор",
    "education": "образование",
    "ecology": "экология",
    "agriculture": "сельское хозяйство",
    "culture": "культура",
    "power-outage": "отключение света",
    "heating-outage": "отключение отопления",
    "air-ambulance": "санитарная авиация",
    "industry": "промышленность",
    "energy": "энергетика",
    "communications": "связь",
}
"""Topics are whatever an authority calls them; these are the ones that are shipped as examples."""
IMPORTANCE = {"ordinary": "обычная", "high": "высокая", "": "не определена"}
GROUNDS = {
    "no_response_needed": "ответ не требуется",
    "intent_to_harm": "намерение причинить вред",
    "obscene_or_insulting": "нецензурное или оскорбительное",
    "threat": "угрозы",
    "spam": "спам",
    "post_removed": "публикация удалена",
    "socially_significant": "общественно значимое",
    "rising_activity": "рост активности",
    "resonance": "резонанс",
}
MODERATION = {"deleted": "комментарий удалён", "author_blocked": "автор заблокирован"}
WHOM = {"executor": "исполнитель", "sector_block": "руководитель отраслевого блока"}
"""Who is told of a step, beside the coordinator, whom each act calls in its own way."""
KINDS = {"answer": "ответ", "interim": "промежуточный ответ", "clarification": "запрос уточнения"}
DELIVERY = {
    None: "ещё не отправлено",
    "sent-for-agreement": "на согласовании комитета",
    "agreed": "согласовано",
    "refused": "в согласовании отказано",
    "delivered": "представлено",
}
COUNTS = {
    "received": "Поступило",
    "answered": "Дан ответ",
    "dismissed": "Не подлежит обработке",
    "sent_back": "Проектов возвращено на доработку",
    "interim": "Промежуточных ответов",
    "clarification": "Запросов уточнения",
    "contribution_sent_back": "Информации возвращено соисполнителям",
    "returned": "Возвращено не по компетенции",
    "recalled": "Отозвано у исполнителей",
    "reopened": "Возвращено в работу",
    "escalated": "Доложено руководству",
    "referred": "Передано в правоохранительные органы",
    "shortcoming": "Сообщено о недостатках",
    "case_agreed": "Согласовано кейсов",
    "case_published": "Опубликовано кейсов",
}


def topics(names: Iterable[str]) -> str:
    """«дороги, мусор»."""
    return ", ".join(of(TOPICS, name) for name in names)


def of(words: dict[str, str], name: str | None) -> str:
    """The word, or the name itself where there is none: a new slug must not break a page."""
    return words.get(name or "", name or "—")


def moment(at: datetime | None, zone: tzinfo) -> str:
    """`16.11.2026 09:30` by the authority's clock."""
    return "—" if at is None else f"{at.astimezone(zone):%d.%m.%Y %H:%M}"


def paragraph(number: str) -> str:
    """«пункт 9», «пункты 4, 21»."""
    return f"{'пункты' if ',' in number else 'пункт'} {number}"


def percent(share: float | None) -> str:
    return "—" if share is None else f"{share * 100:.1f}".removesuffix(".0").replace(".", ",") + "\u00a0%"


def decimal(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}".rstrip("0").rstrip(".").replace(".", ",")


def lasting(seconds: float | None) -> str:
    """«1 сут 3 ч 20 мин» of plain time."""
    if seconds is None:
        return "—"
    minutes = int(timedelta(seconds=seconds).total_seconds() // 60)
    days, rest = divmod(minutes, 1440)
    hours, minutes = divmod(rest, 60)
    parts = [f"{days} сут" if days else "", f"{hours} ч" if hours else "", f"{minutes} мин" if minutes else ""]
    return " ".join(filter(None, parts)) or "меньше минуты"


def kept(met: int, breached: int) -> str:
    """The share of duties kept, in percent."""
    return percent(met / (met + breached) if met + breached else None)
