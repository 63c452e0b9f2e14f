"""Products of a matrix and one sequence's activations in Triton, gate by gate, so that no weight changes its thread.

A tile of weights is (units, a line): what the 32 threads of a warp load at once, 16 bytes each. So each warp has its
own units, and a sum is one of a warp. Activations are loaded by addresses of the same shape, once for every unit, from
caches that hold them: in a shape of their own the compiler gives them a layout of their own, and passes all weights
through shared memory to meet it.
"""

import triton
import triton.language as tl

LINE_BYTES = 512
"""16 of each of 32 threads."""


@triton.jit
def columns(start, UNITS: tl.constexpr, LINE: tl.constexpr):
    """A line of columns from `start` on, the same for every unit: (units, LINE)."""
    return start + tl.broadcast_to(tl.arange(0, LINE)[None, :], (UNITS, LINE))


@triton.jit
def weights(matrix, units, k, N, H, GATES: tl.constexpr):
    """A tile of each gate's rows of a matrix with N columns, zero outside."""
    found = ()
    inside = (units < H)[:, None] & (k < N)
    for gate in tl.static_range(GATES):
        rows = (gate * H + units).to(tl.int64)[:, None]
        found = found + (tl.load(matrix + rows * N + k, mask=inside, other=0.0),)
    return found


@triton.jit
def nothing(UNITS: tl.constexpr, LINE: tl.constexpr, GATES: tl.constexpr):
    """Sums of each gate before anything is added."""
    found = ()
    for _ in tl.static_range(GATES):
        found = found + (tl.zeros((UNITS, LINE), tl.float32),)
    return found


@triton.jit
def added(sums, w, x, GATES: tl.constexpr):
    """Sums of each gate with the products of a tile."""
    found = ()
    x = x.to(tl.float32)
    for gate in tl.static_range(GATES):
        found = found + (sums[gate] + w[gate].to(tl.float32) * x,)
    return found


@triton.jit
def four(sums, GATES: tl.constexpr):
    """(units, 1) of each of four gates; of those that there are not, zero."""
    s0 = tl.sum(sums[0], axis=1, keep_dims=True)
    s1, s2, s3 = tl.zeros_like(s0), tl.zeros_like(s0), tl.zeros_like(s0)
    if GATES >= 3:
        s1 = tl.sum(sums[1], axis=1, keep_dims=True)
        s2 = tl.sum(sums[2], axis=1, keep_dims=True)
    if GATES == 4:
        s3 = tl.sum(sums[3], axis=1, keep_dims=True)
    return s0, s1, s2, s3


@triton.jit
def product(
    matrix, v, units, first, last, N, H,
    GATES: tl.constexpr, UNITS: tl.constexpr, K: tl.constexpr, LINE: tl.constexpr,
):  # fmt: skip
    """Sums over tiles of K columns, of up to four gates, (units, 1) in float32 each."""
    sums = nothing(UNITS, LINE, GATES)
    for tile in range(first, last):
        for line in tl.static_range(K // LINE):
            k = columns(tile * K + line * LINE, UNITS, LINE)
            x = tl.load(v + k, mask=k < N, other=0)
            sums = added(sums, weights(matrix, units, k, N, H, GATES), x, GATES)
    return four(sums, GATES)


@triton.jit
def rows(s0, s1, s2, s3, SUMS: tl.constexpr, UNITS: tl.constexpr):
    """The sums of one kind after the other: (SUMS * units, 1)."""
    if SUMS == 1:
        found = s0
    else:
        inner = tl.join(tl.join(s0, s2), tl.join(s1, s3))
        found = tl.reshape(tl.permute(inner, (2, 3, 0, 1)), (SUMS * UNITS, 1))
    return found
