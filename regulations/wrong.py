"""What pydantic found wrong, in Russian: where it stands, and what was expected there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

Place = tuple[str | int, ...]
"""Keys and indexes from the root of the data."""

_NO_PLACE = re.compile(r"\[key\]|constrained-\w+|function-\w+\[.*\]|float|timedelta|literal\[.*\]|DayHours")


class Wrong(NamedTuple):
    """One thing that is wrong: where it stands, and in Russian what, and what was expected."""

    place: Place
    detail: str

    @property
    def pointer(self) -> str:
        """The place as a JSON pointer (RFC 6901)."""
        return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in self.place)


def _listed(context: Mapping[str, Any]) -> str:
    return str(context.get("expected", "")).replace(" or ", " или ")


# Types of pydantic's errors, and what to tell of each. What is missing here is told in pydantic's own words.
_TEXTS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "обязательное поле не заполнено",
    "extra_forbidden": lambda _: "такого поля нет",
    "literal_error": lambda c: f"ожидается одно из: {_listed(c)}",
    "string_type": lambda _: "ожидается строка",
    "string_too_short": lambda c: f"ожидается строка не короче {c['min_length']} зн.",
    "string_too_long": lambda c: f"ожидается строка не длиннее {c['max_length']} зн.",
    "string_pattern_mismatch": lambda c: f"ожидается строка вида {c['pattern']}",
    "bool_type": lambda _: "ожидается true или false",
    "bool_parsing": lambda _: "ожидается true или false",
    "int_type": lambda _: "ожидается целое число",
    "int_parsing": lambda _: "ожидается целое число",
    "int_from_float": lambda _: "ожидается целое число",
    "float_type": lambda _: "ожидается число",
    "float_parsing": lambda _: "ожидается число",
    "greater_than": lambda c: f"ожидается число больше {c['gt']}",
    "greater_than_equal": lambda c: f"ожидается число не меньше {c['ge']}",
    "less_than": lambda c: f"ожидается число меньше {c['lt']}",
    "less_than_equal": lambda c: f"ожидается число не больше {c['le']}",
    "tuple_type": lambda _: "ожидается список",
    "list_type": lambda _: "ожидается список",
    "dict_type": lambda _: "ожидается таблица",
    "model_type": lambda _: "ожидается таблица",
    "model_attributes_type": lambda _: "ожидается таблица",
    "too_short": lambda c: f"ожидается не меньше {c['min_length']} элементов",
    "too_long": lambda c: f"ожидается не больше {c['max_length']} элементов",
    "date_type": lambda _: "ожидается дата вида 2026-05-27",
    "date_parsing": lambda _: "ожидается дата вида 2026-05-27",
    "date_from_datetime_parsing": lambda _: "ожидается дата вида 2026-05-27",
    "date_from_datetime_inexact": lambda _: "ожидается дата без времени",
    "time_delta_type": lambda _: "ожидается срок по ISO 8601, например PT30M, PT9H, P7D",
    "time_delta_parsing": lambda _: "ожидается срок по ISO 8601, например PT30M, PT9H, P7D",
}


def wrong(error: ValidationError, at: Place = ()) -> list[Wrong]:
    """Every fault of a validation, each place once, with its Russian text. `at` is where the data stood.

    Where a value may be of several kinds, what each of them expected is told in one line.
    """
    faults = error.errors(include_url=False)
    expected: dict[Place, list[str]] = {}
    received: dict[Place, str] = {}
    for fault in faults:
        if fault["type"] == "too_short" and any(_lies_under(other["loc"], fault["loc"]) for other in faults):
            continue  # The list is short only because of the entries that are told of themselves.
        place = (*at, *_place(fault["loc"]))
        detail = _text(fault["type"], fault.get("ctx", {}), fault["msg"])
        if detail not in expected.setdefault(place, []):
            expected[place].append(detail)
        if fault["type"] != "missing" and isinstance(fault["input"], str | int | float | bool):
            received[place] = f"; получено: {fault['input']!r}"
    return [Wrong(place, " или ".join(details) + received.get(place, "")) for place, details in expected.items()]


def _text(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind in {"value_error", "assertion_error"}:
        return str(context.get("error", message))
    translated = _TEXTS.get(kind)
    return translated(context) if translated else message


def _place(loc: Sequence[str | int]) -> Place:
    # Of a key that is wrong pydantic says ("reduced", "anser", "[key]"), of a value of several kinds which kind it tried.
    return tuple(part for part in loc if not (isinstance(part, str) and _NO_PLACE.fullmatch(part)))


def _lies_under(loc: Sequence[str | int], above: Sequence[str | int]) -> bool:
    return len(loc) > len(above) and tuple(loc[: len(above)]) == tuple(above)
