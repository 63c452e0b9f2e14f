"""Products of a matrix and several sequences' activations in Triton, on the tensor cores."""

import triton
import triton.language as tl

from kernels.gpu.gates import of_tile

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
def multiply(sums, w, x, TERMS: tl.constexpr):
    """A tile of weights (rows, k) times activations (k, sequences)."""
    if w.dtype == tl.float32:
        sums = tl.dot(w, x, sums, input_precision="tf32x3")
    elif w.dtype == tl.float16:
        sums = tl.dot(w, x, sums)
    else:
        if w.dtype == tl.float8e4nv:
            w = w.to(tl.float16).to(tl.float32)  # straight to bfloat16 is at a quarter of the rate
        w = w.to(tl.bfloat16)
        term = x.to(tl.bfloat16)
        sums = tl.dot(w, term, sums)
        rest = x
        for _ in tl.static_range(1, TERMS):
            rest = rest - term.to(tl.float32)
            term = rest.to(tl.bfloat16)
            sums = tl.dot(w, term, sums)
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
