"""Problems (RFC 9457): what a gate answers when it refuses, with every fault of the input and its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from schemas.outcomes import Fault, Problem, problem

MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """A refusal on its way to whoever asked; `headers` go with the HTTP answer (`WWW-Authenticate`, `Retry-After`)."""

    def __init__(self, told: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(told.detail)
        self.problem = told
        self.headers = dict(headers or {})


def unauthenticated(detail: str, *, error: str | None = None) -> ProblemError:
    """401 with the challenge of RFC 6750; `error` is its code where a token came and was no good."""
    challenge = 'Bearer realm="otklik"' + (f', error="{error}"' if error else "")
    told = problem("unauthenticated", "Нужен действующий токен", 401, detail)
    return ProblemError(told, {"WWW-Authenticate": challenge})


def forbidden(detail: str) -> ProblemError:
    """403: the token's roles do not allow it."""
    return ProblemError(problem("forbidden", "Нет нужной роли", 403, detail))


def not_found(detail: str = "Такого объекта нет или он вам не доступен.") -> ProblemError:
    """404, and the same for what is somebody else's: whether it exists is not told."""
    return ProblemError(problem("not-found", "Не найдено", 404, detail))


def conflict(slug: str, detail: str, **more: Any) -> ProblemError:
    """409: the state, the expected sequence or the id's first use is against it."""
    return ProblemError(problem(slug, "Противоречит состоянию", 409, detail, **more))


def invalid(faults: Iterable[Fault], detail: str = "Данные не годятся: см. errors.") -> ProblemError:
    """422 with every fault at once."""
    return ProblemError(problem("invalid", "Данные не годятся", 422, detail, errors=tuple(faults)))


def too_large(limit: int) -> ProblemError:
    """413; `limit` in bytes."""
    detail = f"Тело запроса больше {limit} байт."
    return ProblemError(problem("too-large", "Слишком большое тело запроса", 413, detail))


def unsupported(accepted: str) -> ProblemError:
    """415: the body's media type is another one."""
    detail = f"Тело запроса принимается только как {accepted}."
    told = problem("unsupported-media-type", "Неподходящий тип тела запроса", 415, detail)
    return ProblemError(told, {"Accept-Post": accepted})


def rate_limited(retry_after: int, streams: Sequence[str] = ()) -> ProblemError:
    """429; `retry_after` in seconds; `streams`: paths that take much at once."""
    detail = f"Слишком много запросов с этим токеном: повторите через {retry_after} с."
    if streams:
        detail += f" Много сразу быстрее подавать потоком: {', '.join(streams)}."
    return ProblemError(problem("rate-limited", "Слишком часто", 429, detail), {"Retry-After": str(retry_after)})


def unavailable(retry_after: int = 1, detail: str | None = None, command_id: str | None = None) -> ProblemError:
    """503; `retry_after` in seconds; `command_id` of a command that may be repeated under it."""
    words = detail or "Журнал сейчас не принимает записей: повторите позже."
    told = problem("unavailable", "Временно не принимается", 503, words, command_id=command_id)
    return ProblemError(told, {"Retry-After": str(retry_after)})


def not_in_time(command_id: str | None, detail: str) -> ProblemError:
    """504: it is on the log, and what became of it is not known yet."""
    return ProblemError(problem("outcome-unknown", "Исход пока не известен", 504, detail, command_id=command_id))


def pointer(location: Sequence[int | str]) -> str:
    """A JSON pointer (RFC 6901) of a place inside a document; the document itself is the empty text."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def faults_of(error: ValidationError, within: Sequence[int | str] = ()) -> list[Fault]:
    """Every fault of a validation in Russian; `within` is where the validated part stands in its document."""
    return [fault(one, (*within, *one["loc"])) for one in error.errors(include_url=False)]


def words_of(error: ValidationError) -> str:
    """The first twenty as one line, for where there is no room for a list: nothing of what was sent is repeated."""
    return "; ".join(
        f"{fault.pointer}: {fault.detail}" if fault.pointer else fault.detail for fault in faults_of(error)[:20]
    )


def fault(error: Mapping[str, Any], location: Sequence[int | str]) -> Fault:
    """One fault in pydantic's terms as pointer and Russian words; what was sent is not repeated: it may be personal."""
    return Fault(pointer=pointer(location), detail=_in_russian(str(error["type"]), error.get("ctx") or {}))


_PLAIN = {
    "missing": "обязательное поле",
    "extra_forbidden": "такого поля нет",
    "string_type": "нужна строка",
    "string_unicode": "строка не в UTF-8",
    "string_pattern_mismatch": "не того вида",
    "int_type": "нужно целое число",
    "int_parsing": "нужно целое число",
    "int_from_float": "нужно целое число",
    "float_type": "нужно число",
    "float_parsing": "нужно число",
    "bool_type": "нужно true или false",
    "bool_parsing": "нужно true или false",
    "dict_type": "нужен объект",
    "model_type": "нужен объект",
    "model_attributes_type": "нужен объект",
    "list_type": "нужен список",
    "tuple_type": "нужен список",
    "json_invalid": "это не JSON",
    "json_type": "это не JSON",
    "uuid_type": "нужен UUID",
    "uuid_parsing": "нужен UUID",
    "uuid_version": "нужен UUID",
    "timezone_aware": "нужно смещение от UTC: время по RFC 3339",
    "datetime_type": "нужно время по RFC 3339 со смещением",
    "datetime_parsing": "нужно время по RFC 3339 со смещением",
    "datetime_from_date_parsing": "нужно время по RFC 3339 со смещением",
    "datetime_object_invalid": "нужно время по RFC 3339 со смещением",
    "date_type": "нужна дата ГГГГ-ММ-ДД",
    "date_parsing": "нужна дата ГГГГ-ММ-ДД",
    "date_from_datetime_parsing": "нужна дата ГГГГ-ММ-ДД",
    "date_from_datetime_inexact": "нужна дата ГГГГ-ММ-ДД",
    "time_parsing": "нужно время ЧЧ:ММ",
    "time_delta_parsing": "нужна длительность по ISO 8601",
    "none_required": "нужен null",
}


def _in_russian(kind: str, context: Mapping[str, Any]) -> str:
    match kind:
        case "literal_error" | "enum":
            return f"возможно только {str(context['expected']).replace(' or ', ' или ')}"
        case "string_pattern_mismatch":
            return f"не подходит под образец {context['pattern']}"
        case "string_too_long":
            return f"длиннее {context['max_length']} знаков"
        case "string_too_short":
            return f"короче {context['min_length']} знаков"
        case "too_long":
            return f"больше {context['max_length']} элементов"
        case "too_short":
            return f"меньше {context['min_length']} элементов"
        case "greater_than_equal":
            return f"нужно не меньше {context['ge']}"
        case "greater_than":
            return f"нужно больше {context['gt']}"
        case "less_than_equal":
            return f"нужно не больше {context['le']}"
        case "less_than":
            return f"нужно меньше {context['lt']}"
        case "value_error" | "assertion_error":
            # Our own validators speak Russian already.
            return str(context.get("error", "значение не годится"))
    return _PLAIN.get(kind, "значение не годится")
