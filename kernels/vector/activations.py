"""Activations in the order in which products read them: those of a pass lie side by side for every few neighbours in k.

They are copied in vectors of 16. A loop over single ones, as numba compiles it, took 36 ns for a line of 64 bytes on a
Cascade Lake, a fourth to a half of a step of an RNN at batch 16 and more; vectors take 3 to 7 ns.
"""

from typing import Any

import numba
from numba import types, uintp
from numba.extending import intrinsic

from kernels.vector import llvm
from kernels.vector.limbs import in_limbs
from kernels.vector.llvm import HALVES, INTS, LANES, LINE_BYTES, i64, ints

_WORDS, _PAIRS, _LIMBS, _WIDENED = range(4)
_ORDERS = {
    "float32": _WORDS,
    "bfloat16": _WORDS,
    "int8": _WORDS,
    "bfloat16 pairs": _PAIRS,
    "int8 limbs": _LIMBS,
}


def order_of(kind: str, activations: str) -> int:
    """How a kind of product wants activations of this dtype: a number for `arrange`; one function serves all."""
    return _WIDENED if kind == activations == "bfloat16" else _ORDERS[kind]


@numba.njit(nogil=True)
def arrange(
    order, source, target, bytes_each, records, count, most, full, less, element, per_block, block_bytes,
):  # fmt: skip
    """Bring activations (B, count) into the order in which the products read them, pass by pass.

    The last block of a sequence is filled up with zeros to a multiple of 16; what lies behind is left as it is.
    """
    b = 0
    for turn in range(full + less):
        size = most if turn < full else most - 1
        given, to = source + uintp(b * count * element), target + uintp(b * bytes_each)
        apart = uintp(size * block_bytes)
        if order == _WORDS:
            _copy(given, count, to, size, per_block, block_bytes, 4, 4)
        elif order == _PAIRS:
            _copy(given, count, to, size, per_block, block_bytes, 2, 2)
        elif order == _WIDENED:
            _copy(given, count, to, size, per_block, block_bytes, 2, 4)
        else:
            for one in range(size):
                record = records + uintp((b + one) * LINE_BYTES)
                in_limbs(
                    given + uintp(one * count * element), count, to + uintp(one * block_bytes), apart, record,
                )  # fmt: skip
        b += size


@numba.njit(nogil=True)
def _copy(source, count, target, size, per_block, block_bytes, given, wanted):
    """The activations of a pass of `size` sequences, in blocks of `per_block` of each."""
    for first in range(0, count, per_block):
        for one in range(size):
            for k in range(first, min(first + per_block, count), LANES):
                copied(
                    source + uintp((one * count + k) * given), uintp(min(LANES, count - k)),
                    target + uintp((k - first) * wanted), given, wanted,
                )  # fmt: skip
            target += uintp(block_bytes)


@intrinsic(prefer_literal=True)
def copied(_typing: Any, source: Any, count: Any, target: Any, given: Any, wanted: Any) -> Any:
    """Copy `count` activations (1 to 16), and zeros behind them up to the 16th.

    `given` and `wanted` are bytes of one: 4 and 4, 2 and 2, or 2 and 4, where bfloat16 becomes float32.
    """
    signature = types.void(*(types.uintp,) * 3, given, wanted)
    before, after = ({2: HALVES, 4: INTS}[t.literal_value] for t in (given, wanted))

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        at, length, to = arguments[:3]

        def put(lanes: Any) -> None:
            if after != before:
                lanes = builder.shl(builder.zext(lanes, after), ints(16))
            llvm.store(builder, lanes, to, LANES * wanted.literal_value)

        whole = builder.icmp_unsigned("==", length, i64(LANES))
        with builder.if_else(whole, likely=True) as (all_of_them, some):
            with all_of_them:
                put(llvm.load(builder, at, before, given.literal_value))
            with some:
                put(llvm.masked_load(builder, at, before, length))

    return signature, generate
