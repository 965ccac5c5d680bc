"""The walks at the pages without a browser: on every machine, by what the forms say."""

from __future__ import annotations

import pytest

from tests.e2e import pages_walk
from tests.e2e.installation import Client, Installation
from tests.e2e.people import People, Person, Reader


@pytest.fixture
def people(installation: Installation) -> People:
    async def enter(authority: str, role: str, agency: str = "") -> Person:
        reader = Reader(installation)
        await reader.enter(authority, role, agency)
        return reader

    return enter


async def test_the_forms_lead_from_detection_to_publication(people: People, installation: Installation) -> None:
    client = Client(installation, "kbr")
    pages_walk.working_morning(installation)
    await pages_walk.from_detection_to_publication(people, client, "-7_forms")
    await pages_walk.a_late_message_is_excused_dismissed_and_reopened(people, client, "-7_late")


async def test_a_quarter_is_agreed_and_delivered(people: People) -> None:
    await pages_walk.a_quarter_is_agreed_and_delivered(people)
