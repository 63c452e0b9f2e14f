"""Arithmetic roof: large products by PyTorch's library, and small ones out of registers and the first cache.

The best counts, per dtype. A library's product must be packed and blocked, and on some processors the library is not at
home; the step kernels' own inner loop (`kernels/vector/products.py`) over a tile of weights that stays in the first
cache shows what the multipliers give. Its int8 weights meet activations in 2 limbs of 8 bits, which count as one
activation.

FLOPs: 2*M*N*K. Bytes: matrices that the caches reuse; no memory is in the way.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from numba import prange, uintp

from bench.roofs import PRODUCTS
from bench.roofs._product import Shape, factors
from kernels.reference.inputs import TORCH_DTYPES, Arena
from kernels.vector.cuts import most
from kernels.vector.llvm import LANES, LINE_BYTES, registers
from kernels.vector.parallel import APART, for_all_threads, take
from kernels.vector.products import DEPTH, limbs, products, runs

SWEPT, TURN = PRODUCTS, 0
KIND, UNIT = "matmul", "flop/s"

TURNS = 64
"""Length of a tile in lines of weights: 16 KiB at 4 vectors side by side."""
REPEATS = 256
"""Products of a tile per call and thread, so that the call itself does not count."""
AT_ONCE = 16
"""Products between two looks at a counter, of which each thread has its own: one for all would be fought for by many
threads, every 5 us by each. Who is done takes of what others have left, as a step does with its last blocks."""
DTYPES = {"float32": "float32", "bfloat16": "bfloat16 pairs", "int8": "int8 limbs"}
"""What is multiplied, and by which of the step kernels' products a tile is."""
MOST_SEQUENCES = 16
"""Of a tile: more than any registers hold."""


class Tile(NamedTuple):
    """Our product of a tile of `vectors` x 16 rows with `batch` sequences, from the first cache."""

    vectors: int
    batch: int

    @property
    def name(self) -> str:
        """As a profile states it."""
        return f"tile {self.vectors * LANES}x{self.batch}"


SHAPES = (
    Shape(768, 768, 768),
    Shape(1024, 1024, 1024),
    Shape(512, 2048, 1024),
    Shape(512, 1024, 2048),
)


def tile(dtype: str) -> Tile:
    """The tile of the steps that loads the least beside its multiply-adds: as many sums as the registers hold.

    Where another thread uses the same core, instructions are what both share: 4 x 4 sums gave 0.76 of what 4 x 6 gave.
    """
    lines = 4 if registers()[1] == 1 else 1
    return Tile(lines, most(DTYPES[dtype], lines, MOST_SEQUENCES))


def variants(dtype: str) -> tuple[Shape | Tile, ...]:
    """What can be multiplied in this dtype here."""
    own = (tile(dtype),) if runs(DTYPES[dtype]) else ()
    return own if dtype == "int8" else (*SHAPES, *own)


def flops(variant: Shape | Tile, dtype: str, threads: int) -> int:
    """FLOPs of one call: a library's product, or every thread's products of a tile."""
    if isinstance(variant, Shape):
        return variant.flops
    of_line = variant.vectors * LANES * DEPTH[DTYPES[dtype]] * variant.batch
    return 2 * of_line * TURNS * REPEATS * threads


def prepare(variant: Shape | Tile, dtype: str) -> Callable[[int], None]:
    """A function of the number of calls. Operands are random, in memory of their own."""
    if isinstance(variant, Tile):
        return _tile(variant, dtype)
    left, right = factors(variant, TORCH_DTYPES[dtype], "cpu")
    out = torch.empty(variant.M, variant.N, dtype=left.dtype)

    def run(count: int) -> None:
        for _ in range(count):
            torch.mm(left, right, out=out)

    return run


def _tile(variant: Tile, dtype: str) -> Callable[[int], None]:
    threads = numba.get_num_threads()
    call = _compile(variant, DTYPES[dtype])
    sums_each = variant.batch * limbs(DTYPES[dtype])
    weights = TURNS * variant.vectors * LINE_BYTES
    inputs = TURNS * sums_each * 4  # of every kind here a group is 4 bytes
    sums = sums_each * variant.vectors * LINE_BYTES
    each = -(-(weights + inputs + sums) // 4096) * 4096
    memory = Arena(threads * each, "cpu", 0)
    counters = np.zeros(APART * threads, np.int64)
    return lambda count: call(memory.address, each, weights, inputs, threads, count, counters)


@cache
def _compile(variant: Tile, kind: str) -> Callable[..., None]:
    vectors, batch = variant

    @for_all_threads(*variant, kind)
    def multiply(
        start: Any, each: Any, weights: Any, inputs: Any, threads: Any, count: Any, counters: Any
    ) -> None:
        for thread in range(threads):
            counters[thread * APART] = 0
        for thread in prange(threads):
            at = uintp(start) + uintp(thread * each)
            x, sums = at + uintp(weights), at + uintp(weights + inputs)
            for other in range(threads):
                owner = (thread + other) % threads
                counter = uintp(counters.ctypes.data) + uintp(owner * APART * 8)
                while take(counter, AT_ONCE) < count * REPEATS:
                    for _ in range(AT_ONCE):
                        products(
                            at, uintp(0), uintp(0), x, uintp(TURNS), sums, uintp(0), uintp(0), uintp(0),
                            kind, vectors, batch, 1, vectors, 0, 0,
                        )  # fmt: skip

    return multiply
