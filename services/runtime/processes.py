"""Processes of the operating system that an earlier run may have left: found by pid file and command line, and ended."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil

Probe = Callable[[], Awaitable[bool]]

_POLL = 0.05


async def stop_leftover(pid_file: Path, *, grace: float) -> bool:
    """Stop what an earlier run left running under this pid file. True if there was something.

    A process is ours only when pid *and* command line are those written down: pids are used again.
    """
    process = noted(pid_file)
    if process is not None:
        await end(process, grace=grace)
    forget(pid_file)
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
            here = connection.laddr and connection.laddr.port == port
            if here and connection.status == psutil.CONN_LISTEN and connection.pid:
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


def noted(pid_file: Path) -> psutil.Process | None:
    try:
        noted = json.loads(pid_file.read_text())
        process = psutil.Process(int(noted["pid"]))
        ours = process.cmdline() == noted["argv"] and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        # A half-written pid file says nothing; whoever holds the data is found by its command line.
        return None
    return process if ours else None


def forget(pid_file: Path) -> None:
    pid_file.unlink(missing_ok=True)


async def _gone(process: psutil.Process, seconds: float) -> bool:
    try:
        await asyncio.to_thread(process.wait, seconds)
    except psutil.TimeoutExpired:
        return False
    return True
