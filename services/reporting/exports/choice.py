"""Which file is wanted: by `?format=`, else by `Accept`."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request

from schemas.outcomes import Fault, problem
from services.reporting.exports import csv, summary_files, xlsx
from services.runtime import problems
from services.runtime.problems import ProblemError

_TYPES: Mapping[str, str] = {
    "json": "application/json",
    "csv": csv.MEDIA_TYPE.partition(";")[0],
    "xlsx": xlsx.MEDIA_TYPE,
    "docx": summary_files.DOCX,
}


def choose(request: Request, asked: str | None, *offered: str) -> str:
    """One of `offered`, the first by default. Raises ProblemError 422 for another `format`, 406 where no type of `Accept`
    is offered."""
    if asked is not None:
        if asked not in offered:
            told = f"возможно только {', '.join(offered)}"
            raise problems.invalid([Fault(pointer="/query/format", detail=told)])
        return asked
    accepted = sorted(_accepted(request.headers.get("accept", "*/*")), key=lambda one: -one[1])
    for media, quality in accepted:
        for name in offered:
            kind = _TYPES[name].partition("/")[0]
            if quality > 0 and media in {_TYPES[name], f"{kind}/*", "*/*"}:
                return name
    detail = f"Отдаётся только {', '.join(_TYPES[name] for name in offered)}."
    raise ProblemError(problem("not-acceptable", "Нет такого вида", 406, detail))


def _accepted(header: str) -> list[tuple[str, float]]:
    found = []
    for part in header.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        found.append((media, quality))
    return found
