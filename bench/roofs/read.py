"""Read roof: every byte of a block is loaded once per pass and added up. Bytes: the block's, once per pass. FLOPs: one
addition per 4 bytes, which bounds no machine we know.

Several variants run, and the best counts: no single pattern is the best at every level. Each thread walks its own
contiguous share of a block, rounded down to whole turns of the loop; the bytes given are those really read. A thread
that is done with all its passes takes pieces of those that others have before them, so that a core which somebody else
takes for a while slows the probe down no more than by what it lacks: a step that shares its work out is not faster.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import prange, uintp

from bench.roofs.vector import chunk_bytes, sum_segments
from kernels.compiled import for_all_threads
from kernels.vector_counters import APART, take

if TYPE_CHECKING:
    from collections.abc import Callable

KIND = "read"
UNIT = "byte/s"
PIECE_BYTES = 1 << 20
"""About how many bytes a thread reads between two looks at the counters, which cost some nanoseconds each."""
TOGETHER_BYTES = 4 << 20
"""From so many bytes of a thread on, more than a core's own cache holds, nobody begins a pass before all of the one
before it is taken. Else a thread that is ahead would help with one share alone, and find it in a cache."""


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
    step = chunk // streams

    @for_all_threads(*variant)
    def read(
        address: Any, size: Any, sets: Any, times: Any, threads: Any, passes: Any,
        counters: Any, sums: Any,
    ) -> None:  # fmt: skip
        share = size // threads // chunk * chunk
        turns = share // chunk
        turns_of_piece = min(turns, PIECE_BYTES // chunk)
        pieces = (turns + turns_of_piece - 1) // turns_of_piece
        at_once = max(1, PIECE_BYTES // share)
        in_a_row = times * passes if sets == 1 else times
        of_pass = sets * times * pieces
        last = passes * of_pass
        together = of_pass if share * sets >= TOGETHER_BYTES else last
        for thread in range(threads):
            counters[thread * APART] = 0
        for thread in prange(threads):
            total = np.float32(0)
            limit = 0
            while limit < last:
                limit = min(limit + together, last)
                for other in range(threads):
                    owner = (thread + other) % threads
                    counter = uintp(counters.ctypes.data) + uintp(owner * APART * 8)
                    while take(counter, 0) < limit:
                        number = take(counter, at_once)
                        end = min(number + at_once, last)
                        while number < end:
                            turn, piece = number // pieces, number % pieces
                            begin = piece * turns_of_piece
                            start = turn // times % sets * size + owner * share + begin * step
                            same = (
                                min(end - number, in_a_row - turn % in_a_row) if pieces == 1 else 1
                            )
                            for _ in range(same):
                                total += sum_segments(
                                    uintp(address) + uintp(start),
                                    uintp(share // streams),
                                    uintp(min(turns_of_piece, turns - begin)),
                                    streams,
                                    unroll,
                                    width,
                                    ahead,
                                )
                            number += same
            sums[thread * APART] = total

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
    counters, sums = np.zeros(APART * threads, np.int64), np.zeros(APART * threads, np.float32)
    call = partial(_COMPILED[variant], address, size, sets, times, threads)
    return lambda passes: call(passes, counters, sums)
