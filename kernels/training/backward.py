"""Products of the backward pass, as LLVM vectors: gradients of a tile's weights, and what its rows give to that of x.

Of one line, the weights and the gradients of all rows stay in registers, while sequence after sequence brings its x and
its dx: dW[row] += d[b][row] x[b] and dx[b] += d[b][row] W[row], two multiply-adds for each element of d that is loaded.
So weights are read once and gradients stored once, whatever the batch.
"""

# mypy: disallow-untyped-decorators=False

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.training.lines import ZERO, line, multiply_add, prefetch
from kernels.vector import llvm
from kernels.vector.llvm import F32, I32, LINE_BYTES, i64


@intrinsic(prefer_literal=True)
def back(
    _typing: Any, weights: Any, gradients: Any, x: Any, dx: Any, d: Any, lines: Any, batch: Any,
    ahead: Any, rows: Any, around: Any,
) -> Any:  # fmt: skip
    """Write a tile's gradients of `lines` lines (at least 1), and add what its rows give to that of x.

    weights, gradients  addresses of the tile's first line, in either
    x, dx               addresses of [lines][batch][16]
    d                   address of the gradients of the rows' sums: [batch][16], of which `rows` are read
    ahead               bytes of weights prefetched ahead; 0: none
    around              1 to store gradients past the caches
    """
    literals = (rows, around)
    signature = types.void(*(types.uintp,) * 8, *literals)
    R, past = (t.literal_value for t in literals)

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        weights_at, gradients_at, x_at, dx_at, d_at, count, batch, distance = arguments[:8]
        step = builder.mul(batch, i64(LINE_BYTES))

        def turn(number: Any, nothing: list[Any]) -> list[Any]:
            offset = builder.mul(number, i64(R * LINE_BYTES))
            start = builder.add(weights_at, offset)
            weights = [line(builder, start, r) for r in range(R)]
            with builder.if_then(builder.icmp_unsigned("!=", distance, i64(0))):
                prefetch(builder, builder.add(start, distance), i64(0), R)
            here = builder.mul(number, step)
            x_here, dx_here = builder.add(x_at, here), builder.add(dx_at, here)

            def sequence(b: Any, gradients: list[Any]) -> list[Any]:
                at = builder.mul(b, i64(LINE_BYTES))
                given = line(builder, builder.add(x_here, at), 0)
                place, of_b = builder.add(dx_here, at), builder.add(d_at, at)
                of_x, new = line(builder, place, 0), []
                for r in range(R):
                    one = llvm.load(builder, llvm.shifted(builder, of_b, 4 * r), F32, 4)
                    one = llvm.splat(builder, one)
                    new.append(multiply_add(builder, gradients[r], one, given))
                    of_x = multiply_add(builder, of_x, one, weights[r])
                llvm.store(builder, of_x, place, LINE_BYTES)
                return new

            found = llvm.loop(builder, batch, sequence, [ZERO] * R)
            there = builder.add(gradients_at, offset)
            for r in range(R):
                _store(builder, found[r], llvm.shifted(builder, there, r * LINE_BYTES), past=past)
            return nothing

        llvm.loop(builder, count, turn, [])

    return signature, generate


def _store(builder: Any, value: Any, address: Any, *, past: int) -> None:
    store = builder.store(value, builder.inttoptr(address, value.type.as_pointer()))
    store.align = LINE_BYTES
    if past:
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(I32, 1)]))
