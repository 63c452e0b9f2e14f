"""Lines: activations and their gradients as the products of a training step read them, `[lines][sequences][16]`.

Weights lie in tiles of a few rows, `[lines][rows][16]`: for every 16 elements k the rows of a tile lie behind one
another, so that memory is read, and gradients are written, from front to back. Addresses are aligned to 64 bytes.
"""

# mypy: disallow-untyped-decorators=False

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.vector import llvm
from kernels.vector.llvm import FLOATS, LANES, LINE_BYTES, i64

ZERO = ir.Constant(FLOATS, [0.0] * LANES)


def rows() -> int:
    """Of a tile here: the most whose weights and gradients fit into registers, beside x, dx and one more."""
    known, each = llvm.registers()
    return next(R for R in (8, 4, 2, 1) if known // each >= 2 * R + 3 or R == 1)


def sequences(tile_rows: int) -> int:
    """The most, up to 3, whose sums with so many rows fit into registers, beside their x and one line of weights."""
    known, each = llvm.registers()
    return max(1, min(3, (known // each - 1) // (tile_rows + 1)))


def line(builder: Any, address: Any, number: int) -> Any:
    return llvm.load(
        builder, llvm.shifted(builder, address, number * LINE_BYTES), FLOATS, LINE_BYTES
    )


def multiply_add(builder: Any, total: Any, one: Any, other: Any) -> Any:
    product = builder.fmul(one, other, flags=("contract",))
    return builder.fadd(total, product, flags=("contract",))


def prefetch(builder: Any, address: Any, number: Any, lines: int) -> None:
    """So many lines of memory, those of the turn `number`."""
    start = builder.add(address, builder.mul(number, i64(lines * LINE_BYTES)))
    for line in range(lines):
        llvm.prefetch(builder, llvm.shifted(builder, start, line * LINE_BYTES))


@intrinsic
def gather(_typing: Any, parts: Any, apart: Any, threads: Any, target: Any, count: Any) -> Any:
    """Store the first `count` (1 to 16) elements of a line that every thread has its part of: the parts' sum.

    parts, apart   address of the first thread's line, and bytes to the next thread's
    """

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        parts, apart, threads, target, count = arguments

        def add(number: Any, total: list[Any]) -> list[Any]:
            at = builder.add(parts, builder.mul(number, apart))
            return [builder.fadd(total[0], line(builder, at, 0))]

        (total,) = llvm.loop(builder, threads, add, [ZERO])
        llvm.masked_store(builder, total, target, count)

    return types.void(*(types.uintp,) * 5), generate
