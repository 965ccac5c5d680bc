"""The stories: what becomes of a post, step by step. Each step waits so many working minutes after the one before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.demo import steps
from services.demo.desk import Case

HOUR = 60


@dataclass(frozen=True, slots=True)
class Step:
    """`after`: minutes of work since the step before; about so many, as people are."""

    after: int
    do: Callable[[Case], Awaitable[None]]


TAKE = Step(12, steps.take)
ANSWER = (Step(110, steps.draft), Step(15, steps.approve), Step(12, steps.publish))
INTERIM = (Step(90, steps.draft_interim), Step(15, steps.approve), Step(12, steps.publish))
CLARIFY = (Step(45, steps.draft_clarification), Step(12, steps.approve), Step(10, steps.publish))
JOINTLY = (Step(14, steps.take_jointly), Step(50, steps.contribute))
REWORK = (Step(100, steps.draft), Step(15, steps.send_back))

STORIES: dict[str, tuple[Step, ...]] = {
    # Left for whoever looks on.
    "new": (),
    "repeat_new": (),
    "overdue": (),
    "open": (TAKE,),
    "stuck": (TAKE,),
    "late_open": (Step(2 * HOUR, steps.take),),
    "return": (TAKE, Step(14, steps.give_back)),
    "review": (TAKE, ANSWER[0]),
    "approved": (TAKE, *ANSWER[:2]),
    "reworking": (TAKE, *REWORK),
    "clarify": (TAKE, *CLARIFY),
    "interim": (TAKE, *INTERIM),
    "interim_late": (TAKE, Step(9 * HOUR, steps.draft_interim), *INTERIM[1:]),
    "joint_open": JOINTLY,
    "escalated": (Step(6, steps.take_as_high), *INTERIM),
    # Told to their end.
    "answer": (TAKE, *ANSWER, Step(4 * HOUR, steps.hear_the_author)),
    "late": (Step(2 * HOUR, steps.take), Step(8 * HOUR, steps.draft), Step(90, steps.approve), Step(90, steps.publish),
             Step(HOUR, steps.hear_the_author)),
    "repeat": (TAKE, *ANSWER),
    "reroute": (TAKE, Step(14, steps.give_back), Step(15, steps.take_elsewhere), *ANSWER),
    "rework": (TAKE, *REWORK, Step(40, steps.draft), *ANSWER[1:]),
    "clarified": (TAKE, *CLARIFY, Step(11 * HOUR, steps.draft), *ANSWER[1:]),
    "joint": (*JOINTLY, Step(40, steps.contribute), Step(60, steps.draft), *ANSWER[1:]),
    "reply": (Step(20, steps.dismiss_reply),),
    "edited": (Step(5, steps.edit), Step(10, steps.dismiss)),
    "thanks": (Step(15, steps.dismiss),),
    "obscene": (Step(10, steps.dismiss_obscene),),
    "threat": (Step(8, steps.dismiss_threat),),
    "spam": (Step(5, steps.dismiss_spam),),
}  # fmt: skip
"""A coordinator that contributes to a joint message too (kemerovo) has three parts to wait for, not two: `contribute` is
content when there is none left."""
