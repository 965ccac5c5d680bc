"""A copy of the log, made and restored on a real broker: byte for byte, offset for offset, and whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin.records_to_delete import RecordsToDelete
from rich.console import Console

from schemas import topics
from services.cli.export import copy
from services.cli.import_ import restore
from services.cli.telling import Refused
from services.runtime import archive, installation, kafka_import
from services.runtime.archive import ArchiveError, Kept, Manifest
from services.runtime.headers import Cause
from services.runtime.kafka_admin import Unsuitable, administering, describe, own_settings
from services.runtime.kafka_log import KafkaLog
from services.runtime.log import LogError, Outgoing, Record, TopicPartition
from services.runtime.settings import Settings, load_settings

NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
SILENT = Console(quiet=True)


def settings_of(kafka: str, prefix: str, **more: object) -> Settings:
    return load_settings(kafka=kafka, prefix=prefix, partitions=2, log_level="error", **more)


def read(folder: Path, manifest: Manifest) -> dict[tuple[str, int], list[Kept]]:
    return {(part.topic, part.partition): list(archive.records(folder, part)) for part in manifest.parts}


class Writing:
    """Records on a topic, in transactions and without, so that there are marks and holes between them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: list[AIOKafkaProducer] = []
        self.plain: AIOKafkaProducer
        self.transactional: AIOKafkaProducer

    async def __aenter__(self) -> Writing:
        client = installation.kafka_settings(self._settings).client()
        self.plain = AIOKafkaProducer(**client, acks="all", enable_idempotence=True)
        self.transactional = AIOKafkaProducer(**client, transactional_id=f"{self._settings.prefix}-test")
        for producer in (self.plain, self.transactional):
            await producer.start()
            self._made.append(producer)
        return self

    async def __aexit__(self, *_: object) -> None:
        for producer in self._made:
            await producer.stop()

    async def put(self, topic: str, *values: bytes | None, end: str | None = None, stamp: int = 5) -> None:
        """`end`: `commit` or `abort` of a transaction of its own; None without one."""
        producer = self.plain if end is None else self.transactional
        if end is not None:
            await producer.begin_transaction()
        for value in values:
            await producer.send_and_wait(
                topics.full(self._settings.prefix, topic), value, key=b"k", partition=1, timestamp_ms=stamp,
                headers=[("same", b"1"), ("same", b"2"), ("none", None)],
            )  # fmt: skip
        if end == "commit":
            await producer.commit_transaction()
        elif end == "abort":
            await producer.abort_transaction()


async def test_a_copy_laid_out_anew_is_the_same_to_the_byte_and_to_the_offset(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    """Holes of every size; values that are nothing, or no text; headers whose names repeat; a log that retention has cut
    at its beginning; one that retention has emptied."""
    old, new = settings_of(kafka, prefix), settings_of(kafka, f"{prefix}-new")
    await installation.ensure(old)
    async with Writing(old) as writing:
        await writing.put(topics.EVENTS, b"one", end="commit")
        await writing.put(topics.EVENTS, b"two", None, end="commit", stamp=7)
        await writing.put(topics.EVENTS, b"lost", end="abort")
        await writing.put(topics.EVENTS, b"\x00\xff", b"", stamp=6)
        await writing.put(topics.EVENTS, b"lost", end="abort")
        await writing.put(topics.EVENTS, b"three", stamp=6)
        await writing.put(topics.EVENTS, b"lost", b"lost", b"lost", end="abort")
        await writing.put(topics.DEADLINES, *[b"gone"] * 5, b"stays")
        await writing.put(topics.OUTCOMES, b"gone", b"gone", end="commit")
        await writing.put(topics.INBOX, b"stamped by the broker", b"and so is this")
        await writing.put(topics.INBOX, b"stamped by the broker", end="commit")
    await cut(old, {topics.DEADLINES: 5, topics.OUTCOMES: 3})
    async with installation.open_log(old) as log:
        session = await log.session("workflow", TopicPartition(topics.INBOX, 1))
        await session.commit([], 2)
        await session.close()

    first = await copy(old, tmp_path / "first", SILENT)
    await restore(new, tmp_path / "first", SILENT)
    second = await copy(new, tmp_path / "second", SILENT)

    assert read(tmp_path / "first", first) == read(tmp_path / "second", second)
    assert [part.model_dump() for part in first.parts] == [part.model_dump() for part in second.parts]
    assert [(one.service, one.offset) for one in second.committed] == [("workflow", 2)]
    there_now, here_now = installation.kafka_settings(old), installation.kafka_settings(new)
    assert await own_settings(there_now, list(first.topics)) == await own_settings(here_now, list(first.topics))
    there = {(part.topic, part.partition): (part.beginning, part.end, part.records) for part in second.parts}
    assert there[topics.DEADLINES, 1] == (5, 6, 1)
    assert there[topics.OUTCOMES, 1] == (3, 3, 0)
    # From now on the broker stamps what comes in, as before.
    async with Writing(new) as writing:
        await writing.put(topics.INBOX, b"new", stamp=5)
    async with installation.open_log(new) as log:
        stamps = [record.stamp for record in await everything(log, TopicPartition(topics.INBOX, 1))]
    assert stamps == sorted(stamps)
    assert (datetime.now(UTC) - stamps[-1]).total_seconds() < 3600


async def test_what_was_said_because_of_inputs_not_yet_consumed_is_not_in_the_copy_and_causes_name_the_new_topic(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    """While a service works, one topic is read before another: only whole inputs may be in the copy."""
    old, new = settings_of(kafka, prefix), settings_of(kafka, f"{prefix}-new")
    await installation.ensure(old)
    async with installation.open_log(old) as log:
        inbox = (await log.identity([topics.INBOX]))[topics.INBOX]
        writer = await log.writer()
        await writer.append([Outgoing(topics.INBOX, b"k", b"in", {}, 1) for _ in range(3)])
        session = await log.session("workflow", TopicPartition(topics.INBOX, 1))
        for offset in range(2):
            cause = Cause(topics.INBOX, 1, offset, inbox, 0, NOW).to_headers()
            said = [Outgoing(topic, b"k", b"%d" % offset, cause, 0) for topic in (topics.EVENTS, topics.DEAD_LETTERS)]
            await session.commit(said, offset + 1)
        # Of the third input one topic is written, as if the others had been read too early to show it.
        cause = Cause(topics.INBOX, 1, 2, inbox, 0, NOW).to_headers()
        await writer.append([Outgoing(topics.EVENTS, b"k", b"2", cause, 0)])
        await writer.append([Outgoing(topics.EVENTS, b"k", b"nobody's", {}, 0)])
        await writer.close()
        await session.close()

    await copy(old, tmp_path / "copy", SILENT)
    await restore(new, tmp_path / "copy", SILENT)
    async with installation.open_log(new) as log:
        events = await everything(log, TopicPartition(topics.EVENTS, 0))
        assert [event.value for event in events] == [b"0", b"1", b"nobody's"]
        assert len(await everything(log, TopicPartition(topics.INBOX, 1))) == 3
        assert await log.committed("workflow", TopicPartition(topics.INBOX, 1)) == 2
        causes = [Cause.from_headers(event.headers) for event in events[:2]]
        there = (await log.identity([topics.INBOX]))[topics.INBOX]
    assert there != inbox
    assert [(cause.offset, cause.log) for cause in causes if cause is not None] == [(0, there), (1, there)]


async def test_a_broker_that_stamps_what_is_restored_is_found_out(kafka: str, prefix: str, tmp_path: Path) -> None:
    """As one does that has not heard yet of the settings for restoring."""
    old, new = settings_of(kafka, prefix), settings_of(kafka, f"{prefix}-new")
    for one in (old, new):
        await installation.ensure(one)
    async with Writing(old) as writing:
        await writing.put(topics.INBOX, b"one")
    manifest = await copy(old, tmp_path / "copy", SILENT)
    here = installation.kafka_settings(new)
    ids = {name: one.id for name, one in (await describe(here)).items()}
    with pytest.raises(LogError, match="its own stamps"):
        await kafka_import.lay_out(here, tmp_path / "copy", manifest, ids, lambda done, total: None)


async def test_a_copy_is_written_and_restored_only_where_there_is_nothing(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    old, new = settings_of(kafka, prefix), settings_of(kafka, f"{prefix}-new")
    await installation.ensure(old)
    async with Writing(old) as writing:
        await writing.put(topics.EVENTS, b"one")
    folder = tmp_path / "copy"
    manifest = await copy(old, folder, SILENT)
    with pytest.raises(ArchiveError, match="не пуста"):
        await copy(old, folder, SILENT)
    with pytest.raises(ArchiveError, match="не создать"):
        await copy(old, folder / "manifest.json", SILENT)
    with pytest.raises(Refused, match="уже есть журнал"):
        await restore(old, folder, SILENT)
    with pytest.raises(Refused, match="партиций"):
        await restore(new.model_copy(update={"partitions": 3}), folder, SILENT)

    (part,) = [part for part in manifest.parts if part.records]
    whole = (folder / part.file).read_bytes()
    (folder / part.file).write_bytes(gzip.compress(b""))
    with pytest.raises(ArchiveError, match="контрольная сумма"):
        await restore(new, folder, SILENT)

    # The sum is right and the record is not: found while it is being restored, and then no service starts.
    forged = manifest.model_copy(
        update={"parts": tuple(replace_sum(one, gzip.compress(b"")) if one == part else one for one in manifest.parts)}
    )
    (folder / archive.MANIFEST).unlink()
    archive.finish(folder, forged)
    with pytest.raises(ArchiveError, match="записей 0, а должно быть 1"):
        await restore(new, folder, SILENT)
    with pytest.raises(Unsuitable, match="наполовину"):
        await installation.check(new)
    (folder / part.file).write_bytes(whole)
    (folder / archive.MANIFEST).unlink()
    archive.finish(folder, manifest)
    with pytest.raises(Refused, match="--again"):
        await restore(new, folder, SILENT)
    await restore(new, folder, SILENT, again=True)
    await installation.check(new)
    async with installation.open_log(new) as log:
        assert [one.value for one in await everything(log, TopicPartition(topics.EVENTS, 1))] == [b"one"]


def replace_sum(part: archive.Part, content: bytes) -> archive.Part:
    return part.model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})


async def everything(log: KafkaLog, place: TopicPartition) -> Sequence[Record]:
    beginning, end = (await log.beginnings([place]))[place], (await log.ends([place]))[place]
    return [record async for records in log.read(place, beginning, end) for record in records]


async def cut(settings: Settings, beginnings: dict[str, int]) -> None:
    """What retention does."""
    async with administering(installation.kafka_settings(settings)) as admin:
        await admin.delete_records(
            {
                KafkaPartition(topics.full(settings.prefix, topic), 1): RecordsToDelete(offset)
                for topic, offset in beginnings.items()
            }
        )
