"""`law apply`: what differs becomes amendments, and after them nothing differs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from regulations.directory import Directory, amended, evolve, faults
from regulations.law import amendment_id, differences
from regulations.working_time.library_years import library_years
from tests.unit.regulations.given import APPLIED_AT, LAW, after, an_amendment, applied, in_force

AUTHORITIES = sorted(LAW.authorities)


@pytest.mark.parametrize("authority", AUTHORITIES)
def test_each_difference_is_valid_in_its_turn_and_after_them_nothing_differs(authority: str) -> None:
    files = (LAW.authorities[authority], LAW.acts, library_years())
    directory: Directory | None = None
    for amendment in differences(None, *files):
        assert faults(directory, authority, amendment) == []
        directory = evolve(directory, authority, amended(directory, "x", amendment), APPLIED_AT)
    assert directory is not None and directory.in_force
    assert differences(directory, *files) == []


@pytest.mark.parametrize("authority", AUTHORITIES)
def test_nothing_differs_after_a_round_through_json_and_an_operators_amendment(authority: str) -> None:
    directory = after(in_force(authority), an_amendment("calendar_day", date="2026-11-20", kind="off"))
    directory = Directory.model_validate_json(directory.model_dump_json())
    assert differences(directory, LAW.authorities[authority], LAW.acts, library_years()) == []


def test_every_decreed_year_comes_with_the_librarys_version_as_its_basis() -> None:
    found = differences(None, LAW.authorities["kbr"], LAW.acts, library_years())
    kinds = [amendment.kind for amendment in found]
    assert kinds == ["calendar_year"] * len(library_years()) + ["act", "authority"]
    assert all("holidays" in (amendment.basis or "") for amendment in found if amendment.kind == "calendar_year")
    assert found[-2].basis == "Указ № 137-УГ от 16.12.2022"


def test_a_newer_library_that_says_the_same_makes_no_amendment() -> None:
    years = [year.model_copy(update={"basis": "библиотека holidays 99"}) for year in library_years()]
    assert differences(in_force("kbr"), LAW.authorities["kbr"], LAW.acts, years) == []


def test_a_year_that_says_otherwise_is_amended_alone() -> None:
    *others, last = library_years()
    changed = last.model_copy(update={"short_days": last.short_days[:-1]})
    (found,) = differences(in_force("kbr"), LAW.authorities["kbr"], LAW.acts, [*others, changed])
    assert found.kind == "calendar_year" and found.data["year"] == last.year


def test_notes_for_people_are_not_law() -> None:
    act = LAW.acts["kbr-2022-137"].model_copy(update={"paragraphs": ()})
    assert differences(in_force("kbr"), LAW.authorities["kbr"], {act.id: act}, library_years()) == []
    assert all(not text.paragraphs for text in in_force("kbr").texts.values())


def test_a_changed_act_and_a_changed_leader_come_in_together() -> None:
    # The act names a leader whom only the new file of the authority knows, and the old leader is gone.
    directory, renamed = in_force("kbr"), "Президент Кабардино-Балкарской Республики"
    act = LAW.acts["kbr-2022-137"]
    act = act.model_copy(update={"escalation": act.escalation.model_copy(update={"to": renamed})})
    said = LAW.authorities["kbr"]
    leaders = tuple(
        leader.model_copy(update={"post": renamed, "rank": None}) if leader.rank == "Глава" else leader
        for leader in said.leaders
    )
    said = said.model_copy(update={"leaders": leaders})
    for amendment in differences(directory, said, {act.id: act}, library_years()):
        assert faults(directory, "kbr", amendment) == []
        directory = evolve(directory, "kbr", amended(directory, "x", amendment), APPLIED_AT)
    assert directory.act(directory.number).escalation.to == renamed


def test_two_processes_that_apply_the_same_files_give_the_same_ids() -> None:
    files = (LAW.authorities["kbr"], LAW.acts, library_years())
    first, second = (
        [amendment_id(None, "kbr", position, amendment) for position, amendment in enumerate(differences(None, *files))]
        for _ in range(2)
    )
    assert first == second and len(set(first)) == len(first)
    assert amendment_id(in_force("kbr"), "kbr", 0, differences(None, *files)[0]) not in first


def test_folding_the_same_amendments_gives_the_same_bytes_whenever() -> None:
    amendments = differences(None, LAW.authorities["buryatia"], LAW.acts, library_years())
    one = applied("buryatia", amendments, APPLIED_AT)
    two = applied("buryatia", amendments, APPLIED_AT)
    assert one.model_dump_json() == two.model_dump_json()
    later = applied("buryatia", amendments, APPLIED_AT + timedelta(days=1))
    assert later.laws == one.laws
