"""What a step and a sequence share in Triton: a block's sums by gate, the pointwise equations, and how work is cut.

A block's rows are its units' first sums, then their second ones, and so on. GRU's candidate has two: W's in the third
place, U's in the fourth.
"""

from typing import NamedTuple

import triton
import triton.language as tl

from kernels.case import GATE_SUMS, GATES, Case


class Cut(NamedTuple):
    """How work is cut: units of a block, k that is held at once, sequences, parts of k, warps, stages of loads.

    Parts of k are those of the programs that share a block of a step, and those of the warps of a sequence's program.
    `overlap`: a step begins while the last one ends (programmatic dependent launch).
    """

    units: int
    k: int
    sequences: int
    parts: int
    warps: int
    stages: int = 1
    overlap: bool = False

    def blocks(self, hidden: int) -> int:
        """Blocks of units."""
        return -(-hidden // self.units)


def constants(case: Case, how: Cut) -> dict[str, object]:
    """What the kernels of a step and of a sequence are both compiled for: the cell, and how its work is cut."""
    return {
        "CELL": case.cell,
        "SUMS": GATE_SUMS[case.cell],
        "GATES": GATES[case.cell],
        "UNITS": how.units,
        "K": how.k,
        "SEQUENCES": how.sequences,
        "PARTS": how.parts,
    }


@triton.jit
def sigmoid(v):
    """1 / (1 + e**-v)."""
    return 1.0 / (1.0 + tl.exp(-v))


@triton.jit
def tanh(v):
    """Right to float32's rounding of 1, and 1 or -1 where e**2v is out of range."""
    return 1.0 - 2.0 / (tl.exp(2.0 * v) + 1.0)


@triton.jit
def lstm(i, f, g, c):
    """The new c from the sums of the gates: the new h is sigmoid(o) tanh(c)."""
    return sigmoid(f) * c + sigmoid(i) * tanh(g)


@triton.jit
def gru(r, z, n_x, n_h):
    """The candidate n and the update gate z from the sums of the gates: the new h is (1 - z) n + z h."""
    n = tanh(n_x + sigmoid(r) * n_h)
    return n, sigmoid(z)


@triton.jit
def stored(values, rows, real):
    """A value of each row, as it lies in memory: (rows, 1), zero where a row is none."""
    return tl.load(values + rows, mask=real, other=0)[:, None]


@triton.jit
def of_rows(values, rows, real):
    """The same in float32."""
    return stored(values, rows, real).to(tl.float32)


@triton.jit
def of_tile(W, U, x, h, I, H, tile, tiles_w, K: tl.constexpr):
    """The matrix of a tile of k, its activations and columns, and the tile's first column: W's tiles, then U's."""
    second = tile >= tiles_w
    start = (tile - tl.where(second, tiles_w, 0)) * K
    return tl.where(second, U, W), tl.where(second, h, x), tl.where(second, H, I), start


@triton.jit
def by_gate(sums, UNITS: tl.constexpr, SEQUENCES: tl.constexpr):
    """Four sums a unit, each (units, sequences), from rows that hold them one kind after the other."""
    inner = tl.permute(tl.reshape(sums, (2, 2, UNITS, SEQUENCES)), (2, 3, 0, 1))
    even, odd = tl.split(inner)  # 0 and 2, 1 and 3
    s0, s2 = tl.split(even)
    s1, s3 = tl.split(odd)
    return s0, s1, s2, s3
