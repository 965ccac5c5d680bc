"""`otklik dead-letters` on a real broker: seen, shown, put in again once, or let go with a reason; and remembered."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from click.testing import Result
from typer.testing import CliRunner

from schemas import topics
from schemas.envelope import Actor, Envelope
from schemas.ids import message_id
from schemas.inbox import DETECTION
from services.cli.__main__ import app
from services.cli.bootstrap import bootstrap
from services.runtime import installation, letters
from services.runtime.dead_letters import Problem, dead_letter
from services.runtime.headers import FIRST_APPENDED_AT
from services.runtime.letters import Unsettled
from services.runtime.log import Outgoing, Record
from services.runtime.settings import Settings, load_settings
from tests.integration.partner import records

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR_AGO, WEEK_AGO = NOW - timedelta(hours=1), NOW - timedelta(days=7)


def detection(external_id: str, **more: Any) -> bytes:
    source = {"network": "vk", "external_id": external_id, "url": "https://vk.example/1"}
    data = {"authority": "kbr", "source": source, "author": {"name": "Житель"}, "text": "Яма"} | more
    return Envelope(id=str(uuid4()), source="/monitor", type=DETECTION, time=HOUR_AGO, data=data).to_bytes()


def command(subject: str) -> bytes:
    return Envelope(
        id=str(uuid4()), source="/agency", type="otklik.command.return.v1", subject=subject, time=HOUR_AGO,
        actor=Actor(sub="somebody"), data={"type": "return", "data": {"assignment_id": str(uuid4()), "reason": "x"}},
    ).to_bytes()  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def settings(kafka: str, database: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation with its law on the log, and no service: nothing here needs one."""
    chosen = {"kafka": kafka, "postgres": database, "prefix": prefix, "data": str(tmp_path), "partitions": "2"}
    for name, value in chosen.items():
        monkeypatch.setenv(f"OTKLIK_{name.upper()}", value)
    made = load_settings()
    await bootstrap(made, "real", None)
    return made


async def put(settings: Settings, *letters_: tuple[str, int, bytes, datetime]) -> None:
    """Letters from these topics and partitions, of records that came at those instants."""
    async with installation.open_log(settings) as log:
        writer = await log.writer()
        await writer.append(
            [
                dead_letter(
                    # What a partner says of the receipt of his own record is not believed.
                    Record(topic, number, 7, b"k", value, {FIRST_APPENDED_AT: b"2020-01-01T00:00:00+00:00"}, stamp),
                    Problem("unknown-authority", "такого органа нет"), {}, partners=topic != topics.INBOX,
                )
                for topic, number, value, stamp in letters_
            ]
        )  # fmt: skip
        await writer.close()


async def otklik(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["dead-letters", *words])


async def listed(*words: str) -> list[dict[str, Any]]:
    result = await otklik("list", "--json", *words)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


async def taken(settings: Settings) -> list[Record]:
    """What came to the inbox, besides the law."""
    found = await records(settings, topics.INBOX, 2)
    return [record for record in found if b"amendment" not in (record.value or b"")]


async def test_a_letter_is_put_in_again_by_its_own_door_once_and_keeps_its_first_receipt(settings: Settings) -> None:
    subject = str(uuid4())
    await put(
        settings,
        (topics.DETECTIONS, 1, detection("-1_1"), HOUR_AGO),
        ("commands.kbr.minzdrav", 0, command(subject), WEEK_AGO),
        (topics.DETECTIONS, 0, b"\x00garbage", HOUR_AGO),
        (topics.DETECTIONS, 0, detection("-1_2", detected_at=(WEEK_AGO - timedelta(days=3)).isoformat()), WEEK_AGO),
    )
    assert [one["offset"] for one in await listed()] == [0, 1, 2, 3]
    shown = await otklik("show", "0")
    assert '"detections/1/7"' in shown.stdout
    assert "Житель" in shown.stdout

    assert (await otklik("replay", "0", "1", "--why", "право применено")).exit_code == 0
    post, order = sorted(await taken(settings), key=lambda record: record.headers[FIRST_APPENDED_AT], reverse=True)
    assert post.key == message_id("kbr", "vk", "-1_1").encode()
    assert datetime.fromisoformat(post.headers[FIRST_APPENDED_AT].decode()) == HOUR_AGO
    assert post.stamp > HOUR_AGO
    assert (order.key, datetime.fromisoformat(order.headers[FIRST_APPENDED_AT].decode())) == (
        subject.encode(),
        WEEK_AGO,
    )
    assert Envelope.from_bytes(order.value or b"").actor == Actor(
        sub="somebody", roles=("executor",), authorities=("kbr",), agency="minzdrav"
    )

    # What no door takes stays; and nothing is put in twice.
    for offset, why in (
        ("2", "не принимается"),
        ("3", " detection-too-old:"),
        ("0", "уже подано снова"),
        ("99", "такого письма нет"),
    ):
        refused = await otklik("replay", offset)
        assert (refused.exit_code, why in refused.output) == (1, True), refused.output
    assert len(await taken(settings)) == 2

    assert (await otklik("dismiss", "2", "--why", "мусор", "--who", "Иванова")).exit_code == 0
    assert (await otklik("dismiss", "3", "--why", " ")).exit_code == 1
    assert [one["offset"] for one in await listed()] == [3]
    told = {one["offset"]: one["settled"] for one in await listed("--all")}
    assert (told[2]["what"], told[2]["who"], told[2]["why"]) == ("dismissed", "Иванова", "мусор")
    assert (told[0]["what"], told[0]["why"], told[3]) == ("replayed", "право применено", None)

    # A reason that no letter bears is no empty box.
    assert [one["offset"] for one in await listed("--reason", "unknown-authority")] == [3]
    mistaken = await otklik("list", "--reason", "too-old")
    assert (mistaken.exit_code, mistaken.stdout) == (0, ""), mistaken.output
    assert "писем с причиной too-old нет; есть: unknown-authority" in mistaken.stderr


async def test_what_stood_on_the_inbox_goes_there_again_but_no_command_that_was_refused(settings: Settings) -> None:
    raw = (
        Envelope.from_bytes(detection("-1_3"))
        .model_copy(update={"subject": message_id("kbr", "vk", "-1_3")})
        .to_bytes()
    )
    await put(settings, (topics.INBOX, 1, raw, HOUR_AGO), (topics.INBOX, 0, command(str(uuid4())), HOUR_AGO))
    refused = await otklik("replay", "0", "1")
    assert (refused.exit_code, "уже получила отказ" in refused.output) == (1, True), refused.output
    (again,) = await taken(settings)
    assert (again.partition, again.key, again.value) == (1, b"k", raw)
    # On our own topic the header is ours: a letter that is replayed and fails again keeps its first receipt.
    assert again.headers[FIRST_APPENDED_AT].startswith(b"2020-01-01")


async def test_of_two_operators_at_once_one_is_told_that_it_is_done(settings: Settings) -> None:
    await put(settings, (topics.DETECTIONS, 0, b"garbage", HOUR_AGO))
    async with installation.open_log(settings) as log:
        first_is_at_it = asyncio.Event()
        second_is_done = asyncio.Event()

        async def slow() -> None:
            def again(found: letters.Letter) -> list[Outgoing]:
                first_is_at_it.set()
                return []

            writer = log.writer

            async def waiting(name: str | None = None) -> Any:
                made = await writer(name)
                append = made.append

                async def appended(outgoing: Any) -> Any:
                    await second_is_done.wait()
                    return await append(outgoing)

                made.append = appended  # type: ignore[method-assign]
                return made

            log.writer = waiting  # type: ignore[method-assign]
            try:
                await letters.settle(log, 0, "replayed", Actor(sub="first"), "", NOW, again)
            finally:
                log.writer = writer  # type: ignore[method-assign]

        one = asyncio.create_task(slow())
        await first_is_at_it.wait()
        async with installation.open_log(settings) as other:
            await letters.settle(other, 0, "dismissed", Actor(sub="second"), "мусор", NOW, lambda _: [])
        second_is_done.set()
        with pytest.raises(letters.LogError):
            await one
        with pytest.raises(Unsettled, match="second"):
            await letters.settle(log, 0, "replayed", Actor(sub="first"), "", NOW, lambda _: [])
