"""Laying a log out anew: every record at the offset that it had, whatever holes there were."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.runtime.archive import Kept
from services.runtime.layout import FILLERS, How, Step, steps

KINDS = st.lists(st.booleans(), max_size=40)
"""Of each offset: whether a record stands there."""


def kept(offset: int) -> Kept:
    return Kept(offset, 0, None, b"x", ())


def written(plan: list[Step]) -> tuple[list[int], int, int]:
    """What a broker makes of it: the offsets that can be read, the end, and up to where is to be deleted."""
    end, readable, gone = 0, list[int](), 0
    for step in plan:
        assert step.offset == end
        if step.records:
            assert step.how is not How.ABORTED
            assert [record.offset for record in step.records] == list(range(end, end + len(step.records)))
            readable += [record.offset for record in step.records]
        elif step.how is not How.ABORTED:
            gone = max(gone, end + step.fillers)
            readable += range(end, end + step.fillers)
        # A transaction without a record in the partition leaves no mark there.
        assert step.records or step.fillers
        end = step.end
    return readable, end, gone


@given(st.integers(min_value=0, max_value=3), KINDS)
def test_every_record_gets_its_offset_and_every_hole_stays_one(beginning: int, kinds: list[bool]) -> None:
    offsets = [beginning + number for number, is_record in enumerate(kinds) if is_record]
    end = beginning + len(kinds)
    readable, stands_at, gone = written(list(steps(map(kept, offsets), beginning, end)))
    gone = max(gone, beginning)
    assert stands_at == end
    assert [offset for offset in readable if offset >= gone] == offsets
    # Only a lone mark at the very beginning cannot be made: then nothing is lost, the log begins one later.
    assert gone == beginning or (beginning, gone, kinds[0]) == (0, 1, False)


def test_a_log_of_which_retention_took_much_is_filled_in_pieces() -> None:
    plan = list(steps([kept(2 * FILLERS + 1)], 2 * FILLERS, 2 * FILLERS + 2))
    assert all(step.fillers <= FILLERS for step in plan)
    assert written(plan) == ([*range(2 * FILLERS), 2 * FILLERS + 1], 2 * FILLERS + 2, 2 * FILLERS)


def test_a_long_run_is_written_in_pieces_and_its_last_record_bears_the_mark() -> None:
    plan = list(steps(map(kept, range(1201)), 0, 1202))
    assert [step.how for step in plan[:-1]] == [How.PLAIN] * (len(plan) - 1)
    assert plan[-1].how is How.COMMITTED
    assert written(plan)[:2] == (list(range(1201)), 1202)


def test_a_large_hole_never_leaves_a_mark_alone() -> None:
    for gap in (FILLERS, FILLERS + 1, FILLERS + 2, 2 * FILLERS, 2 * FILLERS + 1):
        plan = list(steps([kept(0), kept(gap + 1)], 0, gap + 2))
        assert written(plan) == ([0, gap + 1], gap + 2, 0)
