"""A log told in a few words: what happened to messages and deadlines, as workflow and sla would write it."""

from __future__ import annotations

import tomllib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from regulations.law import differences
from regulations.load import load
from regulations.working_time.library_years import library_years
from schemas import deadlines, events, ids
from schemas.envelope import Actor, Envelope
from services.reporting.projections.fold import Told

REGULATIONS = Path(__file__).parents[3] / "regulations"


def at(text: str) -> datetime:
    """`16.11 09:30` of 2026, by Moscow's clock."""
    return datetime.strptime(f"2026.{text} +0300", "%Y.%d.%m %H:%M %z")


async def eleven() -> datetime:
    """How far a house has come that stands still: Tuesday morning."""
    return at("17.11 11:00")


class Log:
    """Both topics of one partition; `told` is what a projection reads, in the order of writing."""

    def __init__(self, partition: int = 0) -> None:
        self.partition = partition
        self.told: list[Told] = []
        self._offsets = {"events": 0, "deadlines": 0}

    def append(self, topic: str, envelope: Envelope, sla_at: datetime | None = None) -> None:
        offset = self._offsets[topic]
        self._offsets[topic] = offset + 1
        # Through bytes, as on the log.
        self.told.append(Told(topic, self.partition, offset, Envelope.from_bytes(envelope.to_bytes()), sla_at))

    def reached(self, time: datetime) -> None:
        self.append("events", _envelope(events.Reached.type, None, time, {"at": time.isoformat()}))

    def amended(self, authority: str, number: int, kind: str, data: dict[str, Any], time: datetime) -> None:
        told = {
            "number": number,
            "amendment_id": f"a{number}",
            "kind": kind,
            "reason": "проверка",
            "hash": "-",
            "data": data,
        }
        self.append("events", _envelope(events.Amended.type, None, time, told, authority=authority))

    def law(
        self, authority: str = "kbr", zone: str = "Europe/Moscow", act: str = "kbr-2022-137", since: str = "01.10 09:00"
    ) -> None:
        """An act and a small authority under it, in force."""
        text = tomllib.loads((REGULATIONS / "acts" / f"{act}.toml").read_text(encoding="utf-8"))
        self.amended(authority, 1, "act", text, at(since))
        said = {
            "id": authority,
            "name": "Кабардино-Балкарская Республика",
            "timezone": zone,
            "regulations": [{"id": act, "from": "2022-12-16", "stated": False}],
            "agencies": {
                "minzdrav": agency("Министерство здравоохранения", "vk"),
                "minstroy": agency("Министерство строительства и ЖКХ", "vk"),
                "mintrans": agency("Министерство транспорта и дорожного хозяйства", None),
            },
        }
        self.amended(authority, 2, "authority", said, at(since))

    def second_act(self, name: str, first_day: str, time: datetime, **summary: Any) -> None:
        """After `law()`: from `first_day` on, the same act under another name, its summary changed."""
        act, file = (one.envelope.data["data"] for one in self.told[:2])
        self.amended(file["id"], 3, "act", act | {"id": name, "summary": act["summary"] | summary}, time)
        acts = [*file["regulations"], {"id": name, "from": first_day, "stated": True}]
        self.amended(file["id"], 4, "authority", file | {"regulations": acts}, time)

    def shipped_law(self, authority: str) -> None:
        """The law of an authority as its files say it."""
        files = load()
        found = differences(None, files.authorities[authority], files.acts, library_years())
        for number, amendment in enumerate(found, start=1):
            self.amended(authority, number, amendment.kind, amendment.data, at("01.10 09:00"))

    def period(self, report: str, period: str, kind: str, time: datetime, **data: Any) -> None:
        subject = ids.period_id("kbr", report, period)
        known = sum(1 for one in self.told if one.envelope.subject == subject)
        told = {"report": report, "period": period} | data
        self.append("events", _envelope(f"otklik.period.{report}-{kind}.v1", subject, time, told, sequence=known + 1))


def agency(name: str, network: str | None) -> dict[str, Any]:
    account = {"network": network, "url": f"https://vk.example/{len(name)}", "title": name}
    return {"name": name, "executors": ["Главный специалист"], "accounts": [account] if network else []}


class Message:
    """One message; every method writes one event at a time like `16.11 09:30`."""

    def __init__(
        self, log: Log, number: int, when: str, *, authority: str = "kbr", network: str = "vk", **more: Any
    ) -> None:
        self.log, self.authority, self.sequence = log, authority, 0
        external = f"-1_{number}"
        self.id = ids.message_id(authority, network, external)
        registered = {
            "regulation": more.pop("regulation", "kbr-2022-137"),
            "law": more.pop("law", 2),
            "source": {
                "network": network,
                "external_id": external,
                "url": more.pop("url", f"https://vk.example/wall{external}"),
            },
            "post": more.pop("post", None) or post(more.pop("text", f"Яма на дороге, сообщение {number}")),
            "detected_at": at(when).isoformat(),
            "received_at": at(when).isoformat(),
            "detection_id": str(uuid5(ids.NAMESPACE, external)),
        }
        self.tell("registered", more.pop("logged", when), **registered, **more)

    def tell(self, kind_: str, when: str, /, *, actor: Actor | None = None, **data: Any) -> str:
        """Write an event; its id."""
        self.sequence += 1
        envelope = _envelope(
            f"otklik.message.{kind_}.v1",
            self.id,
            at(when),
            data,
            authority=self.authority,
            sequence=self.sequence,
            actor=actor,
        )
        self.log.append("events", envelope)
        return envelope.id

    def new(self, name: str) -> str:
        return str(uuid5(UUID(self.id), name))

    def triaged(self, when: str, topics: tuple[str, ...] = ("Дороги",), **more: Any) -> None:
        told = {"location": "Нальчик", "importance": "ordinary", "reduced": False} | more
        self.tell("triaged", when, topics=list(topics), **told)

    def routed(self, when: str, *agencies: str, drafted_by: str | None = None) -> None:
        """The first is the lead; all are issued at once."""
        to = [
            {"assignment_id": self.new(f"assignment/{one}"), "agency": one, "role": "lead" if one == agencies[0] else "contributor", "order": order}
            for order, one in enumerate(agencies, start=1)
        ]  # fmt: skip
        joint = len(agencies) > 1
        self.tell("routed", when, assignments=to, lead=agencies[0], joint=joint, drafted_by=drafted_by or agencies[0])
        for one in to:
            self.tell("assignment-issued", when, **one, drafts=one["role"] == "lead", contributes=one["role"] != "lead")

    def returned(self, when: str, agency: str) -> None:
        self.tell(
            "assignment-returned", when, assignment_id=self.new(f"assignment/{agency}"), agency=agency, role="lead"
        )

    def draft(self, when: str, name: str, by: str = "minstroy", kind: str = "answer") -> None:
        self.tell("draft-submitted", when, draft_id=self.new(name), kind=kind, text="Отвечаем по существу.", by=by)

    def sent_back(self, when: str, name: str, by: str = "minstroy", kind: str = "answer") -> None:
        self.tell("draft-sent-back", when, draft_id=self.new(name), kind=kind, by=by, comments="Добавьте сроки.")

    def approved(
        self, when: str, name: str, by: str = "minstroy", quality: int | None = None, kind: str = "answer"
    ) -> None:
        self.tell("draft-approved", when, draft_id=self.new(name), kind=kind, by=by, quality=quality)

    def published(self, when: str, name: str, by: str = "minstroy", kind: str = "answer") -> None:
        told = {"url": f"https://vk.example/answer/{name}", "place": "same", "by": by}
        self.tell("published", when, draft_id=self.new(name), kind=kind, **told)

    def answered(self, issued: str, answered: str, agency: str = "minstroy", quality: int | None = None) -> None:
        """From triage to publication by one agency."""
        self.triaged(issued)
        self.routed(issued, agency)
        self.draft(answered, "draft", agency)
        self.approved(answered, "draft", agency, quality)
        self.published(answered, "draft", agency)

    def deadline(
        self,
        kind: str,
        when: str,
        rule: str,
        due: str,
        *,
        agency: str | None = None,
        occurrence: int = 1,
        starts: str = "16.11 09:00",
        window: bool = False,
        **more: Any,
    ) -> None:
        deadline_id = ids.deadline_id(self.id, rule, occurrence)
        data = {
            "deadline_id": deadline_id,
            "rule": rule,
            "occurrence": occurrence,
            "regulation": "kbr-2022-137",
            "paragraph": "10",
            "owed_by": {"role": "executor", "agency": agency} if agency else {"role": "coordinator"},
            "starts_at": at(starts).isoformat(),
            "due_at": at(due).isoformat(),
            "warn_at": (at(due) - timedelta(minutes=30)).isoformat(),
            "clock": "working",
            "window": window,
        } | more
        if kind == "set":
            data["explanation"] = ["Пункт 10: 9 рабочих часов", "четверг 30.04: 14:00–17:00, 3 ч"]
        time = at(due) if kind == "breached" else at(when)
        cloud = deadlines.cloud_type(kind)  # type: ignore[arg-type]
        envelope = _envelope(cloud, self.id, time, data, authority=self.authority)
        # Several events of one kind may befall a deadline: the place on the log tells them apart, as sla's counter does.
        unique = str(uuid5(UUID(deadline_id), f"{kind}/{len(self.log.told)}"))
        self.log.append("deadlines", envelope.model_copy(update={"id": unique}), at(when))


def post(text: str, author: str = "Житель") -> dict[str, Any]:
    return {"author": {"name": author, "url": "https://vk.example/id1"}, "text": text, "attachments": []}


def _envelope(
    kind: str,
    subject: str | None,
    time: datetime,
    data: dict[str, Any],
    *,
    authority: str = "kbr",
    sequence: int | None = None,
    actor: Actor | None = None,
) -> Envelope:
    identity = (
        uuid5(UUID(subject), str(sequence))
        if subject is not None and sequence
        else uuid5(ids.NAMESPACE, f"{kind}{time}{data}")
    )
    return Envelope(
        id=str(identity), source="/otklik/workflow", type=kind, subject=subject, time=time, authority=authority,
        sequence=sequence, actor=actor or Actor(sub="e.test", roles=("coordinator",)), data=data,
    )  # fmt: skip
