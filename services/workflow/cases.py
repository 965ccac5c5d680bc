"""Success cases (Buryatia 23): proposed by an agency, agreed or refused by the committee, published, reported."""

from __future__ import annotations

from schemas.commands import AgreeCase, ProposeCase, RefuseCase, ReportCase, ReportCasePublication
from schemas.envelope import Envelope
from schemas.events import CaseAgreed, CaseProposed, CasePublished, CaseRefused, CaseReported
from services.workflow import guards
from services.workflow.hearing import MessageHearing
from services.workflow.state import Message, SuccessCase


def propose_case(hearing: MessageHearing, data: ProposeCase) -> None:
    """Of a message that was answered, by an agency that worked on it."""
    _known_to_the_act(hearing)
    agency = guards.agency_of(hearing)
    message = hearing.message
    if message.answered_at is None:
        raise guards.wrong_state("Кейс предлагается по отработанному сообщению: ответ ещё не размещён.")
    if not any(one.agency == agency and one.status == "done" and one.issued_at for one in message.assignments):
        raise guards.wrong_state("Ваш орган вернул это сообщение или оно у него отозвано.")
    hearing.tell(CaseProposed(case_id=hearing.new_id("case"), agency=agency, text=data.text))


def agree_case(hearing: MessageHearing, data: AgreeCase) -> None:
    case = _case(hearing, data.case_id)
    _stands(case, "proposed", "Кейс уже рассмотрен.")
    hearing.tell(CaseAgreed(case_id=case.case_id, agency=case.agency, reason=data.reason))


def refuse_case(hearing: MessageHearing, data: RefuseCase) -> None:
    case = _case(hearing, data.case_id)
    _stands(case, "proposed", "Кейс уже рассмотрен.")
    hearing.tell(CaseRefused(case_id=case.case_id, agency=case.agency, reason=data.reason))


def report_case_publication(hearing: MessageHearing, data: ReportCasePublication) -> None:
    case = _own_case(hearing, data.case_id)
    _stands(case, "agreed", "Публикуется согласованный кейс, и один раз.")
    hearing.tell(CasePublished(case_id=case.case_id, agency=case.agency, url=data.url))


def report_case(hearing: MessageHearing, data: ReportCase) -> None:
    case = _own_case(hearing, data.case_id)
    _stands(case, "published", "Сведения направляются об опубликованном кейсе, и один раз.")
    hearing.tell(CaseReported(case_id=case.case_id, agency=case.agency, text=data.text, url=data.url))


def _known_to_the_act(hearing: MessageHearing) -> None:
    if hearing.act.cases is None:
        raise guards.forbidden(hearing.act, None, "Кейсов положение не предусматривает.")


def _case(hearing: MessageHearing, case_id: str) -> SuccessCase:
    _known_to_the_act(hearing)
    found = next((case for case in hearing.message.cases if case.case_id == case_id), None)
    if found is None:
        raise guards.unknown("case", "Такого кейса у сообщения нет.")
    return found


def _own_case(hearing: MessageHearing, case_id: str) -> SuccessCase:
    case = _case(hearing, case_id)
    if case.agency != guards.agency_of(hearing):
        raise guards.unknown("case", "Такого кейса у вашего органа нет.")
    return case


def _stands(case: SuccessCase, status: str, otherwise: str) -> None:
    if case.status != status:
        raise guards.wrong_state(otherwise)


def case_proposed(message: Message, data: CaseProposed, event: Envelope) -> Message:
    new = SuccessCase(case_id=data.case_id, agency=data.agency, text=data.text)
    return message.model_copy(update={"cases": (*message.cases, new)})


def case_agreed(message: Message, data: CaseAgreed, event: Envelope) -> Message:
    return _changed(message, data.case_id, {"status": "agreed"})


def case_refused(message: Message, data: CaseRefused, event: Envelope) -> Message:
    return _changed(message, data.case_id, {"status": "refused", "reason": data.reason})


def case_published(message: Message, data: CasePublished, event: Envelope) -> Message:
    return _changed(message, data.case_id, {"status": "published", "url": data.url})


def case_reported(message: Message, data: CaseReported, event: Envelope) -> Message:
    return _changed(message, data.case_id, {"status": "reported"})


def _changed(message: Message, case_id: str, update: dict[str, object]) -> Message:
    cases = tuple(case.model_copy(update=update) if case.case_id == case_id else case for case in message.cases)
    return message.model_copy(update={"cases": cases})
