"""Assignments: routed, issued in turn, returned, reassigned, recalled.

Where the act has the coordinator set the order, an agency's assignment is issued (and its terms begin) when no contribution
before it in that order is still to come. Equal numbers are one turn. Who drafts holds nobody up, so a drafter put first has
the message at once, and one put last has it with everybody's contributions. A returned or recalled turn passes on; whoever
replaces it takes its place, and has the message at once if that turn had come.
"""

from __future__ import annotations

from datetime import date

from schemas.commands import Reassign, Recall, Return, Route
from schemas.envelope import Envelope
from schemas.events import (
    COORDINATOR,
    AssignmentIssued,
    AssignmentRecalled,
    AssignmentReturned,
    Routed,
    RoutedTo,
)
from services.workflow import guards
from services.workflow.hearing import MessageHearing
from services.workflow.routing import Part, Plan, plan
from services.workflow.state import Assignment, Message


def route(hearing: MessageHearing, data: Route) -> None:
    """Send the message to agencies. Those that have it and are named again keep their assignments."""
    message, act = hearing.message, hearing.act
    guards.open_for_work(message)
    if not message.triaged:
        detail = "Сначала укажите тему, локацию и категорию важности (triage)."
        raise guards.wrong_state(detail, act, act.routing_paragraph)
    planned = plan(hearing, data)
    _kept_as_they_were(message, planned)
    _nobody_dropped(message, planned)
    hearing.tell(_routed(hearing, planned))
    issue_turns(hearing)


def _kept_as_they_were(message: Message, planned: Plan) -> None:
    parts = {part.agency: part for part in planned.parts}
    for one in message.live:
        part = parts.get(one.agency)
        # What has been issued runs on its own terms: another part in the work is another assignment.
        if part and one.working and (one.role == "lead", one.drafts, one.contributes) != _kind(part):
            detail = f"У органа «{one.agency}» в новом направлении другая роль: сначала отзовите его назначение."
            raise guards.wrong_state(detail)


def _kind(part: Part) -> tuple[bool, bool, bool]:
    return part.lead, part.drafts, part.contributes


def _nobody_dropped(message: Message, planned: Plan) -> None:
    named = {part.agency for part in planned.parts}
    dropped = [one.agency for one in message.live if one.agency not in named]
    if dropped:
        detail = f"Сообщение в работе, сначала отзовите назначения: {', '.join(dropped)}."
        raise guards.wrong_state(detail)


def _routed(hearing: MessageHearing, planned: Plan) -> Routed:
    message = hearing.message
    live = {one.agency: one for one in message.live}
    fresh = [part for part in planned.parts if part.agency not in live]
    answered = _answered_by(hearing, planned, fresh)
    numbers = {part.agency: number for number, part in enumerate(fresh, start=1)}
    routed_to = []
    for part in planned.parts:
        kept = live.get(part.agency)
        routed_to.append(
            RoutedTo(
                assignment_id=kept.assignment_id if kept else hearing.new_id("assignment", numbers[part.agency]),
                agency=part.agency,
                role="lead" if part.lead else "contributor",
                order=part.order,
                replaces=kept.replaces if kept else answered.get(part.agency, ()),
            )
        )
    return Routed(assignments=tuple(routed_to), lead=planned.lead, joint=planned.joint, drafted_by=planned.drafted_by)


def _answered_by(hearing: MessageHearing, planned: Plan, fresh: list[Part]) -> dict[str, tuple[str, ...]]:
    """Which returned or recalled assignments each new one answers.

    Whoever has the message at once answers for those that gave it back, of the same role if there is one: the coordinator
    has sent it on then, and what waits for its turn is not sent yet.
    """
    message = hearing.message
    answered: dict[str, tuple[str, ...]] = {}
    for old in message.assignments:
        if fresh and old.status in ("returned", "recalled") and old.assignment_id not in message.replaced:
            heir = min(
                fresh, key=lambda part: (_waits(hearing, planned, part), part.lead != (old.role == "lead"), part.order)
            )
            answered[heir.agency] = (*answered.get(heir.agency, ()), old.assignment_id)
    return answered


def _waits(hearing: MessageHearing, planned: Plan, part: Part) -> bool:
    if hearing.act.joint.order == "parallel":
        return False
    done = {one.agency for one in hearing.message.live if one.contributes and not one.pending}
    return any(other.contributes and other.agency not in done for other in planned.parts if other.order < part.order)


def issue_turns(hearing: MessageHearing) -> None:
    """Issue every waiting assignment whose turn has come."""
    for one in sorted(hearing.message.assignments, key=lambda waiting: waiting.order):
        if one.status == "waiting" and _turn_has_come(hearing, one):
            issue(hearing, one)


def _turn_has_come(hearing: MessageHearing, one: Assignment) -> bool:
    if hearing.act.joint.order == "parallel":
        return True
    return not any(other.pending and other.order < one.order for other in hearing.message.assignments)


def issue(hearing: MessageHearing, one: Assignment) -> None:
    """Issue an assignment to whoever serves in its agency on that local day."""
    agency = one.agency
    serving = hearing.directory.serving(agency, _local_day(hearing)) if agency in hearing.directory.agencies else None
    hearing.tell(
        AssignmentIssued(
            assignment_id=one.assignment_id,
            agency=agency,
            role=one.role,
            order=one.order,
            replaces=one.replaces,
            drafts=one.drafts,
            contributes=one.contributes,
            topics=hearing.message.topics,
            location=hearing.message.location,
            official=serving.official if serving else None,
            executors=serving.executors if serving else (),
            substituted=serving.substituted if serving else (),
        )
    )


def _local_day(hearing: MessageHearing) -> date:
    return hearing.at.astimezone(hearing.directory.zone).date()


def return_(hearing: MessageHearing, data: Return) -> None:
    """Return what is not the agency's matter. A late return is accepted: the term is a window (reading 6)."""
    act = hearing.act
    one = guards.own_assignment(hearing, data.assignment_id)
    guards.open_for_work(hearing.message)
    if act.returning.justification and data.justification is None:
        detail = "Возврат нужно обосновать."
        raise guards.forbidden(act, act.returning.paragraph, detail, "/data/justification")
    if one.status != "issued":
        raise guards.wrong_state("Вернуть можно только то, что направлено и не возвращено, не отозвано, не исполнено.")
    if one.contribution is not None or any(
        draft.assignment_id == one.assignment_id for draft in hearing.message.drafts
    ):
        raise guards.wrong_state("Орган уже готовил информацию или ответ по этому сообщению: вернуть его нельзя.")
    hearing.tell(
        AssignmentReturned(
            assignment_id=one.assignment_id, agency=one.agency, role=one.role, justification=data.justification
        )
    )
    issue_turns(hearing)


def recall(hearing: MessageHearing, data: Recall) -> None:
    """Take an assignment back from its agency, or out of the queue."""
    one = guards.assignment(hearing, data.assignment_id)
    guards.open_for_work(hearing.message)
    if not one.live:
        raise guards.wrong_state("Назначение уже возвращено или отозвано.")
    _no_draft_in_flight(hearing.message, one)
    hearing.tell(_recalled(one, data.reason))
    issue_turns(hearing)


def reassign(hearing: MessageHearing, data: Reassign) -> None:
    """Give a live or returned assignment to another agency, in the same role and place."""
    message = hearing.message
    old = guards.assignment(hearing, data.assignment_id)
    guards.open_for_work(message)
    if not (old.live or old.status == "returned"):
        raise guards.wrong_state("Назначение отозвано: направьте сообщение заново (route).")
    if old.assignment_id in message.replaced:
        raise guards.wrong_state("Это назначение уже передано другому органу.")
    guards.agency_known(hearing.directory, data.agency, "/data/agency")
    if any(one.agency == data.agency for one in message.live):
        raise guards.invalid("/data/agency", f"Орган «{data.agency}» уже работает с этим сообщением.")
    if old.live:
        _no_draft_in_flight(message, old)
        hearing.tell(_recalled(old, data.reason or "Передано другому органу."))
    if old.status == "waiting":
        hearing.tell(_rerouted(hearing, old, data.agency))
    else:
        issue(hearing, _heir(hearing, old, data.agency))
    issue_turns(hearing)


def _no_draft_in_flight(message: Message, one: Assignment) -> None:
    if (one.role == "lead" or one.drafts) and message.in_flight is not None:
        raise guards.wrong_state("Проект ответа на согласовании или согласован: ответственный орган не отзывается.")


def _recalled(one: Assignment, reason: str) -> AssignmentRecalled:
    return AssignmentRecalled(assignment_id=one.assignment_id, agency=one.agency, role=one.role, reason=reason)


def _heir(hearing: MessageHearing, old: Assignment, agency: str) -> Assignment:
    return Assignment(
        assignment_id=hearing.new_id("assignment"),
        agency=agency,
        role=old.role,
        order=old.order,
        replaces=(old.assignment_id,),
        drafts=old.drafts,
        contributes=old.contributes,
    )


def _rerouted(hearing: MessageHearing, old: Assignment, agency: str) -> Routed:
    """The routing as it stands once a waiting agency has given its place to another."""
    message = hearing.message
    standing = sorted((*message.live, _heir(hearing, old, agency)), key=lambda one: one.order)
    lead = next((one.agency for one in standing if one.role == "lead"), None)
    if lead is None:
        raise guards.wrong_state("Ответственного сейчас нет: направьте сообщение заново (route).")
    return Routed(
        assignments=tuple(
            RoutedTo(
                assignment_id=one.assignment_id,
                agency=one.agency,
                role=one.role,
                order=one.order,
                replaces=one.replaces,
            )
            for one in standing
        ),
        lead=lead,
        joint=message.joint,
        drafted_by=COORDINATOR if message.drafting == COORDINATOR else lead,
    )


def recall_all(hearing: MessageHearing, reason: str) -> None:
    """Recall whatever is live: the message is dismissed."""
    for one in hearing.message.live:
        hearing.tell(_recalled(one, reason))


def routed(message: Message, data: Routed, event: Envelope) -> Message:
    """What is closed stays; what is named again keeps how far it has come."""
    known = {one.assignment_id: one for one in message.assignments}
    named = {to.assignment_id for to in data.assignments}
    standing = tuple(_standing(known.get(to.assignment_id), to, data) for to in data.assignments)
    closed = tuple(one for one in message.assignments if one.assignment_id not in named)
    return message.model_copy(
        update={
            "joint": data.joint,
            "drafting": "coordinator" if data.drafted_by == COORDINATOR else "lead",
            "assignments": (*closed, *standing),
        }
    )


def _standing(known: Assignment | None, to: RoutedTo, data: Routed) -> Assignment:
    drafts = to.role == "lead" and data.drafted_by != COORDINATOR
    part = {"role": to.role, "order": to.order, "drafts": drafts, "contributes": data.joint and not drafts}
    if known is not None:
        return known.model_copy(update=part)
    new = {"assignment_id": to.assignment_id, "agency": to.agency, "replaces": to.replaces}
    return Assignment.model_validate(part | new)


def issued(message: Message, data: AssignmentIssued, event: Envelope) -> Message:
    known = message.assignment(data.assignment_id)
    if known is not None:
        return message.with_assignment(known.model_copy(update={"status": "issued", "issued_at": event.time}))
    new = Assignment(
        assignment_id=data.assignment_id,
        agency=data.agency,
        role=data.role,
        order=data.order,
        replaces=data.replaces,
        status="issued",
        drafts=data.drafts,
        contributes=data.contributes,
        issued_at=event.time,
    )
    return message.model_copy(update={"assignments": (*message.assignments, new)})


def returned(message: Message, data: AssignmentReturned, event: Envelope) -> Message:
    return _closed(message, data.assignment_id, "returned")


def recalled(message: Message, data: AssignmentRecalled, event: Envelope) -> Message:
    return _closed(message, data.assignment_id, "recalled")


def _closed(message: Message, assignment_id: str, status: str) -> Message:
    known = message.assignment(assignment_id)
    return message if known is None else message.with_assignment(known.model_copy(update={"status": status}))
