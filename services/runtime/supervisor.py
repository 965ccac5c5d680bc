"""Child processes: started in order, restarted when they die, stopped in reverse, and never left behind."""

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self
from urllib.error import URLError

import psutil
from rich.console import Console

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


class Supervisor:
    """Owns a data directory and the children that run on it.

    `async with Supervisor(data) as supervisor:` takes the directory for itself (a live other run → StartError; what a
    dead one left running is stopped), `start` starts a child and watches it from then on, `until_stopped` waits for
    Ctrl-C or SIGTERM; on leaving, all children are stopped in reverse order. Delays are in seconds.
    """

    def __init__(
        self,
        data: Path,
        *,
        console: Console | None = None,
        first_delay: float = 0.5,
        longest_delay: float = 30.0,
        stable_after: float = 60.0,
    ) -> None:
        self.data = data
        self.run = data / "run"
        self.logs = data / "logs"
        self._console = console or Console(stderr=True)
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._stable_after = stable_after
        self._children: list[Child] = []
        self._watchers: list[asyncio.Task[None]] = []
        self._lock: IO[str] | None = None
        self._owner: asyncio.Task[object] | None = None
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._lock = _take(self.data)
        self._owner = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        try:
            # Later pid files are of children that lean on the earlier ones.
            for pid_file in sorted(self.run.glob("*.pid"), key=lambda file: file.stat().st_mtime, reverse=True):
                if await stop_leftover(pid_file, grace=10):
                    self._say(f"[yellow]остановлен «{pid_file.stem}», оставшийся от прошлого запуска")
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        interrupted = kind is asyncio.CancelledError and self._stopping.is_set()
        self._stopping.set()
        self._owner = None
        if interrupted and (current := asyncio.current_task()) is not None:
            # The cancellation was ours, by Ctrl-C: it ends here.
            current.uncancel()
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        for child in reversed(self._children):
            with self._console.status(f"останавливается {child.name} …"):
                await child.stop()
        if self._children:
            self._say("[dim]всё остановлено")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
        if self._lock is not None:
            self._lock.close()
        return interrupted

    async def start(self, child: Child) -> None:
        """Start `child`, show it, and restart it with back-off whenever it dies. Raises StartError."""
        began = time.monotonic()
        self._children.append(child)
        with self._console.status(f"запускается {child.name} …"):
            await child.start()
        self._say(f"[green]✓[/] {child.name} [dim]{time.monotonic() - began:.1f} с[/]")
        self._watchers.append(asyncio.create_task(self._watch(child), name=f"watch {child.name}"))

    async def until_stopped(self) -> None:
        """Wait for Ctrl-C, SIGTERM, or a closed terminal."""
        await self._stopping.wait()

    def _on_signal(self) -> None:
        if self._stopping.is_set():
            # A second Ctrl-C does not wait for the grace of each.
            for child in self._children:
                if child.pid is not None:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(child.pid, signal.SIGKILL)
            return
        self._stopping.set()
        if self._owner is not None:
            self._owner.cancel()

    async def _watch(self, child: Child) -> None:
        delay = self._first_delay
        while True:
            began = time.monotonic()
            code = await child.wait()
            if time.monotonic() - began >= self._stable_after:
                delay = self._first_delay
            word = f"завершился (код {code})"
            while True:
                self._say(f"[yellow]«{child.name}» {word}; новый запуск через {delay:g} с")
                await asyncio.sleep(delay)
                delay = min(delay * 2, self._longest_delay)
                try:
                    await child.start()
                except StartError as error:
                    word = f"не запускается: {error}"
                    continue
                self._say(f"[green]✓[/] {child.name} снова работает")
                break

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


async def stop_leftover(pid_file: Path, *, grace: float) -> bool:
    """Stop what an earlier run left running under this pid file. True if there was something.

    A process is ours only when pid *and* command line are those written down: pids are used again.
    """
    process = _noted(pid_file)
    if process is not None:
        await end(process, grace=grace)
    _forget(pid_file)
    return process is not None


async def stop_marked(marker: str, *, grace: float) -> bool:
    """Stop every process that bears `marker` as one whole argument: its pid file may be lost. True if there was one."""
    found = [process for process in psutil.process_iter(["cmdline"]) if marker in (process.info["cmdline"] or ())]
    for process in found:
        await end(process, grace=grace)
    return bool(found)


async def stop_dwellers(directory: Path) -> None:
    """Wait for the processes whose working directory this is, and kill them if they stay: orphans of a dead parent."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.cwd() == str(directory) and process.pid != os.getpid() and not await _gone(process, 5):
                process.kill()
                await _gone(process, 5)


def holder_of(port: int) -> str:
    """Who listens on `port`, in words, as far as this user may know."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"процесс {connection.pid} ({psutil.Process(connection.pid).name()})"
    return "другая программа"


async def end(process: psutil.Process, *, grace: float, by: signal.Signals = signal.SIGTERM) -> None:
    """End a process that is not our child: `by`, then SIGKILL after `grace` seconds; return when it is gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(by)
        # A suspended process (Ctrl-Z) would obey only when continued.
        if process.status() == psutil.STATUS_STOPPED or not await _gone(process, grace):
            process.kill()
            await _gone(process, 10)


def _noted(pid_file: Path) -> psutil.Process | None:
    try:
        noted = json.loads(pid_file.read_text())
        process = psutil.Process(int(noted["pid"]))
        ours = process.cmdline() == noted["argv"] and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        # A half-written pid file says nothing; whoever holds the data is found by its command line.
        return None
    return process if ours else None


def _forget(pid_file: Path) -> None:
    pid_file.unlink(missing_ok=True)


async def _gone(process: psutil.Process, seconds: float) -> bool:
    try:
        await asyncio.to_thread(process.wait, seconds)
    except psutil.TimeoutExpired:
        return False
    return True


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


def _take(data: Path) -> IO[str]:
    """The lock on `data`, held while the file is open: the kernel lets it go when its holder dies, however."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        lock = (data / "lock").open("a+")
    except OSError as error:
        raise StartError(
            f"Каталог данных {data} недоступен: {error.strerror}. Задайте другой: OTKLIK_DATA=…"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "?"
        lock.close()
        raise StartError(
            f"На данных {data.resolve()} уже работает «отклик» (процесс {holder}). Остановите его (Ctrl-C там или"
            f" `kill {holder}`), либо запустите второй рядом: OTKLIK_DATA=другой-каталог OTKLIK_PORT_BASE=9000."
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


@contextlib.asynccontextmanager
async def running(child: Child) -> AsyncIterator[Child]:
    """A child that runs while the block does."""
    await child.start()
    try:
        yield child
    finally:
        await child.stop()
