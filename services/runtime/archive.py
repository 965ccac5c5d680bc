"""The archive of a log: a folder with a manifest and one file for each partition, read and written record by record.

A file is gzip of JSON lines, so that it can be read in twenty years with whatever there is then: one record a line, its
key, value and headers as base64, for they are bytes and stay what they are. What is no record (marks of transactions,
records of aborted ones) is only seen as a gap in the offsets.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

MANIFEST = "manifest.json"
_CHUNK = 1 << 20


class ArchiveError(Exception):
    """The folder is no archive that can be used; the text says in Russian what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as it stood on the log. `stamp` in milliseconds since 1970, UTC. Headers in order, names may repeat."""

    offset: int
    stamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    def size(self) -> int:
        """Bytes, near enough to bound what is held in memory."""
        headers = sum(len(name) + len(value or b"") + 4 for name, value in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers + 70

    def to_line(self) -> bytes:
        line = {
            "offset": self.offset,
            "stamp": self.stamp,
            "key": _text(self.key),
            "value": _text(self.value),
            "headers": [[name, _text(value)] for name, value in self.headers],
        }
        return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Kept:
        """Raises ValueError, KeyError or TypeError."""
        read = json.loads(line)
        headers = tuple((str(name), _bytes(value)) for name, value in read["headers"])
        return cls(int(read["offset"]), int(read["stamp"]), _bytes(read["key"]), _bytes(read["value"]), headers)


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(_Model):
    """A partition: its log began at `beginning` and ended before `end`, where the next record would have stood."""

    topic: str
    partition: int
    file: str
    beginning: int
    end: int
    records: int
    sha256: str


class Committed(_Model):
    """Where a service would have read on. `service` names its group, without the prefix."""

    service: str
    topic: str
    partition: int
    offset: int


class Manifest(_Model):
    """What the folder holds. `topics`: the id that each had; headers of the records name them."""

    format: Literal[1] = 1
    version: str
    made_at: str
    prefix: str
    cluster: str
    simulated: bool
    topics: dict[str, str]
    committed: tuple[Committed, ...]
    parts: tuple[Part, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Partitions by topic."""
        return {topic: sum(part.topic == topic for part in self.parts) for topic in self.topics}

    @property
    def records(self) -> int:
        return sum(part.records for part in self.parts)


class PartWriter:
    """Writes one partition's file; `part` tells of it once it is closed. A file of the name must not be there."""

    def __init__(self, folder: Path, topic: str, partition: int, beginning: int, end: int) -> None:
        self._told = (topic, partition, beginning, end)
        self._name = f"{topic}-{partition}.jsonl.gz"
        self._file = (folder / self._name).open("xb")
        self._hashing = _Hashing(self._file)
        # No time and no name in the head: the same log makes the same bytes.
        self._packed = gzip.GzipFile(filename="", mode="wb", compresslevel=3, fileobj=self._hashing, mtime=0)
        self._records = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._packed.close()
        self._file.close()

    def write(self, record: Kept) -> None:
        self._packed.write(record.to_line())
        self._records += 1

    def part(self) -> Part:
        topic, partition, beginning, end = self._told
        return Part(
            topic=topic,
            partition=partition,
            file=self._name,
            beginning=beginning,
            end=end,
            records=self._records,
            sha256=self._hashing.sum.hexdigest(),
        )


class _Hashing:
    """A file that also sums up what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sum = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sum.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def begin(folder: Path) -> None:
    """Make the folder. Raises ArchiveError when something is in it already, for copies are not written over, or when it
    cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArchiveError(f"Папку {folder} не создать: {error.strerror}.") from error
    if any(folder.iterdir()):
        raise ArchiveError(f"Папка {folder} не пуста: копия пишется только в пустую, чтобы не испортить прежнюю.")


def finish(folder: Path, manifest: Manifest) -> None:
    """The manifest comes last: a folder without one is no copy."""
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")


def load(folder: Path) -> Manifest:
    """Raises ArchiveError."""
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ArchiveError(f"В папке {folder} нет {MANIFEST}: копия не закончена или лежит не здесь.") from error
    except ValidationError as error:
        raise ArchiveError(
            f"{path} не читается: {error.error_count()} ошибок; первая: {error.errors()[0]['msg']}"
        ) from None


def faults(folder: Path, manifest: Manifest) -> Iterator[str | None]:
    """Look at every file, one step each: None, or what is wrong with it."""
    for part in manifest.parts:
        yield _fault(folder / part.file, part)


def _fault(path: Path, part: Part) -> str | None:
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
    except OSError as error:
        return f"{part.file}: не читается ({error.strerror})"
    return None if found.hexdigest() == part.sha256 else f"{part.file}: контрольная сумма не сходится"


def records(folder: Path, part: Part) -> Iterator[Kept]:
    """The records of a partition in order. Raises ArchiveError where the file is not as it was written."""
    count, offset = 0, part.beginning - 1
    try:
        with gzip.open(folder / part.file, "rb") as lines:
            for line in lines:
                record = Kept.from_line(line)
                if not offset < record.offset < part.end:
                    raise ArchiveError(f"{part.file}: смещение {record.offset} не на месте")
                count, offset = count + 1, record.offset
                yield record
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise ArchiveError(f"{part.file}, запись {count}: {type(error).__name__} {error}") from error
    if count != part.records:
        raise ArchiveError(f"{part.file}: записей {count}, а должно быть {part.records}")
