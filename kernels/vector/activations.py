"""Activations in the order in which products read them: those of a pass lie side by side for every few neighbours in k.

They are copied in vectors of 16: by single activations, as numba compiles a loop over them, copying took up to 30 % of
a step of an RNN of 512 units (`bench/FINDINGS.md`).
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

    order        what `order_of` says
    target       [pass][block][sequence of the pass][per_block], aligned to 64 bytes
    bytes_each   of one sequence in target: its blocks, `block_bytes` each
    records      a line of 64 bytes for each sequence, where limbs say what their unit is worth; others have none
    most         sequences of the first `full` passes; the `less` others have one less
    element      bytes of a given activation

    The last block of a sequence is filled up with zeros to a multiple of 16; what lies behind is left as it is.
    """
    b = 0
    for turn in range(full + less):
        size = most if turn < full else most - 1
        given, to = source + uintp(b * count * element), target + uintp(b * bytes_each)
        apart = uintp(size * block_bytes)
        if order == _WORDS:
            side_by_side(given, count, to, size, per_block, block_bytes, 4, 4)
        elif order == _PAIRS:
            side_by_side(given, count, to, size, per_block, block_bytes, 2, 2)
        elif order == _WIDENED:
            side_by_side(given, count, to, size, per_block, block_bytes, 2, 4)
        else:
            for one in range(size):
                record = records + uintp((b + one) * LINE_BYTES)
                in_limbs(
                    given + uintp(one * count * element), count, to + uintp(one * block_bytes), apart, record,
                )  # fmt: skip
        b += size


@numba.njit(nogil=True)
def side_by_side(source, count, target, size, per_block, block_bytes, given_bytes, wanted_bytes):
    """Copy activations (size, count) as [block][size][per_block]; zeros fill up the last ones to a multiple of 16."""
    for first in range(0, count, per_block):
        for one in range(size):
            for k in range(first, min(first + per_block, count), LANES):
                copied(
                    source + uintp((one * count + k) * given_bytes), uintp(min(LANES, count - k)),
                    target + uintp((k - first) * wanted_bytes), given_bytes, wanted_bytes,
                )  # fmt: skip
            target += uintp(block_bytes)


@intrinsic(prefer_literal=True)
def copied(
    _typing: Any, source: Any, count: Any, target: Any, given_bytes: Any, wanted_bytes: Any
) -> Any:
    """Copy `count` activations (1 to 16), and zeros behind them up to the 16th.

    One has `given_bytes` and then `wanted_bytes`: 4 and 4, 2 and 2, or 2 and 4, where bfloat16 becomes float32. The
    target is aligned to all that is stored.
    """
    signature = types.void(*(types.uintp,) * 3, given_bytes, wanted_bytes)
    before, after = ({2: HALVES, 4: INTS}[t.literal_value] for t in (given_bytes, wanted_bytes))

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        at, length, to = arguments[:3]

        def put(lanes: Any) -> None:
            if after != before:
                lanes = builder.shl(builder.zext(lanes, after), ints(16))
            llvm.store(builder, lanes, to, LANES * wanted_bytes.literal_value)

        whole = builder.icmp_unsigned("==", length, i64(LANES))
        with builder.if_else(whole, likely=True) as (all_of_them, some):
            with all_of_them:
                put(llvm.load(builder, at, before, given_bytes.literal_value))
            with some:
                put(llvm.masked_load(builder, at, before, length))

    return signature, generate
