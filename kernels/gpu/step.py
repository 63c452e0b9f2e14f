"""The fused step of a GPU in Triton: products with W and U, and the gates, in one kernel; and how to cut a case for it.

A program takes a block of units with all their gates, so that new state follows where its sums are. Weights are in
PyTorch's convention, each row one contiguous run. One sequence is multiplied and added in float32
(`kernels/gpu/one_sequence.py`); more go through the tensor cores (`kernels/gpu/many_sequences.py`):

    bfloat16 x bfloat16   as they are
    bfloat16 x float32    activations split into 3 bfloat16 terms, which lose nothing
    int8 x float32        weights are exact in bfloat16; activations split into 2 terms, off by 2**-17 of themselves
    float16 x float16     as they are
    float8 x bfloat16     weights are exact in bfloat16; activations as they are
    float32 x float32     3 products of tf32 terms ("tf32x3")

Where there are too few blocks for the processors, several programs share the tiles of k of a block. Each leaves its
sums in memory, and the last to arrive adds them in a fixed order and computes the gates: the result does not depend on
who is last. It leaves the counter of arrivals at zero for the next step.

Checked in Triton's interpreter and compiled ahead of time; not run on a card, and its sizes are not tuned on one.
"""

import triton
import triton.language as tl

from kernels.case import ELEMENT_BYTES, GATE_SUMS, GATES, QUANTISED, Case
from kernels.gpu import gates
from kernels.gpu import many_sequences as many
from kernels.gpu import one_sequence as one
from kernels.gpu.gates import Cut, by_gate, gru, lstm, of_rows, sigmoid, tanh

MOST_SEQUENCES = 64
"""Sequences whose sums a program keeps in registers."""
MOST_PARTS = 16
"""Programs that share one block of units."""
PROGRAMS_PER_SM = 2
"""Wanted, so that enough loads are under way."""
WARPS = 4
TILE_BYTES = 16 << 10
"""Of weights that a program of one sequence loads at once, which its registers hold."""
MOST_K = 1024


def cut(case: Case, processors: int) -> Cut:
    """For a GPU of so many streaming multiprocessors."""
    size = ELEMENT_BYTES[case.dtype]
    if case.batch == 1:
        units, sequences, stages = WARPS, 1, 1
        k = min(MOST_K, TILE_BYTES // triton.next_power_of_2(GATES[case.cell] * units * size))
    else:
        units, k, stages = 64 // GATE_SUMS[case.cell], 128 // max(2, size), 4
        sequences = max(16, triton.next_power_of_2(case.batch))
    tiles = -(-case.input // k) + -(-case.hidden // k)
    short_of = -(-PROGRAMS_PER_SM * processors // -(-case.hidden // units))
    return Cut(units, k, sequences, min(MOST_PARTS, tiles, short_of), WARPS, stages)


def constants(case: Case, how: Cut) -> dict[str, object]:
    """The kernel's compile-time arguments."""
    return {
        **gates.constants(case, how),
        "TERMS": many.TERMS[case.dtype, case.activations],
        "QUANTISED": QUANTISED.get(case.dtype, 0),
    }


@triton.jit
def new_state(
    sums, h, c, h_new, c_new, units, sequences, B, H,
    CELL: tl.constexpr, UNITS: tl.constexpr, SEQUENCES: tl.constexpr,
):  # fmt: skip
    """The gates of a block from its sums with their biases, and the store of its new state."""
    inside = (units < H)[:, None] & (sequences < B)[None, :]
    at = sequences[None, :] * H + units[:, None]
    if CELL == "rnn":
        out = tanh(sums)
    elif CELL == "lstm":
        i, f, g, o = by_gate(sums, UNITS, SEQUENCES)
        before = tl.load(c + at, mask=inside, other=0).to(tl.float32)
        state = lstm(i, f, g, before)
        tl.store(c_new + at, state.to(c_new.dtype.element_ty), mask=inside)
        out = sigmoid(o) * tanh(state)
    else:
        r, z, n_x, n_h = by_gate(sums, UNITS, SEQUENCES)
        n, z = gru(r, z, n_x, n_h)
        out = (1.0 - z) * n + z * tl.load(h + at, mask=inside, other=0).to(tl.float32)
    tl.store(h_new + at, out.to(h_new.dtype.element_ty), mask=inside)


@triton.jit
def step(
    W, U, b_w, b_u, scale_w, scale_u, x, h, c, h_new, c_new, partial, arrived, B, I, H,
    CELL: tl.constexpr, SUMS: tl.constexpr, GATES: tl.constexpr, UNITS: tl.constexpr, K: tl.constexpr,
    LINE: tl.constexpr, SEQUENCES: tl.constexpr, PARTS: tl.constexpr, TERMS: tl.constexpr, QUANTISED: tl.constexpr,
):  # fmt: skip
    """One step. Grid: (blocks of units, PARTS). `partial`: float32 (blocks, PARTS, SUMS * UNITS, SEQUENCES)."""
    block, part = tl.program_id(0), tl.program_id(1)
    sequences = tl.arange(0, SEQUENCES)
    row = tl.arange(0, SUMS * UNITS)
    unit = block * UNITS + row % UNITS
    kind = row // UNITS
    real = unit < H
    of_w, of_u = real, real
    gate = kind
    if CELL == "gru":
        of_w, of_u = real & (kind < 3), real & (kind != 2)
        gate = tl.minimum(kind, 2)
    rows = gate.to(tl.int64) * H + unit

    tiles_w = tl.cdiv(I, K)
    tiles = tiles_w + tl.cdiv(H, K)
    first, last = part * tiles // PARTS, (part + 1) * tiles // PARTS
    last_w = tl.minimum(last, tiles_w)
    first_u = tl.maximum(first, tiles_w) - tiles_w
    last_u = last - tiles_w
    units = block * UNITS + tl.arange(0, UNITS)
    if SEQUENCES == 1:
        x0, x1, x2, x3 = one.product(W, x, units, first, last_w, I, H, GATES, UNITS, K, LINE)
        h0, h1, h2, h3 = one.product(U, h, units, first_u, last_u, H, H, GATES, UNITS, K, LINE)
        if CELL == "gru":
            h2, h3 = h3, h2
        from_x = one.rows(x0, x1, x2, x3, SUMS, UNITS)
        from_h = one.rows(h0, h1, h2, h3, SUMS, UNITS)
    else:
        from_x = many.product(W, x, rows, of_w, sequences, first, last_w, B, I, K, SEQUENCES, TERMS)
        from_h = many.product(
            U, h, rows, of_u, sequences, first_u, last_u, B, H, K, SEQUENCES, TERMS
        )
    if QUANTISED:
        from_x *= of_rows(scale_w, rows, of_w) * (1.0 / QUANTISED)
        from_h *= of_rows(scale_u, rows, of_u) * (1.0 / QUANTISED)
    sums = from_x + from_h
    biases = of_rows(b_w, rows, of_w) + of_rows(b_u, rows, of_u)
    if PARTS == 1:
        new_state(sums + biases, h, c, h_new, c_new, units, sequences, B, H, CELL, UNITS, SEQUENCES)
    else:
        ONE: tl.constexpr = SUMS * UNITS * SEQUENCES
        inner = block * PARTS * ONE + row[:, None] * SEQUENCES + sequences[None, :]
        tl.store(partial + inner + part * ONE, sums)
        tl.debug_barrier()  # every thread has stored before one of them says so
        before = tl.atomic_add(arrived + block, 1, sem="acq_rel")
        if before == PARTS - 1:
            tl.debug_barrier()
            sums = biases + tl.load(partial + inner, cache_modifier=".cg")
            for other in tl.static_range(1, PARTS):
                # past the first-level cache, which may be stale
                sums += tl.load(partial + inner + other * ONE, cache_modifier=".cg")
            new_state(sums, h, c, h_new, c_new, units, sequences, B, H, CELL, UNITS, SEQUENCES)
            tl.store(arrived + block, 0)
