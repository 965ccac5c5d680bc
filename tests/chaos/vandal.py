"""Garbage and oversize on every door, now and then: none of it may be more than refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid

import httpx

from tests.chaos.load import Load, event_of

REFUSED = {400, 401, 403, 404, 405, 409, 413, 415, 422, 503}
OVERSIZE = 2 << 20
BATCH = 200
"""An answer of NDJSON begins before its lines are read: it is 200, and each line has its error."""


async def vandalise(load: Load) -> None:
    """Until the load stops. What is answered otherwise than refused is told in `load.told.wrong`."""
    dice, installation = load.dice, load.installation
    authority = sorted(load.clients)[0]
    client, agency = load.clients[authority], load.agencies[authority][0]
    message = str(uuid.uuid4())
    doors = [
        ("intake", "/v1/detections", client.auth("monitor")),
        ("intake", "/v1/detections/batch", client.auth("monitor")),
        ("workflow", f"/v1/messages/{message}/commands", client.auth("coordinator")),
        ("workflow", f"/v1/messages/{message}/commands", client.auth("executor", agency)),
        ("workflow", f"/v1/periods/{message}/commands", client.auth("coordinator")),
        ("workflow", f"/v1/authorities/{authority}/amendments", client.auth("operator")),
        ("sla", "/v1/deadlines/calculate", client.auth("coordinator")),
    ]
    topics = ["otklik.detections", f"otklik.commands.{authority}.{agency}"]
    while not load.stop.is_set():
        garbage = [
            dice.randbytes(dice.choice((0, 10, 1000, 1 << 20))),
            b"[" * 100_000,
            json.dumps({"type": "triage", "data": {"topics": [None] * 3}}).encode(),
            event_of(str(uuid.uuid4()), "otklik.command.fly.v1", message, {"type": "fly", "data": {}}),
            event_of("", "otklik.detection.v1", "", {"authority": "kbr", "text": "\x00"}),
        ]
        await load.writer.write(dice.choice(topics), dice.choice(garbage))
        if await load.writer.write(dice.choice(topics), b"x" * OVERSIZE):
            load.told.wrong.append(f"a topic of partners took {OVERSIZE} bytes")
        service, path, headers = dice.choice(doors)
        kind = "application/x-ndjson" if path.endswith("batch") else "application/json"
        for content in (dice.choice(garbage), b"x" * OVERSIZE):
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.http.post(
                    f"{installation.url(service)}{path}", content=content, headers=headers | {"Content-Type": kind}
                )
                if answer.status_code not in REFUSED | ({BATCH} if path.endswith("batch") else set()):
                    load.told.wrong.append(f"garbage at {path}: {answer.status_code} {answer.text[:300]}")
        with contextlib.suppress(httpx.HTTPError):
            query = f"{installation.url('reporting')}/v1/register?authority={'x' * 3000}&limit=-1&after=%00"
            answer = await client.http.get(query, headers=client.auth("coordinator"))
            if answer.status_code not in REFUSED:
                load.told.wrong.append(f"garbage at the register: {answer.status_code} {answer.text[:300]}")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(load.stop.wait(), 2)
