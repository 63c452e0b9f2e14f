"""Barrier: what threads that already run need to wait for each other, as sequences do at every step. No bytes.

The barrier is that of `numba_sequence` (`kernels/vector/barrier.py`), many in one parallel region, of which the probe
`call` tells the cost. Nobody has anything to do between two of them, so that all come together.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import prange, uintp

from bench.roofs import CALLS
from kernels.vector import barrier
from kernels.vector.llvm import LINE_BYTES
from kernels.vector.parallel import for_all_threads

SWEPT, TURN = CALLS, 0
KIND, UNIT = "barrier", "s"
IN_A_REGION = 1000


@cache
def _compiled() -> Callable[..., None]:
    @for_all_threads()
    def barriers(memory: Any, threads: Any, count: Any) -> None:
        barrier.cleared(uintp(memory))
        for _thread in prange(threads):
            me, members = barrier.enrolled(uintp(memory), threads)
            if me < members:
                for number in range(1, count + 1):
                    barrier.together(uintp(memory), members, number)

    return barriers


def prepare(threads: int) -> Callable[[int], None]:
    """A function of the number of barriers to wait at."""
    run, memory = _compiled(), np.zeros(barrier.BYTES + LINE_BYTES, np.uint8)
    at = memory.ctypes.data + -memory.ctypes.data % LINE_BYTES

    def wait(count: int) -> None:
        assert memory.size  # alive: what runs knows its address only
        for done in range(0, count, IN_A_REGION):
            run(at, threads, min(IN_A_REGION, count - done))

    return wait


VARIANTS = {"spinning": prepare}
