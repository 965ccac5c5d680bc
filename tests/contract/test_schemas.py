"""The shapes that others build on: exported, and never changed so that they would notice."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.export import breaks, bundle, main

RELEASED = Path(__file__).parent / "released" / "v1.json"


def released() -> dict[str, Any]:
    return json.loads(RELEASED.read_text(encoding="utf-8"))


def test_exported_schemas_are_those_of_the_models() -> None:
    assert main(check=True) == 0


def test_nothing_that_was_released_is_broken() -> None:
    assert breaks(released(), bundle()) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s.pop("detection"), "detection: схема исчезла"),
        (lambda s: s["detection"]["properties"].pop("detected_by"), "detection.detected_by: поле исчезло"),
        (lambda s: s["detection"]["required"].append("location"), "detection.location: поле стало обязательным"),
        (
            lambda s: s["command.dismiss"]["properties"]["ground"]["enum"].remove("spam"),
            "command.dismiss.ground: значения",
        ),
        (
            lambda s: s["message.published"]["required"].remove("url"),
            "message.published.url: поле перестало быть всегда",
        ),
        (lambda s: s["detection"]["properties"].update(text={"type": "integer"}), "detection.text: тип string"),
    ],
)
def test_an_incompatible_change_is_told(change: Any, told: str) -> None:
    changed = copy.deepcopy(bundle())
    change(changed)
    assert any(fault.startswith(told) for fault in breaks(bundle(), changed)), breaks(bundle(), changed)


def test_an_optional_field_more_breaks_nobody() -> None:
    changed = copy.deepcopy(bundle())
    changed["detection"]["properties"]["mood"] = {"type": "string"}
    changed["message.published"]["properties"]["mood"] = {"type": "string"}
    assert breaks(bundle(), changed) == []
