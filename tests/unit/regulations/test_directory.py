"""The directory: what is in force is the fold of the amendments, and nothing that an amendment says wrong gets in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from regulations.canonical import as_data, canonical, content_hash
from regulations.directory import Directory, NotInForce, amended, evolve, faults, schedule
from regulations.load import LawFiles
from regulations.working_time.library_years import library_year
from schemas.inbox import Amendment
from tests.unit.regulations.given import APPLIED_AT, LATER, LAW, after, an_amendment, in_force, refused

EXECUTOR = "Главный специалист отдела по работе с обращениями"
SECOND = "Консультант отдела по работе с обращениями"
AUTHORITIES = sorted(LAW.authorities)


def test_nothing_is_in_force_until_the_authoritys_file_has_come() -> None:
    year = an_amendment("calendar_year", **as_data(library_year(2026)))
    directory = evolve(None, "kbr", amended(None, "a", year), APPLIED_AT)
    assert not directory.in_force and directory.number == 1
    with pytest.raises(NotInForce):
        schedule(directory)
    assert list(refused(directory, an_amendment("hours", days="mon-fri", **{"from": "08:00", "to": "17:00"}))) == [
        "/kind"
    ]


def test_an_amendment_that_it_has_already_changes_nothing() -> None:
    directory = in_force("kbr")
    said = amended(directory, "x", an_amendment("calendar_day", date="2026-11-20", kind="off"))
    once = evolve(directory, "kbr", said, LATER)
    assert evolve(once, "kbr", said, LATER) is once


@pytest.mark.parametrize("authority", AUTHORITIES)
def test_a_directory_survives_its_json_to_the_byte(authority: str) -> None:
    directory = in_force(authority)
    schedule(directory)
    text = directory.model_dump_json()
    again = Directory.model_validate_json(text)
    assert again == directory and again.model_dump_json() == text


def test_the_event_bears_the_hash_of_its_canonical_content() -> None:
    said = amended(None, "a", an_amendment("calendar_day", kind="off", date="2026-11-20"))
    assert said.number == 1 and said.hash == content_hash({"date": "2026-11-20", "kind": "off"})
    assert canonical({"б": 1, "a": [True, None]}) == '{"a":[true,null],"б":1}'.encode()


def test_history_tells_number_kind_reason_basis_and_time() -> None:
    directory = after(in_force("kbr"), an_amendment("calendar_day", "указ № 5", date="2026-11-20", kind="off"))
    note = directory.amendments[-1]
    assert (note.number, note.kind, note.reason, note.basis, note.time) == (
        directory.number, "calendar_day", "проверка", "указ № 5", LATER,
    )  # fmt: skip
    assert [entry.number for entry in directory.amendments] == list(range(1, directory.number + 1))


class TestCalendar:
    def test_a_late_decree_makes_a_day_off_and_says_why(self) -> None:
        directory = after(in_force("kbr"), an_amendment("calendar_day", "указ № 5", date="2026-11-20", kind="off"))
        day = schedule(directory).day(date(2026, 11, 20))
        assert day.kind == "off" and "указ № 5" in day.why
        assert schedule(directory).day(date(2026, 11, 19)).kind == "short"

    def test_the_later_word_on_a_day_counts(self) -> None:
        directory = after(in_force("kbr"), an_amendment("calendar_day", date="2026-09-01", kind="working"))
        assert schedule(directory).day(date(2026, 9, 1)).working_minutes == 8 * 60
        directory = after(directory, an_amendment("calendar_day", date="2026-09-01", kind="short", hours=5))
        assert schedule(directory).day(date(2026, 9, 1)).working_minutes == 5 * 60
        assert [entry.kind for entry in directory.regional_days if entry.date == date(2026, 9, 1)] == ["short"]

    def test_hours_are_replaced_whole(self) -> None:
        data = {"days": "mon-thu", "from": "08:00", "to": "17:00", "lunch": {"from": "12:00", "to": "12:30"}}
        directory = after(in_force("kbr"), an_amendment("hours", **data))
        assert schedule(directory).day(date(2026, 11, 16)).working_minutes == 8 * 60 + 30
        assert schedule(directory).day(date(2026, 11, 20)).kind == "off"

    def test_the_numbers_that_shaped_a_stretch_of_days_are_told(self) -> None:
        directory = after(in_force("kbr"), an_amendment("calendar_day", date="2026-11-20", kind="off"))
        decree = directory.number
        directory = after(directory, an_amendment("calendar_day", date="2026-12-20", kind="off"))
        november = directory.calendar_amendments_of(date(2026, 11, 16), date(2026, 11, 23))
        assert decree in november and directory.number not in november
        year = next(note.number for note in directory.amendments if note.kind == "calendar_year")
        assert year in directory.shaped.values() and year not in november

    def test_an_agencys_change_shapes_no_working_time(self) -> None:
        before = in_force("kbr")
        directory = after(before, an_amendment("agency", id="minzdrav", name="Минздрав"))
        assert directory.shaped == before.shaped

    def test_the_schedule_is_remembered_and_never_stale(self) -> None:
        directory = in_force("kbr")
        assert schedule(directory) is schedule(directory) is schedule(in_force("kbr"))
        changed = after(directory, an_amendment("calendar_day", date="2026-11-20", kind="off"))
        assert schedule(directory).day(date(2026, 11, 20)).kind == "working"
        assert schedule(changed).day(date(2026, 11, 20)).kind == "off"


class TestActs:
    def test_a_message_is_judged_by_the_act_of_its_own_number(self) -> None:
        directory = in_force("kbr")
        before = directory.number
        newer = directory.texts["kbr-2022-137"]
        rules = newer.rules | {"answer": newer.rules["answer"].model_copy(update={"term": timedelta(hours=7)})}
        directory = after(directory, an_amendment("act", **as_data(newer.model_copy(update={"rules": rules}))))
        assert directory.act(before).rules["answer"].term == timedelta(hours=9)
        assert directory.act(directory.number).rules["answer"].term == timedelta(hours=7)

    def test_a_reduced_number_of_the_authority_counts_from_its_amendment_on(self) -> None:
        directory = in_force("kbr")
        before = directory.number
        said = LAW.authorities["kbr"].model_copy(update={"reduced": {"answer": timedelta(hours=5)}})
        directory = after(directory, an_amendment("authority", **as_data(said)))
        assert directory.act(before).rules["answer"].reduced is None
        reduced = directory.act(directory.number).rules["answer"].reduced
        assert reduced is not None and (reduced.term, reduced.paragraph) == (timedelta(hours=5), "8")

    def test_a_reduced_answer_that_leaves_its_draft_no_room_is_refused(self) -> None:
        # Four hours before a four-hour answer would be the detection itself.
        data = as_data(LAW.authorities["kbr"])
        for reduced in ({"answer": "PT4H"}, {"answer": "PT3H"}, {"answer": "PT4H", "draft": "PT4H"}):
            found = refused(in_force("kbr"), an_amendment("authority", **data | {"reduced": reduced}))
            assert list(found) == ["/data/reduced/draft"]
        for reduced in ({"answer": "PT4H1M"}, {"answer": "PT4H", "draft": "PT3H"}, {"answer": "PT4H", "draft": "none"}):
            assert refused(in_force("kbr"), an_amendment("authority", **data | {"reduced": reduced})) == {}

    def test_an_authority_may_say_that_a_reduced_message_has_no_term_of_the_draft(self) -> None:
        data = as_data(LAW.authorities["kbr"]) | {"reduced": {"answer": "PT4H", "draft": "none"}}
        directory = after(in_force("kbr"), an_amendment("authority", **data))
        reduced = directory.act(directory.number).rules["draft"].reduced
        assert reduced is not None and (reduced.term, reduced.paragraph) == (None, "8")
        assert Directory.model_validate_json(directory.model_dump_json()) == directory

    def test_a_reading_may_be_overridden_and_says_who_decided(self) -> None:
        data = as_data(LAW.authorities["kbr"]) | {
            "overrides": [
                {"reading": 1, "rules": ["review"], "clock": "plain", "note": "круглосуточно", "basis": "приказ № 3"},
                {"reading": 15, "due_day": 12, "note": "по 12-е число", "basis": "приказ № 4"},
            ]
        }
        act = (directory := after(in_force("kbr"), an_amendment("authority", **data))).act(directory.number)
        assert act.rules["review"].clock == "plain" and act.rules["rework"].clock == "working"
        assert act.summary.due_day == 12 and act.rules["summary"].term == timedelta(days=12)
        assert [entry.note for entry in act.readings if entry.reading == 1] == ["круглосуточно (приказ № 3)"]

    def test_a_new_act_judges_from_its_first_local_day_without_another_amendment(self) -> None:
        directory = in_force("buryatia")
        newer = directory.texts["buryatia-2022-288"].model_copy(update={"id": "buryatia-2027-1"})
        directory = after(directory, an_amendment("act", **as_data(newer)))
        data = as_data(LAW.authorities["buryatia"])
        data["regulations"] = [*data["regulations"], {"id": newer.id, "from": "2027-01-01", "stated": True}]
        directory = after(directory, an_amendment("authority", **data))
        last_evening = datetime(2026, 12, 31, 15, 59, tzinfo=UTC)  # 23:59 in Ulan-Ude
        assert directory.regulation_at(last_evening) == "buryatia-2022-288"
        assert directory.regulation_at(last_evening + timedelta(minutes=1)) == "buryatia-2027-1"
        assert directory.act(directory.number, "buryatia-2027-1").id == "buryatia-2027-1"
        assert directory.act(directory.number, "buryatia-2022-288").id == "buryatia-2022-288"

    def test_there_is_no_act_before_the_first_one(self) -> None:
        with pytest.raises(NotInForce):
            in_force("kbr").act(1)


class TestAgencies:
    def test_who_stands_in_is_told_by_day(self) -> None:
        absence = {"agency": "minzdrav", "post": EXECUTOR, "from": "2026-11-16", "until": "2026-11-20", "by": "Врио"}
        directory = after(in_force("kbr"), an_amendment("substitute", **absence))
        day = date(2026, 11, 16)
        assert directory.serving("minzdrav", day).executors == ("Врио", SECOND)
        assert directory.serving("minzdrav", day).substituted == (EXECUTOR,)
        for outside in (date(2026, 11, 15), date(2026, 11, 21)):
            assert directory.serving("minzdrav", outside).executors == (EXECUTOR, SECOND)
            assert directory.serving("minzdrav", outside).substituted == ()

    def test_without_a_name_the_others_do_the_work_and_the_head_is_official(self) -> None:
        directory = in_force("kbr")
        agency = directory.agencies["minzdrav"]
        for post in (EXECUTOR, SECOND, agency.official):
            absence = {"agency": "minzdrav", "post": post, "from": "2026-11-16", "until": "2026-11-16"}
            directory = after(directory, an_amendment("substitute", **absence))
        serving = directory.serving("minzdrav", date(2026, 11, 16))
        assert serving.official == agency.head and serving.executors == (agency.head,)

    def test_a_post_that_the_agency_lacks_stands_in_for_its_first_executor(self) -> None:
        absence = {"agency": "minzdrav", "post": "Врио", "from": "2026-11-16", "until": "2026-11-20"}
        directory = after(in_force("kbr"), an_amendment("substitute", **absence))
        assert directory.serving("minzdrav", date(2026, 11, 17)).executors == ("Врио", SECOND)

    def test_a_substitute_may_be_absent_too(self) -> None:
        directory = in_force("kbr")
        days = {"from": "2026-11-16", "until": "2026-11-20"}
        for post, by in ((EXECUTOR, SECOND), (SECOND, EXECUTOR)):
            directory = after(directory, an_amendment("substitute", agency="minzdrav", post=post, by=by, **days))
        serving = directory.serving("minzdrav", date(2026, 11, 16))
        assert serving.executors == (directory.agencies["minzdrav"].official,)

    def test_the_shipped_absences_hold_on_their_days(self) -> None:
        assert in_force("nenets").serving("depzdrav", date(2026, 12, 1)).executors == (
            EXECUTOR,
            "Ведущий специалист приёмной",
        )
        assert in_force("kemerovo").serving("minzdrav", date(2026, 12, 18)).executors == (SECOND,)

    def test_an_agency_is_founded_changed_and_closed(self) -> None:
        head = {"official": "Заместитель министра", "official_level": "deputy_head"}
        directory = after(
            in_force("kbr"), an_amendment("agency", id="minkult", name="Минкультуры", executors=["Советник"], **head)
        )
        directory = after(directory, an_amendment("agency", id="minkult", topics=["culture"], closed=True))
        agency = directory.agencies["minkult"]
        assert (agency.name, agency.topics, agency.closed, agency.official) == (
            "Минкультуры", ("culture",), True, "Заместитель министра",
        )  # fmt: skip

    def test_a_new_official_of_whose_level_nothing_is_said_stands_as_high_as_the_one_before(self) -> None:
        directory = after(in_force("kbr"), an_amendment("official", agency="minzdrav", official="Заместитель министра"))
        agency = directory.agencies["minzdrav"]
        assert (agency.official, agency.official_level) == ("Заместитель министра", "deputy_head")

    def test_accounts_come_and_go(self) -> None:
        one = {"agency": "minzdrav", "network": "max", "url": "https://max.example/minzdrav"}
        directory = after(in_force("kbr"), an_amendment("account", title="Минздрав", **one))
        assert one["url"] in {account.url for account in directory.agencies["minzdrav"].accounts}
        directory = after(directory, an_amendment("account", removed=True, **one))
        assert one["url"] not in {account.url for account in directory.agencies["minzdrav"].accounts}

    def test_shortcomings_go_to_the_supervisor_by_field_and_in_kemerovo_to_the_agencys_head(self) -> None:
        directory = in_force("kemerovo")
        act, agency = directory.act(directory.number), directory.agencies["minzdrav"]
        assert directory.shortcomings_to(act, "minzdrav") == (agency.supervisor, agency.head)
        assert len(directory.may_hear_of_shortcomings(act, "minzdrav")) == 5
        nobody = in_force("kbr")
        assert nobody.shortcomings_to(nobody.act(nobody.number), "minzdrav") == ()


class TestTopics:
    def test_a_topic_of_the_approved_list_reduces_whatever_its_case(self) -> None:
        directory = in_force("nenets")
        assert directory.reduced_by_topics(("roads", " Air-Ambulance "))
        assert not directory.reduced_by_topics(("roads",))

    def test_a_list_is_replaced_with_the_act_that_approved_it(self) -> None:
        directory = after(in_force("nenets"), an_amendment("topic_list", "приказ № 7", topics=["roads"]))
        assert directory.topic_list is not None and directory.topic_list.approved_by == "приказ № 7"
        assert directory.reduced_by_topics(("roads",)) and not directory.reduced_by_topics(("air-ambulance",))


DAYS = {"from": "2026-11-16", "until": "2026-11-20"}
WRONG = [
    ("kbr", an_amendment("calendar_day", date="2026-02-30", kind="off"), {"/data/date": "ожидается дата"}),
    ("kbr", an_amendment("calendar_day", date="2026-11-20", kind="free", hours=30), {"/data/kind": "'off'", "/data/hours": "не больше 24"}),
    ("kbr", an_amendment("calendar_day", date="2026-11-20", kind="off", hours=3), {"/data/hours": "у выходного дня"}),
    ("kbr", an_amendment("hours", days="mon-fri", **{"from": "18:00", "to": "09:00"}), {"/data/entries/0": "вперёд"}),
    ("kbr", an_amendment("agency", id="new"), {"/data/name": "нового органа", "/data/executors": "нового органа"}),
    ("kbr", an_amendment("agency", id="minzdrav", colour="red"), {"/data/colour": "такого поля нет"}),
    ("kbr", an_amendment("agency", id="Минздрав"), {"/data/id": "ожидается строка вида"}),
    ("kbr", an_amendment("official", agency="minzdrav", post="Начальник отдела", level="other"), {"/data/level": "не ниже заместителя"}),
    ("kbr", an_amendment("official", agency="nowhere", post="Начальник"), {"/data/agency": "органа nowhere нет"}),
    ("kbr", an_amendment("substitute", agency="minzdrav", post=EXECUTOR, **DAYS, by=EXECUTOR), {"/data/by": "сам себя"}),
    ("kbr", an_amendment("substitute", agency="minzdrav", post="Никто", **DAYS, by="Врио"), {"/data/post": "такой должности"}),
    ("kbr", an_amendment("substitute", agency="minzdrav", post=EXECUTOR, **{"from": "2026-11-16", "until": "2026-11-01"}), {"/data/until": "не раньше 16.11.2026"}),
    ("kbr", an_amendment("substitute", agency="minzdrav", post=EXECUTOR), {"/data/from": "обязательное", "/data/until": "обязательное"}),
    ("kbr", an_amendment("account", agency="minzdrav", network="vk", url="просто текст"), {"/data/url": "ожидается строка вида"}),
    ("kbr", an_amendment("account", agency="minzdrav", network="vk", url="https://x.example", removed=True), {"/data/url": "нет"}),
    ("kbr", an_amendment("topic_list", topics=["roads"]), {"/data": "ни на что не влияет"}),
    ("nenets", an_amendment("topic_list", None, topics=["roads"]), {"/data/approved_by": "обязательное"}),
    ("nenets", an_amendment("topic_list", topics=[]), {"/data/topics": "не меньше 1"}),
    ("kbr", an_amendment("leader", post="Глава Кабардино-Балкарской Республики", removed=True), {"/data/post": "незамедлительно"}),
    ("kbr", an_amendment("leader", post="Неизвестный", removed=True), {"/data/post": "нет"}),
    ("kbr", an_amendment("authority", **as_data(LAW.authorities["kursky"])), {"/data/id": "ожидается kbr"}),
    ("kbr", an_amendment("act", id="x"), {"/data/title": "обязательное", "/data/rules": "обязательное"}),
]  # fmt: skip


@pytest.mark.parametrize(("authority", "amendment", "told"), WRONG)
def test_a_wrong_amendment_is_refused_with_pointers(authority: str, amendment: Amendment, told: dict[str, str]) -> None:
    found = refused(in_force(authority), amendment)
    for pointer, part in told.items():
        assert part in found.get(pointer, ""), found


def test_a_leader_that_an_act_needs_may_be_added_and_renamed_by_rank() -> None:
    post = "Заместитель губернатора Ненецкого автономного округа (транспорт)"
    rank = "Заместитель губернатора Ненецкого автономного округа"
    directory = after(in_force("nenets"), an_amendment("leader", post=post, rank=rank, field="транспорт"))
    act = directory.act(directory.number)
    assert post in directory.may_hear_of_shortcomings(act, "depstroy")


def test_an_amendment_without_a_reason_is_refused() -> None:
    silent = an_amendment("calendar_day", date="2026-11-20", kind="off").model_copy(update={"reason": " "})
    assert "/reason" in refused(in_force("kbr"), silent)


class TestFilesAfterOperators:
    """The next edition of the file changes what it changes, and leaves alone what operators have amended."""

    def edition(self, **changes: object) -> LawFiles:
        kbr = LAW.authorities["kbr"].model_copy(update=changes)
        return LawFiles(acts=LAW.acts, authorities={**LAW.authorities, "kbr": kbr})

    def test_a_substitute_outlives_a_new_edition_of_the_file(self) -> None:
        absence = {"agency": "minzdrav", "post": EXECUTOR, "by": "Врио", **DAYS}
        directory = after(in_force("kbr"), an_amendment("substitute", **absence))
        edition = self.edition(name="Кабардино-Балкария").authorities["kbr"]
        directory = after(directory, an_amendment("authority", **as_data(edition)))
        assert directory.name == "Кабардино-Балкария"
        assert directory.serving("minzdrav", date(2026, 11, 16)).executors[0] == "Врио"

    def test_what_the_file_itself_changes_counts(self) -> None:
        directory = after(in_force("kbr"), an_amendment("agency", id="minzdrav", name="Минздрав", topics=["medicine"]))
        agencies = dict(LAW.authorities["kbr"].agencies)
        agencies["minzdrav"] = agencies["minzdrav"].model_copy(update={"name": "Министерство"})
        edition = self.edition(agencies=agencies).authorities["kbr"]
        directory = after(directory, an_amendment("authority", **as_data(edition)))
        assert (directory.agencies["minzdrav"].name, directory.agencies["minzdrav"].topics) == (
            "Министерство",
            ("medicine",),
        )

    def test_what_the_file_strikes_is_gone_and_what_operators_added_stays(self) -> None:
        directory = after(in_force("kbr"), an_amendment("leader", post="Первый заместитель", field="всё"))
        agencies = {name: agency for name, agency in LAW.authorities["kbr"].agencies.items() if name != "nalchik"}
        edition = self.edition(agencies=agencies).authorities["kbr"]
        directory = after(directory, an_amendment("authority", **as_data(edition)))
        assert "nalchik" not in directory.agencies
        assert "Первый заместитель" in {leader.post for leader in directory.leaders}


def test_faults_of_an_unknown_authority_name_what_is_missing() -> None:
    said = an_amendment("authority", **as_data(LAW.authorities["kbr"]))
    (fault,) = [fault for fault in faults(None, "kbr", said) if "акта" in fault.detail]
    assert fault.pointer == "/data/regulations/0/id"
