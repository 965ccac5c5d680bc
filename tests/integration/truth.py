"""A town for proofs about time: workflow and sla on real Kafka and PostgreSQL, an inbox whose stamps the test gives, and a
clock for sla that the test sets. Both services can be away while people go on writing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4, uuid5

import pytest
import pytest_asyncio

from regulations.canonical import as_data
from regulations.load import load
from regulations.working_time.library_years import library_year
from schemas.commands import cloud_type
from schemas.envelope import Actor, Envelope
from schemas.ids import NAMESPACE, message_id
from schemas.inbox import AMENDMENT, DETECTION, TICK
from schemas.outcomes import ACCEPTED
from services.runtime.appender import Appender
from services.runtime.clock import Clock, ManualClock
from services.runtime.database import create_engine
from services.runtime.kafka_admin import Wanted, ensure_topics
from services.runtime.kafka_client import KafkaSettings
from services.runtime.kafka_log import KafkaLog
from services.runtime.log import LogError, Outgoing, TopicPartition, Writer
from services.runtime.transaction import Limits
from services.sla import ticks
from services.sla.decider import Sla
from services.sla.ticks import Ticker, agenda_of
from services.workflow.decider import WorkflowDecider
from tests.checker import raw_log
from tests.checker.invariants import check_log
from tests.checker.raw_log import Raw, RawLog
from tests.contract.rig import Rig, Running, until
from tests.unit.regulations.given import acts_of
from tests.unit.sla.given import at

NINE = at("2026-11-16 09:00")
"""A Monday: `route` is due at 9:30."""
LAW_AT = at("2026-11-16 08:00")
STAMPED = {
    "message.timestamp.after.max.ms": str((1 << 63) - 1),
    "message.timestamp.type": "CreateTime",
    "retention.ms": "-1",
}
APPENDED = {"message.timestamp.type": "LogAppendTime"}
CHECKED = ("inbox", "events", "outcomes", "deadlines")


@dataclass
class Awake:
    """A service that runs; sla with its ticker."""

    running: Running
    ticking: asyncio.Task[None] | None = None
    appender: Appender | None = None

    async def sleep(self) -> None:
        """An orderly stop."""
        if self.ticking is not None:
            self.ticking.cancel()
            with suppress(asyncio.CancelledError):
                await self.ticking
        if self.appender is not None:
            await self.appender.stop()
        await self.running.stop()


class Town:
    """Everything happens in partition 0. `clock`: sla's own, which may be wrong."""

    def __init__(self, rig: Rig, clock: Clock, bootstrap: str, prefix: str) -> None:
        assert isinstance(rig.log.inner, KafkaLog)
        self.rig = rig
        self.clock = clock
        self.bootstrap, self.prefix = bootstrap, prefix
        self.workflow, self.sla = WorkflowDecider(), Sla(1)
        self.awake: dict[str, Awake] = {}
        self._writer: Writer | None = None
        self.agency = agency()

    def set_clock(self, when: datetime) -> None:
        assert isinstance(self.clock, ManualClock)
        self.clock.set(when)

    # Services

    async def wake(self, *names: str, decider: Sla | None = None, version: str = "1") -> None:
        """Start them; returns before they have read anything. `decider`: another sla than the shipped one."""
        for name in names:
            if name == "sla":
                self.sla = decider or self.sla
                running = await self.rig.run(self.sla, code_version=version, limits=Limits(outputs_max=100))
                self.awake[name] = Awake(running, *await self._ticker(running))
            else:
                self.awake[name] = Awake(await self.rig.run(self.workflow))

    async def sleep(self, *names: str) -> None:
        for name in names or tuple(self.awake):
            await self.awake.pop(name).sleep()

    async def _ticker(self, running: Running) -> tuple[asyncio.Task[None], Appender]:
        store = (await self.rig.store(self.sla)).inner
        appender = Appender(self.rig.log.inner, self.clock)
        await appender.start()

        def owned() -> dict[int, datetime | None]:
            return {int(name): one.at for name, one in running.health.partitions.items() if one.state == "running"}

        return asyncio.create_task(Ticker(agenda_of(store), appender, self.clock, owned).run()), appender

    # What comes in

    async def law(self, **act: object) -> None:
        """The law of kbr as shipped (its act changed by `act`), with two calendar years."""
        files = load()
        authority = files.authorities["kbr"]
        for one in acts_of(files, "kbr"):
            await self.amend("act", {**as_data(one), **act}, LAW_AT, f"act-{one.id}")
        for year in (LAW_AT.year, LAW_AT.year + 1):
            await self.amend("calendar_year", library_year(year).model_dump(mode="json"), LAW_AT, f"year-{year}")
        await self.amend("authority", as_data(authority), LAW_AT, "authority")

    async def amend(self, kind: str, data: dict[str, object], when: datetime, name: str) -> None:
        body: dict[str, object] = {"kind": kind, "reason": "проверка", "basis": "проверка", "data": data}
        await self.put(self._envelope(AMENDMENT, str(uuid5(NAMESPACE, name)), "kbr", body), when)

    async def detect(self, name: str, when: datetime, text: str = "Нет света", change: str = "new") -> str:
        """A post, or an edit of it, received at that instant."""
        message = message_id("kbr", "vk", name)
        await self.put(self.detection(name, text, change), when)
        return message

    def detection(self, name: str, text: str, change: str = "new") -> Envelope:
        body: dict[str, object] = {
            "authority": "kbr",
            "source": {"network": "vk", "external_id": name, "url": "https://vk.example/1"},
            "post": {"author": {"name": "Житель"}, "text": text},
            "change": change,
        }
        return self._envelope(DETECTION, str(uuid4()), message_id("kbr", "vk", name), body, "monitor")

    def command(
        self, kind: str, message: str, agency: str | None = None, expected: int | None = None, /, **data: object
    ) -> Envelope:
        body: dict[str, object] = {"type": kind, "data": data}
        if expected is not None:
            body["expected_sequence"] = expected
        role = "executor" if agency else "coordinator"
        return self._envelope(cloud_type(kind), str(uuid4()), message, body, role, agency)

    async def do(self, kind: str, message: str, when: datetime, agency: str | None = None, /, **data: object) -> str:
        """A command; returns its id."""
        one = self.command(kind, message, agency, None, **data)
        await self.put(one, when)
        return one.id

    async def dismiss(self, message: str, when: datetime) -> str:
        """Fulfils `route`, and ends what else is owed."""
        return await self.do("dismiss", message, when, ground="threat")

    async def tick(self, when: datetime) -> None:
        await self.put(
            Envelope(id=str(uuid4()), source="/otklik/sla", type=TICK, time=when, data={"why": "проверка"}), when
        )

    async def put(self, envelope: Envelope, when: datetime) -> int:
        """One record of the inbox, stamped with that instant where the topic lets its writers stamp."""
        return (await self.put_all([(envelope, when)]))[0]

    async def put_all(self, given: Sequence[tuple[Envelope, datetime]]) -> list[int]:
        """Records in one append: readers get them together."""
        writer = self._writer = self._writer or await self.rig.log.inner.writer()
        written = await writer.append(
            [Outgoing("inbox", (one.subject or "x").encode(), one.to_bytes(), {}, 0, when) for one, when in given]
        )
        offsets = []
        for position in written:
            if isinstance(position, LogError):
                raise position
            offsets.append(position.offset)
        return offsets

    def _envelope(
        self,
        kind: str,
        name: str,
        subject: str,
        data: dict[str, object],
        role: str | None = None,
        agency: str | None = None,
    ) -> Envelope:
        actor = Actor(sub=role, roles=(role,), authorities=("kbr",), agency=agency) if role else None
        return Envelope(
            id=name, source="/test", type=kind, subject=subject, time=LAW_AT, authority="kbr", actor=actor, data=data
        )

    # What became of it

    async def settled(self) -> None:
        """Both services have stored all that can be read now."""
        await self.rig.settled(self.workflow)
        await self.rig.settled(self.sla)

    async def told(self, message: str, rule: str) -> list[str]:
        """What sla has said of a rule of a message, in order; warnings aside."""
        said = await self.rig.events("deadlines", 0)
        kinds = [one.type.split(".")[2] for one in said if one.subject == message and one.data["rule"] == rule]
        return [kind for kind in kinds if kind != "approaching"]

    async def until_told(self, message: str, rule: str, *kinds: str) -> None:
        async def there() -> bool:
            return await self.told(message, rule) == list(kinds)

        try:
            await until(there, f"{message} {rule}")
        except AssertionError:
            raise AssertionError(f"{rule}: {await self.told(message, rule)}, and not {kinds}") from None

    async def happened(self, message: str) -> list[str]:
        return [one.type.split(".")[2] for one in await self.rig.events("events", 0) if one.subject == message]

    async def outcome(self, command: str) -> str:
        """`accepted`, or the slug of the problem."""
        for one in await self.rig.events("outcomes", 0):
            if one.data["command_id"] == command:
                return "accepted" if one.type == ACCEPTED else str(one.data["problem"]["type"]).rpartition(":")[2]
        raise AssertionError(f"{command} has no outcome")

    async def draft_id(self, message: str) -> str:
        state = await self.rig.state(self.workflow, f"message/{message}")
        return str(state.drafts[-1].draft_id)

    async def log(self) -> RawLog:
        """The topics that the checker judges, read by its own reader."""
        parts = await asyncio.gather(*(raw_log.read(self.bootstrap, self.prefix, [name]) for name in CHECKED))
        return RawLog({name: part.of(name) for name, part in zip(CHECKED, parts, strict=True)})

    async def must_be_true(self) -> None:
        """Everything that the log alone can prove wrong; read as the services read, which is quicker."""
        log = RawLog()
        for name in CHECKED:
            log.topics[name] = [
                Raw(name, 0, one.offset, one.key, one.value or b"", dict(one.headers), one.stamp)
                for one in await self.rig.read(name)
            ]
        assert check_log(log) == []
        assert [one.headers for one in await self.rig.read("dead-letters")] == []

    async def close(self) -> None:
        await self.sleep()
        if self._writer is not None:
            await self._writer.close()


def agency() -> str:
    """The one that leads here; nobody else is written to."""
    return next(iter(load().authorities["kbr"].agencies))


def breaches(said: Sequence[Envelope]) -> Counter[str]:
    """How often each deadline was breached."""
    return Counter(one.data["deadline_id"] for one in said if one.type == "otklik.deadline.breached.v1")


async def ends(rig: Rig, topic: str, partition: int) -> int:
    """The last stable offset."""
    place = TopicPartition(topic, partition)
    return (await rig.log.inner.ends([place]))[place]


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


Open = Callable[[Clock], Awaitable[Town]]


@pytest_asyncio.fixture(loop_scope="session")
async def open_town(kafka: str, database: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    """A town by a clock. A manual clock brings an inbox that writers stamp, a real one an inbox that the broker stamps."""
    monkeypatch.setattr(ticks, "LOOK_S", 0.1)
    settings = KafkaSettings(kafka, prefix)
    async with AsyncExitStack() as stack:

        async def opened(clock: Clock) -> Town:
            inbox = Wanted("inbox", 1, 1, STAMPED if clock.simulated else APPENDED)
            names = ("events", "outcomes", "deadlines", "dead-letters", "escalations", f"assignments.kbr.{agency()}")
            await ensure_topics(settings, [inbox, *(Wanted(name, 1, 1, STAMPED) for name in names)])
            rig = Rig(KafkaLog(settings), "real", 1, create_engine(database, "test"))
            stack.push_async_callback(rig.close)
            town = Town(rig, clock, kafka, prefix)
            stack.push_async_callback(town.close)
            return town

        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def town(open_town: Open) -> Town:
    """A law in force at nine, sla's clock at nine; nobody is awake yet."""
    made = await open_town(ManualClock(NINE))
    await made.law()
    return made
