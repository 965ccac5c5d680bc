"""Speech: what sla is about to say on one subject, folded at once as everybody else will fold it."""

from __future__ import annotations

from datetime import datetime

from schemas import topics
from schemas.deadlines import PENDING, About, DeadlineData, Kind, OwedBy, PendingData, cloud_type
from schemas.envelope import Actor, Envelope, schema_of
from schemas.ids import deadline_id, derived_id
from services.runtime.decider import Output
from services.sla.said import Said, Spoken, Waiting, fold
from services.sla.terms import Term, Unknown

SOURCE = "/otklik/sla"
ACTOR = Actor(sub="sla")


class Speech:
    """Collects the records caused by one event."""

    def __init__(self, said: Said | None, cause: Envelope, subject: str, authority: str) -> None:
        self.outputs: list[Output] = []
        self._said = said or Said(authority=authority)
        self._unfolded: list[Envelope] = []
        self._cause = cause
        self._subject = subject
        self._authority = authority

    @property
    def said(self) -> Said:
        """What was said so far. Folded when it is asked for: after the last word nobody asks, and a breach has but one."""
        for envelope in self._unfolded:
            self._said = fold(self._said, envelope)
        self._unfolded.clear()
        return self._said

    def begin(
        self, found: Term, owed_by: OwedBy, explanation: tuple[str, ...], regulation: str, about: About | None
    ) -> Spoken:
        """`set`, the next occurrence of its rule in this message."""
        occurrence = self.said.next_occurrence(found.rule)
        return self.begin_as(found, owed_by, explanation, regulation, about, occurrence)

    def begin_as(
        self,
        found: Term,
        owed_by: OwedBy,
        explanation: tuple[str, ...],
        regulation: str,
        about: About | None,
        occurrence: int,
    ) -> Spoken:
        """`set`, an occurrence that is known already: one that waited for a calendar year."""
        data = DeadlineData(
            deadline_id=deadline_id(self._subject, found.rule, occurrence),
            rule=found.rule,
            occurrence=occurrence,
            about=about,
            regulation=regulation,
            paragraph=found.paragraph,
            owed_by=owed_by,
            starts_at=found.starts_at,
            due_at=found.due_at,
            clock=found.clock,
            window=found.window,
            warn_at=found.warn_at,
            explanation=explanation,
            amendments=found.amendments,
        )
        self._say("set", data)
        return self.said.deadlines[data.deadline_id]

    def wait(
        self, unknown: Unknown, owed_by: OwedBy, regulation: str, about: About | None, occurrence: int | None = None
    ) -> None:
        """`pending`: a calendar year is missing. `occurrence` of a deadline that was set before."""
        occurrence = occurrence or self.said.next_occurrence(unknown.rule)
        reason = (
            f"производственный календарь на {unknown.year} год не задан: срок нельзя вычислить, "
            "он будет установлен, как только календарь поступит поправкой"
        )
        data = PendingData(
            deadline_id=deadline_id(self._subject, unknown.rule, occurrence),
            rule=unknown.rule,
            occurrence=occurrence,
            about=about,
            regulation=regulation,
            paragraph=unknown.paragraph,
            owed_by=owed_by,
            starts_at=unknown.starts_at,
            clock=unknown.clock,
            window=unknown.window,
            year=unknown.year,
            reason=reason,
        )
        self._say_pending(data)

    def close_waiting(self, waiting: Waiting, how: str, at: datetime) -> None:
        """What waits for a year was done or cancelled meanwhile: it is judged when its instant is known."""
        self._say_pending(waiting.data.model_copy(update={"closed": how, "closed_at": at}))

    def overdue(self, at: datetime) -> None:
        """`breached` for every open duty whose instant lies before `at`, in order (windows never)."""
        for one in list(self.said.open()):
            if one.data.due_at < at and not one.data.window:
                self.breach(one)

    def breach(self, one: Spoken) -> None:
        """`breached`; its time is the due instant itself."""
        self._say("breached", one.data, time=one.data.due_at)

    def approach(self, one: Spoken) -> None:
        self._say("approaching", one.data)

    def fulfil(self, one: Spoken, at: datetime, *, time: datetime | None = None) -> None:
        """`met` at or before the due instant; later, and after a breach, `met-late`. `time`: where it is not the cause's."""
        in_time = one.state == "open" and at <= one.data.due_at
        self._say("met" if in_time else "met-late", one.data.model_copy(update={"closed_at": at}), time=time)

    def cancel(self, one: Spoken, at: datetime, reason: str) -> None:
        self._say("cancelled", one.data.model_copy(update={"closed_at": at, "reason": reason}))

    def excuse(self, one: Spoken, at: datetime, reason: str) -> None:
        """`excused`: a human's word on a breach; of anything else `excuse-ignored`."""
        breached = one.state == "breached" or (one.state == "met_late" and not one.data.window)
        if breached:
            self._say("excused", one.data.model_copy(update={"closed_at": at, "reason": reason}))
        else:
            self._say("excuse-ignored", one.data.model_copy(update={"reason": reason}))

    def ignore_excuse(self, data: DeadlineData) -> None:
        """`excuse-ignored` on a deadline that never was: it bears no number of its own, and leaves nothing behind."""
        name = f"excuse-ignored of {self._cause.id}"
        self._put(cloud_type("excuse-ignored"), name, data, None, self._cause.time)

    def move(
        self,
        one: Spoken,
        *,
        found: Term | None,
        owed_by: OwedBy,
        explanation: tuple[str, ...] = (),
        reason: str,
    ) -> None:
        """`moved`: another instant, another debtor, or both; `found` None: the instant stays."""
        update: dict[str, object] = {"owed_by": owed_by, "reason": reason, "previous_due_at": None}
        update["previous_owed_by"] = one.data.owed_by if owed_by != one.data.owed_by else None
        if found is not None:
            update |= {
                "paragraph": found.paragraph,
                "due_at": found.due_at,
                "warn_at": found.warn_at,
                "explanation": explanation,
                "amendments": found.amendments,
                "previous_due_at": one.data.due_at,
            }
        self._say("moved", one.data.model_copy(update=update), also_to=one.data.owed_by)

    def _say(
        self, kind: Kind, data: DeadlineData, *, time: datetime | None = None, also_to: OwedBy | None = None
    ) -> None:
        dropped: dict[str, object] = {}
        if kind not in {"set", "moved"}:
            # `explanation`, and what had changed, stand on `set` and `moved` alone.
            dropped |= {"explanation": (), "previous_due_at": None, "previous_owed_by": None}
        if kind in {"met", "met-late", "breached", "approaching", "set"}:
            dropped["reason"] = None
        data = data.model_copy(update=dropped)
        count = self.said.count_of(data.deadline_id) + 1
        self._put(cloud_type(kind), f"{kind}/{count}", data, count, time or self._cause.time, also_to)

    def _say_pending(self, data: PendingData) -> None:
        count = self.said.count_of(data.deadline_id) + 1
        self._put(PENDING, f"pending/{count}", data, count, self._cause.time)

    def _put(
        self,
        kind: str,
        name: str,
        data: DeadlineData | PendingData,
        count: int | None,
        time: datetime,
        also_to: OwedBy | None = None,
    ) -> None:
        envelope = Envelope(
            id=derived_id(data.deadline_id, name),
            source=SOURCE,
            type=kind,
            subject=self._subject,
            dataschema=schema_of(kind),
            time=time,
            authority=self._authority,
            sequence=count,
            causationid=self._cause.id,
            actor=ACTOR,
            data=_dumped(data),
        )
        self.outputs.append(Output(topics.DEADLINES, self._subject, envelope))
        for agency in dict.fromkeys(who.agency for who in (data.owed_by, also_to) if who and who.agency):
            self.outputs.append(Output(topics.assignments(self._authority, agency), self._subject, envelope))
        self._unfolded.append(envelope)


def _dumped(data: DeadlineData | PendingData) -> dict[str, object]:
    return {name: value for name, value in data.model_dump(mode="json", exclude_none=True).items() if value != []}
