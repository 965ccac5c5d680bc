"""Any sequence of events: one breach per deadline, none that was met in time, the same whatever the batching."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import events as e
from schemas.envelope import Envelope
from schemas.ids import event_id
from services.sla.decider import Sla
from tests.unit.sla import happenings as h
from tests.unit.sla.given import MESSAGE_ID, World, at

BEGINNING = at("2026-11-16 09:00")
AGENCIES = ("a", "b", "c")
Happening = tuple[timedelta, e.EventData | None]


def happenings() -> st.SearchStrategy[e.EventData | None]:
    """Events of every type, in any order: sla must cope with more than workflow would ever let happen. None: `reached`."""
    agency, draft = st.sampled_from(AGENCIES), st.sampled_from(("d1", "d2"))
    kind = st.sampled_from(("answer", "interim", "clarification"))
    role = st.sampled_from(("lead", "contributor"))
    return st.one_of(
        st.none(),
        st.builds(h.triaged, st.booleans()),
        st.builds(h.dismissed),
        st.builds(h.reopened),
        st.builds(lambda agencies: h.routed(*agencies), st.lists(agency, min_size=1, max_size=3, unique=True)),
        st.builds(lambda one, part: h.issued(one, role=part), agency, role),
        st.builds(h.returned, agency, role),
        st.builds(h.recalled, agency, role),
        st.builds(h.contributed, agency),
        st.builds(h.contribution_approved, agency),
        st.builds(h.submitted, draft, st.sampled_from((*AGENCIES, "coordinator")), kind),
        st.builds(h.approved, draft, agency, kind),
        st.builds(h.sent_back, draft, agency, kind),
        st.builds(h.published, draft, agency, kind),
        st.builds(h.excused, st.sampled_from(("route", "answer", "draft", "review"))),
        st.builds(h.case, st.sampled_from(("proposed", "agreed", "published", "reported"))),
    )


GAPS = st.sampled_from([timedelta(minutes=n) for n in (0, 1, 10, 30, 31, 60, 240, 600, 1440, 5000)])
STORIES = st.lists(st.tuples(GAPS, happenings()), max_size=25)
REGIONS = st.sampled_from(("kbr", "kemerovo", "nenets", "kursky", "buryatia"))


def walk(region: str, story: list[Happening]) -> World:
    world = World(region)
    now: datetime = BEGINNING
    world.event(h.registered(world, now.isoformat()), now)
    for gap, data in story:
        now += gap
        if data is None:
            world.reached(now)
        else:
            world.event(data, now)
    return world.reached(now + timedelta(days=60))


@settings(max_examples=150, deadline=None)
@given(REGIONS, STORIES)
def test_every_deadline_ends_once_and_no_breach_is_false(region: str, story: list[Happening]) -> None:
    world = walk(region, story)
    breaches = Counter(one.data["deadline_id"] for one in world.told if one.type == "otklik.deadline.breached.v1")
    assert all(count == 1 for count in breaches.values())
    in_time: set[str] = set()
    for one in world.told:
        kind, data = one.type.split(".")[2], one.data
        due = datetime.fromisoformat(data["due_at"])
        if kind == "met":
            assert one.time <= due
            in_time.add(data["deadline_id"])
        if kind == "breached":
            assert one.time == due and not data.get("window")
        if kind == "met-late":
            assert datetime.fromisoformat(data["closed_at"]) > due
            assert data.get("window") or data["deadline_id"] in breaches
        if kind == "moved" and "previous_due_at" in data:
            assert due > one.time
    assert not in_time & set(breaches)
    # Sixty days on nothing but windows is open: every duty was met, breached, cancelled or excused.
    open_still = [one for one in world.spoken.deadlines.values() if one.state == "open"]
    assert all(one.data.window for one in open_still)


@settings(max_examples=60, deadline=None)
@given(REGIONS, STORIES)
def test_the_same_log_gives_the_same_bytes(region: str, story: list[Happening]) -> None:
    first, again = walk(region, story), walk(region, story)
    assert [one.to_bytes() for one in first.told] == [one.to_bytes() for one in again.told]


@settings(max_examples=60, deadline=None)
@given(REGIONS, STORIES, st.data())
def test_repeating_a_record_that_was_folded_says_nothing_more(
    region: str, story: list[Happening], data: st.DataObject
) -> None:
    world = walk(region, story)
    said = world.mark()
    mine = [one for one in world.log if one.subject == MESSAGE_ID]
    world.read(data.draw(st.sampled_from(mine)))
    assert world.said(said) == []


@settings(max_examples=60, deadline=None)
@given(REGIONS, STORIES)
def test_said_folded_from_the_log_alone_is_the_state(region: str, story: list[Happening]) -> None:
    world = walk(region, story)
    decider, state = Sla(1), None
    key = f"message/{MESSAGE_ID}"
    for one in world.told:
        if one.subject == MESSAGE_ID:
            state = decider.evolve(key, state, "deadlines", Envelope.from_bytes(one.to_bytes()))
    for record in world.log:
        if record.subject == MESSAGE_ID:
            state = decider.evolve(key, state, "events", record)
    # Facts and what was said are kept apart, so the order between the two topics does not matter.
    assert state is not None and decider.encode(key, state) == decider.encode(key, world.states[key])


@settings(max_examples=40, deadline=None)
@given(STORIES)
def test_ids_of_what_is_said_are_never_used_twice(story: list[Happening]) -> None:
    world = walk("kbr", story)
    ids = [one.id for one in world.told]
    assert len(ids) == len(set(ids))


@settings(max_examples=40, deadline=None)
@given(REGIONS, STORIES, st.integers(0, 30))
def test_newer_code_touches_only_what_is_open(region: str, story: list[Happening], cut: int) -> None:
    """A version that would judge otherwise takes over: nothing said is taken back, and every breach still comes once."""
    world = World(region)
    now = BEGINNING
    world.event(h.registered(world, now.isoformat()), now)
    for number, (gap, data) in enumerate(story):
        if number == cut:
            world.decider = _Stricter(1)
        now += gap
        world.reached(now) if data is None else world.event(data, now)
    world.decider = _Stricter(1)
    world.reached(now + timedelta(days=60))
    sets = Counter(one.data["deadline_id"] for one in world.told if one.type == "otklik.deadline.set.v1")
    breaches = Counter(one.data["deadline_id"] for one in world.told if one.type == "otklik.deadline.breached.v1")
    assert set(sets.values()) <= {1} and set(breaches.values()) <= {1}


class _Stricter(Sla):
    """Later code by which every act has another answer term."""

    def _directory(self, states: Any, event: Envelope) -> Any:
        directory = super()._directory(states, event)
        laws = []
        for law in directory.laws:
            rules = dict(law.act.rules)
            rules["answer"] = rules["answer"].model_copy(update={"term": timedelta(hours=1)})
            laws.append(law.model_copy(update={"act": law.act.model_copy(update={"rules": rules})}))
        return directory.model_copy(update={"laws": tuple(laws)})


def test_event_ids_of_the_helper_are_those_of_the_contract() -> None:
    world = walk("kbr", [])
    assert world.log[-2].id == event_id(MESSAGE_ID, 1)
