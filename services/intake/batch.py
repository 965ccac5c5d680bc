"""A stream of detections, line by line: answers in order, good lines in though others are bad, nothing unbounded."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from schemas.detections import Detection
from schemas.envelope import Actor
from services.intake.detections import Frame, Intake
from services.runtime import problems
from services.runtime.appender import Overloaded
from services.runtime.log import LogError, Outgoing, Position
from services.runtime.problems import ProblemError

GROUPS_IN_HAND = 8
"""Groups of lines that were read and are not answered yet; the appender puts them together into one request."""
LINES_A_GROUP = 500
PATIENCE_SECONDS = 10.0
"""How long a stream waits for a log that takes nothing, before its lines are refused."""
SPOOL_MEMORY_BYTES = 1 << 20
SPOOL_BYTES = 256 << 20

_SKIPPED = b"\0"
"""Stands for a line that was too long to be kept; no JSON begins so."""


async def lines_of(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[list[bytes]]:
    """Lines as they come, all of one chunk together; one longer than `limit` bytes is dropped and marked."""
    rest = b""
    too_long = False
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        if whole and too_long:
            whole[0] = _SKIPPED
            too_long = False
        if len(rest) > limit:
            rest, too_long = b"", True
        for start in range(0, len(whole), LINES_A_GROUP):
            yield [line if len(line) <= limit else _SKIPPED for line in whole[start : start + LINES_A_GROUP]]
    if rest.strip() or too_long:
        yield [_SKIPPED if too_long else rest]


@dataclass(slots=True)
class _Group:
    """Lines on their way, and the answer of each; `waiting`: for each outgoing record the place of its answer, which holds
    once the record is stored, and the number of its line."""

    answers: list[bytes] = field(default_factory=list)
    waiting: list[tuple[int, int]] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)


class Batch:
    """One request. `answers` yields NDJSON; a client that sends all before it reads is not waited for."""

    def __init__(self, intake: Intake, actor: Actor, chunks: AsyncIterator[bytes], limit: int) -> None:
        self._intake = intake
        self._actor = actor
        self._lines = lines_of(chunks, limit)
        self._limit = limit
        self._number = 0
        self._groups: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue(GROUPS_IN_HAND)
        self._spool = _Spool()
        self._begun = 0
        self._entering = asyncio.Lock()

    async def answers(self) -> AsyncGenerator[bytes]:
        """Raises ProblemError 503 before the first answer when the log takes nothing at all."""
        reading = asyncio.create_task(self._read())
        answering = asyncio.create_task(self._answer())
        try:
            while part := await self._spool.take():
                yield part
            await reading
            await answering
        finally:
            for task in (reading, answering):
                task.cancel()
            await asyncio.gather(reading, answering, return_exceptions=True)
            while not self._groups.empty():
                if (left := self._groups.get_nowait()) is not None:
                    left.cancel()
            self._spool.close()

    async def _read(self) -> None:
        try:
            async for lines in self._lines:
                group = self._checked(lines)
                # Begun here, in the order of the lines, so the appender takes them in this order.
                first, self._begun = self._begun == 0, self._begun + 1
                await self._groups.put(asyncio.create_task(self._stored(group, first=first)))
        except Exception:
            await self._groups.put(None)
            raise
        await self._groups.put(None)

    async def _answer(self) -> None:
        try:
            while (storing := await self._groups.get()) is not None:
                await self._spool.put(await storing)
        except Exception as error:
            self._spool.fail(error)
            raise
        else:
            self._spool.end()

    def _checked(self, lines: Sequence[bytes]) -> _Group:
        group = _Group()
        frame = Frame(self._actor, self._intake.now())
        for line in lines:
            self._number += 1
            if not line.strip():
                continue
            try:
                if line == _SKIPPED:
                    raise problems.too_large(self._limit)
                detection = Detection.model_validate_json(line)
                message, detection_id, outgoing = self._intake.record(detection, frame)
            except ValidationError as error:
                group.answers.append(_refused(self._number, problems.invalid(problems.faults_of(error))))
            except ProblemError as refusal:
                group.answers.append(_refused(self._number, refusal))
            else:
                group.waiting.append((len(group.answers), self._number))
                group.answers.append(
                    b'{"line":%d,"message_id":"%b","detection_id":"%b"}\n'
                    % (self._number, message.encode(), detection_id.encode())
                )
                group.outgoing.append(outgoing)
        return group

    async def _stored(self, group: _Group, *, first: bool) -> bytes:
        try:
            results = await self._appended(group.outgoing, 0 if first else PATIENCE_SECONDS) if group.outgoing else []
        except Overloaded as error:
            # Only the first group can still refuse the whole request: after it the answer may have begun.
            if first:
                raise problems.unavailable(error.retry_after) from None
            results = [LogError("overloaded")] * len(group.outgoing)
        for (place, number), result in zip(group.waiting, results, strict=True):
            if isinstance(result, LogError):
                group.answers[place] = _refused(number, problems.unavailable())
        return b"".join(group.answers)

    async def _appended(self, outgoing: Sequence[Outgoing], patience_s: float) -> Sequence[Position | LogError]:
        deadline = asyncio.get_running_loop().time() + patience_s
        # One group at a time asks to be taken, so that none passes another that has to wait.
        async with self._entering:
            while True:
                appending = asyncio.ensure_future(self._intake.appender.append_all(outgoing))
                await asyncio.sleep(0)
                refused = appending.done() and isinstance(appending.exception(), Overloaded)
                # A stream can wait where a single request cannot: its sender is held up by not being read.
                if not refused or asyncio.get_running_loop().time() > deadline:
                    break
                await asyncio.sleep(0.05)
        return await appending


def _refused(number: int, refusal: ProblemError) -> bytes:
    told = refusal.problem
    error = told.model_dump(mode="json", exclude_none=True, exclude=None if told.errors else {"errors"})
    return json.dumps({"line": number, "error": error}, ensure_ascii=False).encode() + b"\n"


class _Spool:
    """Answers that the client has not read yet: in memory, then in a temporary file, and beyond that held up."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(SPOOL_MEMORY_BYTES)  # noqa: SIM115 - closed by `close`
        self._read_at = 0
        self._written = 0
        self._ended = False
        self._error: Exception | None = None
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()

    async def put(self, part: bytes) -> None:
        while self._written - self._read_at > SPOOL_BYTES:
            self._drained.clear()
            await self._drained.wait()
        self._file.seek(self._written)
        self._file.write(part)
        self._written += len(part)
        self._changed.set()

    async def take(self) -> bytes:
        """The next part, empty at the end; raises what `fail` was given once all before it is read."""
        while self._read_at == self._written:
            if self._error is not None:
                raise self._error
            if self._ended:
                return b""
            self._changed.clear()
            await self._changed.wait()
        self._file.seek(self._read_at)
        part = self._file.read(min(1 << 16, self._written - self._read_at))
        self._read_at += len(part)
        if self._read_at == self._written:
            self._file.seek(0)
            self._file.truncate()
            self._read_at = self._written = 0
        self._drained.set()
        return part

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    def fail(self, error: Exception) -> None:
        self._error = error
        self._changed.set()

    def close(self) -> None:
        self._file.close()
