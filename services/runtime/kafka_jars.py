"""The broker's jars by Maven coordinates: fetched once into the user's Maven cache, whole or not at all."""

import asyncio
import contextlib
import dataclasses
import os
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import requests
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext, PythonResolver
from jgo.parse import Endpoint
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from services.runtime.child import StartError

KAFKA_VERSION = "4.1.2"
# slf4j-simple writes the broker's log to stderr without a file of settings; Kafka's own artifact brings no writer.
_COORDINATES = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"
_FETCH_ATTEMPTS = 3

T = TypeVar("T")


async def fetch_kafka(console: Console | None = None) -> list[Path]:
    """The broker's jars, from the user's Maven cache; what is not there is fetched once, with progress shown.

    Works without network once fetched. Raises StartError without network, or when the disk is full.
    """
    cache = GlobalSettings.load().repo_cache
    with contextlib.suppress(_NotCachedError):
        return _cached_jars(cache)
    return await _in_thread(lambda: _download(cache, console or Console(stderr=True)))


class _NotCachedError(Exception):
    pass


def _cached_jars(cache: Path, resolver: PythonResolver | None = None) -> list[Path]:
    offline = resolver is None
    remote = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
    maven = MavenContext(
        repo_cache=cache, remote_repos=remote, offline=offline, timeout=30, resolver=resolver or PythonResolver()
    )
    coordinates = Endpoint.parse(_COORDINATES).coordinates
    wanted = [maven.create_dependency(dataclasses.replace(each, scope="compile")) for each in coordinates]
    try:
        inputs, transitive = maven.resolver.resolve(wanted)
        needed = [*inputs, *(each for each in transitive if each.scope in {"compile", "runtime"})]
        jars = [Path(each.artifact.resolve()) for each in needed]
    except (requests.RequestException, OSError):
        raise
    except Exception as error:
        # Its resolver raises RuntimeError, ValueError or a parser's error for whatever is absent or cut short.
        raise _NotCachedError(str(error)) from error
    broken = [jar.name for jar in jars if not zipfile.is_zipfile(jar)]
    if broken:
        raise _NotCachedError(f"cut short: {', '.join(broken)}")
    return jars


def _download(cache: Path, console: Console) -> list[Path]:
    """Fetch into a directory of its own and move what is whole: jgo writes in place, and trusts what a kill cut short."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    try:
        cache.mkdir(parents=True, exist_ok=True)
        staging = _staging(cache)
        console.print(f"Скачивается Apache Kafka {KAFKA_VERSION} (около 45 МБ; один раз, дальше сеть не нужна)")
        with Progress(*columns, console=console, transient=True) as progress:
            overall = progress.add_task("список файлов …", total=None)

            @contextlib.contextmanager
            def on_file(name: str, size: int) -> Iterator[Callable[[int], None]]:
                progress.update(overall, description=name)
                yield lambda count: progress.advance(overall, count)

            for attempt in range(1, _FETCH_ATTEMPTS + 1):
                try:
                    _cached_jars(staging, PythonResolver(progress_callback=on_file))
                    break
                except (requests.RequestException, _NotCachedError):
                    if attempt == _FETCH_ATTEMPTS:
                        raise
                    _discard_broken(staging)
        for file in staging.rglob("*.*"):
            if file.is_file():
                place = cache / file.relative_to(staging)
                place.parent.mkdir(parents=True, exist_ok=True)
                file.replace(place)
        shutil.rmtree(staging, ignore_errors=True)
        return _cached_jars(cache)
    except (requests.RequestException, _NotCachedError) as error:
        certificates = (
            " Сертификату сети не верят: укажите свой набор корневых в REQUESTS_CA_BUNDLE."
            if "CERTIFICATE_VERIFY_FAILED" in str(error)
            else ""
        )
        raise StartError(
            f"Не удалось скачать Apache Kafka {KAFKA_VERSION}: {_first_line(error)}\nПроверьте сеть и прокси и повторите"
            " запуск: скачанное не пропадёт. Без сети: задайте OTKLIK_KAFKA=узел:порт своего брокера, либо скопируйте"
            f" каталог {cache} с машины, где запуск уже удался.{certificates}"
        ) from error
    except OSError as error:
        raise StartError(
            f"Не удалось записать файлы Kafka в {cache}: {error.strerror or error}. Освободите место или дайте права на"
            " этот каталог (другое место задаёт переменная M2_REPO)."
        ) from error


def _staging(cache: Path) -> Path:
    """A directory of this process alone; it takes over what a killed or failed fetch had got."""
    mine = cache / f".otklik-fetch-{os.getpid()}"
    for other in cache.glob(".otklik-fetch-*"):
        try:
            os.kill(int(other.name.rpartition("-")[2]), 0)
        except ProcessLookupError:
            if mine.exists():
                shutil.rmtree(other, ignore_errors=True)
            else:
                other.rename(mine)
        except PermissionError:
            continue
    mine.mkdir(exist_ok=True)
    _discard_broken(mine)
    return mine


def _discard_broken(staging: Path) -> None:
    for jar in staging.rglob("*.jar"):
        if not zipfile.is_zipfile(jar):
            jar.unlink()
    for pom in staging.rglob("*.pom"):
        if not pom.read_bytes().rstrip().endswith(b"</project>"):
            pom.unlink()


async def _in_thread(work: Callable[[], T]) -> T:
    """As asyncio.to_thread, but Ctrl-C does not wait for its end: a daemon thread dies with the process."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: Exception | None) -> None:
        if result.cancelled():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # type: ignore[arg-type]

    def run() -> None:
        value, failure = None, None
        try:
            value = work()
        except Exception as error:  # noqa: BLE001
            # It is raised again, in the task that waits.
            failure = error
        with contextlib.suppress(RuntimeError):
            # RuntimeError: the loop has been closed, and nobody waits any more.
            loop.call_soon_threadsafe(settle, value, failure)

    threading.Thread(target=run, daemon=True).start()
    return await result


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
