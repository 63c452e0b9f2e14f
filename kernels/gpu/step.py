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

Weights come in tiles by copies to shared memory, two or three of which are on their way while one is multiplied, and
all programs of a large step run at once. W's tiles and U's are one loop's, unless their sums must be kept apart: a
second loop would begin with nothing on its way. Biases, scales and a block's own state are loaded before it, for what
comes after the products. On a GPU that can, a step's programs begin while the last step's end (programmatic dependent
launch), once all of these have their products, and load nothing until that step has ended and its new state is there
to be read. Asking the second-level cache for their first weights before cost an H200 1 to 3 us a step.

Where there are too few blocks for the processors, several programs share the tiles of k of a block. Each leaves its
sums in memory, and the last to arrive adds them in a fixed order and computes the gates: the result does not depend on
who is last. It leaves the counter of arrivals at zero for the next step.

Checked in Triton's interpreter and compiled ahead of time. On an H200 all cases of its test were right, over cells,
dtypes and shapes. The sizes are those that took the least time there (`bench/FINDINGS.md`).
"""

import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from kernels.case import ELEMENT_BYTES, GATE_SUMS, GATES, QUANTISED, Case
from kernels.gpu import gates
from kernels.gpu import many_sequences as many
from kernels.gpu import one_sequence as one
from kernels.gpu.gates import Cut, by_gate, gru, lstm, sigmoid, stored, tanh

MOST_SEQUENCES = 64
"""Sequences whose sums a program keeps in registers."""
MOST_PARTS = 16
"""Programs that share one block of units."""
PROGRAMS_PER_SM = 2
"""Wanted, so that enough loads are under way and one program's end is another's middle: to the nearest."""
WARPS = 4
STAGES = 4
"""Tiles of a program in shared memory: two or three of them are on their way while one is multiplied."""
LEAST_TILES = STAGES
"""Of a program that shares its block's columns with others."""
SUMS_OF_GATE = 1024
"""That a program of one sequence keeps of each gate: 8 in each thread."""
MIN_UNITS = 2
COLUMNS = 128
"""Of a tile of several sequences, at the most."""
IN_THREE = 2048
"""Activations of a tile that are split into 3 terms: twice as many fit no registers on 8.0."""
SHARED = 227 << 10
"""Bytes of shared memory that one program can have on GPUs of 9.0 and 10.0."""
RESERVED = 1 << 10
"""Bytes of shared memory that the system takes of each program's."""


def cut(case: Case, processors: int, *, shared: int = SHARED, overlap: bool = False) -> Cut:
    """For a GPU of so many streaming multiprocessors, whose programs can have so many bytes of shared memory each.

    `overlap` where it can begin a step before the last one ends.
    """
    found = _one(case, processors) if case.batch == 1 else _many(case, processors, shared)
    return found._replace(overlap=overlap)


def _one(case: Case, processors: int) -> Cut:
    """Few enough registers that all programs of a large step run at once, or nearly: LSTM 4096 takes 512 of them.

    A gate's tile is what the threads of a program load in one go, 16 bytes each, or 8 of weights of a byte; an RNN's,
    who has one gate, twice that.
    """
    line = one.LINE_BYTES // max(2, ELEMENT_BYTES[case.dtype])
    k = line * (2 if GATES[case.cell] == 1 else 1)
    paired = (case.dtype, case.activations) in one.PAIRS
    units = max(MIN_UNITS, SUMS_OF_GATE * (2 if paired else 1) // k)
    while units > MIN_UNITS and round(case.hidden / units / processors) < PROGRAMS_PER_SM:
        units //= 2
    k = max(k, line * WARPS // units)
    return Cut(units, k, 1, _parts(case, units, k, processors, PROGRAMS_PER_SM), WARPS, STAGES)


def _many(case: Case, processors: int, shared: int) -> Cut:
    """Rows for one product of a tensor core; twice as many where activations would outweigh them in the caches.

    Columns as shared memory has room for in all stages of a processor's programs.
    """
    sequences = max(16, triton.next_power_of_2(case.batch))
    units, programs = 64 // GATE_SUMS[case.cell], PROGRAMS_PER_SM
    # with fewer warps each has more rows for the activations it reads; int8's, or 64 sequences, do not fit registers
    warps = 2 if case.dtype == "float8" and sequences < MOST_SEQUENCES else WARPS
    if sequences == MOST_SEQUENCES and case.hidden >= 2 * units * processors * 3 // 4:
        units, programs, warps = 2 * units, 1, 2 * WARPS
    rows = units * GATE_SUMS[case.cell]
    size, size_x = ELEMENT_BYTES[case.dtype], ELEMENT_BYTES[case.activations]
    k = COLUMNS
    if many.TERMS[case.dtype, case.activations] == 3:
        k = min(k, IN_THREE // sequences)
    room = (shared + RESERVED) // programs - RESERVED
    while STAGES * k * (rows * size + sequences * size_x) > room:
        k //= 2
    return Cut(units, k, sequences, _parts(case, units, k, processors, programs), warps, STAGES)


def _parts(case: Case, units: int, k: int, processors: int, programs: int) -> int:
    """To the nearest: a second program for each block, which costs an exchange of sums, does not pay for 3 %."""
    tiles = -(-case.input // k) + -(-case.hidden // k)
    blocks = -(-case.hidden // units)
    return max(1, min(MOST_PARTS, tiles // LEAST_TILES, round(programs * processors / blocks)))


def constants(case: Case, how: Cut) -> dict[str, object]:
    """The kernel's compile-time arguments."""
    even = not (case.input % how.k or case.hidden % how.k)
    return {
        **gates.constants(case, how),
        "TERMS": many.TERMS[case.dtype, case.activations],
        "QUANTISED": QUANTISED.get(case.dtype, 0),
        "EVEN": even,
        "SQUARE": case.input == case.hidden,
        "PAIRS": even and case.batch == 1 and (case.dtype, case.activations) in one.PAIRS,
        "STAGES": how.stages,
        "OVERLAP": how.overlap,
    }


def options(how: Cut) -> dict[str, object]:
    """The compiler's and the launch's."""
    overlapping = {"launch_pdl": True} if how.overlap else {}
    return {
        "num_warps": how.warps,
        "num_stages": how.stages,
        "enable_fp_fusion": True,
        **overlapping,
    }


@triton.jit
def new_state(
    sums, before, h_new, c_new, units, sequences, B, H,
    CELL: tl.constexpr, UNITS: tl.constexpr, SEQUENCES: tl.constexpr,
):  # fmt: skip
    """The gates of a block from its sums with their biases and from its own c (LSTM) or h (GRU), and their store."""
    inside = (units < H)[:, None] & (sequences < B)[None, :]
    at = sequences[None, :] * H + units[:, None]
    if CELL == "rnn":
        out = tanh(sums)
    elif CELL == "lstm":
        i, f, g, o = by_gate(sums, UNITS, SEQUENCES)
        state = lstm(i, f, g, before.to(tl.float32))
        tl.store(c_new + at, state.to(c_new.dtype.element_ty), mask=inside)
        out = sigmoid(o) * tanh(state)
    else:
        r, z, n_x, n_h = by_gate(sums, UNITS, SEQUENCES)
        n, z = gru(r, z, n_x, n_h)
        out = (1.0 - z) * n + z * before.to(tl.float32)
    tl.store(h_new + at, out.to(h_new.dtype.element_ty), mask=inside)


@triton.jit
def products(
    W, U, x, h, rows, units, of_w, of_u, sequences, first, last, B, I, H,
    CELL: tl.constexpr, SUMS: tl.constexpr, GATES: tl.constexpr, UNITS: tl.constexpr, K: tl.constexpr,
    SEQUENCES: tl.constexpr, TERMS: tl.constexpr, EVEN: tl.constexpr, PAIRS: tl.constexpr, STAGES: tl.constexpr,
    OF_U: tl.constexpr,
):  # fmt: skip
    """Sums of a block's rows over some tiles of W and U, (rows, sequences): those of U alone, OF_U."""
    if SEQUENCES == 1:
        within = tl.minimum(units, H - 1)
        s0, s1, s2, s3 = one.product(
            W, U, x, h, within, first, last, I, H, GATES, UNITS, K, EVEN, PAIRS, STAGES
        )
        if CELL == "gru" and OF_U:
            s2, s3 = s3, s2
        sums = one.rows(s0, s1, s2, s3, SUMS, UNITS)
    else:
        sums = many.product(
            W, U, x, h, rows, of_w, of_u, sequences, first, last, B, I, H,
            K, SEQUENCES, TERMS, EVEN, CELL != "gru", STAGES,
        )  # fmt: skip
    return sums


@triton.jit
def step(
    W, U, b_w, b_u, scale_w, scale_u, x, h, c, h_new, c_new, partial, arrived, B, I, H,
    CELL: tl.constexpr, SUMS: tl.constexpr, GATES: tl.constexpr, UNITS: tl.constexpr, K: tl.constexpr,
    SEQUENCES: tl.constexpr, PARTS: tl.constexpr, TERMS: tl.constexpr, QUANTISED: tl.constexpr,
    EVEN: tl.constexpr, SQUARE: tl.constexpr, PAIRS: tl.constexpr, STAGES: tl.constexpr, OVERLAP: tl.constexpr,
):  # fmt: skip
    """One step. Grid: (blocks of units, PARTS). `partial`: float32 (blocks, PARTS, SUMS * UNITS, SEQUENCES)."""
    if SQUARE:
        I = H  # so that the compiler knows, and computes addresses of rows once
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
    # a block that juts out takes the last unit again, and nothing keeps it
    rows = gate.to(tl.int64) * H + tl.minimum(unit, H - 1)

    tiles_w = tl.cdiv(I, K)
    tiles = tiles_w + tl.cdiv(H, K)
    first, last = part * tiles // PARTS, (part + 1) * tiles // PARTS
    units = block * UNITS + tl.arange(0, UNITS)
    if OVERLAP:
        gdc_wait()
    # what comes after the products is on its way during them
    bias_w, bias_u = stored(b_w, rows, of_w), stored(b_u, rows, of_u)
    if QUANTISED:
        scales_w, scales_u = stored(scale_w, rows, of_w), stored(scale_u, rows, of_u)
    before = bias_w
    if CELL != "rnn":
        inside = (units < H)[:, None] & (sequences < B)[None, :]
        before = c if CELL == "lstm" else h
        before = tl.load(before + sequences[None, :] * H + units[:, None], mask=inside, other=0)

    # W's sums and U's are apart where more than an addition is between them
    APART: tl.constexpr = QUANTISED > 0 or (CELL == "gru" and SEQUENCES == 1)
    middle = tl.minimum(last, tl.maximum(first, tiles_w)) if APART else last
    sums = products(
        W, U, x, h, rows, units, of_w, of_u, sequences, first, middle, B, I, H,
        CELL, SUMS, GATES, UNITS, K, SEQUENCES, TERMS, EVEN, PAIRS, STAGES, False,
    )  # fmt: skip
    if APART:
        from_h = products(
            W, U, x, h, rows, units, of_w, of_u, sequences, middle, last, B, I, H,
            CELL, SUMS, GATES, UNITS, K, SEQUENCES, TERMS, EVEN, PAIRS, STAGES, True,
        )  # fmt: skip
        if QUANTISED:
            sums *= scales_w * (1.0 / QUANTISED)
            from_h *= scales_u * (1.0 / QUANTISED)
        sums += from_h
    if OVERLAP:
        gdc_launch_dependents()
    biases = bias_w.to(tl.float32) + bias_u.to(tl.float32)
    if PARTS == 1:
        new_state(
            sums + biases, before, h_new, c_new, units, sequences, B, H, CELL, UNITS, SEQUENCES
        )
    else:
        ONE: tl.constexpr = SUMS * UNITS * SEQUENCES
        inner = block * PARTS * ONE + row[:, None] * SEQUENCES + sequences[None, :]
        tl.store(partial + inner + part * ONE, sums)
        tl.debug_barrier()  # every thread has stored before one of them says so
        earlier = tl.atomic_add(arrived + block, 1, sem="acq_rel")
        if earlier == PARTS - 1:
            tl.debug_barrier()
            sums = biases + tl.load(partial + inner, cache_modifier=".cg")
            for other in tl.static_range(1, PARTS):
                # past the first-level cache, which may be stale
                sums += tl.load(partial + inner + other * ONE, cache_modifier=".cg")
            new_state(sums, before, h_new, c_new, units, sequences, B, H, CELL, UNITS, SEQUENCES)
            tl.store(arrived + block, 0)
