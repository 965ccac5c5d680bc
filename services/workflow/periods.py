"""Reports of a period: the summary, and the rating where the act has one; sent for agreement, agreed, delivered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from regulations.periods import length_of
from schemas.commands import (
    AgreeRating,
    AgreeSummary,
    DeliverRating,
    DeliverSummary,
    PeriodData,
    RefuseRating,
    RefuseSummary,
    Report,
    SendRatingForAgreement,
    SendSummaryForAgreement,
)
from schemas.envelope import Envelope
from schemas.events import (
    PeriodEvent,
    RatingAgreed,
    RatingDelivered,
    RatingRefused,
    RatingSentForAgreement,
    SummaryAgreed,
    SummaryDelivered,
    SummaryRefused,
    SummarySentForAgreement,
)
from services.workflow import guards
from services.workflow.hearing import PeriodHearing
from services.workflow.state import Period


def send_for_agreement(hearing: PeriodHearing, data: SendSummaryForAgreement | SendRatingForAgreement) -> None:
    _agreed_by_committee(hearing, data.report)
    _over(hearing)
    if hearing.state is not None and hearing.state.status != "refused":
        raise guards.wrong_state("Документ уже на согласовании, согласован или направлен.")
    event = SummarySentForAgreement if data.report == "summary" else RatingSentForAgreement
    hearing.tell(event(report=data.report, period=data.period, url=data.url, note=data.note))


def agree(hearing: PeriodHearing, data: AgreeSummary | AgreeRating) -> None:
    _under_agreement(hearing, data.report)
    event = SummaryAgreed if data.report == "summary" else RatingAgreed
    hearing.tell(event(report=data.report, period=data.period, url=data.url, note=data.note))


def refuse(hearing: PeriodHearing, data: RefuseSummary | RefuseRating) -> None:
    _under_agreement(hearing, data.report)
    event = SummaryRefused if data.report == "summary" else RatingRefused
    hearing.tell(event(report=data.report, period=data.period, url=data.url, note=data.note, reason=data.reason))


def deliver(hearing: PeriodHearing, data: DeliverSummary | DeliverRating) -> None:
    """Once, after the period is over, and after the committee's word where the act asks for it."""
    to, paragraph, by_committee = _rule(hearing, data.report)
    _over(hearing)
    status = hearing.state.status if hearing.state else None
    if status == "delivered":
        raise guards.wrong_state("Документ за этот период уже направлен.")
    if by_committee and status != "agreed":
        raise guards.wrong_state("Документ ещё не согласован комитетом.", hearing.act, paragraph)
    event = SummaryDelivered if data.report == "summary" else RatingDelivered
    hearing.tell(event(report=data.report, period=data.period, url=data.url, note=data.note, to=to))


def fits_the_act(hearing: PeriodHearing, data: PeriodData) -> None:
    """422 for a report that the act does not have, or a period of another length than its own."""
    _, paragraph, _ = _rule(hearing, data.report)
    act = hearing.act
    length = length_of(act, data.report)
    if hearing.about.length != length:
        wanted = "квартал, например 2026-Q4" if length == "quarter" else "месяц, например 2026-11"
        raise guards.forbidden(act, paragraph, f"Отчётный период – {wanted}.", "/data/period")


def _rule(hearing: PeriodHearing, report: Report) -> tuple[str, str, bool]:
    """To whom it is delivered, the paragraph, and whether the committee agrees it first."""
    act = hearing.act
    if report == "summary":
        return act.summary.to, act.summary.paragraph, act.summary.agreed_by_committee
    if act.rating is None:
        raise guards.forbidden(act, None, "Рейтинга положение не предусматривает.")
    return act.rating.to, act.rating.paragraph, act.rating.agreed_by_committee


def _agreed_by_committee(hearing: PeriodHearing, report: Report) -> None:
    _, paragraph, by_committee = _rule(hearing, report)
    if not by_committee:
        raise guards.forbidden(hearing.act, paragraph, "Согласования положение не предусматривает.")


def _under_agreement(hearing: PeriodHearing, report: Report) -> None:
    _agreed_by_committee(hearing, report)
    if hearing.state is None or hearing.state.status != "sent":
        raise guards.wrong_state("На согласовании этого документа нет.")


def _over(hearing: PeriodHearing) -> None:
    if hearing.at < hearing.about.ends_at(hearing.directory.zone):
        raise guards.wrong_state("Отчётный период ещё не окончен.")


STATUSES: dict[type[PeriodEvent], Literal["sent", "agreed", "refused", "delivered"]] = {
    SummarySentForAgreement: "sent",
    RatingSentForAgreement: "sent",
    SummaryAgreed: "agreed",
    RatingAgreed: "agreed",
    SummaryRefused: "refused",
    RatingRefused: "refused",
    SummaryDelivered: "delivered",
    RatingDelivered: "delivered",
}
"""Where an event leaves the report."""

EVENTS: Sequence[type[PeriodEvent]] = tuple(STATUSES)


def moved(period: Period | None, data: PeriodEvent, event: Envelope) -> Period:
    """The report after an event; its first one begins it."""
    return Period(
        period_id=event.subject or "",
        authority=event.authority or "",
        report=data.report,
        period=data.period,
        sequence=event.sequence or 1,
        status=STATUSES[type(data)],
    )
