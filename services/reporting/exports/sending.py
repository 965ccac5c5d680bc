"""Files on their way out: made on disk, removed once they are sent."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import mkstemp

from fastapi.responses import FileResponse
from starlette.background import BackgroundTask


def temporary(suffix: str) -> Path:
    """An empty file that only this process's user may read; `file` removes it."""
    handle, name = mkstemp(suffix, "otklik-")
    os.close(handle)
    return Path(name)


def file(path: Path, media_type: str, name: str) -> FileResponse:
    """Send the file under that name, then remove it."""
    return FileResponse(path, media_type=media_type, filename=name, background=BackgroundTask(path.unlink))


def attached(name: str) -> dict[str, str]:
    """The header that lets a browser save what is streamed."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}
