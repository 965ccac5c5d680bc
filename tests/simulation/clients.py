"""The gates, as seeded clients: they append what came in, repeat what they had no answer to, and some of it is rubbish.

A request is lost on its way in, or its answer on the way back; either way the client does not know and asks again, with the
same id. What was acknowledged is remembered for the checker.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from schemas.commands import cloud_type
from schemas.envelope import Actor, Envelope
from schemas.ids import message_id, period_id
from schemas.inbox import AMENDMENT, DETECTION
from services.runtime.log import LogError, Outgoing
from services.runtime.memory_log import MemoryLog
from tests.simulation import commands
from tests.simulation.law import REGIONS, agencies
from tests.simulation.loop import Process
from tests.simulation.watcher import Watcher

HEADERS = {"content-type": b"application/cloudevents+json"}


@dataclass(eq=False)
class Request:
    """`acknowledges`: the message whose detection it is. `everywhere`: one copy to every partition, at once."""

    what: str
    key: bytes
    value: bytes
    acknowledges: str | None = None
    everywhere: bool = False


@dataclass
class Memory:
    """What the clients know."""

    unanswered: list[Request] = field(default_factory=list)
    sent: list[Request] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    posts: list[tuple[str, str]] = field(default_factory=list)


class Clients:
    """`lossy`: how likely a request or its answer is lost. Everything is decided by the dice that a step brings."""

    def __init__(
        self,
        log: MemoryLog,
        process: Process,
        partitions: int,
        lossy: float,
        now: Callable[[], datetime],
        tell: Callable[[str], None],
    ) -> None:
        self.memory = Memory()
        self.watcher = Watcher(log, partitions)
        self._log = log
        self._process = process
        self._partitions = partitions
        self._lossy = lossy
        self._now = now
        self._tell = tell

    # One act each, by the name of a step.

    def detect(self, dice: Random) -> None:
        self.watcher.look()
        if not self.watcher.authorities:
            return  # The gate acknowledges nothing for an authority of which it knows no law.
        region = dice.choice(sorted(self.watcher.authorities))
        external = f"-{dice.randrange(10_000)}_{dice.randrange(1000)}"
        self.memory.posts.append((region, external))
        self._detection(dice, region, external, "new")

    def detect_again(self, dice: Random) -> None:
        """The same post: pushed twice by another monitor, edited, or removed."""
        if not self.memory.posts:
            self.detect(dice)
            return
        region, external = dice.choice(self.memory.posts)
        self._detection(dice, region, external, dice.choice(("new", "edited", "removed", "edited")))

    def command(self, dice: Random) -> None:
        messages = self.watcher.look()
        if not messages:
            self.detect(dice)
            return
        # Those that came last are worked on most.
        recent = list(messages.values())[-8:]
        seen = dice.choice(recent)
        name, data, by = (commands.foolish if dice.random() < 0.12 else commands.sensible)(seen, dice)
        body: dict[str, object] = {"type": name, "data": data}
        if dice.random() < 0.15:
            body["expected_sequence"] = max(0, seen.sequence - dice.choice((0, 0, 1)))
        self._command(dice, seen.message_id, name, body, by)

    def period(self, dice: Random) -> None:
        region, month = dice.choice(REGIONS), dice.choice(("2026-10", "2026-Q3", "2026-11"))
        name = dice.choice(("send_summary_for_agreement", "agree_summary", "deliver_summary"))
        role = "committee" if name == "agree_summary" else "coordinator"
        body: dict[str, object] = {"type": name, "data": {"authority": region, "period": month}}
        self._command(dice, period_id(region, "summary", month), name, body, commands.actor(region, role))

    def repeat(self, dice: Random) -> None:
        """What was sent before, once more: an impatient client, or one that did not hear the answer."""
        if not self.memory.sent:
            return
        request = dice.choice(self.memory.unanswered or self.memory.sent[-10:])
        self._send(dice, request)

    def reuse(self, dice: Random) -> None:
        """A command id that was used already, with another body."""
        before = [one for one in self.memory.sent[-20:] if b"otklik.command." in one.value]
        if not before:
            return
        envelope = Envelope.from_bytes(dice.choice(before).value)
        data = {"type": "score_answer", "data": {"score": dice.randint(1, 5)}}
        other = envelope.model_copy(update={"type": cloud_type("score_answer"), "data": data})
        key = (other.subject or "").encode()
        self._send(dice, Request(f"reuses {other.id[:8]}", key, other.to_bytes()))

    def amend(self, dice: Random) -> None:
        region = dice.choice(REGIONS)
        day = (self._now() + timedelta(days=dice.randint(0, 12))).date()
        changes = [
            ("calendar_day", {"date": day.isoformat(), "kind": dice.choice(("off", "working"))}),
            ("official", {"agency": dice.choice(agencies(region)), "post": "Первый заместитель министра"}),
            ("hours", {"days": "mon-fri", "from": dice.choice(("08:00", "09:00")), "to": "18:00"}),
            ("agency", {"id": "no-such-agency", "name": "Без исполнителей"}),
        ]
        kind, data = dice.choice(changes)
        envelope = Envelope(
            id=_uuid(dice),
            source="/simulation/operator",
            type=AMENDMENT,
            subject=region,
            time=self._now(),
            authority=region,
            actor=commands.actor(region, "operator"),
            data={"kind": kind, "reason": "Указ", "basis": "Указ № 1", "data": data},
        )
        self._send(dice, Request(f"amends {region}: {kind}", region.encode(), envelope.to_bytes(), None, True))

    def rubbish(self, dice: Random) -> None:
        """What only a fault of a gate, or a vandal with its rights, could write."""
        subject = next(iter(self.watcher.look()), "nobody")
        base = {"specversion": "1.0", "id": _uuid(dice), "source": "/vandal", "time": self._now().isoformat()}
        values = [
            bytes(dice.randrange(256) for _ in range(20)),
            b"",
            b"{}",
            json.dumps(base | {"type": "otklik.unheard-of.v1", "subject": subject}).encode(),
            json.dumps(base | {"type": "otklik.command.fly.v1", "subject": subject, "data": {}}).encode(),
            json.dumps(base | {"type": "otklik.command.triage.v1", "subject": subject, "data": {"x": 1}}).encode(),
            json.dumps(base | {"type": DETECTION, "subject": subject, "data": {"authority": "kbr"}}).encode(),
            json.dumps(base | {"type": AMENDMENT, "subject": "kbr", "data": {}}).encode(),
        ]
        self._send(dice, Request("writes rubbish", subject.encode(), dice.choice(values)))

    # How it is sent.

    def _detection(self, dice: Random, region: str, external: str, change: str) -> None:
        subject = message_id(region, "vk", external)
        text = "Нет воды" if change == "new" else f"Нет воды уже {dice.randrange(100)} дней"
        data = {
            "authority": region,
            "source": {"network": "vk", "external_id": external, "url": f"https://vk.example/{external}"},
            "post": {"author": {"name": "Житель"}, "text": text},
            "change": change,
        }
        if dice.random() < 0.5:
            ago = timedelta(minutes=dice.choice((0, 1, 20, 300, 2000, -90)))
            data["detected_at"] = (self._now() - ago).isoformat()
        envelope = Envelope(
            id=_uuid(dice), source="/simulation", type=DETECTION, subject=subject, time=self._now(), data=data
        )
        self._send(dice, Request(f"detects {subject[:8]} ({change})", subject.encode(), envelope.to_bytes(), subject))

    def _command(self, dice: Random, subject: str, name: str, body: dict[str, object], by: Actor) -> None:
        envelope = Envelope(
            id=_uuid(dice),
            source="/simulation",
            type=cloud_type(name),
            subject=subject,
            time=self._now(),
            actor=by,
            data=body,
        )
        what = f"{by.sub}: {name} {subject[:8]}, command {envelope.id[:8]}"
        self._send(dice, Request(what, subject.encode(), envelope.to_bytes()))

    def _send(self, dice: Random, request: Request) -> None:
        fate = dice.random()
        self.memory.sent.append(request)
        if fate < self._lossy / 2:
            self._tell(f"client {request.what}: lost on the way")
            self._unanswered(request)
            return
        self._tell(f"client {request.what}" + (", and its answer is lost" if fate < self._lossy else ""))
        self._process.spawn(self._append(request, heard=fate >= self._lossy))

    async def _append(self, request: Request, *, heard: bool) -> None:
        writer = await self._log.writer("amendments" if request.everywhere else None)
        partitions = range(self._partitions) if request.everywhere else (None,)
        records = [Outgoing("inbox", request.key, request.value, HEADERS, partition) for partition in partitions]
        try:
            await writer.append(records)
        except LogError:
            # Another amendment has fenced this one; nothing of it was written.
            heard = False
        if not heard:
            self._unanswered(request)
            return
        if request in self.memory.unanswered:
            self.memory.unanswered.remove(request)
        if request.acknowledges is not None:
            self.memory.acknowledged.add(request.acknowledges)

    def _unanswered(self, request: Request) -> None:
        if request not in self.memory.unanswered:
            self.memory.unanswered.append(request)

    def finish(self) -> None:
        """Ask once more for all that had no answer; nothing is lost any more."""
        self._lossy = 0.0
        alone = [one for one in self.memory.unanswered if one.everywhere][:1]
        for request in [one for one in self.memory.unanswered if not one.everywhere] + alone:
            self._send(Random(0), request)


def _uuid(dice: Random) -> str:
    return str(UUID(int=dice.getrandbits(128), version=4))
