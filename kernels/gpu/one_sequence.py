"""Products of a matrix and one sequence's activations in Triton, gate by gate, each weight in one thread.

A gate's tile of weights is (units, k): a line of k is what the 32 threads of a warp load at once, 16 bytes each. So
each warp has its own units, and a sum is one of a warp. A step's tiles pass through shared memory, which many copies
may fill at once (`product`). What stays in registers (`weights`) is loaded by addresses of the activations' shape, too:
in a shape of their own the compiler gives these a layout of their own, and passes all weights through shared memory.
"""

import triton
import triton.language as tl

from kernels.gpu.gates import of_tile

LINE_BYTES = 512
"""16 of each of 32 threads."""
INTERPRETED = triton.knobs.runtime.interpret
PAIRS = (
    ("bfloat16", "bfloat16"),
    ("bfloat16", "float32"),
    ("float16", "float16"),
    *(() if INTERPRETED else (("float8", "bfloat16"), ("int8", "float32"))),
)
"""Of weights and activations that are taken from words of two. Triton's interpreter knows no instructions by name."""


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
def of_pairs(pairs, dtype: tl.constexpr):
    """The two numbers of each word in float32, the one at the lower address first: 16 bits of one of 8, or twice that.

    bfloat16 and float16 take one instruction each, float8 one and a half, by way of float16. int8 takes two: its byte
    with the sign turned is the end of the mantissa of 2**23 + 128 + it.
    """
    if dtype == tl.float32:
        lower = pairs.to(tl.int32).to(tl.float32, bitcast=True)
        upper = (pairs >> 32).to(tl.int32).to(tl.float32, bitcast=True)
    elif dtype == tl.bfloat16:
        lower = (pairs << 16).to(tl.float32, bitcast=True)
        upper = (pairs & -65536).to(tl.float32, bitcast=True)
    elif dtype == tl.float16:
        lower = pairs.to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)
        upper = (pairs >> 16).to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)
    elif dtype == tl.int8:
        lower, upper = tl.inline_asm_elementwise(
            """{
                .reg .b32 turned;
                xor.b32 turned, $4, 0x80808080;
                prmt.b32 $0, turned, 0x4B000000, 0x7440;
                prmt.b32 $1, turned, 0x4B000000, 0x7442;
                prmt.b32 $2, turned, 0x4B000000, 0x7441;
                prmt.b32 $3, turned, 0x4B000000, 0x7443;
            }""",
            "=r,=r,=r,=r,r", [pairs], (tl.float32, tl.float32), is_pure=True, pack=2,
        )  # fmt: skip
        lower, upper = lower - 8388736.0, upper - 8388736.0
    else:
        lower, upper = tl.inline_asm_elementwise(
            """{
                .reg .b16 first, second, a, b, c, d;
                .reg .b32 two, more;
                mov.b32 {first, second}, $4;
                cvt.rn.f16x2.e4m3x2 two, first;
                cvt.rn.f16x2.e4m3x2 more, second;
                mov.b32 {a, b}, two;
                mov.b32 {c, d}, more;
                cvt.f32.f16 $0, a;
                cvt.f32.f16 $1, c;
                cvt.f32.f16 $2, b;
                cvt.f32.f16 $3, d;
            }""",
            "=r,=r,=r,=r,r", [pairs], (tl.float32, tl.float32), is_pure=True, pack=2,
        )  # fmt: skip
    return lower, upper


@triton.jit
def in_pairs(address):
    """The same address, of words of two elements each."""
    size: tl.constexpr = address.dtype.element_ty.primitive_bitwidth * 2
    return address.to(tl.pointer_type(tl.core.get_int_dtype(size, signed=True)), bitcast=True)


@triton.jit
def product(
    W, U, x, h, units, first, last, I, H,
    GATES: tl.constexpr, UNITS: tl.constexpr, K: tl.constexpr, EVEN: tl.constexpr, PAIRS: tl.constexpr,
    STAGES: tl.constexpr,
):  # fmt: skip
    """Sums over tiles of K columns of W times x, then of U times h, of up to four gates, (units, 1) in float32 each.

    All tiles are one loop's, so that loads go on between W's and U's. EVEN where no tile juts out of the matrix; all
    units must be ones that there are. PAIRS to load words of two elements, which leaves half as many sums to registers;
    only where EVEN.
    """
    EACH: tl.constexpr = 2 if PAIRS else 1
    OF_W: tl.constexpr = W.dtype.element_ty
    OF_X: tl.constexpr = x.dtype.element_ty
    tiles_w = tl.cdiv(I, K)
    columns, each = I, H
    if PAIRS:
        W, U, x, h = in_pairs(W), in_pairs(U), in_pairs(x), in_pairs(h)
        columns, each = I // 2, H // 2
    sums = nothing(UNITS, K // EACH, GATES)
    for tile in tl.range(first, last, num_stages=STAGES):
        matrix, v, N, start = of_tile(W, U, x, h, columns, each, tile, tiles_w, K // EACH)
        k = start + tl.arange(0, K // EACH)
        inside = k < N
        a = tl.load(v + k) if EVEN else tl.load(v + k, mask=inside, other=0)
        a = a[None, :]
        w = ()
        for gate in tl.static_range(GATES):
            at = matrix + (gate * H + units).to(tl.int64)[:, None] * N + k[None, :]
            w += (tl.load(at) if EVEN else tl.load(at, mask=inside[None, :], other=0.0),)
        if PAIRS:
            a_lower, a_upper = of_pairs(a, OF_X)
            found = ()
            for gate in tl.static_range(GATES):
                lower, upper = of_pairs(w[gate], OF_W)
                found = found + (sums[gate] + lower * a_lower + upper * a_upper,)
            sums = found
        else:
            sums = added(sums, w, a, GATES)
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
