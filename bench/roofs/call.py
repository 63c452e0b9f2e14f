"""Call floor: an empty parallel region, the least that a call with all its threads can cost. No bytes, no FLOPs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numba
from numba import prange

if TYPE_CHECKING:
    from collections.abc import Callable

KIND = "call"
UNIT = "s"


@cache
def _compiled() -> Callable[..., None]:
    @numba.njit(parallel=True, nogil=True, cache=True)
    def region(threads: Any, out: Any) -> None:
        for thread in prange(threads):
            out[thread * 16] = 1.0

    return region


def prepare(threads: int) -> Callable[[int], None]:
    """A function of the number of regions to run one after another."""
    import numpy as np

    region, out = _compiled(), np.zeros(16 * threads, np.float32)

    def run(count: int) -> None:
        for _ in range(count):
            region(threads, out)

    return run
