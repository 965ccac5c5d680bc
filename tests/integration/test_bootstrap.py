"""What an installation is given before its services start, and what it refuses to become."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas import topics
from schemas.envelope import Envelope
from schemas.inbox import AMENDMENT
from services.cli.bootstrap import bootstrap
from services.cli.law import in_force
from services.runtime import installation
from services.runtime.kafka_admin import Unsuitable
from services.runtime.settings import Settings, SettingsError, load_settings
from tests.integration.partner import records

NOW = datetime(2026, 11, 16, 6, tzinfo=UTC)


@pytest.fixture
def settings(kafka: str, database: str, prefix: str, tmp_path: Path) -> Settings:
    return load_settings(kafka=kafka, postgres=database, prefix=prefix, data=tmp_path, partitions=2)


def changed(settings: Settings, **more: Any) -> Settings:
    return settings.model_copy(update=more)


async def test_the_law_stands_in_every_partition_and_a_second_start_adds_nothing(settings: Settings) -> None:
    await bootstrap(settings, "real", None)
    first = await records(settings, topics.INBOX, 2)
    amendments = [Envelope.from_bytes(record.value or b"") for record in first]
    assert {one.type for one in amendments} == {AMENDMENT}
    halves = [[record.value for record in first if record.partition == number] for number in (0, 1)]
    assert halves[0] == halves[1]
    async with installation.open_log(settings) as log:
        assert {"kbr", "kemerovo", "nenets", "kursky", "buryatia"} <= set(await in_force(settings, log))
    await bootstrap(settings, "real", None)
    assert len(await records(settings, topics.INBOX, 2)) == len(first)


async def test_every_agency_has_its_two_topics(settings: Settings) -> None:
    await bootstrap(settings, "real", None)
    async with installation.open_log(settings) as log:
        law = (await in_force(settings, log))["kbr"]
    made = await installation.existing(settings)
    assert all(topics.commands("kbr", agency) in made for agency in law.agencies)
    assert all(topics.assignments("kbr", agency) in made for agency in law.agencies)


async def test_a_simulated_clock_stamps_the_law_with_its_own_time(settings: Settings) -> None:
    await bootstrap(settings, "simulated", NOW)
    assert {record.stamp for record in await records(settings, topics.INBOX, 2)} == {NOW}
    await bootstrap(settings, "simulated", None)
    with pytest.raises(SettingsError, match="назад"):
        await bootstrap(settings, "simulated", NOW - timedelta(hours=1))


async def test_an_installation_keeps_the_clock_that_it_began_with(settings: Settings, prefix: str) -> None:
    await bootstrap(settings, "simulated", NOW)
    with pytest.raises(SettingsError, match="условным"):
        await bootstrap(settings, "real", None)
    async with installation.open_log(settings) as log:
        assert (await installation.living(settings, log)).clock == "simulated"
    real = changed(settings, prefix=f"{prefix}-r")
    await bootstrap(real, "real", None)
    with pytest.raises(SettingsError, match="настоящим"):
        await bootstrap(real, "simulated", NOW)


async def test_a_simulated_clock_needs_a_beginning(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="--now"):
        await bootstrap(settings, "simulated", None)


async def test_another_number_of_partitions_is_refused(settings: Settings) -> None:
    await bootstrap(settings, "real", None)
    with pytest.raises(Unsuitable):
        await bootstrap(changed(settings, partitions=3), "real", None)
