"""Call floor: an empty parallel region, the least that a call with all its threads can cost. No bytes, no FLOPs."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import prange

from bench.roofs import CALLS
from kernels.vector.parallel import for_all_threads

SWEPT, TURN = CALLS, 1
KIND, UNIT = "call", "s"


@cache
def _compiled() -> Callable[..., None]:
    @for_all_threads()
    def region(threads: Any, out: Any) -> None:
        for thread in prange(threads):
            out[thread * 16] = 1.0

    return region


def prepare(threads: int) -> Callable[[int], None]:
    """A function of the number of regions to run one after another."""
    region, out = _compiled(), np.zeros(16 * threads, np.float32)

    def run(count: int) -> None:
        for _ in range(count):
            region(threads, out)

    return run


VARIANTS = {"empty parallel region": prepare}


@cache
def _roll_call() -> Callable[..., None]:
    @for_all_threads()
    def roll_call(threads: Any, out: Any) -> None:
        for thread in prange(threads):
            out[thread] = numba.get_thread_id()

    return roll_call


def workers(threads: int) -> int:
    """How many threads really share a region over `threads`: a limit of OpenMP makes them fewer and says nothing."""
    found = 0
    for _ in range(20):  # a thread that is late may find its share taken
        out = np.zeros(threads, np.int64)
        _roll_call()(threads, out)
        found = max(found, len(set(out.tolist())))
    return found
