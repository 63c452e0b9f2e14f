"""Products of the forward pass: sums[b][row] += W[row] x[b], over all of k, as LLVM vectors.

A tile's rows times a few sequences have their sums in registers, 16 partial ones each. `totals` adds these up once all
of k is through.
"""

# mypy: disallow-untyped-decorators=False

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.training.lines import ZERO, line, multiply_add, prefetch
from kernels.vector import llvm
from kernels.vector.llvm import FLOATS, I32, LANES, LINE_BYTES, i64


@intrinsic(prefer_literal=True)
def dots(
    _typing: Any, weights: Any, x: Any, x_apart: Any, lines: Any, sums: Any, ahead: Any,
    rows: Any, sequences: Any, passes: Any,
) -> Any:  # fmt: skip
    """Add the products of a tile's `lines` lines (at least 1) with `sequences` sequences to sums[b][16][16].

    weights     address of the tile's first line
    x, x_apart  address of the first sequence's first line, and bytes from a line to the next
    sums        address of the first sequence's first row
    ahead       address of as much memory, to be fetched into the second level by so many `passes` together
    """
    literals = (rows, sequences, passes)
    signature = types.void(*(types.uintp,) * 6, *literals)
    R, B, among = (t.literal_value for t in literals)
    fetched = max(1, R // among)

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        first, given, apart, count, target, beyond = arguments[:6]
        places = [
            llvm.shifted(builder, target, (b * LANES + r) * LINE_BYTES)
            for b in range(B)
            for r in range(R)
        ]

        def turn(number: Any, sums: list[Any]) -> list[Any]:
            start = builder.add(first, builder.mul(number, i64(R * LINE_BYTES)))
            at = builder.add(given, builder.mul(number, apart))
            inputs = [line(builder, at, b) for b in range(B)]
            new = list(sums)
            for r in range(R):
                weight = line(builder, start, r)
                for b in range(B):
                    new[b * R + r] = multiply_add(builder, new[b * R + r], weight, inputs[b])
            prefetch(builder, beyond, number, fetched)
            return new

        before = [llvm.load(builder, place, FLOATS, LINE_BYTES) for place in places]
        for place, total in zip(places, llvm.loop(builder, count, turn, before), strict=True):
            llvm.store(builder, total, place, LINE_BYTES)

    return signature, generate


@intrinsic
def totals(_typing: Any, sums: Any, target: Any) -> Any:
    """Add up the 16 partial sums of each of 16 rows, and leave zeros in their place.

    sums     address of [16][16]
    target   where the 16 totals go

    Two rows become one vector of half the partial sums each, and so on: 15 additions instead of 16 times 15.
    """

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        places = [llvm.shifted(builder, arguments[0], r * LINE_BYTES) for r in range(LANES)]
        left = [llvm.load(builder, place, FLOATS, LINE_BYTES) for place in places]
        for place in places:
            llvm.store(builder, ZERO, place, LINE_BYTES)
        while len(left) > 1:
            half = len(left) // 2
            left = [
                _halved(builder, *pair, half) for pair in zip(left[:half], left[half:], strict=True)
            ]
        llvm.store(builder, left[0], arguments[1], LINE_BYTES)

    return types.void(types.uintp, types.uintp), generate


def _halved(builder: Any, one: Any, other: Any, width: int) -> Any:
    """Of every 2 * width lanes, the lower ones added to the upper: those of the one vector, then those of the other."""
    picked: tuple[list[int], list[int]] = [], []
    for start in range(0, LANES, 2 * width):
        for side, lanes in enumerate(picked):
            mine = range(start + side * width, start + (side + 1) * width)
            lanes.extend([*mine, *(LANES + lane for lane in mine)])
    low, high = (
        builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(I32, LANES), lanes))
        for lanes in picked
    )
    return builder.fadd(low, high)
