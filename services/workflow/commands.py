"""A command on its way to its outcome: read, remembered, guarded, judged by its concept's rule, accepted or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from regulations.directory import Directory
from regulations.periods import Period as PeriodOfReport
from schemas import topics
from schemas.commands import COMMANDS, CommandBody, Data, PeriodData, Triage, command_name
from schemas.envelope import Actor
from schemas.outcomes import Accepted, Fault
from services.runtime.decider import Input, Output, Unreadable
from services.runtime.problems import faults_of
from services.workflow import guards, outcomes, periods
from services.workflow.amendments import world
from services.workflow.hearing import Fold, MessageHearing, PeriodHearing, accepted_events
from services.workflow.state import Message, Period

PREFIX = "otklik.command."

MessageRules = Mapping[type[Data], Callable[[MessageHearing, Any], None]]
PeriodRules = Mapping[type[Data], Callable[[PeriodHearing, Any], None]]


@dataclass(frozen=True, slots=True)
class Rules:
    """The concepts' rules and folds, as decider.py tables them."""

    message: MessageRules
    period: PeriodRules
    fold_message: Fold[Message]
    fold_period: Fold[Period]


@dataclass(frozen=True, slots=True)
class Command:
    """A command whose shape is right."""

    name: str
    data: Data
    subject: str
    actor: Actor
    expected_sequence: int | None

    @property
    def about_period(self) -> bool:
        return self.data.subject == "period"

    @property
    def key(self) -> str:
        """The state that the command is about."""
        return f"{'period' if self.about_period else 'message'}/{self.subject}"

    @property
    def others(self) -> tuple[str, ...]:
        """Other messages that it names; they are judged where this partition knows them."""
        return (self.data.repeat_of,) if isinstance(self.data, Triage) and self.data.repeat_of else ()


def read(given: Input) -> Command:
    """The command of the record; raises `Unreadable`. Shapes are the gate's to check, and a fault of it ends here."""
    envelope = given.envelope
    name = command_name(envelope.type)
    if name is None:
        raise Unreadable("unknown-command", f"Команды {envelope.type} нет.")
    if envelope.subject is None:
        raise Unreadable("no-subject", "Не указано сообщение (subject).")
    if envelope.actor is None:
        raise Unreadable("no-actor", "Не указано, кто подаёт команду.")
    try:
        body = CommandBody.model_validate(envelope.data)
        data = COMMANDS[name].model_validate(body.data)
    except ValidationError:
        told = "; ".join(f"{fault.pointer}: {fault.detail}" for fault in _faults(given))
        raise Unreadable("invalid-data", told) from None
    if body.type != name:
        raise Unreadable("invalid-data", "Тип команды в записи и в её теле различаются.")
    return Command(name, data, envelope.subject, envelope.actor, body.expected_sequence)


def decide(rules: Rules, states: Mapping[str, BaseModel], given: Input) -> Sequence[Output]:
    """Every command record gets one outcome; a repeat gets the first one again."""
    command = read(given)
    authority = _authority(states, command)
    try:
        repeated = outcomes.remembered(states, given)
        outputs = (repeated,) if repeated else tuple(_heard(rules, states, given, command, authority))
    except guards.Refusal as refusal:
        outputs = (outcomes.refused(given, command.name, refusal.problem, authority),)
    return (*outputs, *_to_the_agency(states, command, outputs[-1]))


def _authority(states: Mapping[str, BaseModel], command: Command) -> str | None:
    if isinstance(command.data, PeriodData):
        return command.data.authority
    message = states.get(command.key)
    return message.authority if isinstance(message, Message) and guards.may_see(message, command.actor) else None


def _heard(
    rules: Rules, states: Mapping[str, BaseModel], given: Input, command: Command, authority: str | None
) -> Iterator[Output]:
    guards.role(command.actor, type(command.data))
    hearing: MessageHearing | PeriodHearing
    if command.about_period:
        hearing = _period(rules, states, given, command)
    else:
        hearing = _message(rules, states, given, command)
    yield from hearing.outputs
    told = accepted_events(hearing.told)
    said = Accepted(command_id=given.envelope.id, command=command.name, sequence=hearing.sequence, events=told)
    yield outcomes.accepted(given, said, authority)


def _message(rules: Rules, states: Mapping[str, BaseModel], given: Input, command: Command) -> MessageHearing:
    message = states.get(command.key)
    if not isinstance(message, Message) or not guards.may_see(message, command.actor):
        raise guards.unknown_message()
    guards.sequence(command.expected_sequence, message.sequence)
    others = [state for key in command.others if isinstance(state := states.get(f"message/{key}"), Message)]
    hearing = MessageHearing(
        given,
        _law(states, message.authority),
        command.subject,
        message,
        rules.fold_message,
        command.actor,
        others=others,
    )
    rules.message[type(command.data)](hearing, command.data)
    return hearing


def _period(rules: Rules, states: Mapping[str, BaseModel], given: Input, command: Command) -> PeriodHearing:
    data = command.data
    if not isinstance(data, PeriodData) or data.authority not in command.actor.authorities:
        raise guards.unknown("period", "Такого отчёта нет или он вам не доступен.")
    if command.subject != data.subject_id:
        raise guards.invalid("/data/period", "Идентификатор не соответствует органу, отчёту и периоду.")
    directory = _law(states, data.authority)
    try:
        about = PeriodOfReport.parse(data.period)
    except ValueError:
        raise guards.invalid("/data/period", "Такого года у отчётов не бывает.") from None
    state = states.get(command.key)
    known = state if isinstance(state, Period) else None
    guards.sequence(command.expected_sequence, known.sequence if known else 0)
    hearing = PeriodHearing(given, directory, command.subject, known, rules.fold_period, command.actor, about=about)
    periods.fits_the_act(hearing, data)
    rules.period[type(data)](hearing, data)
    return hearing


def _law(states: Mapping[str, BaseModel], authority: str) -> Directory:
    directory = states.get(world(authority))
    if not isinstance(directory, Directory) or not directory.in_force:
        raise guards.unknown("authority", f"Закон органа «{authority}» в системе не действует.")
    return directory


def _to_the_agency(states: Mapping[str, BaseModel], command: Command, outcome: Output) -> Iterator[Output]:
    """An executor's outcome is told on its agency's own topic too, for that is where its system reads."""
    actor = command.actor
    if actor.agency is None or "executor" not in actor.roles:
        return
    known = outcome.envelope.authority
    candidates = (known,) if known in actor.authorities else actor.authorities
    for authority in candidates:
        directory = states.get(world(authority or ""))
        if isinstance(directory, Directory) and directory.in_force and actor.agency in directory.agencies:
            yield Output(topics.assignments(directory.id, actor.agency), outcome.key, outcome.envelope)
            return


def refuse(given: Input, reason: str) -> Sequence[Output]:
    """The refusal of a command that went to the dead letters: the sender hears of every fault of its shape, on its agency's
    topic too where it came from there (only a door names the authority of a command about a message)."""
    envelope = given.envelope
    name = command_name(envelope.type) or envelope.type.removeprefix(PREFIX)
    outcome = outcomes.refused(given, name, outcomes.unreadable(reason, _faults(given)), envelope.authority)
    agency = envelope.actor.agency if envelope.actor else None
    shape = COMMANDS.get(name)
    if agency is None or envelope.authority is None or shape is None or shape.subject != "message":
        return (outcome,)
    return (outcome, Output(topics.assignments(envelope.authority, agency), outcome.key, outcome.envelope))


def _faults(given: Input) -> Sequence[Fault]:
    name = command_name(given.envelope.type)
    try:
        body = CommandBody.model_validate(given.envelope.data)
    except ValidationError as error:
        return faults_of(error)
    try:
        if name is not None:
            COMMANDS[name].model_validate(body.data)
    except ValidationError as error:
        return faults_of(error, ("data",))
    return ()
