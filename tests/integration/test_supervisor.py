"""A dead child is started again with back-off; a stopped or killed run leaves no process behind."""

import asyncio
import io
import itertools
import os
import signal
import sys
import textwrap
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from services.runtime.child import ChildProcess, StartError, answers
from services.runtime.supervisor import Supervisor
from tests.ports import free_port

SLEEPER = "import time; time.sleep(600)"


async def _until(condition: object, seconds: float = 20) -> None:
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def _child(data: Path, name: str, code: str = SLEEPER, **more: object) -> ChildProcess:
    argv = [sys.executable, "-c", code]
    return ChildProcess(name, argv, run=data / "run", log=data / "logs" / f"{name}.log", **more)  # type: ignore[arg-type]


async def test_a_dead_child_is_started_again_and_each_time_later(tmp_path: Path) -> None:
    said = io.StringIO()
    starts = tmp_path / "starts"
    code = f"import time; open({str(starts)!r}, 'a').write(f'{{time.time()}}\\n')"
    async with Supervisor(tmp_path, console=Console(file=said), first_delay=0.2, longest_delay=0.8) as supervisor:
        await supervisor.start(_child(tmp_path, "mayfly", code))
        await _until(lambda: starts.exists() and len(starts.read_text().split()) >= 5)
    times = [float(line) for line in starts.read_text().split()]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    for gap, least in zip(gaps, (0.2, 0.4, 0.8, 0.8), strict=False):
        assert gap >= least
    assert gaps[3] < 0.8 * 2
    assert "новый запуск через 0.4 с" in said.getvalue()


async def test_back_off_begins_anew_after_a_stable_time(tmp_path: Path) -> None:
    said = io.StringIO()
    supervisor = Supervisor(tmp_path, console=Console(file=said), first_delay=0.1, stable_after=0.3)
    async with supervisor:
        child = _child(tmp_path, "steady")
        await supervisor.start(child)
        for _ in range(3):
            await asyncio.sleep(0.4)
            pid = child.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await _until(lambda: child.pid not in {None, pid})  # noqa: B023
    assert said.getvalue().count("через 0.1 с") == 3


async def test_a_child_is_ready_when_its_page_answers(tmp_path: Path) -> None:
    port = free_port()
    argv = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    probe = answers(f"http://127.0.0.1:{port}/")
    child = ChildProcess("page", argv, run=tmp_path / "run", log=tmp_path / "page.log", ready=probe)
    await child.start()
    assert await probe()
    await child.stop()
    assert not await probe()


async def test_a_child_that_dies_while_starting_shows_the_end_of_its_log(tmp_path: Path) -> None:
    child = _child(tmp_path, "stillborn", "print('причина'); raise SystemExit(3)", ready=answers("http://127.0.0.1:9/"))
    with pytest.raises(StartError, match=r"(?s)код 3.*причина.*Журнал"):
        await child.start()


async def test_children_started_together_do_not_wait_for_one_another(tmp_path: Path) -> None:
    children: list[ChildProcess] = []

    async def all_run() -> bool:
        return all(child.pid is not None for child in children)

    children += [_child(tmp_path, name, ready=all_run, ready_timeout=5) for name in ("one", "other")]
    async with Supervisor(tmp_path, console=Console(file=io.StringIO())) as supervisor:
        await supervisor.start(*children)
        assert await all_run()


async def test_a_child_that_fails_ends_the_start_of_those_beside_it(tmp_path: Path) -> None:
    slow = _child(tmp_path, "slow", ready=answers("http://127.0.0.1:9/"))
    stillborn = _child(tmp_path, "stillborn", "raise SystemExit(3)", ready=answers("http://127.0.0.1:9/"))
    async with Supervisor(tmp_path, console=Console(file=io.StringIO())) as supervisor:
        with pytest.raises(StartError, match=r"«stillborn» завершился при запуске \(код 3\)"):
            await supervisor.start(slow, stillborn)
        assert slow.pid is None


async def test_a_child_deaf_to_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    child = _child(tmp_path, "deaf", code, grace=0.3)
    await child.start()
    pid = child.pid
    assert pid is not None
    await _until(lambda: "deaf" in child.log.read_text())
    await child.stop()
    assert not psutil.pid_exists(pid)


async def test_a_second_run_on_the_same_data_is_refused_with_a_clear_word(tmp_path: Path) -> None:
    quiet = Console(file=io.StringIO())
    async with Supervisor(tmp_path, console=quiet):
        with pytest.raises(StartError, match=rf"уже работает.*{os.getpid()}.*OTKLIK_DATA"):
            async with Supervisor(tmp_path, console=quiet):
                pass
    async with Supervisor(tmp_path, console=quiet):
        pass


RUN = """
import asyncio, pathlib, sys
from services.runtime.child import ChildProcess
from services.runtime.supervisor import Supervisor
async def main():
    data = pathlib.Path({data!r})
    async with Supervisor(data) as supervisor:
        for name in ("first", "second"):
            code = (
                "import signal, subprocess, sys, time\\n"
                "def stop(*_):\\n"
                "    open({data!r} + '/order', 'a').write(sys.argv[1] + ' ')\\n"
                "    raise SystemExit\\n"
                "signal.signal(signal.SIGTERM, stop)\\n"
                "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', {data!r}])\\n"
                "print('up', flush=True)\\n"
                "time.sleep(600)"
            )
            log = data / "logs" / (name + ".log")
            async def ready(log=log):
                return "up" in log.read_text()
            argv = [sys.executable, "-c", code, name, {data!r}]
            await supervisor.start(ChildProcess(name, argv, run=data / "run", log=log, ready=ready))
        print("up", flush=True)
        await supervisor.until_stopped()
asyncio.run(main())
"""


async def _run(data: Path) -> asyncio.subprocess.Process:
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(RUN.format(data=str(data))), stdout=asyncio.subprocess.PIPE
    )
    assert run.stdout is not None
    assert await run.stdout.readline() == b"up\n"
    return run


def _alive(data: Path) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])
        if str(data) in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_stops_all_in_reverse_and_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    run = await _run(tmp_path)
    assert len(_alive(tmp_path)) == 4
    run.send_signal(number)
    assert await asyncio.wait_for(run.wait(), 20) == 0
    assert _alive(tmp_path) == []
    assert (tmp_path / "order").read_text() == "second first "


async def test_children_of_a_killed_run_die_with_it(tmp_path: Path) -> None:
    run = await _run(tmp_path)
    pids = [int(psutil.Process(pid).pid) for pid in _alive(tmp_path) if psutil.Process(pid).ppid() == run.pid]
    run.kill()
    await run.wait()
    assert len(pids) == 2
    await _until(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    for pid in _alive(tmp_path):
        os.kill(pid, signal.SIGKILL)


async def test_leftovers_of_a_dead_run_are_stopped_by_the_next(tmp_path: Path) -> None:
    leftover = _child(tmp_path, "leftover")
    await leftover.start()
    pid = leftover.pid
    said = io.StringIO()
    async with Supervisor(tmp_path, console=Console(file=said, width=200)):
        assert not (tmp_path / "run" / "leftover.pid").exists()
    assert "leftover" in said.getvalue()
    assert pid is not None
    assert not psutil.pid_exists(pid)


async def test_a_process_that_only_got_an_old_pid_is_left_alone(tmp_path: Path) -> None:
    other = _child(tmp_path, "other")
    await other.start()
    pid_file = tmp_path / "run" / "other.pid"
    pid_file.write_text(pid_file.read_text().replace("600", "601"))
    async with Supervisor(tmp_path, console=Console(file=io.StringIO())):
        assert other.pid is not None
    await other.kill()
