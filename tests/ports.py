"""Ports for tests: below those that the kernel lends to outgoing connections, and no number twice in one process.

Where to begin depends on the process, so that test runs and workers beside each other seldom look at the same ports.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

_SINGLE = range(12_000, 20_000)
_BASES = range(20_000, 32_000, 100)
_OFFSETS = (1, 2, 3, 4, 32, 92, 93)
"""What an installation takes of a base: contract.md, "HTTP", and the controller of the embedded broker."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody holds at this moment."""
    return _first_free(_singles, (0,))


def free_port_base() -> int:
    """A `port_base` all of whose ports are free at this moment."""
    return _first_free(_bases, _OFFSETS)


def _from_somewhere(numbers: range) -> Iterator[int]:
    begin = os.getpid() * 37 % len(numbers)
    yield from numbers[begin:]
    yield from numbers[:begin]


_singles = _from_somewhere(_SINGLE)
_bases = _from_somewhere(_BASES)


def _first_free(candidates: Iterator[int], offsets: tuple[int, ...]) -> int:
    for base in candidates:
        if all(_is_free(base + offset) for offset in offsets):
            return base
    raise RuntimeError("no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
