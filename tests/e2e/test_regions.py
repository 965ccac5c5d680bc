"""Each region's whole process through the front door, on the simulated clock; each test reads like its regulation."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.ids import period_id
from tests.checker.invariants import check_log
from tests.checker.raw_log import read
from tests.e2e.installation import Client, Installation, Problem, new

ZONES = {"kbr": "Europe/Moscow", "kemerovo": "Asia/Novokuznetsk", "nenets": "Europe/Moscow", "kursky": "Europe/Moscow", "buryatia": "Asia/Irkutsk"}  # fmt: skip


class Day:
    """The installation's clock, moved forward only."""

    def __init__(self, installation: Installation, authority: str) -> None:
        self._cli = installation.cli
        self._zone = ZoneInfo(ZONES[authority])

    def now(self) -> datetime:
        return datetime.fromisoformat(self._cli("clock", "show").splitlines()[-1]).astimezone(self._zone)

    def next_morning(self) -> datetime:
        """9:00 of the next Monday to Thursday that is no holiday of November 2026 to March 2027."""
        morning = (self.now() + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
        while morning.weekday() > 2:
            morning += timedelta(days=1)
        self._cli("clock", "set", morning.isoformat())
        return morning

    def at(self, hour: int, minute: int = 0) -> datetime:
        moment = self.now().replace(hour=hour, minute=minute, second=0, microsecond=0)
        self._cli("clock", "set", moment.isoformat())
        return moment


async def triaged(client: Client, name: str, **more: Any) -> str:
    message = await client.detect(name)
    await client.message(message)
    stated = {"topics": ["utilities"], "location": "центр", "importance": "ordinary"} | more
    await client.command(message, "triage", **stated)
    return message


async def assignment_of(client: Client, message: str, agency: str, at_least: int) -> dict[str, Any]:
    view = await client.message(message, at_least)
    return next(one for one in reversed(view["assignments"]) if one["agency"] == agency)


async def contribute(client: Client, message: str, agency: str, at_least: int) -> dict[str, Any]:
    one = await assignment_of(client, message, agency, at_least)
    return await client.command(
        message, "contribute", by=agency, assignment_id=one["assignment_id"], text=f"Часть {agency}"
    )


async def answered(
    client: Client, message: str, drafter: str | None, publisher: str | None, kind: str = "answer"
) -> int:
    draft = await client.command(message, "submit_draft", by=drafter, kind=kind, text="Ответ по существу")
    await client.command(message, "approve_draft", draft_id=new(draft, "draft_id"))
    done = await client.command(
        message, "report_publication", by=publisher, draft_id=new(draft, "draft_id"), url="https://vk.example/a"
    )
    return int(done["sequence"])


async def test_kbr_joint_answer_in_turn_with_a_return_and_a_final_answer_on_the_seventh_day(
    installation: Installation,
) -> None:
    client, day = Client(installation, "kbr"), Day(installation, "kbr")
    morning = day.next_morning()
    one, two, three, four = (await client.agencies())[:4]
    message = await triaged(client, "kbr-joint", reduced=False)
    routed = await client.command(
        message,
        "route",
        assignments=[
            {"agency": one, "role": "contributor", "order": 1},
            {"agency": two, "role": "contributor", "order": 2},
            {"agency": three, "role": "lead", "order": 3},
        ],
        drafted_by=three,
    )
    assert (await assignment_of(client, message, two, routed["sequence"]))["status"] == "waiting"
    day.at(9, 30)
    first = await contribute(client, message, one, routed["sequence"])
    turn = await assignment_of(client, message, two, first["sequence"])
    assert turn["status"] == "issued"
    due = (await client.deadlines(message, first["sequence"]))["contribution"]
    assert datetime.fromisoformat(due["due_at"]) == morning + timedelta(hours=2, minutes=30)
    returned = await client.command(
        message, "return", by=two, assignment_id=turn["assignment_id"], justification="Не наше"
    )
    anew = await client.command(message, "reassign", assignment_id=turn["assignment_id"], agency=four)
    assert returned["sequence"] < anew["sequence"]
    second = await contribute(client, message, four, anew["sequence"])
    lead = await assignment_of(client, message, three, second["sequence"])
    assert lead["status"] == "issued"
    with pytest.raises(Problem) as foreign:
        await client.command(message, "submit_draft", by=one, kind="answer", text="Не мой ответ")
    assert foreign.value.status in (403, 409, 422)
    day.at(11)
    sequence = await answered(client, message, three, three, kind="interim")
    final = (await client.deadlines(message, sequence))["final_draft"]
    assert final["clock"] == "working_days" and final["state"] == "open"
    installation.cli("clock", "set", final["due_at"])
    sequence = await answered(client, message, three, three)
    states = {rule: item["state"] for rule, item in (await client.deadlines(message, sequence)).items()}
    assert states["final_draft"] == "met" and states["answer"] == "met"


async def test_kbr_a_final_answer_that_misses_the_seventh_day_and_a_repeat_that_has_to_tell_measures(
    installation: Installation,
) -> None:
    client, day = Client(installation, "kbr"), Day(installation, "kbr")
    day.next_morning()
    agency = (await client.agencies())[0]
    late = await triaged(client, "kbr-late", reduced=False)
    await client.command(late, "route", assignments=[{"agency": agency}])
    sequence = await answered(client, late, agency, agency, kind="interim")
    final = (await client.deadlines(late, sequence))["final_draft"]
    installation.cli("clock", "set", (datetime.fromisoformat(final["due_at"]) + timedelta(minutes=1)).isoformat())
    breached = (await client.deadlines(late, sequence))["final_draft"]
    assert (breached["state"], breached["owed_by"]) == ("breached", {"role": "executor", "agency": agency})
    sequence = await answered(client, late, agency, agency)
    assert (await client.deadlines(late, sequence))["final_draft"]["state"] == "met_late"
    again = await triaged(client, "kbr-again", reduced=False, repeat_of=late)
    await client.command(again, "route", assignments=[{"agency": agency}])
    draft = {"kind": "answer", "text": "Трубу заменили"}
    with pytest.raises(Problem) as nothing_told:
        await client.command(again, "submit_draft", by=agency, **draft)
    assert (nothing_told.value.status, nothing_told.value.body["paragraph"]) == (422, "17")
    told = await client.command(again, "submit_draft", by=agency, **draft, measures="Заменено 40 метров трубы")
    assert (await client.message(again, told["sequence"]))["repeat_of"] == late


async def test_kbr_own_account_needs_a_link_and_a_clarification_pauses_nothing(installation: Installation) -> None:
    client, day = Client(installation, "kbr"), Day(installation, "kbr")
    day.next_morning()
    agency = (await client.agencies())[0]
    message = await triaged(client, "kbr-own", reduced=False)
    await client.command(message, "route", assignments=[{"agency": agency}])
    sequence = await answered(client, message, agency, agency, kind="clarification")
    assert (await client.message(message, sequence))["status"] == "clarifying"
    assert (await client.deadlines(message, sequence))["answer"]["state"] == "open"
    draft = await client.command(message, "submit_draft", by=agency, kind="answer", text="Ответ")
    await client.command(message, "approve_draft", draft_id=new(draft, "draft_id"))
    where = {"draft_id": new(draft, "draft_id"), "url": "https://vk.example/own", "place": "own_account"}
    with pytest.raises(Problem) as linkless:
        await client.command(message, "report_publication", by=agency, **where)
    assert (linkless.value.status, linkless.value.body["paragraph"]) == (422, "14")
    done = await client.command(message, "report_publication", by=agency, author_link="https://vk.example/id1", **where)
    assert (await client.message(message, done["sequence"]))["status"] == "answered"


async def test_kbr_threat_is_dismissed_and_reopened_and_an_escalation_goes_to_the_head(
    installation: Installation,
) -> None:
    client, day = Client(installation, "kbr"), Day(installation, "kbr")
    day.next_morning()
    message = await client.detect("kbr-threat")
    await client.message(message)
    gone = await client.command(message, "dismiss", ground="threat")
    states = {rule: item["state"] for rule, item in (await client.deadlines(message, gone["sequence"])).items()}
    assert states == {"route": "met", "answer": "cancelled", "draft": "cancelled"}
    back = await client.command(message, "reopen", reason="Угрозы нет")
    again = (await client.deadlines(message, back["sequence"]))["answer"]
    assert (again["occurrence"], again["owed_by"]) == (2, {"role": "coordinator"})
    with pytest.raises(Problem) as groundless:
        await client.command(message, "escalate", ground="resonance", summary="Пишут")
    assert (groundless.value.status, groundless.value.body["paragraph"]) == (422, "22")
    await client.command(message, "escalate", ground="socially_significant", summary="Пишет весь город")
    with pytest.raises(Problem) as spam:
        await client.command(message, "dismiss", ground="spam")
    assert spam.value.status == 422


async def test_kemerovo_important_message_in_four_hours_and_joint_draft_by_the_coordinator(
    installation: Installation,
) -> None:
    client, day = Client(installation, "kemerovo"), Day(installation, "kemerovo")
    morning = day.next_morning()
    one, two = (await client.agencies())[:2]
    with pytest.raises(Problem) as disagreeing:
        await triaged(client, "kem-1", importance="high", reduced=False)
    assert disagreeing.value.status == 422
    message = client.message_id("kem-1")
    await client.command(message, "triage", topics=["utilities"], location="центр", importance="high", reduced=True)
    deadlines = await client.deadlines(message, 2)
    assert datetime.fromisoformat(deadlines["answer"]["due_at"]) == morning + timedelta(hours=4)
    assert datetime.fromisoformat(deadlines["draft"]["due_at"]) == morning + timedelta(hours=2)
    routed = await client.command(
        message, "route", assignments=[{"agency": one, "role": "contributor", "order": 1}, {"agency": two, "role": "lead", "order": 2}]
    )  # fmt: skip
    joint = (await client.deadlines(message, routed["sequence"]))["draft"]
    assert joint["due_at"] == deadlines["answer"]["due_at"] and joint["owed_by"] == {"role": "coordinator"}
    first = await contribute(client, message, one, routed["sequence"])
    second = await contribute(client, message, two, first["sequence"])
    sequence = await answered(client, message, None, two)
    assert sequence > second["sequence"]
    states = {rule: item["state"] for rule, item in (await client.deadlines(message, sequence)).items()}
    assert "review" not in states and states["publish"] == "met" and states["answer"] == "met"


async def test_kemerovo_returned_message_owes_a_rerouting(installation: Installation) -> None:
    client, day = Client(installation, "kemerovo"), Day(installation, "kemerovo")
    morning = day.next_morning()
    one, two = (await client.agencies())[:2]
    message = await triaged(client, "kem-2", reduced=False)
    routed = await client.command(message, "route", assignments=[{"agency": one}])
    assignment = await assignment_of(client, message, one, routed["sequence"])
    back = await client.command(message, "return", by=one, assignment_id=assignment["assignment_id"])
    due = (await client.deadlines(message, back["sequence"]))["reroute"]
    assert datetime.fromisoformat(due["due_at"]) == morning + timedelta(minutes=30)
    day.at(9, 31)
    late = await client.command(message, "reassign", assignment_id=assignment["assignment_id"], agency=two)
    assert (await client.deadlines(message, late["sequence"]))["reroute"]["state"] == "met_late"


async def test_nenets_last_contributor_drafts_and_the_coordinator_publishes(installation: Installation) -> None:
    client, day = Client(installation, "nenets"), Day(installation, "nenets")
    day.next_morning()
    one, two = (await client.agencies())[:2]
    message = await triaged(client, "nen-1")
    routed = await client.command(
        message, "route", assignments=[{"agency": one, "order": 1}, {"agency": two, "order": 2}]
    )
    assert (await client.message(message, routed["sequence"]))["drafted_by"] == two
    await contribute(client, message, one, routed["sequence"])
    draft = await client.command(message, "submit_draft", by=two, kind="answer", text="Общий ответ")
    await client.command(message, "approve_draft", draft_id=new(draft, "draft_id"))
    published = {"draft_id": new(draft, "draft_id"), "url": "https://vk.example/a"}
    with pytest.raises(Problem) as executor:
        await client.command(message, "report_publication", by=two, **published)
    assert executor.value.status in (403, 422)
    done = await client.command(message, "report_publication", **published)
    assert (await client.message(message, done["sequence"]))["status"] == "answered"
    spam = await client.detect("nen-spam")
    await client.message(spam)
    gone = await client.command(spam, "dismiss", ground="spam", moderation=["deleted", "author_blocked"])
    assert (await client.message(spam, gone["sequence"]))["status"] == "dismissed"


async def test_kursky_department_approves_contributions_and_the_deputy_signs(installation: Installation) -> None:
    client, day = Client(installation, "kursky"), Day(installation, "kursky")
    morning = day.next_morning()
    one, two, three = (await client.agencies())[:3]
    with pytest.raises(Problem) as reduced:
        await triaged(client, "kur-1", reduced=True)
    assert reduced.value.status == 422
    message = client.message_id("kur-1")
    await client.command(message, "triage", topics=["roads"], location="центр", importance="ordinary")
    routed = await client.command(
        message,
        "route",
        assignments=[
            {"agency": one, "role": "lead"}, {"agency": two, "role": "contributor"}, {"agency": three, "role": "contributor"},
        ],
    )  # fmt: skip
    view = await client.message(message, routed["sequence"])
    assert {assignment["status"] for assignment in view["assignments"]} == {"issued"}
    given = await contribute(client, message, two, routed["sequence"])
    due = (await client.deadlines(message, given["sequence"]))["contribution_review"]
    assert datetime.fromisoformat(due["due_at"]) == morning + timedelta(minutes=30)
    assignment = await assignment_of(client, message, two, given["sequence"])
    await client.command(message, "approve_contribution", assignment_id=assignment["assignment_id"])
    await contribute(client, message, three, given["sequence"])
    with pytest.raises(Problem) as clarification:
        await client.command(message, "submit_draft", by=one, kind="clarification", text="Уточните адрес")
    assert (clarification.value.status, clarification.value.body["paragraph"]) == (422, "11")
    sequence = await answered(client, message, one, None)
    assert (await client.message(message, sequence))["status"] == "answered"
    escalated = await client.command(message, "escalate", ground="socially_significant", summary="Нужно решение")
    signed = await client.command(
        message, "forward_escalation", role="deputy", escalation_id=new(escalated, "escalation_id")
    )
    assert signed["sequence"] == escalated["sequence"] + 1


async def test_buryatia_runs_day_and_night_and_tells_of_its_successes(installation: Installation) -> None:
    client, day = Client(installation, "buryatia"), Day(installation, "buryatia")
    day.next_morning()
    evening = day.at(20)
    one, two = (await client.agencies())[:2]
    message = await triaged(client, "bur-1", reduced=False)
    deadlines = await client.deadlines(message, 2)
    assert "route" not in deadlines
    assert datetime.fromisoformat(deadlines["answer"]["due_at"]) == evening + timedelta(hours=8)
    urgent = await client.command(
        message, "triage", topics=["utilities"], location="центр", importance="ordinary", reduced=True
    )
    deadlines = await client.deadlines(message, urgent["sequence"])
    assert datetime.fromisoformat(deadlines["answer"]["due_at"]) == evening + timedelta(hours=4)
    assert deadlines["draft"]["state"] == "cancelled"
    routed = await client.command(
        message, "route", assignments=[{"agency": one, "role": "contributor", "order": 1}, {"agency": two, "role": "lead", "order": 2}]
    )  # fmt: skip
    await contribute(client, message, one, routed["sequence"])
    sequence = await answered(client, message, two, two)
    case = await client.command(message, "propose_case", by=two, text="Свет дали за вечер")
    due = (await client.deadlines(message, case["sequence"]))["case_review"]
    assert due["owed_by"] == {"role": "committee"} and case["sequence"] > sequence
    case_id = new(case, "case_id")
    await client.command(message, "agree_case", role="committee", case_id=case_id)
    await client.command(message, "report_case_publication", by=two, case_id=case_id, url="https://vk.example/case")
    reported = await client.command(message, "report_case", by=two, case_id=case_id)
    states = {rule: item["state"] for rule, item in (await client.deadlines(message, reported["sequence"])).items()}
    assert (states["case_review"], states["case_report"]) == ("met", "met")


async def test_kursky_asks_for_an_ended_month_and_tells_of_the_summary_that_nobody_delivered(
    installation: Installation,
) -> None:
    """The clock returns when all is said, so the log is read at once (contract, "Clock")."""
    now = Day(installation, "kursky").now()
    subject = period_id("kursky", "summary", f"{now:%Y-%m}")

    async def said(until: datetime) -> list[tuple[str, str]]:
        installation.cli("clock", "set", until.isoformat())
        log = await read(installation.bootstrap, "otklik", ["deadlines"])
        return [
            (event["type"], event["data"]["due_at"])
            for _, event in log.json("deadlines")
            if event["subject"] == subject
        ]

    ended = (now.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    ((kind, due),) = await said(ended)
    assert kind == "otklik.deadline.set.v1"
    assert due.startswith(f"{ended:%Y-%m}-")
    told = await said(datetime.fromisoformat(due) + timedelta(minutes=1))
    assert told == [("otklik.deadline.set.v1", due), ("otklik.deadline.breached.v1", due)]


async def test_the_raw_log_of_all_regions_keeps_the_invariants(installation: Installation) -> None:
    log = await read(installation.bootstrap, "otklik", ["inbox", "events", "outcomes", "deadlines", "dead-letters"])
    assert {event["authority"] for _, event in log.json("events") if event.get("sequence")} >= set(ZONES)
    assert check_log(log) == []
