"""Instants as clients send them (contract, "Conventions"): RFC 3339 text with an offset, in years that every zone can hold."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator

YEARS = range(1970, 2200)
"""An instant at the edge of Python's calendar cannot be shown in another zone, and no term can be added to it."""
_TEXT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")


def _is_text(value: object) -> object:
    # A bare number would be taken for seconds since 1970, though whoever sent it may have meant milliseconds.
    if isinstance(value, datetime) or (isinstance(value, str) and _TEXT.match(value)):
        return value
    raise ValueError("нужно время по RFC 3339 со смещением")


def in_reach(at: datetime) -> datetime:
    """The instant itself; ValueError where its year lies outside `YEARS`."""
    if at.year not in YEARS:
        raise ValueError(f"год вне {YEARS[0]}–{YEARS[-1]}")
    return at


Instant = Annotated[AwareDatetime, BeforeValidator(_is_text), AfterValidator(in_reach)]
