"""A sequence of steps in one launch, U kept on chip: a GPU's way past reading U again at every step, in Triton.

Every program keeps the rows of U of its block of units on chip from first to last, and LSTM's c too. A step reads
the whole last state, which the other programs wrote, and after it all programs wait for one another: each adds one to a
counter in memory and looks at it until it holds as many as there are programs. So all must run at once, for which the
launch is cooperative, and there are at most as many as processors.

W x of all steps comes ready: it needs no state, so one large product makes it. Per step: reads W x, and the last h from
the second-level cache; writes h. Per call: reads U and the biases once.

Several sequences go through the tensor cores as products of bfloat16, one for each part of k, which are then added; one
sequence, and float32, are multiplied and added in float32.

Checked in Triton's interpreter with one program, for it runs programs one after another and a barrier would wait
forever; compiled ahead of time. On an H200 all 12 cases of its test were right.
"""

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from kernels.case import ELEMENT_BYTES, GATE_SUMS, Case
from kernels.gpu import gates
from kernels.gpu import one_sequence as one
from kernels.gpu.gates import Cut, by_gate, gru, lstm, of_rows, sigmoid, tanh
from kernels.reference.cells import Weights

WARPS = 8
MOST_U_BYTES = 96 << 10
"""Of U in a program: as much as 96 of the 255 registers that each of its 256 threads has."""
MOST_SEQUENCES = 16


def cut(case: Case, processors: int) -> Cut:
    """One program for each block of units, as few units as the processors allow. It may not fit: see `too_large`."""
    units = max(16 // GATE_SUMS[case.cell], triton.next_power_of_2(-(-case.hidden // processors)))
    k = max(one.LINE_BYTES // ELEMENT_BYTES[case.dtype], triton.next_power_of_2(case.hidden))
    sequences = 1 if case.batch == 1 else max(16, triton.next_power_of_2(case.batch))
    return Cut(units, k, sequences, WARPS, WARPS)


def too_large(case: Case, processors: int) -> str | None:
    """Why U or the sums of this case do not fit on a chip of so many processors, or None."""
    how = cut(case, processors)
    each = GATE_SUMS[case.cell] * how.units * how.k * ELEMENT_BYTES[case.dtype]
    if each > MOST_U_BYTES:
        return f"U does not fit on the chip: {each} bytes a program, of {MOST_U_BYTES}"
    if case.batch > MOST_SEQUENCES:
        return f"it keeps the state of {MOST_SEQUENCES} sequences at most, not {case.batch}"
    if case.batch > 1 and case.dtype != "bfloat16":
        return f"several sequences go through products of bfloat16, not {case.dtype}"
    return None


def constants(case: Case, how: Cut) -> dict[str, object]:
    """The kernel's compile-time arguments."""
    return {
        **gates.constants(case, how),
        "LINE": one.LINE_BYTES // ELEMENT_BYTES[case.dtype],
    }


def run(
    case: Case, weights: Weights, from_x: Tensor, h: Tensor, c: Tensor, out: Tensor, c_new: Tensor,
    arrived: Tensor, processors: int,
) -> None:  # fmt: skip
    """From W x without biases (T, B, G*H), h and c (B, H): every h' into `out` (T, B, H), the last c' into `c_new`.

    `arrived` is one int32, 0 before the first call and after each.
    """
    how = cut(case, processors)
    programs = how.blocks(case.hidden)
    options: dict[str, Any] = {"num_warps": how.warps, "enable_fp_fusion": True}
    sequence[(programs,)](
        weights.U, weights.b_w, weights.b_u, from_x, h, c, out, c_new, arrived,
        case.batch, case.hidden, out.shape[0], programs,
        **constants(case, how), **options, launch_cooperative_grid=True,
    )  # fmt: skip


@triton.jit
def wait_for_all(arrived, wanted):
    """Until so many have arrived. What the others wrote before is seen from here on."""
    tl.debug_barrier()  # every thread has stored before one of them says so
    tl.atomic_add(arrived, 1, sem="release")
    while tl.atomic_add(arrived, 0, sem="acquire") < wanted:
        pass
    tl.debug_barrier()


@triton.jit
def of_gates(values, units, H, GATES: tl.constexpr):
    """The four gates' values of some units, (units, 1) in float32 each; the first's for gates that there are not."""
    inside = units < H
    v0 = of_rows(values, units, inside)
    v1, v2, v3 = v0, v0, v0
    if GATES >= 3:
        v1, v2 = of_rows(values + H, units, inside), of_rows(values + 2 * H, units, inside)
    if GATES == 4:
        v3 = of_rows(values + 3 * H, units, inside)
    return v0, v1, v2, v3


@triton.jit
def split(sums, SUMS: tl.constexpr, UNITS: tl.constexpr, SEQUENCES: tl.constexpr):
    """Four sums a unit, or one four times."""
    s0, s1, s2, s3 = sums, sums, sums, sums
    if SUMS == 4:
        s0, s1, s2, s3 = by_gate(sums, UNITS, SEQUENCES)
    return s0, s1, s2, s3


@triton.jit
def sequence(
    U, b_w, b_u, from_x, h, c, out, c_new, arrived, B, H, T, programs,
    CELL: tl.constexpr, SUMS: tl.constexpr, GATES: tl.constexpr, UNITS: tl.constexpr, K: tl.constexpr,
    LINE: tl.constexpr, SEQUENCES: tl.constexpr, PARTS: tl.constexpr,
):  # fmt: skip
    """T steps. Grid: (programs,), all of which run at once. Rows of a block are as in `kernels/gpu/gates.py`."""
    ROWS: tl.constexpr = SUMS * UNITS
    first = tl.program_id(0) * UNITS
    sequences = tl.arange(0, SEQUENCES)
    row = tl.arange(0, ROWS)
    unit = first + row % UNITS
    kind = row // UNITS
    of_w, of_u, gate = unit < H, unit < H, kind
    if CELL == "gru":
        of_w, of_u = of_w & (kind < 3), of_u & (kind != 2)
        gate = tl.minimum(kind, 2)
    rows = gate * H + unit
    units = first + tl.arange(0, UNITS)
    real = (units < H)[:, None] & (sequences < B)[None, :]
    own = sequences[None, :] * H + units[:, None]
    state = tl.zeros((UNITS, SEQUENCES), tl.float32)
    if CELL == "lstm":
        state = tl.load(c + own, mask=real, other=0).to(tl.float32)

    if SEQUENCES == 1:
        u = ()
        for line in tl.static_range(K // LINE):
            u = u + (one.weights(U, units, one.columns(line * LINE, UNITS, LINE), H, H, GATES),)
        b0, b1, b2, b3 = of_gates(b_u, units, H, GATES)
        w0, w1, w2, w3 = of_gates(b_w, units, H, GATES)
    else:
        # a part of k for each warp, so that no two hold the same of U
        k = tl.arange(0, PARTS)[:, None] * (K // PARTS) + tl.arange(0, K // PARTS)[None, :]
        of_tile = of_u[None, :, None] & (k < H)[:, None, :]
        u = tl.load(U + rows[None, :, None] * H + k[:, None, :], of_tile, other=0)
        biases = of_rows(b_w, rows, of_w) + of_rows(b_u, rows, of_u)

    now = tl.full((), 0, tl.int64)  # rows of `out` before this step's
    for t in range(T):
        last = h
        if t > 0:
            last = out + (now - B) * H
        if SEQUENCES == 1:
            s = one.nothing(UNITS, LINE, GATES)
            for line in tl.static_range(K // LINE):
                k = one.columns(line * LINE, UNITS, LINE)
                x = tl.load(last + k, k < H, other=0, cache_modifier=".cg")
                s = one.added(s, u[line], x, GATES)
            s0, s1, s2, s3 = one.four(s, GATES)
            x0, x1, x2, x3 = of_gates(from_x + now * GATES * H, units, H, GATES)
            s0, s1, s2, s3 = s0 + b0, s1 + b1, s2 + b2, s3 + b3
            x0, x1, x2, x3 = x0 + w0, x1 + w1, x2 + w2, x3 + w3
            if CELL == "gru":
                s0, s1, s2, s3 = s0 + x0, s1 + x1, x2, s2
            else:
                s0, s1, s2, s3 = s0 + x0, s1 + x1, s2 + x2, s3 + x3
        else:
            of_x = (k < H)[:, :, None] & (sequences < B)[None, None, :]
            x_at = sequences[None, None, :] * H + k[:, :, None]
            x = tl.load(last + x_at, of_x, other=0, cache_modifier=".cg")
            inside = of_w[:, None] & (sequences < B)[None, :]
            at = (now + sequences[None, :]) * GATES * H + rows[:, None]
            sums = tl.sum(tl.dot(u, x), axis=0) + biases
            sums += tl.load(from_x + at, mask=inside, other=0).to(tl.float32)
            s0, s1, s2, s3 = split(sums, SUMS, UNITS, SEQUENCES)
        if CELL == "rnn":
            new = tanh(s0)
        elif CELL == "lstm":
            state = lstm(s0, s1, s2, state)
            new = sigmoid(s3) * tanh(state)
        else:
            n, z = gru(s0, s1, s2, s3)
            before = tl.load(last + own, mask=real, other=0, cache_modifier=".cg").to(tl.float32)
            new = (1.0 - z) * n + z * before
        tl.store(out + now * H + own, new.to(out.dtype.element_ty), mask=real)
        now += B
        if t + 1 < T:
            wait_for_all(arrived, (t + 1) * programs)
    if CELL == "lstm":
        tl.store(c_new + own, state.to(c_new.dtype.element_ty), mask=real)
    # the last of all leaves the counter as it was
    if tl.atomic_add(arrived, 1, sem="acq_rel") == T * programs - 1:
        tl.store(arrived, 0)
