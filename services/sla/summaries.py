"""Deadlines of a period: the summary, due after the period ended, and the committee's review of it (kursky 22; Buryatia 25)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from regulations.directory import Directory
from regulations.periods import LENGTHS, Period, ended
from regulations.working_time.instants import in_zone
from schemas import events as e
from schemas.deadlines import About
from schemas.envelope import Envelope
from schemas.ids import period_id
from services.runtime.decider import Output
from services.runtime.partitioner import partition_of
from services.sla.duties import apply
from services.sla.instants import fixed
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
    apply(speech, ROWS[type(data)](data, event), event, None, Law.of_period(directory, Period.parse(data.period)))
    return speech


class Calendar:
    """Which periods have ended, partition by partition: a period belongs to the partition that its id falls to.

    `partitions`: how many `events` has. Only that there was nothing to say is remembered, which for the same directory and
    the same `done` stays so until a month ends: whoever says something may be asked the same again (a state that was not
    loaded, a transaction that failed), and has to say it again.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._quiet: dict[tuple[str, int], tuple[Directory, tuple[str, ...], datetime]] = {}

    def ended(
        self, directory: Directory, done: tuple[str, ...], partition: int, reached: Envelope, at: datetime
    ) -> list[Output]:
        """`set` of the summary for every period that ended since the authority came by the log, but those `done`; nothing
        where the act that judges it states no day (reading 15)."""
        quiet = self._quiet.get((directory.id, partition))
        if quiet is not None and quiet[0] is directory and quiet[1] == done and at < quiet[2]:
            return []
        outputs: list[Output] = []
        for length in LENGTHS:
            for period in ended(length, directory.zone, directory.judges_since.time, at):
                subject = period_id(directory.id, "summary", period.name)
                mine = partition_of(subject.encode(), self._partitions) == partition
                if not mine or period.name in done:
                    continue
                law = Law.of_period(directory, period)
                if law.act.summary.period == length:
                    speech = Speech(None, reached, subject, directory.id)
                    start = Start("summary", fixed(period.ends_at(directory.zone)), About(period=period.name))
                    apply(speech, Row(starts=(start,)), reached, None, law)
                    outputs += speech.outputs
        if not outputs:
            next_end = fixed(Period.containing(in_zone(at, directory.zone).date(), "month").ends_at(directory.zone))
            self._quiet[directory.id, partition] = (directory, done, next_end)
        return outputs
