"""The clock of a GPU: events around a block of calls that are all enqueued before the first one runs.

A call returns before its work is done, so the CPU's clock sees launches. Two events on the stream see the work, and the
gaps between kernels where the CPU does not keep up. So a kernel that only waits goes first, and the calls are enqueued
behind it; if the first event has passed before the last call is enqueued, the sample is made again behind a longer
wait, and if the longest does not suffice it says that it is bound by its launches.

Tested with a stand-in for torch.cuda; not run on a card yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_CYCLES = 2_000_000
"""Of the first blocking kernel: about a millisecond."""
MOST_WAIT_CYCLES = 512_000_000
MOST_REPEATS = 5
"""Of a sample that was taken while the GPU was throttled."""


class Sample(NamedTuple):
    """Seconds per call of a block; whether the CPU could not enqueue it in time; what throttled the GPU meanwhile."""

    seconds: float
    launch_bound: bool = False
    throttle: tuple[str, ...] = ()


def seconds_each(block: Callable[[int], object], count: int) -> Sample:
    """Of a block of `count` calls, by events on the current stream. Nothing but the block lies between them."""
    cycles = WAIT_CYCLES
    while True:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        torch.cuda._sleep(cycles)
        start.record()
        block(count)
        end.record()
        late = start.query()
        end.synchronize()
        if not late or cycles >= MOST_WAIT_CYCLES:
            return Sample(start.elapsed_time(end) / 1e3 / count, late)
        cycles *= 4


def unthrottled(
    sample: Callable[[], Sample], throttle: Callable[[], tuple[str, ...]]
) -> tuple[Sample, int]:
    """A sample during which nothing throttled the GPU, and how many were thrown away for it.

    `throttle` tells what does at that moment; it is asked after each sample, and before the first. Where all of
    MOST_REPEATS more are throttled too, the last one counts and says by what, so that no table stays empty.
    """
    before = throttle()
    for discarded in range(MOST_REPEATS + 1):
        found, after = sample(), throttle()
        held = tuple(dict.fromkeys((*before, *after)))
        if not held or discarded == MOST_REPEATS:
            return found._replace(throttle=held), discarded
        before = after
    raise AssertionError


def calls_for(block: Callable[[int], object], seconds: float) -> int:
    """How many calls last at least `seconds` on the GPU: doubled until they nearly do, then in proportion."""
    count = 1
    while True:
        each = seconds_each(block, count).seconds
        if each * count >= seconds / 2:
            return max(1, -(-int(seconds * 1e9) // max(1, int(each * 1e9))))
        count *= 2
