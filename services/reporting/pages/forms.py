"""Forms: which commands a visitor may give on a message as it stands. Workflow judges them; a form that is not shown only
spares a refusal."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.envelope import Actor
from services.reporting.exports import words
from services.reporting.pages import forms_coordinator, forms_executor
from services.reporting.pages.fields import Field, Form, area, hidden
from services.reporting.pages.standing import Standing


def forms(standing: Standing, actor: Actor) -> list[Form]:
    """What the message waits for first, then the rest in the order of work."""
    found: list[Form] = []
    if "coordinator" in actor.roles:
        found += forms_coordinator.forms(standing)
    if "executor" in actor.roles and actor.agency is not None:
        found += forms_executor.forms(standing, actor.agency)
    if "deputy" in actor.roles and standing.act.escalation.forwarded_by:
        found += _signatures(standing)
    if {"head", "coordinator"} & set(actor.roles):
        found += _excuses(standing)
    if "committee" in actor.roles:
        found += _cases(standing)
    return sorted(found, key=lambda form: not form.first)


def _signatures(standing: Standing) -> Iterator[Form]:
    about = f"{standing.act.escalation.to}, {words.paragraph(standing.act.escalation.paragraph)}"
    for one in standing.unsigned_escalations:
        own = hidden("escalation_id", one)
        yield Form("forward_escalation", "Доклад ждёт подписи", "Направить дальше", [own], first=True, about=about)


def _excuses(standing: Standing) -> Iterator[Form]:
    for one in standing.breached:
        rule = words.of(words.RULES, one["rule"])
        fields = [
            hidden("rule", one["rule"]),
            Field("occurrence", kind="fixed", value=str(one["occurrence"])),
            area("reason", "Причина"),
        ]
        due = words.moment(one["due_at"], standing.directory.zone)
        about = f"{rule}, срок {due}, {words.paragraph(one['paragraph'])}"
        yield Form("excuse_breach", "Признать нарушение уважительным", "Признать", fields, about=about)


def _cases(standing: Standing) -> Iterator[Form]:
    for case in standing.cases:
        if case.status == "proposed":
            own, about = hidden("case_id", case.case_id), f"{standing.name(case.agency)}: {case.text[:120]}"
            yield Form("agree_case", "Согласовать кейс", "Согласовать", [own], first=True, about=about)
            refusal = [own, area("reason", "Причина")]
            yield Form("refuse_case", "Отказать в согласовании кейса", "Отказать", refusal, danger=True, about=about)
