"""float32 activations as int8 limbs, for integer dot products with int8 weights: a sequence's share one unit."""

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import carray, types, uintp
from numba.extending import intrinsic

from kernels.vector import llvm
from kernels.vector.llvm import BYTES, FLOATS, I32, INTS, LANES, i64, ints
from kernels.vector.parallel import pointer

LIMBS = 2
"""Limbs of an activation, each -128 to 127: it is 256 times the high one and the low one."""
BLOCK = 64
"""Neighbours of one sequence whose limbs lie side by side: 16 groups of 4."""
LARGEST = 127 * 256
"""What the largest activation of a sequence becomes: the others are off by half a unit, 2**-16 of it."""
MOST_TERMS = 1 << 16
"""Terms that a sum of limbs may have: each is at most 2**14, and their sum must fit 32 bits."""
LEAST_LARGEST = 1e-30
"""Of a sequence's activations, for limbs of them: the inverse of a unit is well within float32."""


@numba.njit(nogil=True)
def in_limbs(source, count, target, apart, record):
    """One sequence in limbs; into its record what a unit is worth, and 128 times the sums of both limbs.

    Where they go, `split` says. An infinity, or what is no number, makes the unit none and thereby the sequence's whole
    new state. Activations that are all below LEAST_LARGEST count as 0.
    """
    largest = np.int32(largest_bits(source, uintp(count))).view(np.float32)
    usable = LEAST_LARGEST <= largest < np.inf
    per_unit = np.float32(LARGEST) / largest if usable else np.float32(0)
    high, low = split(source, uintp(count), per_unit, target, uintp(apart))
    worth = largest / np.float32(LARGEST)
    carray(pointer(record, np.float32), (1,))[0] = worth if largest < np.inf else np.nan
    excess = carray(pointer(record, np.int32), (3,))
    excess[1], excess[2] = 128 * high, 128 * low


@intrinsic
def largest_bits(_typing: Any, floats: Any, count: Any) -> Any:
    """The bits of the largest of `count` floats without their signs; what is not a number is above infinity."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        at, length = arguments

        def line(number: Any, carried: list[Any]) -> list[Any]:
            given = builder.and_(_line(builder, at, length, number, INTS), ints(0x7FFFFFFF))
            return [llvm.call(builder, f"llvm.smax.v{LANES}i32", INTS, [*carried, given])]

        (all_lanes,) = llvm.loop(builder, _lines(builder, length), line, [ints(0)])
        return llvm.call(builder, f"llvm.vector.reduce.smax.v{LANES}i32", I32, [all_lanes])

    return types.int32(types.uintp, types.uintp), generate


@intrinsic
def split(_typing: Any, floats: Any, count: Any, per_unit: Any, target: Any, apart: Any) -> Any:
    """`count` floats (at least 1), times `per_unit`, as LIMBS signed 8-bit limbs.

    BLOCK high limbs and behind them as many low ones go to target, aligned to 16 bytes, to target + apart, ... The last
    ones are filled up with zeros to a multiple of 16; what lies behind is left as it is. Returns the sums of the high
    and of the low limbs. What is not a number counts as 0; any other product is to be within LARGEST, for the
    conversion is undefined beyond 32 bits. LLVM's, which is defined there too, takes one number after the other.
    """
    sums_type = types.UniTuple(types.int32, LIMBS)
    signature = sums_type(types.uintp, types.uintp, types.float32, types.uintp, types.uintp)

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        at, length, factor, to, distance = arguments
        factors = llvm.splat(builder, factor)
        per_block = i64(BLOCK // LANES)

        def line(number: Any, carried: list[Any]) -> list[Any]:
            scaled = builder.fmul(_line(builder, at, length, number, FLOATS), factors)
            even = llvm.call(builder, f"llvm.rint.v{LANES}f32", FLOATS, [scaled])
            number_only = builder.select(
                builder.fcmp_ordered("ord", even, even), even, ir.Constant(FLOATS, [0.0] * LANES)
            )
            whole = builder.fptosi(number_only, INTS)
            high = builder.ashr(builder.add(whole, ints(128)), ints(8))
            low = builder.sub(whole, builder.shl(high, ints(8)))
            block = builder.mul(builder.udiv(number, per_block), distance)
            of_block = builder.mul(builder.urem(number, per_block), i64(LANES))
            first = builder.add(builder.add(to, block), of_block)
            sums = []
            for limb, (lanes, total) in enumerate(zip((high, low), carried, strict=True)):
                place = builder.add(first, i64(limb * BLOCK))
                llvm.store(builder, builder.trunc(lanes, BYTES), place, LANES)
                sums.append(builder.add(total, lanes))
            return sums

        totals = llvm.loop(builder, _lines(builder, length), line, [ints(0)] * LIMBS)
        name = f"llvm.vector.reduce.add.v{LANES}i32"
        sums = [llvm.call(builder, name, I32, [lanes]) for lanes in totals]
        return context.make_tuple(builder, sums_type, sums)

    return signature, generate


def _lines(builder: Any, count: Any) -> Any:
    """How many vectors of 16 hold so many."""
    return builder.udiv(builder.add(count, i64(LANES - 1)), i64(LANES))


def _line(builder: Any, at: Any, count: Any, number: Any, kind: Any) -> Any:
    """Vector `number` of `count` 32-bit words, zeros behind the last one."""
    done = builder.mul(number, i64(LANES))
    place = builder.add(at, builder.mul(done, i64(4)))
    return llvm.masked_load(builder, place, kind, builder.sub(count, done))
