"""The agreed examples, to the second, from the primitives alone; the small table stands in for the acts' data."""

import json
from datetime import datetime, timedelta

import pytest

from regulations.working_time import PlainTime, WorkingTime
from tests.unit.working_time.given import EXAMPLES, schedule_of, wh

CASES = json.loads((EXAMPLES / "deadlines.json").read_text(encoding="utf-8"))
HALF = timedelta(minutes=30)
SAME = {"return": HALF, "review": HALF, "rework": wh(1), "publish": HALF, "route": HALF}
TERMS = {
    "kbr": {**SAME, "answer": (wh(9), wh(9)), "draft": (wh(4), wh(4))},
    "kemerovo": {**SAME, "answer": (wh(8), wh(4)), "draft": (wh(4), wh(2))},
    "nenets": {**SAME, "answer": (wh(8), wh(4)), "draft": (wh(4), None)},
    "kursky": {**SAME, "route": wh(1), "rework": HALF, "answer": (wh(9), wh(9)), "draft": (wh(5), wh(5))},
    "buryatia": {"return": HALF, "review": wh(1), "rework": wh(1), "publish": HALF,
                 "answer": (wh(8), wh(4)), "draft": (wh(3), None)},
}  # fmt: skip
STARTS = {"route": "detected", "return": "issued", "review": "submitted", "rework": "sent_back", "publish": "approved"}


def due_of(case):
    authority, terms = case["authority"], TERMS[case["authority"]]
    working = WorkingTime(schedule_of(authority))
    clock = PlainTime(working.schedule) if authority == "buryatia" else working
    facts = {fact["milestone"]: datetime.fromisoformat(fact["at"]) for fact in case["facts"]}
    due = {rule: clock.add(facts[start], terms[rule]) for rule, start in STARTS.items() if rule in terms}
    start = facts["received" if authority == "kursky" else "detected"]
    due["answer"] = clock.add(start, terms["answer"][case["reduced"]])
    lead = terms["draft"][case["reduced"]]
    if lead is not None:
        due["draft"] = clock.latest_before(due["answer"], lead)
    if authority == "kursky" and due["answer"] > facts["approved"]:
        due["publish"] = min(due["publish"], due["answer"])
    due["final_draft"] = working.add_working_days(facts["published_interim"], 7)
    return {rule: at.isoformat() for rule, at in due.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['authority']} {case['facts'][0]['at'][:16]}")
def test_every_example_comes_out_to_the_second(case):
    assert due_of(case) == case["expect"]
