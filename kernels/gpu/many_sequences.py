"""Products of a matrix and several sequences' activations in Triton, on the tensor cores."""

import triton
import triton.language as tl

from kernels.gpu.gates import of_tile

INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)

TERMS = {
    ("float32", "float32"): 1,
    ("bfloat16", "bfloat16"): 1,
    ("bfloat16", "float32"): 3,
    ("float16", "float16"): 1,
    ("float8", "bfloat16"): 1,
    ("int8", "float32"): 2,
}
"""Terms of an activation in a product of matrices, by the dtypes of weights and activations: of bfloat16 where the
weights are, or become exactly; else of their own dtype."""


@triton.jit
def of_bytes(w):
    """float8 or int8 in bfloat16, exactly, four at a time in instructions at the full rate; float8's NaN becomes 480.

    float8's bits, 4 further right, are those of a bfloat16 that is 2**120 times smaller, subnormals too. The lower 7
    bits of int8 end the mantissa of 128 + them, its sign's that of 128 or 256, which is subtracted.
    """
    if INTERPRETED:
        w = w.to(tl.float32).to(tl.bfloat16)
    elif w.dtype == tl.int8:
        w = tl.inline_asm_elementwise(
            """{
                .reg .b32 lower, upper, signs, base, minus;
                mov.b32 base, 0x43004300;
                mov.b32 minus, 0xBF80BF80;
                prmt.b32 lower, $2, base, 0x7170;
                prmt.b32 upper, $2, base, 0x7372;
                lop3.b32 signs, lower, 0x00800080, base, 0xEA;
                lop3.b32 lower, lower, 0x007F007F, base, 0xEA;
                fma.rn.bf16x2 $0, signs, minus, lower;
                lop3.b32 signs, upper, 0x00800080, base, 0xEA;
                lop3.b32 upper, upper, 0x007F007F, base, 0xEA;
                fma.rn.bf16x2 $1, signs, minus, upper;
            }""",
            "=r,=r,r", [w], tl.bfloat16, is_pure=True, pack=4,
        )  # fmt: skip
    else:
        w = tl.inline_asm_elementwise(
            """{
                .reg .b32 lower, upper, signs, scale, zero;
                mov.b32 scale, 0x7B807B80;
                mov.b32 zero, 0x80008000;
                prmt.b32 lower, $2, 0, 0x1404;
                prmt.b32 upper, $2, 0, 0x3424;
                and.b32 signs, lower, zero;
                shr.u32 lower, lower, 4;
                lop3.b32 lower, lower, 0x07F007F0, signs, 0xEA;
                fma.rn.bf16x2 $0, lower, scale, zero;
                and.b32 signs, upper, zero;
                shr.u32 upper, upper, 4;
                lop3.b32 upper, upper, 0x07F007F0, signs, 0xEA;
                fma.rn.bf16x2 $1, upper, scale, zero;
            }""",
            "=r,=r,r", [w], tl.bfloat16, is_pure=True, pack=4,
        )  # fmt: skip
    return w


@triton.jit
def rounded(x):
    """To the nearest bfloat16 of numbers, by whole numbers: the conversion is at a sixteenth of the rate alone."""
    if x.dtype == tl.float32:
        bits = x.to(tl.int32, bitcast=True) + 0x8000
        x = (bits >> 16).to(tl.int16).to(tl.bfloat16, bitcast=True)
    return x


@triton.jit
def multiply(sums, w, x, TERMS: tl.constexpr):
    """A tile of weights (rows, k) times activations (k, sequences).

    A tensor core cuts off what does not fit beside a larger sum. In three terms, each added to all before, an H200 was
    off by 4e-5 over a k of 8192, more than float32 activations may be. So a tile's terms are added to one another, the
    smallest first, and to the sums outside of it, as Triton does with its three of tf32, which were off by 8e-7.
    """
    if w.dtype == tl.float32:
        sums = tl.dot(w, x, sums, input_precision="tf32x3")
    elif w.dtype == tl.float16:
        sums = tl.dot(w, x, sums)
    else:
        if w.dtype.primitive_bitwidth == 8:
            w = of_bytes(w)
        if TERMS == 1:
            sums = tl.dot(w, rounded(x), sums)
        else:
            terms = ()
            for _ in tl.static_range(TERMS):
                term = rounded(x)
                terms = terms + (term,)
                x = x - term.to(tl.float32)
            part = tl.dot(w, terms[TERMS - 1])
            for number in tl.static_range(1, TERMS):
                part = tl.dot(w, terms[TERMS - 1 - number], part)
            sums += part
    return sums


@triton.jit
def product(
    W, U, x, h, rows, of_w, of_u, sequences, first, last, B, I, H,
    K: tl.constexpr, SEQUENCES: tl.constexpr, TERMS: tl.constexpr, EVEN: tl.constexpr, WHOLE: tl.constexpr,
    STAGES: tl.constexpr,
):  # fmt: skip
    """Rows of W (columns I) times x (B, I) and of U times h (B, H), over tiles of k: (rows, sequences) in float32.

    W's tiles come first, U's after them in the same loop, so that loads go on between the two. Only the rows `of_w`
    and `of_u` are read, and to the others nothing is added, unless WHOLE: then all are read. EVEN where no tile juts
    out of the columns.
    """
    tiles_w = tl.cdiv(I, K)
    s = tl.zeros((rows.shape[0], SEQUENCES), tl.float32)
    for tile in tl.range(first, last, num_stages=STAGES):
        matrix, v, N, start = of_tile(W, U, x, h, I, H, tile, tiles_w, K)
        real = of_w if WHOLE else tl.where(tile >= tiles_w, of_u, of_w)
        k = start + tl.arange(0, K)
        at = matrix + rows[:, None] * N + k[None, :]
        of_x = v + sequences[None, :] * N + k[:, None]
        if EVEN:
            a = tl.load(of_x, mask=(sequences < B)[None, :], other=0)
            w = tl.load(at) if WHOLE else tl.load(at, mask=real[:, None], other=0.0)
        else:
            a = tl.load(of_x, mask=(k < N)[:, None] & (sequences < B)[None, :], other=0)
            w = tl.load(at, mask=real[:, None] & (k < N)[None, :], other=0.0)
        s = multiply(s, w, a, TERMS)
    return s
