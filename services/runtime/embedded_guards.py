"""What every embedded part asks of its machine before it starts, and says when it fails."""

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from services.runtime.child import ChildProcess, StartError
from services.runtime.processes import holder_of

_SPACE_BYTES_MIN = 512 << 20


def require_space(data: Path) -> None:
    """Raises StartError when the disk under `data` is nearly full, or `data` cannot be made."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(data).free
    except OSError as error:
        raise StartError(
            f"Каталог данных {data} недоступен: {error.strerror}. Задайте другой: OTKLIK_DATA=…"
        ) from error
    if free < _SPACE_BYTES_MIN:
        raise StartError(
            f"На диске с {data} свободно {free >> 20} МБ, нужно хотя бы {_SPACE_BYTES_MIN >> 20}. Освободите место или"
            " задайте каталог на другом диске: OTKLIK_DATA=…"
        )


def require_port(port: int, whose: str) -> None:
    """Raises StartError, naming the holder where it is known, when `port` of 127.0.0.1 is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise StartError(
                f"Порт {port} для {whose} занят: {holder_of(port)}. Остановите эту программу или задайте другие порты:"
                " OTKLIK_PORT_BASE=9000 (все порты отсчитываются от него)."
            ) from error


@contextlib.contextmanager
def explained(data: Path) -> Iterator[None]:
    """To a failure of a child, add what to do where its log tells."""
    try:
        yield
    except StartError as error:
        text = str(error)
        if "No space left on device" in text:
            text += f"\nНа диске с {data} кончилось место: освободите его и запустите снова, данные целы."
        elif "Address already in use" in text:
            text += "\nПорт занят: задайте другие через OTKLIK_PORT_BASE."
        elif "Permission denied" in text:
            text += f"\nНет прав на {data}: проверьте владельца каталога."
        raise StartError(text) from error


async def run_tool(tool: ChildProcess, data: Path) -> None:
    """Run a tool to its end. Raises StartError, with the end of its log, when it fails."""
    with explained(data):
        await tool.start()
        try:
            code = await tool.wait()
        finally:
            await tool.kill()
        if code != 0:
            raise StartError(f"«{tool.name}» завершился с кодом {code}.\n{tool.tail()}")


def clean_environment(*prefixes: str) -> dict[str, str]:
    """Our environment without what would steer the child: a stray JAVA_TOOL_OPTIONS or PGDATA is not meant for it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
