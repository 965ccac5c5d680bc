"""How often one sender may ask: a bucket of requests for each `sub`, filled evenly.

Written here, as the kept library (`limits`) expires its counters by threads with timers, and this is all that it would do:
each process counts for itself, and a restart forgives everything.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence

from services.runtime import problems

SENDERS = 10_000
"""Whoever asked longest ago is forgotten beyond these."""


class Rates:
    """`per_second` requests in the long run, `burst` at once; 0 a second: no limit. `monotonic` tells seconds; `streams`
    are paths that count once however much they take: who asks too often is told of them."""

    def __init__(
        self, per_second: float, burst: int, monotonic: Callable[[], float], streams: Sequence[str] = ()
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._monotonic = monotonic
        self._streams = tuple(streams)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, sub: str) -> None:
        """Count one request. Raises ProblemError 429, and then it does not count."""
        if self._per_second == 0:
            return
        now = self._monotonic()
        left, since = self._left.pop(sub, (float(self._burst), now))
        left = min(self._burst, left + (now - since) * self._per_second)
        granted = left >= 1
        self._left[sub] = (left - 1 if granted else left, now)
        if len(self._left) > SENDERS:
            self._left.popitem(last=False)
        if not granted:
            raise problems.rate_limited(math.ceil((1 - left) / self._per_second), self._streams)
