"""A child process: started, ready, ended; and what a supervisor asks of any child."""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol
from urllib.error import URLError

from services.runtime.processes import stop_leftover

Probe = Callable[[], Awaitable[bool]]

_PR_SET_PDEATHSIG = 1
_LOG_BYTES_MAX = 16 << 20
_POLL = 0.05
# Loaded before any fork: loading a library in a forked child of a process with threads may deadlock.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class StartError(Exception):
    """A child could not be started; the text says in Russian what happened and what to do."""


class Child(Protocol):
    """What a supervisor starts: a service, an embedded broker, an embedded database."""

    @property
    def name(self) -> str: ...

    @property
    def pid(self) -> int | None: ...

    async def start(self) -> None:
        """Start and return when ready. Raises StartError, and then nothing of it is left running."""

    async def stop(self) -> None:
        """Stop cleanly, by force after a grace; harmless when it does not run."""

    async def kill(self) -> None:
        """SIGKILL, and return when it is gone."""

    async def wait(self) -> int:
        """The exit code, when it has ended (negative: the signal that ended it)."""


def answers(url: str) -> Probe:
    """A probe that is true when a GET of `url` answers 200."""

    def ask() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                return bool(response.status == 200)
        except (URLError, OSError):
            return False

    async def probe() -> bool:
        return await asyncio.to_thread(ask)

    return probe


class ChildProcess:
    """One process with a log file and a pid file; it dies with its parent, and is recognised if it did not.

    `run` is the directory of pid files. `prepare` runs in the forked child before exec: it must neither allocate much
    nor take locks. Times are in seconds.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        run: Path,
        log: Path,
        ready: Probe | None = None,
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace: float = 10.0,
        ready_timeout: float = 120.0,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.log = log
        self._pid_file = run / f"{name}.pid"
        self._ready = ready
        self._environment = dict(environment) if environment is not None else None
        self._stop_signal = stop_signal
        self._grace = grace
        self._ready_timeout = ready_timeout
        self._prepare = prepare
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id, or None when it does not run."""
        alive = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process is not None and alive else None

    async def clear_leftover(self) -> bool:
        """Stop what an earlier run left running under this name. True if there was something."""
        return self.pid is None and await stop_leftover(self._pid_file, grace=self._grace)

    async def start(self) -> None:
        """Start and return when the probe is true. Raises StartError with the end of the log."""
        if self.pid is not None:
            return
        await self.clear_leftover()
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with _appending(self.log) as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                # A session of its own: Ctrl-C reaches the supervisor alone, which stops its children in order.
                start_new_session=True,
                preexec_fn=_before_exec(os.getpid(), self._stop_signal, self._prepare),
            )
        _write_pid(self._pid_file, self._process.pid, self.argv)
        try:
            await self._until_ready()
        except BaseException:
            # Also on cancellation: a start that did not end well leaves nothing running.
            await self.kill()
            raise

    async def _until_ready(self) -> None:
        if self._ready is None:
            return
        deadline = time.monotonic() + self._ready_timeout
        while not await self._ready():
            if self.pid is None:
                code = self._process.returncode if self._process is not None else None
                raise StartError(f"«{self.name}» завершился при запуске (код {code}).\n{self.tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"«{self.name}» не готов за {self._ready_timeout:.0f} с.\n{self.tail()}")
            await asyncio.sleep(_POLL)

    async def stop(self) -> None:
        """Ask to stop, and kill after the grace; the pid file goes with the process."""
        if self._process is not None and self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(self._stop_signal)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), self._grace)
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL the process and whatever it has started in its session."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._pid_file.unlink(missing_ok=True)

    async def wait(self) -> int:
        """The exit code, when it has ended. Raises RuntimeError when it was never started."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return await self._process.wait()

    def tail(self, lines: int = 15) -> str:
        """The end of the log, with the log's place."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 16384))
                text = log.read().decode(errors="replace")
        except OSError:
            text = ""
        return "\n".join([*text.splitlines()[-lines:], f"Журнал: {self.log}"])


def _before_exec(parent: int, stop: signal.Signals, prepare: Callable[[], None] | None) -> Callable[[], None]:
    def before_exec() -> None:
        if prepare is not None:
            prepare()
        if _libc is not None:
            # Set after any change of user, which would clear it. The kernel sends it when our parent dies, however.
            _libc.prctl(_PR_SET_PDEATHSIG, int(stop), 0, 0, 0)
            if os.getppid() != parent:
                # The parent died before the line above, and nobody will send anything.
                os._exit(1)

    return before_exec


@contextlib.contextmanager
def _appending(log: Path) -> Iterator[IO[bytes]]:
    with contextlib.suppress(OSError):
        if log.stat().st_size > _LOG_BYTES_MAX:
            log.replace(log.with_suffix(log.suffix + ".1"))
    with log.open("ab") as file:
        yield file


def _write_pid(pid_file: Path, pid: int, argv: Sequence[str]) -> None:
    fresh = pid_file.with_suffix(".new")
    fresh.write_text(json.dumps({"pid": pid, "argv": list(argv)}, ensure_ascii=False))
    fresh.replace(pid_file)
