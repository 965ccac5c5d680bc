"""Forms: which commands a visitor may give on a message as it stands. Workflow judges them; a form that is not shown only
spares a refusal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from regulations.directory import Directory
from regulations.model import Act
from schemas import events
from schemas.envelope import Actor
from services.reporting.exports import words
from services.reporting.pages.queue import CLOSED
from services.reporting.projections.register import LIVE, Assignment, Draft, Row

Kind = Literal["text", "area", "select", "list", "number", "bool", "hidden", "route", "url"]
Options = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a command's `data`. `kind` says how its text becomes JSON: `list` by commas, `bool`, `number`, as it is."""

    name: str
    label: str = ""
    kind: Kind = "text"
    required: bool = False
    value: str = ""
    options: Options = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """A command. `first`: what the message waits for now, shown open; `danger`: it takes something away."""

    command: str
    title: str
    button: str
    fields: Sequence[Field] = field(default_factory=tuple)
    first: bool = False
    danger: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What the forms are made by: the message, its law, its open escalations and cases, its unexcused breaches."""

    row: Row
    act: Act
    directory: Directory
    escalations: Sequence[str] = ()
    cases: Sequence[tuple[str, str]] = ()
    breaches: Sequence[tuple[str, int]] = ()

    @property
    def open(self) -> bool:
        return self.row.status not in CLOSED

    def draft(self, *statuses: str) -> Draft | None:
        return next((draft for draft in self.row.work.drafts if draft.status in statuses), None)

    @property
    def live(self) -> list[Assignment]:
        return [held for held in self.row.work.assignments if held.status in LIVE]

    def name(self, agency: str) -> str:
        known = self.directory.agencies.get(agency)
        return agency if known is None else known.name


def forms(standing: Standing, actor: Actor) -> list[Form]:
    """What the message waits for first, then the rest in the order of work."""
    found: list[Form] = []
    if "coordinator" in actor.roles:
        found += [*_of_coordinator(standing), *_around(standing)]
    if "executor" in actor.roles and actor.agency is not None:
        found += _of_executor(standing, actor.agency)
    if "deputy" in actor.roles and standing.act.escalation.forwarded_by:
        found += [
            Form(
                "forward_escalation",
                "Доклад ждёт подписи",
                "Направить дальше",
                [Field("escalation_id", kind="hidden", value=one)],
                first=True,
            )
            for one in standing.escalations
        ]
    if {"head", "coordinator"} & set(actor.roles):
        found += _excuses(standing)
    if "committee" in actor.roles:
        found += _of_committee(standing)
    return sorted(found, key=lambda form: not form.first)


def _of_coordinator(standing: Standing) -> Iterator[Form]:
    row, act = standing.row, standing.act
    if row.status == "dismissed":
        yield Form("reopen", "Вернуть в работу", "Вернуть", [_area("reason", "Причина")])
    if not standing.open:
        return
    reviewed, approved = standing.draft("in_review"), standing.draft("approved")
    if reviewed is not None:
        yield from _review(reviewed)
    if approved is not None:
        if act.publication.by == "coordinator":
            yield _publication(approved, act)
        yield _send_back(approved, first=False)
    if act.joint.contributions_approved:
        yield from _contributions(standing)
    if row.drafted_by == events.COORDINATOR and reviewed is None and approved is None:
        yield _draft(standing, first=True)
    yield _triage(row, act, standing.directory)
    if row.importance is not None and reviewed is None and approved is None:
        yield _route(standing)
    for held in standing.live:
        yield from _moving(standing, held)
    if not row.work.interim:
        yield _dismissal(act)


def _review(draft: Draft) -> Iterator[Form]:
    scores = [("", "без оценки"), *((str(score), str(score)) for score in range(5, 0, -1))]
    approval = [_draft_id(draft), Field("quality", "Оценка качества", "number", options=scores)]
    yield Form("approve_draft", f"Согласовать: {words.KINDS[draft.kind]}", "Согласовать", approval, first=True)
    yield _send_back(draft, first=True)


def _send_back(draft: Draft, *, first: bool) -> Form:
    fields = [_draft_id(draft), _area("comments", "Замечания")]
    return Form("send_back_draft", "Вернуть на доработку", "Вернуть", fields, first=first, danger=True)


def _publication(draft: Draft, act: Act) -> Form:
    fields = [_draft_id(draft), Field("url", "Ссылка на размещённый ответ", "url", required=True)]
    if "own_account" in act.publication.places:
        places = [("same", "там же, где сообщение"), ("own_account", "в аккаунте органа: иначе невозможно")]
        fields += [Field("place", "Где размещён", "select", options=places)]
        fields += [Field("author_link", "Ссылка на автора", "url", hint="нужна для размещения в своём аккаунте")]
    title = f"Сообщить о размещении: {words.KINDS[draft.kind]}"
    return Form("report_publication", title, "Размещено", fields, first=True)


def _contributions(standing: Standing) -> Iterator[Form]:
    for held in standing.live:
        if held.status == "contributed":
            own, name = Field("assignment_id", kind="hidden", value=held.assignment_id), standing.name(held.agency)
            yield Form("approve_contribution", f"Согласовать информацию: {name}", "Согласовать", [own], first=True)
            comments = [own, _area("comments", "Замечания")]
            yield Form("send_back_contribution", f"Вернуть информацию: {name}", "Вернуть", comments, danger=True)


def _triage(row: Row, act: Act, directory: Directory) -> Form:
    topics = sorted({topic for agency in directory.agencies.values() for topic in agency.topics})
    fields = [
        Field(
            "topics", "Темы", "list", True, ", ".join(row.topics), [(topic, topic) for topic in topics], "через запятую"
        ),
        Field("topic_group", "Группа тем", value=row.topic_group or ""),
        Field("location", "Местность", required=True, value=row.location or ""),
        Field(
            "importance",
            "Важность",
            "select",
            True,
            row.importance or "ordinary",
            [("ordinary", "обычная"), ("high", "высокая")],
        ),
    ]
    if act.reducing.source != "none":
        stated = act.reducing.stated
        choice = [("", "по положению")] if not stated else []
        answer = "" if row.reduced is None else str(row.reduced).lower()
        options = [*choice, ("false", "нет"), ("true", "да")]
        hint = f"пункт {act.reducing.paragraph}"
        fields.append(Field("reduced", "Сокращённый срок", "bool", stated, answer, options, hint))
    fields.append(
        Field("repeat_of", "Повторное к сообщению", value=row.repeat_of or "", hint="номер отвеченного сообщения")
    )
    if row.importance is None:
        return Form("triage", "Разобрать", "Разобрать", fields, first=True)
    fields.append(Field("reason", "Причина изменения", "area"))
    return Form("triage", "Разобрать заново", "Изменить", fields)


def _route(standing: Standing) -> Form:
    row, act = standing.row, standing.act
    held = {one.agency for one in standing.live}
    wanted = {topic.casefold() for topic in row.topics}

    def fits(agency: Any) -> bool:
        return any(topic.casefold() in wanted for topic in agency.topics)

    agencies = sorted(
        (agency for agency in standing.directory.agencies.values() if not agency.closed),
        key=lambda agency: (agency.id not in held, not fits(agency), agency.name),
    )
    options = [(agency.id, agency.name) for agency in agencies]
    value = ",".join(held) or next((agency.id for agency in agencies if fits(agency)), "")
    fields = [Field("assignments", "Исполнители", "route", True, value, options)]
    if act.joint.drafted_by == "named":
        named = [("", "по положению"), (events.COORDINATOR, words.ROLES["coordinator"]), *options]
        fields.append(
            Field("drafted_by", "Кто готовит общий ответ", "select", options=named, hint=f"пункт {act.joint.paragraph}")
        )
    title = "Направить" if not held else "Направить ещё"
    return Form("route", title, "Направить", fields, first=not held)


def _moving(standing: Standing, held: Assignment) -> Iterator[Form]:
    own, name = Field("assignment_id", kind="hidden", value=held.assignment_id), standing.name(held.agency)
    others = [(agency.id, agency.name) for agency in standing.directory.agencies.values() if agency.id != held.agency]
    to = Field("agency", "Кому", "select", True, options=others)
    yield Form("reassign", f"Передать другому: {name}", "Передать", [own, to, Field("reason", "Причина", "area")])
    yield Form("recall", f"Отозвать: {name}", "Отозвать", [own, _area("reason", "Причина")], danger=True)


def _dismissal(act: Act) -> Form:
    grounds = ["no_response_needed", *act.dismissal.grounds, "post_removed"]
    options = [(ground, words.GROUNDS[ground]) for ground in grounds]
    fields = [Field("ground", "Основание", "select", True, options=options), Field("note", "Примечание", "area")]
    if act.dismissal.moderation is not None:
        fields.append(Field("moderation", "Меры модерации", "list", hint="deleted, author_blocked"))
    return Form("dismiss", "Не подлежит обработке", "Не обрабатывать", fields, danger=True)


def _around(standing: Standing) -> Iterator[Form]:
    """What a coordinator may do beside the way from post to answer, also after it."""
    act = standing.act
    grounds = [(ground, words.GROUNDS[ground]) for ground in act.escalation.grounds]
    fields = [Field("ground", "Основание", "select", True, options=grounds), _area("summary", "Суть")]
    yield Form("escalate", f"Доложить: {act.escalation.to}", "Доложить", fields)
    if standing.row.status == "answered":
        satisfied = [("true", "да"), ("false", "нет")]
        yield Form("record_feedback", "Мнение автора", "Записать", [
            Field("satisfied", "Доволен ответом", "bool", True, options=satisfied), Field("note", "Примечание", "area"),
        ])  # fmt: skip
        scores = [(str(score), str(score)) for score in range(5, 0, -1)]
        yield Form("score_answer", "Оценить ответ", "Оценить", [
            Field("score", "Оценка", "number", True, options=scores), Field("note", "Примечание", "area"),
        ])  # fmt: skip
    if act.shortcomings is not None and standing.row.seen_by:
        agencies = [(agency, standing.name(agency)) for agency in standing.row.seen_by]
        yield Form("report_shortcoming", "Сообщить о недостатках", "Сообщить", [
            Field("agency", "Орган", "select", True, options=agencies), _area("description", "Недостаток"),
        ])  # fmt: skip
    if act.law_enforcement is not None:
        yield _referral()


def _of_executor(standing: Standing, agency: str) -> Iterator[Form]:
    row, act = standing.row, standing.act
    own = next((held for held in standing.live if held.agency == agency and held.status != "waiting"), None)
    if act.law_enforcement is not None:
        yield _referral()
    if act.cases is not None and row.status == "answered":
        yield Form("propose_case", "Предложить кейс", "Предложить", [_area("text", "Что решено")])
    if own is None or not standing.open:
        return
    approved = standing.draft("approved")
    if approved is not None and act.publication.by == "lead" and own.role == "lead":
        yield _publication(approved, act)
    if own.drafts and approved is None and standing.draft("in_review") is None:
        yield _draft(standing, first=True)
    if row.joint and not own.drafts and own.status == "issued":
        assignment = Field("assignment_id", kind="hidden", value=own.assignment_id)
        yield Form(
            "contribute", "Предоставить информацию", "Направить", [assignment, _area("text", "Информация")], first=True
        )
    if own.status == "issued" and not any(draft.by == agency for draft in row.work.drafts):
        assignment = Field("assignment_id", kind="hidden", value=own.assignment_id)
        asked = Field(
            "justification", "Обоснование", "area", act.returning.justification, hint=f"пункт {act.returning.paragraph}"
        )
        yield Form("return", "Вернуть не по компетенции", "Вернуть", [assignment, asked], danger=True)


def _draft(standing: Standing, *, first: bool) -> Form:
    kinds = [(kind, words.KINDS[kind]) for kind in standing.act.drafting.kinds]
    fields = [Field("kind", "Вид", "select", True, options=kinds), _area("text", "Текст ответа")]
    if standing.row.repeat_of is not None and standing.act.repeat.must_tell_measures:
        hint = f"одно из двух, пункт {standing.act.repeat.paragraph}"
        fields += [Field("measures", "Принятые меры", "area", hint=hint), Field("progress", "Ход решения", "area")]
    return Form("submit_draft", "Подготовить проект", "На согласование", fields, first=first)


def _excuses(standing: Standing) -> Iterator[Form]:
    for rule, occurrence in standing.breaches:
        fields = [
            Field("rule", kind="hidden", value=rule),
            Field("occurrence", kind="number", value=str(occurrence)),
            _area("reason", "Причина"),
        ]
        title = f"Признать нарушение уважительным: {words.of(words.RULES, rule)}"
        yield Form("excuse_breach", title, "Признать", fields)


def _of_committee(standing: Standing) -> Iterator[Form]:
    for case_id, text in standing.cases:
        own = Field("case_id", kind="hidden", value=case_id)
        yield Form("agree_case", f"Согласовать кейс: {text[:80]}", "Согласовать", [own], first=True)
        yield Form(
            "refuse_case", "Отказать в согласовании кейса", "Отказать", [own, _area("reason", "Причина")], danger=True
        )


def _referral() -> Form:
    fields = [Field("body", "Орган", required=True), _area("summary", "Суть")]
    return Form("refer_to_law_enforcement", "Передать в правоохранительные органы", "Передать", fields)


def _draft_id(draft: Draft) -> Field:
    return Field("draft_id", kind="hidden", value=draft.draft_id)


def _area(name: str, label: str) -> Field:
    return Field(name, label, "area", required=True)
