"""The clock: how long a block of calls takes, and how many calls make a block worth timing."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Protocol

from bench.timing import tracing

SAMPLE_SECONDS = 0.010
"""Least length of a timed block, or one call."""


class Clock(Protocol):
    """What a device's time is told by: this module is a CPU's, `bench.timing.cuda_clock.Clock` a GPU's."""

    @property
    def SAMPLE_SECONDS(self) -> float:  # noqa: N802 - a module's constant satisfies it
        """Least length of a timed block, or one call."""

    def seconds_each(self, block: Callable[[int], object], count: int) -> float:
        """Seconds per call of a block of `count` calls."""

    def calls_for(self, block: Callable[[int], object], seconds: float) -> int:
        """How many calls last at least `seconds`, as far as this clock can time so many."""


def seconds_each(block: Callable[[int], object], count: int) -> float:
    """Seconds per call of a block of `count` calls. Nothing but the block stands between the two readings."""
    start = perf_counter_ns()
    block(count)
    return (perf_counter_ns() - start) / count / 1e9


def calls_for(block: Callable[[int], object], seconds: float) -> int:
    """How many calls last at least `seconds`: doubled until they nearly do, then in proportion. At least 1."""
    count = 1
    while True:
        each = seconds_each(block, count)
        if each * count >= seconds / 2:
            return max(1, -(-int(seconds * 1e9) // max(1, int(each * 1e9))))
        count *= 2


@contextmanager
def undisturbed() -> Iterator[None]:
    """No garbage collection and no tracer in between; both are on again afterwards if they were on.

    It does not collect first: with torch and numba loaded that takes 0.1 s. `quieten` makes it cheap, once per run.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        with tracing.paused():
            yield
    finally:
        if was_on:
            gc.enable()


def quieten() -> None:
    """Collect once, then take everything that lives now (the libraries) out of the collector's sight."""
    gc.collect()
    gc.freeze()
