"""The clock of a GPU: events around a block of calls that are all enqueued before the first one runs.

A call returns before its work is done, so the CPU's clock sees launches. Two events on the stream see the work, and the
gaps between kernels where the CPU does not keep up. So a kernel that only waits goes first, and the calls are enqueued
behind it; if the first event has passed before the last call is enqueued, the sample is made again behind a longer
wait, and if the longest does not suffice it says that it is bound by its launches. A GPU's queue holds some thousand
launches: a block that does not fit there is cut down to one that does. What launching costs the CPU is told apart.

So a kernel of 3 us that takes 20 us to launch is timed in blocks of 512 (1.5 ms), enqueued in 10 ms behind a wait of 20
ms, twice as long as its last block took to enqueue: 22 ms a sample, a quarter of a second for ten rounds, and half a
second once, for to find that 1024 do not fit.

Tested with a stand-in for torch.cuda. On an H200 it agreed with Triton's `do_bench_cudagraph`: calls in a
graph to 0.1 %, launches of a step that is one kernel to 0.3 %.
"""

from collections.abc import Callable
from time import perf_counter, sleep
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch

Throttle = Callable[[], tuple[str, ...]]

SAMPLE_SECONDS = 0.002
"""Least length of a timed block, or one call, or as many as can be enqueued: events tell half a microsecond."""

WAIT_CYCLES = 2_000_000
"""Of the first blocking kernel: about a millisecond."""
MOST_WAIT_CYCLES = 512_000_000
WAIT_GROWS = 4
CYCLES_PER_SECOND = 2e9
"""At most, of the GPUs that there are: a wait of so many for each second that it is wanted lasts as long or longer."""
WAIT_SPARE = 2
"""How much longer than enqueuing took is waited the next time."""
LAUNCH_SAMPLES = 20
MOST_REPEATS = 2
"""Of a sample that was taken while the GPU was throttled."""
REST_SECONDS = 0.03
"""Before a repeat: what holds a clock down is most often power, averaged over some hundredths of a second."""


class Sample(NamedTuple):
    """Seconds per call of a block; whether the CPU could not enqueue it in time; what throttled the GPU meanwhile.

    `cycles`: of the wait before it. `enqueue_seconds`: what enqueuing the block took.
    """

    seconds: float
    launch_bound: bool = False
    throttle: tuple[str, ...] = ()
    cycles: int = WAIT_CYCLES
    enqueue_seconds: float = 0.0


class Clock:
    """As `bench.timing.rounds` asks for one; samples that were throttled are taken again, and their causes kept."""

    SAMPLE_SECONDS = SAMPLE_SECONDS

    def __init__(self, throttle: Throttle = lambda: ()) -> None:
        """`throttle` tells what holds the GPU's clock down at that moment."""
        self._throttle = throttle
        self._enqueue_seconds = WeakKeyDictionary[Callable[[int], object], float]()  # of a call
        self.causes: set[str] = set()

    def seconds_each(self, block: Callable[[int], object], count: int) -> float:
        """Seconds per call of a block of `count` calls, on the GPU."""
        first = cycles_for(count * self._enqueue_seconds.get(block, 0.0))
        found = unthrottled(lambda: seconds_each(block, count, first), self._throttle)
        self._enqueue_seconds[block] = found.enqueue_seconds / count
        self.causes |= set(found.throttle)
        return found.seconds

    def calls_for(self, block: Callable[[int], object], seconds: float) -> int:
        """How many calls last at least `seconds`, as far as so many can be enqueued in time."""
        return calls_for(block, seconds)

    def launch_seconds(self, block: Callable[[int], object]) -> float:
        """Seconds that enqueuing a call takes the CPU: the least of some, each behind an empty queue."""
        found = []
        for _ in range(LAUNCH_SAMPLES):
            torch.cuda.synchronize()
            start = perf_counter()
            block(1)
            found.append(perf_counter() - start)
        torch.cuda.synchronize()
        return min(found)


def seconds_each(block: Callable[[int], object], count: int, cycles: int = WAIT_CYCLES) -> Sample:
    """Of a block of `count` calls, by events on the current stream. Nothing but the block lies between them."""
    while True:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        torch.cuda._sleep(cycles)
        start.record()
        began = perf_counter()
        block(count)
        enqueuing = perf_counter() - began
        end.record()
        late = start.query()
        end.synchronize()
        if not late or cycles >= MOST_WAIT_CYCLES:
            seconds = start.elapsed_time(end) / 1e3 / count
            return Sample(seconds, late, cycles=cycles, enqueue_seconds=enqueuing)
        cycles = min(MOST_WAIT_CYCLES, max(WAIT_GROWS * cycles, cycles_for(enqueuing)))


def cycles_for(enqueue_seconds: float) -> int:
    """How long to wait before a block that takes so long to enqueue."""
    wanted = int(WAIT_SPARE * enqueue_seconds * CYCLES_PER_SECOND)
    return min(MOST_WAIT_CYCLES, max(WAIT_CYCLES, wanted))


def unthrottled(sample: Callable[[], Sample], throttle: Throttle) -> Sample:
    """A sample during which nothing throttled the GPU; others are thrown away.

    `throttle` tells what does at that moment; it is asked after each sample, and before the first. Where all of
    MOST_REPEATS more are throttled too, the last one counts and says by what, so that no table stays empty.
    """
    before = throttle()
    for number in range(MOST_REPEATS + 1):
        if number:
            sleep(REST_SECONDS)
            before = throttle()
        found, after = sample(), throttle()
        held = tuple(dict.fromkeys((*before, *after)))
        if not held:
            break
    return found._replace(throttle=held)


def calls_for(block: Callable[[int], object], seconds: float, first: int = 1) -> int:
    """How many calls last at least `seconds` on the GPU: `first`, or by doublings, less than twice as many as needed.

    Fewer where so many cannot be enqueued in time: the most that can.
    """
    count, cycles = first, WAIT_CYCLES
    while True:
        found = seconds_each(block, count, cycles)
        if found.launch_bound:
            return max(1, count // 2)
        if found.seconds * count >= seconds:
            return count
        # not as long as the one before, in which something may have been compiled
        count, cycles = 2 * count, cycles_for(2 * found.enqueue_seconds)
