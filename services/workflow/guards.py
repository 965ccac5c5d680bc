"""What stops a command before it changes anything: role, tenant, agency, sequence, state, and the regulation itself.

A guard raises `Refusal` with the problem that the sender is told: 403 role, 404 unknown or not yours, 409 state, 422 data or
forbidden by the regulation, which then is named with its paragraph. `detail` is in Russian, slugs are for machines.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from regulations.directory import Directory
from regulations.model import Act
from schemas import roles
from schemas.commands import Data
from schemas.envelope import Actor
from schemas.outcomes import Fault, Problem, problem
from services.workflow.state import Assignment, Draft, Message

if TYPE_CHECKING:
    from services.workflow.hearing import MessageHearing


class Refusal(Exception):
    """The command is refused with this problem: an outcome, not an error."""

    def __init__(self, told: Problem) -> None:
        super().__init__(told.detail)
        self.problem = told


def wrong_role(detail: str) -> Refusal:
    return Refusal(problem("wrong-role", "Нет нужной роли", 403, detail))


def unknown(what: str, detail: str) -> Refusal:
    """404, and the same for what is somebody else's; `what` is `message`, `assignment`, `draft`, …"""
    return Refusal(problem(f"unknown-{what}", "Не найдено", 404, detail))


def unknown_message() -> Refusal:
    return unknown("message", "Такого сообщения нет или оно вам не доступно.")


def wrong_state(detail: str, act: Act | None = None, paragraph: str | None = None) -> Refusal:
    """409; with the act and a paragraph where the order of steps is the regulation's own."""
    regulation = act.id if act else None
    told = problem("wrong-state", "Противоречит состоянию", 409, detail, regulation=regulation, paragraph=paragraph)
    return Refusal(told)


def forbidden(act: Act, paragraph: str | None, detail: str, pointer: str | None = None) -> Refusal:
    """422: the regulation forbids it, or asks for what is missing at `pointer`."""
    errors = (Fault(pointer=pointer, detail=detail),) if pointer else ()
    told = problem(
        "forbidden-by-regulation", "Не допускается положением", 422, detail,
        regulation=act.id, paragraph=paragraph, errors=errors,
    )  # fmt: skip
    return Refusal(told)


def invalid(pointer: str, detail: str) -> Refusal:
    """422 for one fault of the data; pointers are into the command's body."""
    return invalid_all([Fault(pointer=pointer, detail=detail)], detail)


def invalid_all(faults: Iterable[Fault], detail: str = "Данные не годятся: см. errors.") -> Refusal:
    """422 with every fault at once."""
    return Refusal(problem("invalid-data", "Данные не годятся", 422, detail, errors=tuple(faults)))


def role(actor: Actor, data: type[Data]) -> None:
    """403 unless one of the actor's roles may give that command. Told before anything of the message is."""
    if data.roles.isdisjoint(actor.roles):
        raise wrong_role(f"Команду «{data.type}» подаёт: {roles.in_words(data.roles)}.")


def may_see(message: Message, actor: Actor) -> bool:
    """Whether the message exists for that actor (contract, "Roles")."""
    if message.authority not in actor.authorities:
        return False
    return actor.reads_all or ("executor" in actor.roles and was_assigned(message, actor.agency))


def was_assigned(message: Message, agency: str | None) -> bool:
    """Whether anything of the message was ever issued to the agency; a turn not yet come does not count."""
    return agency is not None and any(one.agency == agency and one.issued_at is not None for one in message.assignments)


def sequence(expected: int | None, stands_at: int) -> None:
    """409 when the message has moved on since the sender looked."""
    if expected is not None and expected != stands_at:
        detail = f"Ожидалось состояние {expected}, сейчас {stands_at}: прочтите сообщение заново."
        raise Refusal(problem("sequence-conflict", "Сообщение изменилось", 409, detail, sequence=stands_at))


def command_id_reused() -> Refusal:
    detail = "Этот command_id уже использован для другой команды, сообщения или отправителя."
    return Refusal(problem("command-id-reused", "Идентификатор команды использован", 409, detail))


def open_for_work(message: Message) -> None:
    """409 once the message is dismissed or answered."""
    if message.dismissed is not None:
        raise wrong_state("Сообщение признано не подлежащим обработке: сначала верните его в работу (reopen).")
    if message.answered_at is not None:
        raise wrong_state("На сообщение уже дан ответ.")


def agency_known(directory: Directory, agency: str, pointer: str) -> None:
    """422 for an agency that the authority does not have, or that gets nothing new any more."""
    known = directory.agencies.get(agency)
    if known is None:
        raise invalid(pointer, f"Органа «{agency}» нет в справочнике.")
    if known.closed:
        raise invalid(pointer, f"Орган «{agency}» закрыт: новых сообщений он не получает.")


def acts_as_coordinator(hearing: MessageHearing) -> bool:
    return "coordinator" in hearing.actor.roles


def agency_of(hearing: MessageHearing) -> str:
    """The agency for which the executor acts; 404 where it was never assigned, as if the message did not exist."""
    agency = hearing.actor.agency
    if agency is None or "executor" not in hearing.actor.roles or not was_assigned(hearing.message, agency):
        raise unknown_message()
    return agency


def assignment(hearing: MessageHearing, assignment_id: str) -> Assignment:
    """404 for an assignment that the message does not have."""
    found = hearing.message.assignment(assignment_id)
    if found is None:
        raise unknown("assignment", "Такого назначения у сообщения нет.")
    return found


def own_assignment(hearing: MessageHearing, assignment_id: str) -> Assignment:
    """The executor's own; another agency's is 404, as if it did not exist."""
    found = assignment(hearing, assignment_id)
    if found.agency != agency_of(hearing):
        raise unknown("assignment", "Такого назначения у вашего органа нет.")
    return found


def draft(hearing: MessageHearing, draft_id: str) -> Draft:
    """404 for a draft that the message does not have."""
    found = hearing.message.draft(draft_id)
    if found is None:
        raise unknown("draft", "Такого проекта ответа у сообщения нет.")
    return found
