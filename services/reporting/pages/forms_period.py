"""Forms of a period's report, the summary or the rating: sent for agreement, agreed or refused, delivered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from regulations.model import Act
from regulations.periods import Period
from schemas.commands import Report
from schemas.envelope import Actor
from services.reporting.exports import words
from services.reporting.pages.fields import Field, Form, area, hidden

AGREEING = {"summary": "сводную информацию", "rating": "рейтинг"}


def forms(
    act: Act,
    actor: Actor,
    authority: str,
    report: Report,
    period: Period,
    ends_at: datetime,
    now: datetime,
    delivery: str | None,
) -> list[Form]:
    """What may be done with it now; nothing while the period runs (`ends_at` and `now` are aware), nothing where the act
    knows no such report or has it for periods of another length. `delivery`: where it stands (`Summary.delivery`)."""
    rule = act.summary if report == "summary" else act.rating
    if rule is None or period.length != rule.period or now < ends_at or delivery == "delivered":
        return []
    given = (authority, report, period.name)
    about = f"{rule.to}, {words.paragraph(rule.paragraph)}"
    return list(_forms(given, actor, rule.agreed_by_committee, delivery, about))


def _forms(
    given: tuple[str, Report, str], actor: Actor, agreed_by_committee: bool, delivery: str | None, about: str
) -> Iterator[Form]:
    authority, report, period = given
    named = [hidden("authority", authority), hidden("period", period)]
    told = [Field("url", "Ссылка на документ", "url"), area("note", "Примечание", required=False)]
    what = AGREEING[report]
    coordinates, judges = "coordinator" in actor.roles, "committee" in actor.roles
    if agreed_by_committee and delivery in {None, "refused"} and coordinates:
        yield Form(
            f"send_{report}_for_agreement", f"Направить {what} на согласование", "Направить", [*named, *told], True
        )
    if agreed_by_committee and delivery == "sent-for-agreement" and judges:
        yield Form(f"agree_{report}", f"Согласовать {what}", "Согласовать", [*named, *told], True)
        refusal = [*named, area("reason", "Причина"), *told]
        yield Form(f"refuse_{report}", "Отказать в согласовании", "Отказать", refusal, danger=True)
    ready = delivery == "agreed" if agreed_by_committee else delivery is None
    if ready and (coordinates or (report == "rating" and judges)):
        yield Form(f"deliver_{report}", f"Представить {what}", "Представлено", [*named, *told], True, about=about)
