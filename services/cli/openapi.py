"""OpenAPI 3.1 of the services, into `schemas/openapi/`: `python -m services.cli.openapi`; with `--check` a difference fails.

The same as each service tells at `/openapi.json`, made without Kafka, PostgreSQL or a running service, and checked by the
validator of OpenAPI (it needs what the extra `dev` installs).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Never

from fastapi import FastAPI
from openapi_spec_validator import OpenAPIV31SpecValidator

import schemas
from schemas.generated import write_or_check
from services.intake import api as intake
from services.reporting import api as reporting
from services.runtime.database import create_engine
from services.runtime.http import always_ready, openapi_of
from services.runtime.settings import Settings, load_settings
from services.sla import api as sla
from services.workflow import api as workflow

HERE = Path(schemas.__file__).parent / "openapi"


def _nobody() -> Never:
    raise RuntimeError("an app that only tells its routes was asked to answer")


def _reporting(settings: Settings) -> FastAPI:
    # An engine connects when it is first used, and here it never is.
    return reporting.app_of(settings, create_engine(settings.postgres, "reporting", 1), always_ready, _never)


async def _never() -> None:
    """No instant is reached by an app that only tells its routes."""


def documents(settings: Settings | None = None) -> dict[str, dict[str, Any]]:
    """The document of each service by the service's name."""
    chosen = settings or load_settings(environment="embedded", oidc_issuer=None, oidc_audience=None)
    apps = {
        "intake": intake.make_app(chosen, _nobody, always_ready),
        "workflow": workflow.make_app(chosen, _nobody, always_ready),
        "sla": sla.make_app(chosen, _nobody, always_ready),
        "reporting": _reporting(chosen),
    }
    # Over JSON and back, as a partner reads it: tuples are lists there.
    return {name: json.loads(json.dumps(openapi_of(app))) for name, app in apps.items()}


def faults(document: dict[str, Any]) -> list[str]:
    """What a tool that reads OpenAPI would stumble on, and what a person would miss."""
    found = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
        for error in OpenAPIV31SpecValidator(document).iter_errors()
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            place = f"{method.upper()} {path}"
            if not operation.get("summary"):
                found.append(f"{place}: нет summary")
            if not operation.get("security"):
                found.append(f"{place}: не сказано, что нужен токен")
            for status in ("4XX", "5XX"):
                if "application/problem+json" not in operation["responses"].get(status, {}).get("content", {}):
                    found.append(f"{place}: отказ {status} не описан как problem+json")
            if not any(part["content"] for status, part in operation["responses"].items() if status.startswith("2")):
                found.append(f"{place}: не описано, что придёт в ответ")
    return found


def text(document: dict[str, Any]) -> str:
    """The document's file, the same bytes every time."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def main(check: bool) -> int:
    made = documents()
    wrong = [f"{name}: {fault}" for name, document in made.items() for fault in faults(document)]
    for fault in wrong:
        print(f"schemas/openapi/{fault}")
    if wrong:
        return 1
    wanted = {f"{name}.json": text(document) for name, document in made.items()}
    return write_or_check(HERE, "*.json", wanted, check=check, command="make schemas")


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv))
