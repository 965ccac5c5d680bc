"""Child processes: started in order or together, restarted when they die, stopped in reverse, and never left behind."""

import asyncio
import contextlib
import fcntl
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from rich.console import Console

from services.runtime.child import Child, StartError
from services.runtime.processes import stop_leftover

Probe = Callable[[], Awaitable[bool]]

_POLL = 0.05


class Supervisor:
    """Owns a data directory and the children that run on it.

    `async with Supervisor(data) as supervisor:` takes the directory for itself (a live other run → StartError; what a
    dead one left running is stopped), `start` starts children and watches them from then on, `until_stopped` waits for
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

    async def start(self, *children: Child) -> None:
        """Start `children`, several at once, show them, and restart each with back-off whenever it dies. Raises StartError."""
        self._children += children
        with self._console.status(f"запускается {', '.join(child.name for child in children)} …"):
            starts = [asyncio.create_task(self._start(child)) for child in children]
            try:
                await asyncio.gather(*starts)
            finally:
                # The first that fails ends the start of the others, and it is the one that is told.
                for start in starts:
                    start.cancel()
                await asyncio.gather(*starts, return_exceptions=True)

    async def _start(self, child: Child) -> None:
        began = time.monotonic()
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
