"""Deadlines of a period: the summary, due after the period ended, and the committee's review of it (kursky 22; Buryatia 25)."""

from __future__ import annotations

from collections.abc import Callable

from regulations.directory import Directory
from schemas import events as e
from schemas.deadlines import About
from schemas.envelope import Envelope
from services.sla import periods
from services.sla.duties import apply
from services.sla.law import Law
from services.sla.said import Said
from services.sla.speech import Speech
from services.sla.table import Pick, Row, Start

RowOf = Callable[[e.PeriodEvent, Envelope], Row]
ROWS: dict[type[e.PeriodEvent], RowOf] = {
    e.SummarySentForAgreement: lambda data, event: Row(
        starts=(Start("summary_review", event.time, About(period=data.period)),)
    ),
    e.SummaryAgreed: lambda data, event: Row(meets=(Pick("summary_review"),)),
    e.SummaryRefused: lambda data, event: Row(meets=(Pick("summary_review"),)),
    e.SummaryDelivered: lambda data, event: Row(meets=(Pick("summary"),), cancels=(Pick("summary_review"),)),
    # No text gives a rating a term.
    e.RatingSentForAgreement: lambda data, event: Row(),
    e.RatingAgreed: lambda data, event: Row(),
    e.RatingRefused: lambda data, event: Row(),
    e.RatingDelivered: lambda data, event: Row(),
}


def judge_period(told: Said | None, event: Envelope, data: e.PeriodEvent, directory: Directory) -> Speech:
    """Everything that one event of a period makes sla say."""
    assert event.subject is not None
    speech = Speech(told, event, event.subject, directory.id)
    speech.overdue(event.time)
    apply(speech, ROWS[type(data)](data, event), event, None, _law(directory, event))
    return speech


def period_ended(subject: str, period: str, reached: Envelope, directory: Directory) -> Speech:
    """`set` of the summary; nothing where the act states no day (reading 15)."""
    law = _law(directory, reached)
    speech = Speech(None, reached, subject, directory.id)
    start = Start("summary", periods.ends_at(period, directory.zone), About(period=period))
    apply(speech, Row(starts=(start,)), reached, None, law)
    return speech


def _law(directory: Directory, event: Envelope) -> Law:
    """A period is judged by the act in force when it ends."""
    return Law.of(directory, directory.number, directory.regulation_at(event.time))
