"""An event loop without sockets, threads or real time: a seed chooses which task goes on, and so decides everything.

Every task belongs to a *process*, known by its context and inherited by the tasks that it makes. A killed process never runs
again, and no handler of it either, as after SIGKILL; a paused one keeps all that it has in hand, as after SIGSTOP.
"""

from __future__ import annotations

import asyncio
import itertools
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

PROCESS: ContextVar[Process | None] = ContextVar("PROCESS", default=None)
KEPT_TASKS = 64


class Stuck(Exception):
    """Nothing is ready, and no timer will ever make it so."""


class Process:
    """What is killed and paused as a whole. Its tasks, and what they would have done next, are kept here: were they
    collected, their `finally` blocks would run after the kill."""

    def __init__(self, loop: SimLoop, name: str) -> None:
        self.name = name
        self.alive = True
        self.paused = False
        self._loop = loop
        self._held: list[asyncio.Handle] = []
        self.tasks: list[asyncio.Future[Any]] = []

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine as one of this process's tasks."""
        context = copy_context()
        context.run(PROCESS.set, self)
        return self._loop.create_task(coroutine, context=context)

    def kill(self) -> None:
        self.alive = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        """Go on with what is in hand; nothing happens to the dead."""
        self.paused = False
        if self.alive:
            self._release()

    def bury(self) -> None:
        """When all is over: let every coroutine end as if it were cancelled, so that none is left half-way."""
        self.alive, self.paused = True, False
        self._release()
        for task in self.tasks:
            task.cancel()

    def _release(self) -> None:
        held, self._held = self._held, []
        for handle in held:
            self._loop.enqueue(handle)

    def hold(self, handle: asyncio.Handle) -> None:
        self._held.append(handle)

    def keep(self, task: asyncio.Future[Any]) -> None:
        self.tasks.append(task)
        if len(self.tasks) > KEPT_TASKS:
            self.tasks = [one for one in self.tasks if not one.done()]


class SimLoop(asyncio.BaseEventLoop):
    """`dice` chooses among the tasks that are ready; `time` is virtual, in seconds, and moves only by `advance`.

    What a future calls back runs at once, before any task, in the order in which it was asked for. So tasks overtake each
    other in every way, but none is overtaken by the news that it waits for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dice = Random(0)
        self.turns = 0
        self.faults: list[str] = []
        self._moment = 0.0
        self._numbers = itertools.count()
        self._urgent: deque[asyncio.Handle] = deque()
        self._waiting: list[asyncio.Handle] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self._moment

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self.enqueue(handle)
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def create_task(self, coro: Any, *, name: object = None, context: Context | None = None) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = super().create_task(coro, name=name, context=context)
        process = PROCESS.get() if context is None else context.get(PROCESS)
        if process is not None:
            process.keep(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """A callback that raised is a fault of the code; tasks that die with their process are not."""
        if "handle" in context:
            self.faults.append(f"{context.get('message')}: {context.get('exception')!r}")

    # What the simulation does with it.

    def enqueue(self, handle: asyncio.Handle) -> None:
        owner = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]
        (self._waiting if isinstance(owner, asyncio.Task) else self._urgent).append(handle)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Be the running loop."""
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            yield
        finally:
            events._set_running_loop(before)

    def turn(self) -> bool:
        """One callback; False when nothing is ready at this moment."""
        self._take_due()
        while self._urgent or self._waiting:
            handle = self._urgent.popleft() if self._urgent else self._chosen()
            if handle.cancelled():
                continue
            process: Process | None = handle._context.get(PROCESS)  # type: ignore[attr-defined]
            if process is not None and (process.paused or not process.alive):
                process.hold(handle)
                continue
            self.turns += 1
            handle._run()
            return True
        return False

    def run(self, turns: int) -> None:
        """Up to so many callbacks, at this moment."""
        for _ in range(turns):
            if not self.turn():
                return

    def advance(self, seconds: float) -> None:
        """Let virtual time pass; what falls due on the way is worked when it falls due."""
        until = self._moment + seconds
        while True:
            while self.turn():
                pass
            following = self._next_timer()
            if following is None or following > until:
                self._moment = until
                return
            self._moment = max(self._moment, following)

    def skip(self, seconds: float) -> None:
        """Let virtual time pass at once: what falls due on the way is worked after, late and in any order."""
        self._moment += seconds

    def complete(self, coroutine: Coroutine[Any, Any, T], process: Process) -> T:
        """Run until this is done, however long it takes. Raises what it raises, and `Stuck`."""
        task = process.spawn(coroutine)
        while not task.done():
            if not self.turn():
                following = self._next_timer()
                if following is None:
                    raise Stuck
                self._moment = max(self._moment, following)
        return task.result()

    def dispose(self, processes: list[Process]) -> None:
        """End all coroutines; whatever they do on their way out is of no interest."""
        for _ in range(10):
            for process in processes:
                process.bury()
            self.run(100_000)
            self.skip(60.0)
            if all(task.done() for process in processes for task in process.tasks):
                break
        for process in processes:
            for task in process.tasks:
                if task.done() and not task.cancelled():
                    task.exception()
        self._urgent.clear()
        self._waiting.clear()
        self._timers.clear()
        self.close()

    def _chosen(self) -> asyncio.Handle:
        waiting = self._waiting
        number = int(self.dice.random() * len(waiting))
        waiting[number], waiting[-1] = waiting[-1], waiting[number]
        return waiting.pop()

    def _take_due(self) -> None:
        while self._timers and self._timers[0][0] <= self._moment:
            handle = heappop(self._timers)[2]
            if not handle.cancelled():
                self.enqueue(handle)

    def _next_timer(self) -> float | None:
        while self._timers:
            when, _, handle = self._timers[0]
            process: Process | None = handle._context.get(PROCESS)  # type: ignore[attr-defined]
            if not handle.cancelled() and (process is None or process.alive):
                return when
            heappop(self._timers)
        return None

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are passed over when their time comes."""
