"""Instants from outside: RFC 3339 text with an offset, in years that every zone can hold."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from schemas.commands import ReportPublication
from schemas.detections import Detection
from schemas.instants import Instant


class Shape(BaseModel):
    at: Instant


@pytest.mark.parametrize(
    "text",
    ["2026-11-16T09:00:00+03:00", "2026-11-16t09:00:00z", "2026-11-16 09:00:00-11:30", "2026-11-16T09:00:00.123456Z",
     "2026-11-16T09:00+03:00", "1970-01-01T00:00:00+14:00", "2199-12-31T23:59:59-12:00"],
)  # fmt: skip
def test_rfc_3339_is_taken(text: str) -> None:
    assert Shape(at=text).at.utcoffset() is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given",
    ["2026-11-16T09:00:00", "2026-11-16", "вчера", "", "1763000000", 1_763_000_000, 1.5, True, None, "20261116T0900Z",
     "2026-02-30T09:00:00Z", "2026-11-16T25:00:00Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
     "2200-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00"],
)  # fmt: skip
def test_everything_else_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        Shape(at=given)


def test_commands_and_detections_bear_such_instants() -> None:
    post = {
        "authority": "kbr",
        "source": {"network": "vk", "external_id": "1", "url": "https://vk.com/1"},
        "author": {"name": "А"},
        "text": "Яма",
    }
    report = {"draft_id": "d964e7a7-eb02-55b4-ba6c-aa87ea22cb31", "url": "https://vk.com/1"}
    Detection.model_validate(post)
    ReportPublication.model_validate(report)
    for name, shape, said in (
        ("detected_at", Detection, post),
        ("posted_at", Detection, post),
        ("published_at", ReportPublication, report),
    ):
        with pytest.raises(ValidationError, match="год вне 1970–2199"):
            shape.model_validate({**said, name: "9999-12-31T23:59:59-12:00"})
