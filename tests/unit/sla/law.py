"""Laws for the tests: the acts as shipped, years from the library, and a small authority around them."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from regulations.canonical import content_hash
from regulations.directory import Directory, evolve
from regulations.working_time.library_years import library_year
from schemas.events import Amended

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "tests" / "regulations" / "examples"
REGIONS = {
    "kbr": ("kbr-2022-137", "Europe/Moscow"),
    "kemerovo": ("kemerovo-2020-65", "Asia/Novokuznetsk"),
    "nenets": ("nenets-2020", "Europe/Moscow"),
    "kursky": ("kursky-2023-18", "Europe/Moscow"),
    "buryatia": ("buryatia-2022-288", "Asia/Irkutsk"),
}
LONG_AGO = datetime(2023, 1, 1, tzinfo=UTC)


def amended(number: int, kind: str, data: dict[str, Any]) -> Amended:
    return Amended.model_validate(
        {
            "number": number,
            "amendment_id": f"amendment-{number}",
            "kind": kind,
            "reason": "проверка",
            "basis": "проверка",
            "hash": content_hash(data),
            "data": data,
        }
    )


def act_of(region: str, **changes: Any) -> dict[str, Any]:
    text = (ROOT / "regulations" / "acts" / f"{REGIONS[region][0]}.toml").read_text(encoding="utf-8")
    return json.loads(json.dumps({**tomllib.loads(text), **changes}, default=str))


def file_of(region: str, **changes: Any) -> dict[str, Any]:
    days = json.loads((EXAMPLES / "regional_days.json").read_text(encoding="utf-8"))[region]
    act, zone = REGIONS[region]
    regional = [{"basis": "проверка", **day} for day in days]
    return {
        "id": region,
        "name": "Проверочный орган",
        "timezone": zone,
        "regulations": [{"id": act, "from": "2020-01-01", "stated": True}],
        "regional_days": regional,
        "agencies": {one: {"name": one, "topics": ["дороги"], "executors": ["исполнитель"]} for one in ("a", "b", "c")},
        **changes,
    }


@cache
def amendments(region: str, years: tuple[int, ...] = (2023, 2024, 2025, 2026, 2027)) -> tuple[Amended, ...]:
    """The amendments that `law apply` would make: the act, the years, the authority."""
    known = [("act", act_of(region))]
    known += [("calendar_year", library_year(year).model_dump(mode="json")) for year in years]
    known += [("authority", file_of(region))]
    return tuple(amended(number, kind, data) for number, (kind, data) in enumerate(known, 1))


@cache
def directory(region: str = "kbr", years: tuple[int, ...] = (2023, 2024, 2025, 2026, 2027)) -> Directory:
    """The law of a region in force."""
    found = None
    for one in amendments(region, years):
        found = evolve(found, region, one, LONG_AGO)
    assert found is not None
    return found
