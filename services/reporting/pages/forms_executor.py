"""The executor's forms; drafting and publication are also the coordinator's where the act has it so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from regulations.model import Act
from services.reporting.exports import words
from services.reporting.pages.fields import Field, Form, area, draft_id, files, hidden, kind_of
from services.reporting.pages.standing import Standing
from services.reporting.projections.register import Draft


def forms(standing: Standing, agency: str) -> Iterator[Form]:
    """What this agency may do with its assignment, and about cases of its own."""
    yield from _work(standing, agency)
    yield from _cases(standing, agency)
    yield referral(standing.act)


def _work(standing: Standing, agency: str) -> Iterator[Form]:
    row, act = standing.row, standing.act
    own = next((held for held in standing.live if held.agency == agency and held.status != "waiting"), None)
    if own is None or not standing.open:
        return
    assignment = hidden("assignment_id", own.assignment_id)
    approved = standing.draft("approved")
    if approved is not None and act.publication.by == "lead" and own.role == "lead":
        yield publication(standing, approved)
    if own.drafts and approved is None and standing.draft("in_review") is None:
        yield draft(standing, first=True)
    if row.joint and not own.drafts and own.status == "issued":
        fields = [assignment, area("text", "Информация"), files()]
        hint = words.paragraph(act.joint.paragraph)
        yield Form("contribute", "Предоставить информацию", "Направить", fields, first=True, about=hint)
    if own.status == "issued" and not any(draft.by == agency for draft in row.work.drafts):
        asked = area("justification", "Обоснование", required=act.returning.justification)
        about = words.paragraph(act.returning.paragraph)
        yield Form("return", "Вернуть не по компетенции", "Вернуть", [assignment, asked], danger=True, about=about)


def draft(standing: Standing, *, first: bool) -> Form:
    """A draft; one that was sent back to this drafter is there to begin with."""
    act, row = standing.act, standing.row
    kinds = [(kind, words.KINDS[kind]) for kind in act.drafting.kinds]
    kind, said = kinds[0][0], dict[str, Any]()
    if rework := row.status == "in_rework":
        earlier = row.work.drafts[-1]
        kind, said = earlier.kind, standing.said(earlier.draft_id)
    content = f"каким должен быть ответ: {words.paragraph(act.drafting.content_paragraph)}"
    fields = [
        Field("kind", "Вид", "select", True, kind, kinds, words.paragraph(act.drafting.paragraph)),
        area("text", "Текст", hint=content, value=said.get("text") or ""),
    ]
    if row.repeat_of is not None and act.repeat.must_tell_measures:
        hint = f"одно из двух, {words.paragraph(act.repeat.paragraph)}"
        fields += [
            area("measures", "Принятые меры", required=False, hint=hint, value=said.get("measures") or ""),
            area("progress", "Ход решения", required=False, value=said.get("progress") or ""),
        ]
    title = "Доработать проект" if rework else "Подготовить проект"
    return Form("submit_draft", title, "На согласование", [*fields, files()], first=first)


def publication(standing: Standing, draft: Draft) -> Form:
    """The report of a publication, by whom the act has publish."""
    act = standing.act
    fields = [draft_id(draft), Field("url", "Ссылка на размещённый ответ", "url", required=True)]
    if "own_account" in act.publication.places:
        places = [("same", "там же, где сообщение"), ("own_account", "в аккаунте органа: иначе невозможно")]
        fields += [Field("place", "Где размещён", "select", options=places)]
        fields += [Field("author_link", "Ссылка на автора", "url", hint="для размещения в своём аккаунте")]
    offset = f"{standing.now.astimezone(standing.directory.zone):%z}"
    stated = Field(
        "published_at", "Когда размещён", "instant", hint="для сведения", offset=f"{offset[:3]}:{offset[3:]}"
    )
    about = f"{kind_of(draft)}, {words.paragraph(act.publication.paragraph)}"
    return Form("report_publication", "Сообщить о размещении", "Размещено", [*fields, stated], first=True, about=about)


def referral(act: Act) -> Form:
    """To law enforcement: an act that is silent about it forbids it to nobody."""
    fields = [Field("body", "Орган", required=True), area("summary", "Суть")]
    about = "" if act.law_enforcement is None else words.paragraph(act.law_enforcement.paragraph)
    return Form("refer_to_law_enforcement", "Передать в правоохранительные органы", "Передать", fields, about=about)


def _cases(standing: Standing, agency: str) -> Iterator[Form]:
    act = standing.act
    if act.cases is None:
        return
    about = words.paragraph(act.cases.paragraph)
    for case in standing.cases:
        if case.agency == agency and case.status == "agreed":
            fields = [hidden("case_id", case.case_id), Field("url", "Ссылка на публикацию кейса", "url", required=True)]
            title = "Сообщить о публикации кейса"
            yield Form("report_case_publication", title, "Опубликован", fields, first=True, about=about)
        elif case.agency == agency and case.status == "published":
            own = hidden("case_id", case.case_id)
            yield Form("report_case", "Направить сведения о кейсе", "Направлены", [own], first=True, about=about)
    if standing.row.status == "answered" and agency in standing.row.agencies:
        yield Form("propose_case", "Предложить кейс", "Предложить", [area("text", "Что решено")], about=about)
