"""A year that the library lacks is a file of the decree alone; what the Labour Code says of every year is worked out."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from regulations.canonical import as_data
from regulations.directory import schedule
from regulations.law import differences
from regulations.load import SHIPPED, LawFiles, WrongLaw, load
from regulations.working_time.calendar_year import CalendarYear
from regulations.working_time.library_years import decreed_years, library_year, library_years
from regulations.working_time.year_file import YearFile
from tests.unit.regulations.given import LAW, after, in_force, refused

YEAR = 2056
"""Far from what the library knows. 4 November is a Saturday."""
MOVED = (
    f"transferred = [{{ date = {YEAR}-12-29, moved_from = {YEAR}-01-02 }},"
    f" {{ date = {YEAR}-11-06, moved_from = {YEAR}-11-04 }}]"
)


def text_of(year: CalendarYear) -> str:
    """The file of a year: its decree, as an operator would copy it."""
    moved = ", ".join(f"{{ date = {one.date}, moved_from = {one.moved_from} }}" for one in year.transferred)
    return f'year = {year.year}\nbasis = "{year.basis}"\ntransferred = [{moved}]\n'


def law_with(folder: Path, text: str, name: int = YEAR) -> LawFiles:
    (folder / "calendar").mkdir()
    (folder / "calendar" / f"{name}.toml").write_text(text, encoding="utf-8")
    return load(SHIPPED, folder)


# In 2014 a day off was moved twice, which the correction beside the library writes as two moves.
@pytest.mark.parametrize("number", sorted({*decreed_years()} - {2014}))
def test_the_decree_alone_gives_the_year_that_the_library_has(number: int) -> None:
    known = library_year(number)
    given = YearFile.model_validate(known.model_dump(include={"year", "basis", "transferred"}))
    whole = known.model_copy(update={"working_saturdays": tuple(sorted(known.working_saturdays, key=lambda e: e.date))})
    assert given.whole() == whole


def test_a_year_of_a_file_comes_into_force_by_an_amendment_and_once(tmp_path: Path) -> None:
    files = law_with(tmp_path, f'year = {YEAR}\nbasis = "постановление № 1"\n{MOVED}\n')
    years = files.years_over(library_years())
    directory = in_force("kbr")
    (amendment,) = differences(directory, LAW.authorities["kbr"], LAW.acts, years)
    assert (amendment.kind, amendment.basis, refused(directory, amendment)) == (
        "calendar_year",
        "постановление № 1",
        {},
    )
    directory = after(directory, amendment)
    assert schedule(directory).day(date(YEAR, 12, 29)).kind == "off"
    assert schedule(directory).day(date(YEAR, 2, 22)).kind == "short"
    assert differences(directory, LAW.authorities["kbr"], LAW.acts, years) == []
    # Applied once by --folder, it stays when the folder is not there at the next start.
    assert differences(directory, LAW.authorities["kbr"], LAW.acts, library_years()) == []


def test_a_file_stands_for_the_librarys_year(tmp_path: Path) -> None:
    known = library_year(2026)
    files = law_with(tmp_path, text_of(known).replace("2026-12-31", "2026-12-30"), 2026)
    years = {year.year: year for year in files.years_over(library_years())}
    assert set(years) == set(decreed_years())
    assert as_data(years[2026]) != as_data(known) and years[2025] == library_year(2025)


def test_the_file_that_operators_are_shown_is_taken(tmp_path: Path) -> None:
    page = (SHIPPED.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    shown = page.partition("```toml\n")[2].partition("```")[0]
    assert [year.year for year in law_with(tmp_path, shown, 2028).years] == [2028]


# what is replaced in the file, by what, the place told, a part of what is told
BROKEN = [
    (f"year = {YEAR}", f"year = {YEAR + 1}", "year", f"ожидается {YEAR}, как имя файла"),
    (MOVED, "transferred = []", "transferred", "не меньше 1"),
    (f"{YEAR}-12-29", f"{YEAR}-13-29", "", "не TOML"),
    (f"date = {YEAR}-12-29", 'date = "29 декабря"', "transferred.0.date", "ожидается дата вида"),
    (f"date = {YEAR}-12-29", f"date = {YEAR + 1}-12-29", "", f"не {YEAR} год"),
    (f"date = {YEAR}-12-29", f"date = {YEAR}-02-23", "", "один день назван дважды"),
    ("basis = ", "bases = ", "bases", "такого поля нет"),
    (f"year = {YEAR}\n", f"year = {YEAR}\nshort_days = []\n", "short_days", "такого поля нет"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "instead", "place", "told"), BROKEN)
def test_a_wrong_year_is_refused_with_its_place(tmp_path: Path, said: str, instead: str, place: str, told: str) -> None:
    text = f'year = {YEAR}\nbasis = "постановление № 1"\n{MOVED}\n'
    assert said in text
    with pytest.raises(WrongLaw) as caught:
        law_with(tmp_path, text.replace(said, instead))
    assert [
        one
        for one in caught.value.faults
        if (one.file, one.place) == (f"calendar/{YEAR}.toml", place) and told in one.detail
    ], caught.value.faults


def test_a_year_that_loses_a_day_off_is_refused(tmp_path: Path) -> None:
    known = library_year(2026)
    with pytest.raises(WrongLaw, match=r"выходной за 08\.03\.2026 никуда не перенесён"):
        law_with(tmp_path, text_of(known).replace("{ date = 2026-03-09, moved_from = 2026-03-08 }, ", ""), 2026)
