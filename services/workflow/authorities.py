"""The law in force over HTTP, and amendments to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import FastAPI, Header
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from regulations.directory import Directory
from schemas.envelope import Actor
from schemas.ids import Slug
from schemas.inbox import Amendment
from schemas.messages import Page
from services.runtime import problems
from services.runtime.gate import unstorable
from services.runtime.http import CurrentActor, require_role
from services.workflow.amendments import EVERY
from services.workflow.gate import AmendmentGate
from services.workflow.reads import MessageReader

Reason = Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=r"\S")]
TopicMaker = Callable[[str, str], Any]
"""Creates the topics of an agency, if they are not there; awaitable, of authority and agency."""


class AmendmentBody(BaseModel):
    """What an operator posts; the kinds that come from files are for `otklik law apply`."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["calendar_day", "hours", "agency", "official", "substitute", "account", "topic_list", "leader"]
    reason: Reason
    basis: Reason | None = None
    data: dict[str, Any] = Field(default_factory=dict)


class Amended(BaseModel):
    """The amendment is folded in every partition: it counts from here on."""

    amendment_id: str
    authority: str
    number: int


Key = Annotated[UUID | None, Header(alias="Idempotency-Key", description="Идентификатор поправки; без него создаётся")]


def add_routes(app: FastAPI, parts: Callable[[], tuple[MessageReader, AmendmentGate, TopicMaker]]) -> None:
    @app.get("/v1/authorities", summary="Органы власти, право которых действует")
    async def listed(actor: CurrentActor) -> Page:
        reader, _, _ = parts()
        found = (await reader.directories()).values()
        return Page(items=[_brief(one) for one in sorted(found, key=lambda one: one.id) if _sees(actor, one.id)])

    @app.get("/v1/authorities/{authority}", summary="Что действует, с историей")
    async def one(authority: Slug, actor: CurrentActor) -> dict[str, Any]:
        reader, _, _ = parts()
        return _whole(await _in_force(reader, authority, actor))

    @app.post("/v1/authorities/{authority}/amendments", summary="Поправка", status_code=200)
    async def amend(authority: Slug, body: AmendmentBody, actor: CurrentActor, key: Key = None) -> Amended:
        _, gate, new_agency = parts()
        require_role(actor, "operator")
        if not _sees(actor, authority):
            raise problems.not_found("Такого органа власти нет или он вам не доступен.")
        if unfit := unstorable(body.model_dump()):
            raise problems.invalid(unfit)
        amendment = Amendment.model_validate(body.model_dump())
        if amendment.kind == "agency":
            # Before the log knows the agency: workflow writes to its topics from the amendment on.
            await new_agency(authority, _agency_id(amendment))
        amendment_id = str(key or uuid4())
        narrowed = actor.model_copy(update={"authorities": (authority,)})
        outcome = await gate.submit(authority, amendment, amendment_id, narrowed)
        number = next((event["data"]["number"] for event in outcome.body["events"] if "number" in event["data"]), 0)
        return Amended(amendment_id=amendment_id, authority=authority, number=number)


class _Named(BaseModel):
    id: Annotated[Slug, Field(validation_alias=AliasChoices("id", "agency"))]


def _agency_id(amendment: Amendment) -> str:
    try:
        return _Named.model_validate(amendment.data).id
    except ValidationError as error:
        raise problems.invalid(problems.faults_of(error, ("data",))) from None


def _sees(actor: Actor, authority: str) -> bool:
    return authority in actor.authorities or (EVERY in actor.authorities and "operator" in actor.roles)


async def _in_force(reader: MessageReader, authority: str, actor: Actor) -> Directory:
    directory = (await reader.directories()).get(authority) if _sees(actor, authority) else None
    if directory is None:
        raise problems.not_found("Такого органа власти нет или он вам не доступен.")
    return directory


def _brief(directory: Directory) -> dict[str, Any]:
    return {
        "id": directory.id,
        "name": directory.name,
        "regulation": directory.regulation,
        "timezone": directory.timezone,
    }


def _whole(directory: Directory) -> dict[str, Any]:
    """The shape of the contract, and beside it what else is in force."""
    authority = directory.authority
    return _brief(directory) | {
        "regulations": [entry.model_dump(mode="json", exclude_none=True) for entry in directory.regulations],
        "hours": directory.hours.model_dump(mode="json", exclude_none=True),
        "agencies": [agency.model_dump(mode="json") for agency in directory.agencies.values()],
        "regional_days": [day.model_dump(mode="json", exclude_none=True) for day in directory.regional_days],
        "leaders": [leader.model_dump(mode="json", exclude_none=True) for leader in directory.leaders],
        "committees": [committee.model_dump(mode="json") for committee in directory.committees],
        "accounts": [account.model_dump(mode="json") for account in directory.accounts],
        "topic_list": authority.topic_list.model_dump(mode="json") if authority.topic_list else None,
        "reduced": authority.model_dump(mode="json")["reduced"],
        "max_detection_age": authority.model_dump(mode="json")["max_detection_age"],
        "detection_counts": directory.detection_counts,
        "amendments": [note.model_dump(mode="json", exclude_none=True) for note in directory.amendments],
    }
