"""A whole installation, started by its front door (`otklik up`), and a client that knows only the contract."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import jwt

from tests.ports import free_port_base

OTKLIK = str(Path(sys.executable).parent / "otklik")
M = uuid.UUID("26ba15cf-27a3-5393-90f6-7450e2dac5a5")


_libc = ctypes.CDLL(None)


def die_with_parent() -> None:
    """A test run that is killed leaves no installation behind: SIGINT reaches it when its parent goes."""
    _libc.prctl(1, int(signal.SIGINT))


class Installation:
    """`otklik up` in a folder of its own, on ports of its own. `claims`: what every token bears beside its own."""

    def __init__(
        self,
        folder: Path,
        *,
        simulated_now: str | None = None,
        demo: bool = False,
        base: int | None = None,
        claims: dict[str, Any] | None = None,
        **env: str,
    ) -> None:
        self.folder = folder
        self.base = base or free_port_base()
        self._claims = claims or {}
        self.env = os.environ | {"OTKLIK_PORT_BASE": str(self.base), "OTKLIK_DATA": str(folder / "otklik"), **env}
        self._arguments = ["up"] + (["--demo"] if demo else [])
        if simulated_now:
            self._arguments += ["--clock", "simulated", "--now", simulated_now]
        self._process: subprocess.Popen[bytes] | None = None
        self._like: dict[str, Any] | None = None

    @property
    def bootstrap(self) -> str:
        return self.env.get("OTKLIK_KAFKA") or f"127.0.0.1:{self.base + 92}"

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.base + 1 + ('intake', 'workflow', 'sla', 'reporting').index(service)}"

    async def start(self, patience_s: float = 240) -> None:
        """Returns when all four services are ready; AssertionError with the log's end otherwise."""
        output = (self.folder / "up.log").open("ab")
        self._process = subprocess.Popen(
            [OTKLIK, *self._arguments],
            env=self.env,
            stdout=output,
            stderr=output,
            cwd=self.folder,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        await self.ready(patience_s)

    async def ready(self, patience_s: float = 120) -> None:
        deadline = time.monotonic() + patience_s
        async with httpx.AsyncClient(timeout=2) as http:
            for service in ("intake", "workflow", "sla", "reporting"):
                while True:
                    assert self._process is not None and self._process.poll() is None, self.log_end()
                    assert time.monotonic() < deadline, f"{service} is not ready\n{self.log_end()}"
                    try:
                        if (await http.get(f"{self.url(service)}/readyz")).status_code == 200:
                            break
                    except httpx.HTTPError:
                        pass
                    await asyncio.sleep(0.1)

    def log_end(self) -> str:
        path = self.folder / "up.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    async def stop(self, how: int = signal.SIGINT) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            await asyncio.to_thread(self._process.wait, 60)
        self._process = None

    def cli(self, *arguments: str) -> str:
        """The output of `otklik …` in this installation; AssertionError with its words if it fails."""
        done = subprocess.run(
            [OTKLIK, *arguments], env=self.env, capture_output=True, text=True, cwd=self.folder, timeout=120
        )
        assert done.returncode == 0, f"otklik {' '.join(arguments)}: {done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def token(self, role: str, authority: str, agency: str | None = None) -> str:
        """A bearer token: the first by `otklik token`, the rest like it, signed with the same local key; each start of the
        command costs a second of processor, and chaos wants dozens."""
        if self._like is None:
            token = self.cli("token", "--role", role, "--authority", authority).splitlines()[-1]
            self._like = jwt.decode(token, options={"verify_signature": False}) | self._claims
        claims = self._like | {"sub": f"{role}-{authority}", "authorities": [authority], "roles": [role]}
        claims = {name: value for name, value in claims.items() if name != "agency"} | (
            {"agency": agency} if agency else {}
        )
        return jwt.encode(claims, (self.folder / "otklik" / "local_key.pem").read_bytes(), algorithm="ES256")

    async def __aenter__(self) -> Installation:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class Problem(AssertionError):
    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status} {json.dumps(body, ensure_ascii=False)}")
        self.status, self.body = status, body

    @property
    def slug(self) -> str:
        return str(self.body["type"]).removeprefix("urn:otklik:problem:")


class Client:
    """What a partner would write from contract.md."""

    def __init__(self, installation: Installation, authority: str) -> None:
        self.installation, self.authority = installation, authority
        self.http = httpx.AsyncClient(timeout=60)
        self._tokens: dict[tuple[str, str | None], str] = {}

    def auth(self, role: str, agency: str | None = None) -> dict[str, str]:
        key = (role, agency)
        if key not in self._tokens:
            self._tokens[key] = self.installation.token(role, self.authority, agency)
        return {"Authorization": f"Bearer {self._tokens[key]}"}

    def message_id(self, external_id: str, network: str = "vk") -> str:
        return str(uuid.uuid5(M, f"{self.authority}/{network}/{external_id}"))

    async def detect(self, external_id: str, *, network: str = "vk", **more: Any) -> str:
        body = {
            "authority": self.authority,
            "source": {
                "network": network,
                "external_id": external_id,
                "url": f"https://{network}.example/{external_id}",
            },
            "author": {"name": "Марина К."},
            "text": "На ул. Кирова третий день нет света",
        } | more
        answer = await self.http.post(
            f"{self.installation.url('intake')}/v1/detections", json=body, headers=self.auth("monitor")
        )
        if answer.status_code != 202:
            raise Problem(answer.status_code, answer.json())
        assert answer.json()["message_id"] == self.message_id(external_id, network)
        return str(answer.json()["message_id"])

    async def get(self, service: str, path: str, role: str = "coordinator", agency: str | None = None) -> Any:
        answer = await self.http.get(f"{self.installation.url(service)}{path}", headers=self.auth(role, agency))
        if answer.status_code != 200:
            raise Problem(answer.status_code, answer.json())
        return answer.json()

    async def message(self, message: str, at_least: int = 1, **who: Any) -> dict[str, Any]:
        return dict(await self.get("workflow", f"/v1/messages/{message}?at_least={at_least}", **who))

    async def command(
        self,
        message: str,
        kind: str,
        /,
        *,
        role: str | None = None,
        by: str | None = None,
        key: str | None = None,
        expected_sequence: int | None = None,
        **data: Any,
    ) -> dict[str, Any]:
        body: dict[str, Any] = {"type": kind, "data": data}
        if expected_sequence is not None:
            body["expected_sequence"] = expected_sequence
        headers = self.auth(role or ("executor" if by else "coordinator"), by)
        answer = await self.http.post(
            f"{self.installation.url('workflow')}/v1/messages/{message}/commands",
            json=body,
            headers=headers | {"Idempotency-Key": key or str(uuid.uuid4())},
        )
        if answer.status_code != 200:
            raise Problem(answer.status_code, answer.json())
        return dict(answer.json())

    async def deadlines(self, message: str, at_least: int = 1) -> dict[str, dict[str, Any]]:
        """The latest deadline of each rule."""
        items = (await self.get("sla", f"/v1/messages/{message}/deadlines?at_least={at_least}"))["items"]
        return {item["rule"]: item for item in sorted(items, key=lambda item: item["occurrence"])}

    async def agencies(self) -> list[str]:
        found = await self.get("workflow", f"/v1/authorities/{self.authority}")
        return [agency["id"] for agency in found["agencies"]]


def new(outcome: dict[str, Any], field: str) -> str:
    """The new id that a command brought."""
    return next(str(event["data"][field]) for event in outcome["events"] if field in event["data"])
