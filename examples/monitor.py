"""A monitoring system in one page: it pushes posts to Otklik and loses none.

    python examples/monitor.py --url http://127.0.0.1:8001 --token "$TOKEN" < posts.ndjson

Every line of the input is a detection as contract and `schemas/json/detection.json` describe it. Pushing again is
harmless: the message's id is derived from authority, network and external_id. So the rule is simple: whatever was not
acknowledged is pushed again, after as long as the server asks for.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import httpx

BATCH = 500


def push(http: httpx.Client, url: str, token: str, lines: list[str]) -> list[dict[str, object]]:
    """Push lines until each has its own answer; returns the faults of those that were refused for good."""
    waiting = list(lines)
    refused: list[dict[str, object]] = []
    pause_s = 0.5
    while waiting:
        answered = 0
        retry_after = pause_s
        try:
            with http.stream(
                "POST",
                f"{url}/v1/detections/batch",
                content=("\n".join(waiting) + "\n").encode(),
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"},
            ) as response:
                if response.status_code in (429, 503):
                    retry_after = float(response.headers.get("Retry-After", pause_s))
                elif response.status_code != 200:
                    response.read()
                    raise SystemExit(f"{response.status_code}: {response.text}")
                else:
                    again: list[str] = []
                    for text in response.iter_lines():
                        answer = json.loads(text)
                        error = answer.get("error")
                        if error and error.get("status") == 503:
                            again.append(waiting[answered])
                        elif error:
                            refused.append({"line": waiting[answered], "error": error})
                        answered += 1
                    waiting = again + waiting[answered:]
                    if not waiting:
                        return refused
        except httpx.TransportError as error:
            # What was acknowledged before the break is pushed again too: it is the same message.
            print(f"нет связи ({error!r}), повторю", file=sys.stderr)
        time.sleep(retry_after)
        pause_s = min(pause_s * 2, 30)
    return refused


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", required=True)
    arguments = parser.parse_args()
    pushed, refused = 0, []
    with httpx.Client(timeout=60) as http:
        batch: list[str] = []
        for line in sys.stdin:
            if line.strip():
                batch.append(line.strip())
            if len(batch) == BATCH:
                refused += push(http, arguments.url, arguments.token, batch)
                pushed, batch = pushed + len(batch), []
        refused += push(http, arguments.url, arguments.token, batch)
        pushed += len(batch)
    for fault in refused:
        print(json.dumps(fault, ensure_ascii=False), file=sys.stderr)
    print(json.dumps({"pushed": pushed, "refused": len(refused)}))
    return 1 if refused else 0


if __name__ == "__main__":
    raise SystemExit(main())
