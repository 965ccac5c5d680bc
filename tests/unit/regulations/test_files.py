"""Files of the law: the shipped ones load, and each wrong one is refused with every fault, its file and its place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from regulations.load import SHIPPED, FileFault, WrongLaw, load
from tests.unit.regulations.given import LAW

KBR, KEMEROVO, NENETS = "authorities/kbr.toml", "authorities/kemerovo.toml", "authorities/nenets.toml"
KURSKY, BURYATIA = "authorities/kursky.toml", "authorities/buryatia.toml"
ACT = "acts/kbr-2022-137.toml"


@pytest.fixture
def law(tmp_path: Path) -> Path:
    for kind in ("acts", "authorities"):
        shutil.copytree(SHIPPED / kind, tmp_path / kind)
    return tmp_path


def refused(folder: Path) -> tuple[FileFault, ...]:
    with pytest.raises(WrongLaw) as caught:
        load(folder)
    return caught.value.faults


def line_with(file: Path, text: str) -> int:
    return next(number for number, line in enumerate(file.read_text().splitlines(), start=1) if text in line)


def test_the_shipped_law_has_five_authorities_each_with_its_act() -> None:
    assert set(LAW.authorities) == {"kbr", "kemerovo", "nenets", "kursky", "buryatia"}
    assert {entry.id for authority in LAW.authorities.values() for entry in authority.regulations} == set(LAW.acts)


def test_the_shipped_zones_run_from_moscow_to_irkutsk() -> None:
    zones = {name: authority.timezone for name, authority in LAW.authorities.items()}
    moscow = dict.fromkeys(("kbr", "nenets", "kursky"), "Europe/Moscow")
    assert zones == moscow | {"kemerovo": "Asia/Novokuznetsk", "buryatia": "Asia/Irkutsk"}


def test_until_the_authority_states_its_day_an_act_counts_from_its_adoption() -> None:
    for authority in LAW.authorities.values():
        for entry in authority.regulations:
            assert not entry.stated and entry.note and entry.from_ == LAW.acts[entry.id].adopted


def test_every_agency_of_every_region_can_be_told_by_topic_and_reached() -> None:
    for authority in LAW.authorities.values():
        assert 6 <= len(authority.agencies) <= 10
        topics = {topic for agency in authority.agencies.values() for topic in agency.topics}
        assert {"health", "roads", "transport", "utilities", "education", "social", "ecology"} <= topics
        assert all(agency.accounts and agency.executors for agency in authority.agencies.values())


# file, what is replaced, by what, the place told, a part of what is told
BROKEN = [
    (ACT, 'term = "PT9H"', 'term = "9 часов"', "rules.answer.term", "ожидается срок по ISO 8601"),
    (ACT, 'term = "PT9H"', 'term = "PT0S"', "rules.answer.term", "больше нуля"),
    (ACT, 'term = "P7D"', 'term = "P7DT1H"', "rules.final_draft.term", "целое число дней"),
    (ACT, 'owed_by = "lead"\n\n[rules.draft]', 'owed_by = "lead"\nreduced = { paragraph = "8", term = "PT4H" }\n\n[rules.draft]',
     "rules.draft.reduced", "ожидается сокращённый срок короче 4 ч"),
    (ACT, '[rules.answer]\nparagraph = "10"', '[rules.answer]\nparagraph = "десятый"', "rules.answer.paragraph", "вида"),
    (ACT, "[rules.route]", "[rules.rout]", "rules.rout", "ожидается одно из"),
    (ACT, "[rules.answer]", "[rules.reroute]", "rules.draft.before", "правила answer нет"),
    (ACT, 'clock = "working_days"', 'clock = "lunar"', "rules.final_draft.clock", "'working', 'plain' или 'working_days'"),
    (ACT, '\nby = "lead"', '\nby = "coordinator"', "rules.publish.owed_by", "ожидается coordinator"),
    (ACT, 'kinds = ["answer", "interim", "clarification"]', 'kinds = ["interim"]', "drafting.kinds", "нет ответа"),
    (ACT, 'source = "decision"', 'source = "topic_list"', "rules.answer", "нужен сокращённый срок"),
    (ACT, 'period = "month"', 'period = "month"\ndue_day = 10', "rules.summary", "нужно правило"),
    (ACT, 'order = "sequence"', 'order = "sequence"\ncontributions_approved = true', "rules.contribution_review", "нужно правило"),
    (ACT, "[dismissal.grounds]", '[dismissal.grounds]\nspam = "19"', "dismissal.grounds.spam", "moderation не названа"),
    (ACT, 'threat = "19"', 'threat = "77"', "dismissal.grounds.threat", "пункта 77 нет в перечне"),
    (ACT, 'lives = ["summary"]', 'lives = ["sumary"]', "paragraphs.20.lives", "места sumary нет"),
    (ACT, 'lives = ["summary"]', "", "paragraphs.20", "ожидается одно из двух"),
    (ACT, "stated = true", "stated = да", "", "не TOML"),
    (ACT, 'id = "kbr-2022-137"', 'id = "kbr-2022"', "id", "ожидается kbr-2022-137, как имя файла"),
    (KBR, 'timezone = "Europe/Moscow"', 'timezone = "Europe/Nalchik"', "timezone", "ожидается имя IANA"),
    (KBR, 'id = "kbr-2022-137"', 'id = "kbr-2031-1"', "regulations.0.id", "акта kbr-2031-1 нет; известны:"),
    (KBR, "from = 2022-12-16", "from = 2022-12-15", "regulations.0.from", "принят 16.12.2022"),
    (KBR, 'from = "09:00"', 'from = "19:00"', "hours.entries.0", "отрезок дня должен идти вперёд"),
    (KBR, 'days = "mon-fri"', 'days = "пн-пт"', "hours.entries.0", "дни недели пишутся как"),
    (KBR, "date = 2024-03-28", "date = 2024-03-33", "", "не TOML"),
    (KBR, "date = 2024-03-28", 'date = "28 марта"', "regional_days.4.date", "ожидается дата вида"),
    (KBR, "date = 2024-03-28", "date = 2024-04-10", "regional_days.5", "назван дважды"),
    (KBR, 'kind = "off"', 'kind = "выходной"', "regional_days.0.kind", "'off', 'short' или 'working'"),
    (KBR, 'max_detection_age = "PT24H"', 'max_detection_age = "P40D"', "max_detection_age", "не больше P31D"),
    (KBR, 'detection_counts = "detection"', 'detection_counts = "luck"', "detection_counts", "first_triage"),
    (KBR, 'detection_counts = "detection"', 'detection_count = "detection"', "detection_count", "такого поля нет"),
    (KBR, 'rank = "Глава"', 'rank = 5', "leaders.0.rank", "ожидается строка"),
    (KBR, 'post = "Глава Кабардино', 'post = "Князь Кабардино', "leaders", "кому докладывают незамедлительно"),
    (KBR, 'official_level = "deputy_head"', 'official_level = "other"', "agencies.minstroy.official_level", "не ниже заместителя"),
    (KBR, '[agencies.minstroy]', '[agencies.coordinator]', "agencies.coordinator", "имя coordinator занято"),
    (KBR, '[agencies.minstroy]', '[agencies.МинСтрой]', "", "не TOML"),
    (KBR, '[agencies.minstroy]', '[agencies.Minstroy]', "agencies.Minstroy", "ожидается строка вида"),
    (KBR, '[[leaders]]', '[reduced]\nroute = "PT10M"\n\n[[leaders]]', "reduced.route", "только срок ответа"),
    (KBR, '[[leaders]]', '[reduced]\nanswer = "PT90H"\n\n[[leaders]]', "reduced.answer", "не длиннее обычного"),
    (KBR, '[[leaders]]', '[reduced]\nanswer = "PT4H"\n\n[[leaders]]', "reduced.draft", "назад на 4 ч от сокращённого срока answer, а тот сам – 4 ч"),
    (KBR, '[[leaders]]', '[reduced]\nanswer = "PT3H"\ndraft = "PT3H"\n\n[[leaders]]', "reduced.draft", "короче 3 ч или никакого (none) (акт kbr-2022-137, пункт 8)"),
    (KBR, '[[leaders]]', '[reduced]\nanswer = "none"\n\n[[leaders]]', "reduced.answer", "срок ответа есть всегда"),
    (KBR, '[[leaders]]', '[reduced]\ndraft = "нет"\n\n[[leaders]]', "reduced.draft", "например PT30M, PT9H, P7D или ожидается одно из: 'none'"),
    (KBR, '[[leaders]]', '[topic_list]\napproved_by = "приказ"\ntopics = ["a"]\n\n[[leaders]]', "topic_list", "ни на что не влияет"),
    (KBR, '[[leaders]]', '[[overrides]]\nreading = 1\nrules = ["final_draft"]\nclock = "plain"\nnote = "н"\nbasis = "б"\n\n[[leaders]]',
     "overrides.0.rules", "в рабочих днях"),
    (KEMEROVO, '[[leaders]]', '[reduced]\nanswer = "PT3H"\n\n[[leaders]]', "reduced.answer", "акт сам говорит"),
    (KEMEROVO, "until = 2026-12-18", "until = 2026-12-01", "agencies.minzdrav.substitutes.0.until", "не раньше 07.12.2026"),
    (KEMEROVO, 'post = "Главный специалист', 'post = "Никто', "agencies.minzdrav.substitutes.0.post", "такой должности в органе нет"),
    (KEMEROVO, '(по строительству)"\naccounts', '(по погоде)"\naccounts', "agencies.minzhkh.supervisor", "среди руководителей"),
    (NENETS, 'topics = ["heating-outage", "power-outage", "air-ambulance"]', "topics = []", "topic_list.topics", "не меньше 1"),
    (NENETS, 'head = "Руководитель Департамента здравоохранения"\n', "", "agencies.depzdrav.head", "пункт 26"),
    (KURSKY, '[[leaders]]', '[reduced]\nanswer = "PT3H"\n\n[[leaders]]', "reduced.answer", "не знает сокращённого срока"),
    (BURYATIA, 'sector_block = "Руководитель отраслевого блока ЦУР «Здравоохранение»"\n', "", "agencies.minzdrav.sector_block", "пункт 6"),
    (BURYATIA, '[[committees]]', '[[regulations]]', "committees", "нужен комитет"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "said", "instead", "place", "told"), BROKEN)
def test_a_wrong_file_is_refused_with_its_place(
    law: Path, file: str, said: str, instead: str, place: str, told: str
) -> None:
    text = (law / file).read_text()
    assert said in text
    (law / file).write_text(text.replace(said, instead, 1))
    if "[[committees]]" in said:
        # A committee's table is taken out whole.
        start = text.index(said)
        (law / file).write_text(text[:start] + text[text.index("[[accounts]]") :])
    found = [fault for fault in refused(law) if fault.file == file]
    assert [fault for fault in found if fault.place == place and told in fault.detail], found


def test_every_fault_of_every_file_is_told_at_once_with_its_line(law: Path) -> None:
    for file, said, instead in (
        (ACT, 'term = "PT9H"', 'term = "девять"'),
        (KBR, 'timezone = "Europe/Moscow"', 'timezone = "Mars/Olympus"'),
        (KBR, 'level = "deputy_head"', 'level = "janitor"'),
        (KURSKY, "from = 2023-01-12", "from = 2022-01-12"),
    ):
        (law / file).write_text((law / file).read_text().replace(said, instead, 1))
    found = {(fault.file, fault.line, fault.place) for fault in refused(law)}
    assert found == {
        (ACT, line_with(law / ACT, "девять"), "rules.answer.term"),
        (KBR, line_with(law / KBR, "Mars"), "timezone"),
        (KBR, line_with(law / KBR, "janitor"), "agencies.minstroy.official_level"),
        (KURSKY, line_with(law / KURSKY, "2022-01-12"), "regulations.0.from"),
    }


def test_a_second_entry_of_a_list_is_told_by_its_own_line(law: Path) -> None:
    text = (law / KBR).read_text().replace('name = "Курбан-байрам"', "name = 7", 1)
    (law / KBR).write_text(text)
    (fault,) = refused(law)
    assert fault.line == line_with(law / KBR, "name = 7") and fault.place.startswith("regional_days.")


def test_an_authority_is_not_blamed_for_an_act_that_is_wrong_itself(law: Path) -> None:
    (law / ACT).write_text((law / ACT).read_text().replace('term = "PT9H"', 'term = "девять"', 1))
    assert {fault.file for fault in refused(law)} == {ACT}


def test_the_refusal_reads_as_lines_that_an_editor_can_jump_to(law: Path) -> None:
    (law / KBR).write_text((law / KBR).read_text().replace("Europe/Moscow", "Mars/Olympus"))
    with pytest.raises(
        WrongLaw, match=rf"(?m)^  {KBR}:4: timezone: неизвестный часовой пояс.*получено: 'Mars/Olympus'$"
    ):
        load(law)


def test_an_empty_folder_is_no_law(tmp_path: Path) -> None:
    (fault,) = refused(tmp_path)
    assert "ни acts/, ни authorities/" in fault.detail


def test_a_sixth_region_is_two_new_files_beside_the_shipped_ones(tmp_path: Path) -> None:
    for kind in ("acts", "authorities"):
        (tmp_path / kind).mkdir()
    act = (SHIPPED / ACT).read_text().replace("kbr-2022-137", "sixth-2026-1")
    authority = (
        (SHIPPED / KBR).read_text().replace("kbr-2022-137", "sixth-2026-1").replace('id = "kbr"', 'id = "sixth"')
    )
    (tmp_path / "acts" / "sixth-2026-1.toml").write_text(act)
    (tmp_path / "authorities" / "sixth.toml").write_text(authority)
    law = load(SHIPPED, tmp_path)
    assert len(law.authorities) == 6
    assert law.acts["sixth-2026-1"].rules == LAW.acts["kbr-2022-137"].rules
