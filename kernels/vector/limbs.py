"""float32 activations as int8 limbs, for integer dot products with int8 weights: a sequence's share one unit."""

from typing import Any

import numba
import numpy as np
from numba import carray, types, uintp
from numba.extending import intrinsic

from kernels.vector import llvm
from kernels.vector.llvm import BYTES, FLOATS, I32, I64, INTS, LANES, i64, ints
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
"""Of a sequence's activations, for limbs of them."""


@numba.njit(nogil=True)
def in_limbs(source, count, target, apart, record):
    """One sequence in limbs; into its record what a unit is worth, and 128 times the sums of both limbs.

    BLOCK bytes of the high limbs and as many of the low ones go to target, target + apart, ... The last ones are filled
    up with zeros to a multiple of 16; what lies behind is left as it is. An infinity, or what is no number, makes the
    unit none and thereby the sequence's whole new state. Activations that are all too small for a unit to have an
    inverse count as 0.
    """
    bits = np.int32(_largest(carray(pointer(source, np.int32), (count,))))
    largest = bits.view(np.float32)
    usable = LEAST_LARGEST <= largest < np.inf
    per_unit = np.float32(LARGEST) / largest if usable else np.float32(0)
    high_sum, low_sum = 0, 0
    for k in range(0, count, LANES):
        at = target + uintp(k // BLOCK) * uintp(apart) + uintp(k % BLOCK)
        high, low = split(source + uintp(k * 4), min(LANES, count - k), per_unit, at, uintp(BLOCK))
        high_sum += high
        low_sum += low
    worth = largest / np.float32(LARGEST)
    carray(pointer(record, np.float32), (1,))[0] = worth if largest < np.inf else np.nan
    excess = carray(pointer(record, np.int32), (3,))
    excess[1], excess[2] = 128 * high_sum, 128 * low_sum


@numba.njit(nogil=True)
def _largest(bits):
    """The bits of the largest of these floats without their signs; no number is above infinity."""
    largest = np.int32(0)
    for k in range(len(bits)):
        largest = max(largest, bits[k] & np.int32(0x7FFFFFFF))
    return largest


@intrinsic(prefer_literal=True)
def split(_typing: Any, floats: Any, count: Any, per_unit: Any, target: Any, apart: Any) -> Any:
    """`count` floats (1 to 16), times `per_unit`, as LIMBS signed 8-bit limbs; zeros follow up to the 16th.

    The high limbs go to target, the low ones to target + apart, 16 of each. Returns the sums of the high and of the low
    limbs. What is not a number counts as 0.
    """
    signature = types.UniTuple(types.int64, LIMBS)(
        types.uintp, types.int64, types.float32, types.uintp, types.uintp
    )

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at, length, factor, to, distance = arguments
        given = llvm.masked_load(builder, at, FLOATS, length)
        scaled = builder.fmul(given, llvm.splat(builder, factor))
        even = llvm.call(builder, f"llvm.rint.v{LANES}f32", FLOATS, [scaled])
        whole = llvm.call(builder, f"llvm.fptosi.sat.v{LANES}i32.v{LANES}f32", INTS, [even])
        high = builder.ashr(builder.add(whole, ints(128)), ints(8))
        low = builder.sub(whole, builder.shl(high, ints(8)))
        sums = []
        for limb, lanes in enumerate((high, low)):
            place = builder.add(to, builder.mul(distance, i64(limb)))
            llvm.store(builder, builder.trunc(lanes, BYTES), place, LANES)
            total = llvm.call(builder, f"llvm.vector.reduce.add.v{LANES}i32", I32, [lanes])
            sums.append(builder.sext(total, I64))
        return context.make_tuple(builder, signature.return_type, sums)

    return signature, generate
