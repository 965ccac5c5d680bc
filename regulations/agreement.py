"""Whether an authority and its acts agree: what each asks of the other. Pure; texts in Russian."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from regulations.agency import Agency
from regulations.authority import Authority
from regulations.contradictions import no_room_when_reduced
from regulations.merging import act_in_force
from regulations.model import Act
from regulations.wrong import Wrong
from schemas.events import COORDINATOR

LONGEST_DETECTION_AGE = timedelta(days=31)


def disagreements(authority: Authority, acts: Mapping[str, Act]) -> list[Wrong]:
    """Every fault of the authority against itself and its acts; places are in the authority's data."""
    found = [*_of_itself(authority)]
    for number, entry in enumerate(authority.regulations):
        act = acts.get(entry.id)
        if act is None:
            known = ", ".join(sorted(acts)) or "ни одного"
            found.append(Wrong(("regulations", number, "id"), f"акта {entry.id} нет; известны: {known}"))
            continue
        if entry.from_ < act.adopted:
            text = f"акт {act.id} принят {act.adopted:%d.%m.%Y}, раньше действовать не может"
            found.append(Wrong(("regulations", number, "from"), text))
        found += _of_act(authority, act)
    return list(dict.fromkeys(found))


def _of_itself(authority: Authority) -> Iterator[Wrong]:
    if not timedelta(0) < authority.max_detection_age <= LONGEST_DETECTION_AGE:
        yield Wrong(("max_detection_age",), "ожидается срок больше нуля и не больше P31D")
    yield from _twice("regulations", [entry.id for entry in authority.regulations], "акт")
    yield from _twice("regulations", [str(entry.from_) for entry in authority.regulations], "день вступления в силу")
    yield from _twice("regional_days", [str(entry.date) for entry in authority.regional_days], "день")
    yield from _twice("leaders", [leader.post for leader in authority.leaders], "должность")
    yield from _twice("committees", [committee.id for committee in authority.committees], "комитет")
    for name, agency in authority.agencies.items():
        yield from (
            Wrong(("agencies", name, *fault.place), fault.detail) for fault in _of_agency(authority, name, agency)
        )


def _of_agency(authority: Authority, name: str, agency: Agency) -> Iterator[Wrong]:
    if agency.id != name:
        yield Wrong(("id",), f"ожидается {name}, как в заголовке таблицы; получено: {agency.id}")
    if name == COORDINATOR:
        yield Wrong((), f"имя {COORDINATOR} занято: так называется сам координатор")
    yield from _twice("executors", list(agency.executors), "исполнитель")
    yield from _twice("topics", list(agency.topics), "тема")
    yield from _twice("accounts", [account.url for account in agency.accounts], "аккаунт")
    for number, entry in enumerate(agency.substitutes):
        if entry.until < entry.from_:
            yield Wrong(("substitutes", number, "until"), f"ожидается день не раньше {entry.from_:%d.%m.%Y}")
        if entry.post not in agency.posts:
            known = "; ".join(agency.posts)
            yield Wrong(("substitutes", number, "post"), f"такой должности в органе нет; есть: {known}")
        if entry.by == entry.post:
            yield Wrong(("substitutes", number, "by"), "ожидается другая должность: сам себя не замещают")
    if agency.supervisor is not None and not authority.leaders_of(agency.supervisor):
        yield Wrong(("supervisor",), f"среди руководителей (leaders) нет должности «{agency.supervisor}»")


def _of_act(authority: Authority, act: Act) -> Iterator[Wrong]:
    for title, paragraph, what in _leaders_asked(act):
        if not authority.leaders_of(title):
            text = f"среди руководителей нет должности «{title}»: {what} (акт {act.id}, пункт {paragraph})"
            yield Wrong(("leaders",), text)
    committee = _asks_committee(act)
    if committee is not None and not authority.committees:
        yield Wrong(("committees",), f"нужен комитет, который согласует (акт {act.id}, пункт {committee})")
    sector_block = next((notice.paragraph for notice in act.notices if "sector_block" in notice.whom), None)
    heads = _asks_heads(act)
    for name, agency in authority.agencies.items():
        if agency.closed:
            continue
        at = ("agencies", name)
        if sector_block is not None and agency.sector_block is None:
            text = f"нужен руководитель отраслевого блока, которого извещают (акт {act.id}, пункт {sector_block})"
            yield Wrong((*at, "sector_block"), text)
        if heads is not None and agency.head is None:
            yield Wrong((*at, "head"), f"нужна должность руководителя органа (акт {act.id}, пункт {heads})")
        if act.official.not_below is not None:
            yield from _official(at, agency, act)
    yield from _reduced(authority, act)
    yield from _overridden(authority, act)


def _official(at: tuple[str, ...], agency: Agency, act: Act) -> Iterator[Wrong]:
    where = f"(акт {act.id}, пункт {act.official_paragraph})"
    if agency.official is None:
        yield Wrong((*at, "official"), f"нужно ответственное должностное лицо {where}")
    elif agency.official_level not in {"head", "deputy_head"}:
        text = (
            f"ответственный должен быть не ниже заместителя руководителя: official_level head или deputy_head {where}"
        )
        yield Wrong((*at, "official_level"), text)


def _reduced(authority: Authority, act: Act) -> Iterator[Wrong]:
    where = f"(акт {act.id}, пункт {act.reducing.paragraph})"
    for name, term in authority.reduced.items():
        rule = act.rules.get(name)
        if rule is None or name not in {"answer", "draft"}:
            yield Wrong(("reduced", name), f"сокращённым бывает только срок ответа (answer) и проекта (draft) {where}")
        elif act.reducing.source == "none":
            yield Wrong(("reduced", name), f"акт не знает сокращённого срока {where}")
        elif rule.reduced is not None:
            text = f"акт сам говорит о сокращённом сроке (акт {act.id}, пункт {rule.reduced.paragraph})"
            yield Wrong(("reduced", name), text)
        elif term == "none":
            if name == "answer":
                yield Wrong(("reduced", name), f"срок ответа есть всегда: ожидается срок, не none {where}")
        elif not timedelta(0) < term <= rule.term:
            yield Wrong(("reduced", name), f"ожидается срок больше нуля и не длиннее обычного {where}")
        elif crowded := no_room_when_reduced(act_in_force(act, authority), "draft"):
            yield Wrong(("reduced", "draft"), f"{crowded} (none) {where}")
    if authority.topic_list is not None and act.reducing.source != "topic_list":
        yield Wrong(("topic_list",), f"перечень тем ни на что не влияет: акт его не знает {where}")


def _overridden(authority: Authority, act: Act) -> Iterator[Wrong]:
    for number, override in enumerate(authority.overrides):
        for name in override.rules:
            if name not in act.rules:
                yield Wrong(("overrides", number, "rules"), f"правила {name} нет в акте {act.id}")
            elif override.clock is not None and act.rules[name].clock == "working_days":
                text = f"срок {name} считается в рабочих днях, часы к нему неприменимы (акт {act.id})"
                yield Wrong(("overrides", number, "rules"), text)


def _leaders_asked(act: Act) -> Iterator[tuple[str, str, str]]:
    yield act.escalation.to, act.escalation.paragraph, "кому докладывают незамедлительно"
    if act.escalation.forwarded_by is not None:
        yield act.escalation.forwarded_by, act.escalation.paragraph, "через кого идёт незамедлительный доклад"
    yield act.summary.to, act.summary.paragraph, "кому представляют сводную информацию"
    if act.rating is not None:
        yield act.rating.to, act.rating.paragraph, "кому направляют рейтинг"
    if act.shortcomings is not None:
        for title in act.shortcomings.to:
            yield title, act.shortcomings.paragraph, "кому сообщают о недостатках"


def _asks_committee(act: Act) -> str | None:
    if act.summary.agreed_by_committee:
        return act.summary.paragraph
    if act.rating is not None and act.rating.agreed_by_committee:
        return act.rating.paragraph
    return act.cases.paragraph if act.cases is not None else None


def _asks_heads(act: Act) -> str | None:
    if "agency_head" in act.answerable.who:
        return act.answerable.paragraph
    return act.shortcomings.paragraph if act.shortcomings is not None and act.shortcomings.agency_head else None


def _twice(place: str, values: list[str], what: str) -> Iterator[Wrong]:
    for number, value in enumerate(values):
        if value in values[:number]:
            yield Wrong((place, number), f"{what} «{value}» назван дважды")
