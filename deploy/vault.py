"""A directory of secrets: one file each, made once, and named like the user or the thing that it is for."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from deploy import certificates
from deploy.acls import OPERATOR, SERVICES, service_user

CLUSTER_PASSWORDS = ("kafka_broker", "kafka_admin")
DATABASE_PASSWORDS = tuple(f"postgres_{name}" for name in ("admin", *SERVICES, OPERATOR))
OTHER_PASSWORDS = ("grafana_admin",)
_ENTROPY_BYTES = 32


class NoSecret(Exception):
    """A secret is not there; the text says in Russian what to do."""


def partners_of(prefix: str, users: Iterable[str]) -> list[str]:
    """The users that are not our own programs: their traffic is bounded."""
    own = {service_user(prefix, name) for name in (*SERVICES, OPERATOR)}
    return [user for user in users if user not in own]


class Secrets:
    """Files of `directory`. It is its owner's alone; the files in it can be read by all, since a container sees only
    what is mounted, under another user's number than the owner's."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, name: str) -> Path:
        return self._directory / name

    def read(self, name: str) -> str:
        """Raises `NoSecret`."""
        try:
            return self.path(name).read_text().strip()
        except OSError as error:
            raise NoSecret(f"нет {self.path(name)}: создайте его командой python -m deploy secrets") from error

    def make(self, users: Iterable[str], hosts: Mapping[str, Iterable[str]]) -> list[str]:
        """Make what is missing; returns the names. To change a password, remove its file, make it anew and apply."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._directory.chmod(0o700)
        made = []
        for name in (*CLUSTER_PASSWORDS, *DATABASE_PASSWORDS, *OTHER_PASSWORDS, *users):
            if not self.path(name).exists():
                self._write(name, secrets.token_urlsafe(_ENTROPY_BYTES))
                made.append(name)
        # All certificates or none: each is signed by an authority whose key nobody keeps.
        if not all(self.path(name).exists() for name in ("kafka_ca", *hosts)):
            for name, pem in certificates.make(hosts).items():
                self._write("kafka_ca" if name == "ca" else name, pem)
                made.append("kafka_ca" if name == "ca" else name)
        return made

    def _write(self, name: str, text: str) -> None:
        self.path(name).write_text(text)
        self.path(name).chmod(0o444)
