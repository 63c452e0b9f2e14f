"""Read roof: every byte of a block is loaded once per pass and added up. Bytes: the block's, once per pass. FLOPs: one
addition per 4 bytes, which bounds no machine we know.

Several variants run, and the best counts: no single pattern is the best at every level. Each thread walks its own
contiguous share of a block, rounded down to whole turns of the loop; the bytes given are those really read.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import prange, uintp

from bench.roofs.vector import chunk_bytes, sum_segments
from kernels.compiled import for_all_threads

if TYPE_CHECKING:
    from collections.abc import Callable

KIND = "read"
UNIT = "byte/s"


class Variant(NamedTuple):
    """How a pass walks: segments side by side, vectors of each in flight, floats per vector, bytes prefetched ahead."""

    streams: int
    unroll: int
    width: int
    ahead: int

    @property
    def name(self) -> str:
        """As a profile states it: `2x4x16` or, with prefetching, `4x2x16+2048`."""
        return f"{self.streams}x{self.unroll}x{self.width}" + (
            f"+{self.ahead}" if self.ahead else ""
        )


VARIANTS = (
    Variant(1, 8, 16, 0),
    Variant(2, 4, 16, 0),
    Variant(4, 4, 16, 0),
    Variant(1, 8, 8, 0),
    Variant(4, 4, 8, 0),
    Variant(4, 2, 16, 2048),
)


def _compile(variant: Variant) -> Callable[..., None]:
    streams, unroll, width, ahead = variant
    chunk = chunk_bytes(streams, unroll, width)

    @for_all_threads(*variant)
    def read(
        address: Any, size: Any, sets: Any, times: Any, threads: Any, passes: Any, sums: Any
    ) -> None:
        for thread in prange(threads):
            share = size // threads // chunk * chunk
            total = np.float32(0)
            for _ in range(passes):
                for turn in range(sets * times):
                    one = turn // times
                    start = uintp(address) + uintp(one * size + thread * share)
                    total += sum_segments(
                        start,
                        uintp(share // streams),
                        uintp(share // chunk),
                        streams,
                        unroll,
                        width,
                        ahead,
                    )
            sums[thread * 16] = total

    return read


_COMPILED: dict[Variant, Callable[..., None]] = {}


def bytes_per_pass(variant: Variant, size: int, threads: int, sets: int = 1, times: int = 1) -> int:
    """Bytes a pass over `sets` blocks of `size` bytes really reads, in whole turns; 0 for too small a block."""
    chunk = chunk_bytes(variant.streams, variant.unroll, variant.width)
    return size // threads // chunk * chunk * threads * sets * times


def prepare(
    variant: Variant, address: int, size: int, threads: int, sets: int = 1, times: int = 1
) -> Callable[[int], None]:
    """A function of the number of passes over `sets` blocks of `size` bytes, one behind the other from `address`.

    A pass reads each block `times` times in a row, as a training step does, who finds a small one in a cache again. The
    threads share each block, as they must share one step's weights, but wait for one another only after the last
    pass. Raises ValueError for too small a block.
    """
    if not bytes_per_pass(variant, size, threads):
        msg = f"{size} bytes are too few for {threads} threads of variant {variant.name}"
        raise ValueError(msg)
    if variant not in _COMPILED:
        _COMPILED[variant] = _compile(variant)
    sums = np.zeros(16 * threads, np.float32)
    call = partial(_COMPILED[variant], address, size, sets, times, threads)
    return lambda passes: call(passes, sums)
