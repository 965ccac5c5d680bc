"""Every cell of the tables of the five regulations has a scenario, and every scenario comes out as it is written."""

from __future__ import annotations

import pytest

from services.sla import table
from tests.regulations.cells import cells, paragraphs_with_a_term, rows, shown
from tests.regulations.scenario import Scenario, act_of, office, scenarios, shipped

REGIONS = ("kbr", "kemerovo", "nenets", "kursky", "buryatia")
PLAYED: dict[tuple[str, str], frozenset[str]] = {}
ALL = [pytest.param(region, one, id=f"{region}: {one.name}") for region in REGIONS for one in scenarios(region)]


@pytest.mark.parametrize(("region", "scenario"), ALL)
def test_the_scenario_comes_out_as_written(region: str, scenario: Scenario) -> None:
    assert scenario.proves, "a scenario that proves nothing"
    evidence = played(region, scenario)
    act = act_of(region)
    for cell in scenario.proves:
        wanted = shown(act, cell) if cell.startswith("other:") else (cell,)
        assert set(wanted) <= evidence, f"{cell} is claimed, and nothing that is compared shows it: {wanted}"


@pytest.mark.parametrize("region", REGIONS)
def test_every_cell_has_a_scenario(region: str) -> None:
    proved = {cell for scenario in scenarios(region) for cell in scenario.proves}
    wanted = cells(act_of(region))
    assert sorted(wanted - proved) == [], "cells without a scenario"
    assert sorted(proved - wanted) == [], "cells that this region does not have"


@pytest.mark.parametrize("region", REGIONS)
def test_every_paragraph_with_a_term_has_a_scenario(region: str) -> None:
    evidence = {tag for scenario in scenarios(region) for tag in played(region, scenario)}
    proved = {tag.removeprefix("paragraph:") for tag in evidence if tag.startswith("paragraph:")}
    assert sorted(paragraphs_with_a_term(act_of(region)) - proved) == []


@pytest.mark.parametrize("region", REGIONS)
def test_no_two_scenarios_of_a_region_bear_one_name(region: str) -> None:
    names = [scenario.name for scenario in scenarios(region)]
    assert len(names) == len(set(names))


def test_every_region_that_is_shipped_has_scenarios() -> None:
    assert set(REGIONS) == set(shipped().authorities)


def test_a_new_row_of_the_table_is_a_new_cell() -> None:
    """The list is read from the table's own source: all its events are there, and `*` for what cancels everything."""
    assert {event.type.split(".")[2] for event in table.TABLE.rows} <= set(rows())
    assert rows()["registered"] == {"route", "answer", "draft"}
    assert rows()["dismissed"] == {"route", "reroute", "*"}
    assert rows()["draft-sent-back"] == {"review", "publish", "rework"}
    assert rows()["summary-delivered"] == {"summary", "summary_review"}
    assert rows()["escalated"] == frozenset()


def test_a_scenario_that_expects_another_instant_fails() -> None:
    scenario = scenarios("kbr")[0]
    first = scenario.steps[0]
    assert first.deadlines is not None
    wrong = first.model_copy(update={"deadlines": (first.deadlines[0].replace(":30", ":31"), *first.deadlines[1:])})
    with pytest.raises(AssertionError, match=r"set route/1 until"):
        office("kbr").play(wrong)


def played(region: str, scenario: Scenario) -> frozenset[str]:
    """The evidence of a scenario, which is played once; AssertionError where it comes out otherwise."""
    known = PLAYED.get((region, scenario.name))
    if known is None:
        at_work = office(region)
        for step in scenario.steps:
            at_work.play(step)
        known = PLAYED[region, scenario.name] = frozenset(at_work.evidence)
    return known
