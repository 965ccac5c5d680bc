"""What an operator reads of a service's health is Russian, in every state."""

from __future__ import annotations

import re

import pytest

from services.runtime.health import JOINING, LEFT, MEMBER, STARTING, STATES, Health


@pytest.mark.parametrize("member", [STARTING, JOINING, MEMBER, LEFT])
@pytest.mark.parametrize("state", STATES)
def test_no_check_speaks_english(member: str, state: str) -> None:
    health = Health(lambda: 1000.0, member=member)
    for name in ("0", "1"):
        health.moved(name, busy=True)
        health.of(name).state = state
    health.of("1").moved = 0.0
    found = health.checks()
    assert found["progress"].detail == "нет движения: 1"
    assert not [one for one in found.values() if re.search("[A-Za-z]", one.detail)]
    assert (found["member"].ok, found["partition 0"].ok) == (member == MEMBER, state == "running")


def test_a_detail_stands_behind_the_state() -> None:
    health = Health(lambda: 0.0)
    health.of("0").state, health.of("0").detail = "stopped", "журнал начинается позже"
    assert health.checks()["partition 0"].detail == "остановлена: журнал начинается позже"
