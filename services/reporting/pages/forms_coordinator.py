"""The coordinator's forms: triage, routing, review, and what he may do beside the way from post to answer."""

from __future__ import annotations

from collections.abc import Iterator

from regulations.agency import Agency
from regulations.directory import Directory
from regulations.model import Act
from schemas import events
from services.reporting.exports import words
from services.reporting.pages import forms_executor
from services.reporting.pages.fields import Field, Form, area, draft_id, hidden, kind_of, scores
from services.reporting.pages.standing import Standing
from services.reporting.projections.register import Assignment, Draft, Row

IMPORTANCE = [("ordinary", "обычная"), ("high", "высокая")]
YES_NO = [("false", "нет"), ("true", "да")]


def forms(standing: Standing) -> Iterator[Form]:
    """What moves the message, then what stands beside its way, also after it is closed."""
    yield from _work(standing)
    yield from _around(standing)


def _work(standing: Standing) -> Iterator[Form]:
    row, act = standing.row, standing.act
    if row.status == "dismissed":
        yield Form("reopen", "Вернуть в работу", "Вернуть", [area("reason", "Причина")])
    if not standing.open:
        return
    reviewed, approved = standing.draft("in_review"), standing.draft("approved")
    if reviewed is not None:
        yield from _review(standing, reviewed)
    if approved is not None:
        if act.publication.by == "coordinator":
            yield forms_executor.publication(standing, approved)
        yield _send_back(approved, first=False)
    if act.joint.contributions_approved:
        yield from _contributions(standing)
    if row.drafted_by == events.COORDINATOR and reviewed is None and approved is None:
        yield forms_executor.draft(standing, first=True)
    yield _triage(row, act, standing.directory)
    if row.importance is not None and reviewed is None and approved is None:
        yield _route(standing)
    for held in standing.given_back:
        yield _reassign(standing, held)
    for held in standing.live:
        # Who leads or drafts keeps the message while a draft of it is in review or approved.
        if not (reviewed or approved) or not (held.role == "lead" or held.drafts):
            yield _reassign(standing, held)
            yield _recall(standing, held)
    if not row.work.interim:
        yield _dismissal(act)


def _review(standing: Standing, draft: Draft) -> Iterator[Form]:
    about = f"{kind_of(draft)}: {standing.name(draft.by)}"
    approval = [draft_id(draft), scores("quality", "Оценка качества", required=False)]
    yield Form("approve_draft", "Согласовать проект", "Согласовать", approval, first=True, about=about)
    yield _send_back(draft, first=True)


def _send_back(draft: Draft, *, first: bool) -> Form:
    fields = [draft_id(draft), area("comments", "Замечания")]
    title = "Вернуть проект на доработку"
    return Form("send_back_draft", title, "Вернуть", fields, first=first, danger=True)


def _contributions(standing: Standing) -> Iterator[Form]:
    for held in standing.live:
        if held.status == "contributed":
            own, name = hidden("assignment_id", held.assignment_id), standing.name(held.agency)
            yield Form("approve_contribution", "Согласовать информацию", "Согласовать", [own], first=True, about=name)
            comments = [own, area("comments", "Замечания")]
            title = "Вернуть информацию"
            yield Form("send_back_contribution", title, "Вернуть", comments, danger=True, first=True, about=name)


def _triage(row: Row, act: Act, directory: Directory) -> Form:
    """Topics, place, importance, and the reduced term as the act has it decided."""
    known = {topic for agency in directory.agencies.values() for topic in agency.topics} | set(row.topics)
    topics = sorted(((topic, words.of(words.TOPICS, topic)) for topic in known), key=lambda one: one[1].casefold())
    fields = [
        Field("topics", "Темы", "checks", True, ",".join(row.topics), topics, other="другие, через запятую"),
        Field("topic_group", "Группа тем", value=row.topic_group or ""),
        Field("location", "Местность", required=True, value=row.location or ""),
        Field("importance", "Важность", "select", True, row.importance or "ordinary", IMPORTANCE),
    ]
    if act.reducing.source != "none":
        by_act = [] if act.reducing.stated else [("", "по положению")]
        answer = "" if row.reduced is None or not act.reducing.stated else str(row.reduced).lower()
        hint = words.paragraph(act.reducing.paragraph)
        fields.append(
            Field("reduced", "Сокращённый срок", "bool", act.reducing.stated, answer, [*by_act, *YES_NO], hint)
        )
    hint = f"номер или адрес отвеченного сообщения, {words.paragraph(act.repeat.paragraph)}"
    fields.append(Field("repeat_of", "Повторное к сообщению", "message", value=row.repeat_of or "", hint=hint))
    if row.importance is None:
        return Form("triage", "Разобрать", "Разобрать", fields, first=True)
    fields.append(area("reason", "Причина изменения", required=False))
    return Form("triage", "Разобрать заново", "Изменить", fields)


def _route(standing: Standing) -> Form:
    row, act = standing.row, standing.act
    held = {one.agency for one in standing.live}
    returned = {one.agency for one in row.work.assignments if one.status == "returned"} - held
    wanted = {topic.casefold() for topic in row.topics}

    def fits(agency: Agency) -> bool:
        return agency.id not in returned and any(topic.casefold() in wanted for topic in agency.topics)

    agencies = sorted(
        (agency for agency in standing.directory.agencies.values() if not agency.closed or agency.id in held),
        key=lambda agency: (agency.id not in held, not fits(agency), agency.id in returned, agency.name),
    )
    options = [(agency.id, agency.name + (" (вернул)" if agency.id in returned else "")) for agency in agencies]
    value = ",".join(held) or next((agency.id for agency in agencies if fits(agency)), "")
    fields = [Field("assignments", "Исполнители", "route", True, value, options)]
    if act.joint.drafted_by == "named":
        named = [("", "укажите"), (events.COORDINATOR, standing.name(events.COORDINATOR)), *options]
        hint = words.paragraph(act.joint.paragraph)
        fields.append(Field("drafted_by", "Кто готовит общий ответ", "select", options=named, hint=hint))
    title = "Направить" if not held else "Изменить состав исполнителей"
    return Form("route", title, "Направить", fields, first=not held)


def _reassign(standing: Standing, held: Assignment) -> Form:
    """To another agency, in the same role and turn; what was returned waits for it."""
    working = {one.agency for one in standing.live} | {held.agency}
    wanted = {topic.casefold() for topic in standing.row.topics}
    others = sorted(
        (agency for agency in standing.directory.agencies.values() if agency.id not in working and not agency.closed),
        key=lambda agency: (wanted.isdisjoint(topic.casefold() for topic in agency.topics), agency.name),
    )
    to = Field("agency", "Кому", "select", True, options=[(agency.id, agency.name) for agency in others])
    fields = [hidden("assignment_id", held.assignment_id), to, area("reason", "Причина", required=False)]
    returned = held.status == "returned"
    about = standing.name(held.agency) + (" (вернул)" if returned else "")
    return Form("reassign", "Передать другому органу", "Передать", fields, first=returned, about=about)


def _recall(standing: Standing, held: Assignment) -> Form:
    fields = [hidden("assignment_id", held.assignment_id), area("reason", "Причина")]
    about = standing.name(held.agency)
    return Form("recall", "Отозвать поручение", "Отозвать", fields, danger=True, about=about)


def _dismissal(act: Act) -> Form:
    grounds = ["no_response_needed", *act.dismissal.grounds, "post_removed"]
    options = [(ground, words.GROUNDS[ground]) for ground in grounds]
    hint = words.paragraph(act.dismissal.paragraph)
    fields = [
        Field("ground", "Основание", "select", True, options=options, hint=hint),
        area("note", "Примечание", required=False),
    ]
    if act.dismissal.moderation is not None:
        hint = words.paragraph(act.dismissal.moderation)
        measures = list(words.MODERATION.items())
        fields.append(Field("moderation", "Меры модерации", "checks", options=measures, hint=hint))
    return Form("dismiss", "Не подлежит обработке", "Не обрабатывать", fields, danger=True)


def _around(standing: Standing) -> Iterator[Form]:
    """What a coordinator may do beside the way from post to answer, also after it."""
    act = standing.act
    grounds = [(ground, words.GROUNDS[ground]) for ground in act.escalation.grounds]
    fields = [Field("ground", "Основание", "select", True, options=grounds), area("summary", "Суть")]
    about = f"{act.escalation.forwarded_by or act.escalation.to}, {words.paragraph(act.escalation.paragraph)}"
    yield Form("escalate", "Доложить руководству", "Доложить", fields, standing.owes_escalation, about=about)
    answered = standing.row.status == "answered"
    if answered:
        yield Form("record_feedback", "Мнение автора", "Записать", [
            Field("satisfied", "Доволен ответом", "bool", True, options=list(reversed(YES_NO))), area("note", "Примечание", required=False),
        ])  # fmt: skip
    if answered or standing.row.work.interim:
        fields = [scores("score", "Оценка", required=True), area("note", "Примечание", required=False)]
        yield Form("score_answer", "Оценить ответ", "Оценить", fields)
    if act.shortcomings is not None:
        for agency in standing.row.seen_by:
            yield _shortcoming(standing, agency)
    yield forms_executor.referral(act)


def _shortcoming(standing: Standing, agency: str) -> Form:
    """Of one agency: whom the act lets hear of it depends on its field."""
    act, directory = standing.act, standing.directory
    assert act.shortcomings is not None
    posts = [(post, post) for post in directory.may_hear_of_shortcomings(act, agency)]
    late = [
        (one["deadline_id"], f"{words.of(words.RULES, one['rule'])}, {words.moment(one['due_at'], directory.zone)}")
        for one in standing.breached
        if one["agency"] == agency
    ]
    fields = [hidden("agency", agency), area("description", "В чём недостаток")]
    if late:
        fields.append(Field("deadline_ids", "Нарушенные сроки", "checks", options=late))
    if posts:
        usual = ",".join(directory.shortcomings_to(act, agency))
        fields.append(Field("to", "Кому сообщить", "checks", value=usual, options=posts))
    about = f"{standing.name(agency)}, {words.paragraph(act.shortcomings.paragraph)}"
    return Form("report_shortcoming", "Сообщить о недостатках", "Сообщить", fields, about=about)
