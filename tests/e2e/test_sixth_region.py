"""A sixth region, invented here, is two new files: the system starts with them and walks a message by their numbers."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from tests.e2e.installation import Client, Installation, Problem, new

OWN_LAW = Path(__file__).parent / "sixth"
FRIDAY = "2026-11-20T14:00:00+10:00"
"""Two hours and a quarter before this region's short Friday ends at 16:15."""


def vladivostok(text: str) -> datetime:
    """`21.11 09:15` of 2026 in the region's own time."""
    return datetime.strptime(f"{text} 2026 +1000", "%d.%m %H:%M %Y %z")


async def test_a_region_of_two_new_files_is_walked_from_detection_to_publication(tmp_path: Path) -> None:
    async with Installation(tmp_path, simulated_now=FRIDAY, OTKLIK_LAW=str(OWN_LAW)) as installation:
        client = Client(installation, "ozyorny")
        assert await client.agencies() == ["dept-vody", "dept-lesa"]
        message = await client.detect("ozero", network="max")
        await client.message(message)
        due = await client.deadlines(message)
        assert (due["route"]["paragraph"], datetime.fromisoformat(due["route"]["due_at"])) == (
            "4",
            vladivostok("20.11 14:20"),
        )
        # Five working hours: 2 h 15 min of Friday until 16:15, the rest from 8:30 on Monday; the draft two hours before.
        assert datetime.fromisoformat(due["answer"]["due_at"]) == vladivostok("23.11 11:15")
        assert datetime.fromisoformat(due["draft"]["due_at"]) == vladivostok("23.11 09:15")
        assert due["answer"]["regulation"] == "ozyorny-2026-6"
        assert due["answer"]["due_at"].endswith("+10:00")

        with pytest.raises(Problem) as unknown_term:
            await client.command(
                message, "triage", topics=["water"], location="Озёрск", importance="high", reduced=True
            )
        assert (unknown_term.value.status, unknown_term.value.body["paragraph"]) == (422, "4")
        await client.command(message, "triage", topics=["water"], location="Озёрск", importance="high")
        routed = await client.command(message, "route", assignments=[{"agency": "dept-vody"}])
        assert (await client.deadlines(message, routed["sequence"]))["route"]["state"] == "met"

        # On Monday the draft is late by a minute, the answer is not.
        installation.cli("clock", "set", vladivostok("23.11 09:16").isoformat())
        draft = await client.command(message, "submit_draft", by="dept-vody", kind="answer", text="Вода будет чистой.")
        late = await client.deadlines(message, draft["sequence"])
        assert late["draft"]["state"] == "met_late"
        assert datetime.fromisoformat(late["review"]["due_at"]) == vladivostok("23.11 10:01")
        await client.command(message, "approve_draft", draft_id=new(draft, "draft_id"))
        published = await client.command(
            message,
            "report_publication",
            by="dept-vody",
            draft_id=new(draft, "draft_id"),
            url="https://max.example/ozero",
        )
        states = {rule: one["state"] for rule, one in (await client.deadlines(message, published["sequence"])).items()}
        assert (states["answer"], states["publish"], states["review"]) == ("met", "met", "met")
        view = await client.message(message, published["sequence"])
        assert (view["authority"], view["status"]) == ("ozyorny", "answered")
        # The five that are shipped live beside it, untouched.
        assert "minstroy" in await Client(installation, "kbr").agencies()

        # Its folder is part of the installation: applied again, it says nothing new.
        before = await client.get("workflow", "/v1/authorities/ozyorny")
        installation.cli("law", "apply")
        assert await client.get("workflow", "/v1/authorities/ozyorny") == before
