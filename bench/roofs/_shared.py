"""How the threads of a memory probe share its passes, of every kind and variant of `bench.roofs._vector`.

A block is cut into as many arrays as the kind has, each thread owns a contiguous share of each, in whole turns of the
variant's loop, and walks it in pieces. A thread that is done with all its passes takes pieces of those that others have
before them, so that a core which somebody else takes for a while slows the probe down no more than by what it lacks: a
step that shares its work out is not faster. Only a share that is stored to and that a core's own cache may hold is
walked by its owner alone: two cores that store to the same lines take them from each other, and are slower than one.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from numba import prange, uint32, uintp

from bench.roofs._vector import ARRAYS, READ, VARIANTS, Variant, walk
from kernels.vector.parallel import APART, for_all_threads, take

PIECE_BYTES = 1 << 20
"""About how many bytes a thread moves between two looks at the counters, which cost some nanoseconds each."""
TOGETHER_BYTES = 4 << 20
"""From so many bytes of a thread on, more than a core's own cache holds, nobody begins a pass before all of the one
before it is taken. Else a thread that is ahead would help with one share alone, and find it in a cache."""


@cache
def compiled(kind: str) -> Callable[..., None]:
    """All variants of a kind in one function, which is told by number which one it is to be."""
    arrays, stores = ARRAYS[kind], kind != READ

    @for_all_threads(kind)
    def passes_of(
        which: Any, chunk: Any, streams: Any, address: Any, size: Any, sets: Any, times: Any,
        threads: Any, passes: Any, counters: Any, sums: Any,
    ) -> None:  # fmt: skip
        share = size // arrays // threads // chunk * chunk
        turns = share // chunk
        turns_of_piece = max(1, min(turns, PIECE_BYTES // (chunk * arrays)))
        pieces = (turns + turns_of_piece - 1) // turns_of_piece
        at_once = max(1, PIECE_BYTES // (share * arrays))
        in_a_row = times * passes if sets == 1 else times
        of_pass = sets * times * pieces
        last = passes * of_pass
        large = share * arrays * sets >= TOGETHER_BYTES
        together = of_pass if large else last
        helped = 1 if stores and not large else threads
        value = uint32((passes % 255 + 1) * 0x01010101)
        for thread in range(threads):
            counters[thread * APART] = 0
        for thread in prange(threads):
            total = np.float32(0)
            limit = 0
            while limit < last:
                limit = min(limit + together, last)
                for other in range(helped):
                    owner = (thread + other) % threads
                    counter = uintp(counters.ctypes.data) + uintp(owner * APART * 8)
                    while take(counter, 0) < limit:
                        number = take(counter, at_once)
                        end = min(number + at_once, last)
                        while number < end:
                            turn, piece = number // pieces, number % pieces
                            begin = piece * turns_of_piece
                            start = turn // times % sets * size + owner * share
                            same = (
                                min(end - number, in_a_row - turn % in_a_row) if pieces == 1 else 1
                            )
                            total += walk(
                                kind,
                                which,
                                uintp(address) + uintp(start + begin * (chunk // streams)),
                                uintp(share // streams),
                                uintp(share * threads),
                                uintp(min(turns_of_piece, turns - begin)),
                                uintp(same),
                                value,
                            )
                            number += same
            sums[thread * APART] = total

    return passes_of


def bytes_per_pass(
    kind: str, variant: Variant, size: int, threads: int, sets: int = 1, times: int = 1
) -> int:
    """Bytes a pass over `sets` blocks of `size` bytes really moves, in whole turns; 0 for too small a block."""
    arrays, chunk = ARRAYS[kind], variant.chunk_bytes
    return size // arrays // threads // chunk * chunk * threads * arrays * sets * times


def prepare(
    kind: str,
    variant: Variant,
    address: int,
    size: int,
    threads: int,
    sets: int = 1,
    times: int = 1,
) -> Callable[[int], None]:
    """A function of the number of passes over `sets` blocks of `size` bytes, one behind the other from `address`.

    A pass goes over each block `times` times in a row. The threads share each block, but wait for one another only
    after the last pass. Raises ValueError for too small a block.
    """
    if not bytes_per_pass(kind, variant, size, threads):
        raise ValueError(
            f"{size} bytes are too few for {threads} threads of the {kind} probe's {variant.name}"
        )
    which = VARIANTS[kind].index(variant)
    counters, sums = np.zeros(APART * threads, np.int64), np.zeros(APART * threads, np.float32)
    call = partial(
        compiled(kind), which, variant.chunk_bytes, variant.streams, address, size, sets, times
    )
    return lambda passes: call(threads, passes, counters, sums)


def probe(
    kind: str,
) -> tuple[str, str, tuple[Variant, ...], Callable[..., int], Callable[..., Callable[[int], None]]]:
    """KIND, UNIT, VARIANTS, `bytes_per_pass` and `prepare` of a kind's module.

    These are those above but for the kind: of a variant, a block's size and a number of threads, and of a variant, an
    address, a block's size and a number of threads; then of how many blocks, each how many times in a row, as a
    training step reads its weights, which finds small ones in a cache again.
    """
    return (
        kind,
        "byte/s",
        VARIANTS[kind],
        partial(bytes_per_pass, kind),
        partial(prepare, kind),
    )
