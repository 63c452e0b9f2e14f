"""Our own step: one pass over packed weights, products and gates fused, in numba alone. CPU.

A block is 16 units with all their gates, so that new state follows as soon as its sums are there, and no sum leaves the
core's cache. Rows of a block lie side by side for each k (`kernels/vector/llvm.py`), first those of W, then those of U;
threads share the blocks. Sums of a few sequences stay in registers while the weights stream by once.

    few sequences    all gates of a block side by side, and blocks far apart read as several streams
    more sequences   gates of a block in parts, one after the other, because registers hold so many sums only
    over 16          passes of up to 16 sequences over each part, which the second level still holds

Reads W, U, both biases (int8: and scales), x, h (c); writes h' (c') to memory that is used again. NaN comes out where
NaN goes in. int8 in digits has one unit for all activations of a sequence: an infinity, too, makes its new state NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numba
import numpy as np
import torch
from torch import Tensor

from kernels.case import GATES, Case
from kernels.reference.cells import Inputs, Weights
from kernels.reference.inputs import Floats, Layout
from kernels.vector.gates import LARGEST_INT8
from kernels.vector.llvm import DEPTH, DIGITS, LANES, LINE_BYTES, MOST_DIGIT_TERMS, registers, runs
from kernels.vector.step import Shape, compiled

label = "fused (numba)"
reads = {"W": "per_step", "U": "per_step"}

MOST_SEQUENCES = 16
"""Sequences whose sums are kept in registers at once."""


def version() -> str:
    """numba's version."""
    return f"numba {numba.__version__}"


def unavailable(case: Case) -> str | None:
    """Whole steps of inference on CPUs, one a call."""
    if case.steps > 1:
        return "its call is one step: torch_sequence computes sequences"
    if case.phase != "step":
        return "it goes forward alone: there are no gradients of its own yet"
    if case.device != "cpu":
        return f"a CPU's step, not one of {case.device}"
    if case.part != "cell":
        return f"its linear and pointwise parts are one: the part {case.part} cannot be had alone"
    if case.activations not in ("float32", case.dtype):
        return f"{case.dtype} weights take float32 activations, not {case.activations}"
    return None


def layout(case: Case) -> Layout:
    """Blocks (blocks, parts, k of W and U, rows of a part, depth); int8's scales and all biases (blocks, 2, G, 16)."""
    shape, blocks, G = _shape(case), _blocks(case), GATES[case.cell]
    depth = DEPTH[shape.kind]
    k = _padded(case.input, depth) + _padded(case.hidden, depth)
    packed = (blocks, G // shape.vectors, k // depth, shape.vectors * LANES, depth)
    beside = (blocks, 2, G, LANES)
    return (packed, Floats(beside), Floats(beside)) if case.dtype == "int8" else (packed, beside)


def canonical(case: Case, tensors: Sequence[Tensor]) -> Weights:
    """Unpacked, without what fills up a block; int8 as the floats it stands for."""
    packed, *scales, biases = tensors
    shape, G, H = _shape(case), GATES[case.cell], case.hidden
    depth = DEPTH[shape.kind]
    blocks, parts, turns, rows, _ = packed.shape

    def stacked(of_block: Tensor) -> Tensor:
        """(blocks, G, 16, ...) to (G*H, ...)."""
        units = of_block.transpose(0, 1).reshape(G, blocks * LANES, *of_block.shape[3:])
        return units[:, :H].reshape(G * H, *of_block.shape[3:])

    whole = packed.permute(0, 1, 3, 2, 4).reshape(blocks, parts * rows, turns * depth)
    matrix = stacked(whole.reshape(blocks, G, LANES, turns * depth))
    split = _padded(case.input, depth)
    W, U = matrix[:, : case.input], matrix[:, split : split + H]
    if scales:
        of_rows = [stacked(scales[0][:, part]).double() / LARGEST_INT8 for part in range(2)]
        W, U = W * of_rows[0][:, None], U * of_rows[1][:, None]
    return Weights(W, U, stacked(biases[:, 0]), stacked(biases[:, 1]))


def prepare(
    case: Case, sets: Sequence[Sequence[Tensor]], inputs: Sequence[Inputs]
) -> Callable[[int, int], Callable[[], Sequence[Tensor]]]:
    """Compile for the shape, and bind addresses of one set of weights and one set of inputs to the call."""
    shape = _shape(case)
    run = compiled(shape)
    B, H, I = case.batch, case.hidden, case.input  # noqa: E741 - the method's own letters
    new = tuple(torch.empty_like(inputs[0].h) for _ in range(2 if case.cell == "lstm" else 1))
    scratch = _Scratch.of(shape, case)
    work = np.zeros(case.threads * scratch.bytes + 2 * LINE_BYTES, np.uint8)
    work_at = -(-work.ctypes.data // LINE_BYTES) * LINE_BYTES
    in_place = _in_place(shape, case)

    def bind(w: int, i: int) -> Callable[[], Sequence[Tensor]]:
        given, (packed, *beside) = inputs[i], sets[w]
        state = given.c if case.cell == "lstm" else given.h
        addresses = (
            *(t.data_ptr() for t in (packed, beside[0], beside[-1], given.x, given.h, state)),
            *(t.data_ptr() for t in (new[0], new[-1])),
        )
        sizes = (B, I, H, case.threads, in_place, work_at, *scratch)

        def step() -> Sequence[Tensor]:
            run(*addresses, *sizes)
            return new

        step.keeps = work, given, packed, beside  # type: ignore[attr-defined] # alive: it knows their addresses only
        return step

    return bind


def compiled_as(case: Case) -> Shape:
    """Cases of one shape share a step."""
    return _shape(case)


class _Scratch(NamedTuple):
    """Bytes of a thread's own memory: sums of W and U, activations as the kind wants them, what digits are worth."""

    sums: int
    x: int
    h: int
    bytes: int

    @staticmethod
    def of(shape: Shape, case: Case) -> _Scratch:
        digits = DIGITS if shape.kind == "int8 digits" else 1
        sums = shape.streams * case.batch * digits * GATES[case.cell] * LINE_BYTES
        each = {"int8 digits": DIGITS, "bfloat16 pairs": 2}.get(shape.kind, 4) * shape.sequences
        x, h = (_padded(n, LINE_BYTES) * each for n in (case.input, case.hidden))
        passes = -(-case.batch // shape.sequences)
        steps = 2 * case.batch * LINE_BYTES
        return _Scratch(sums, x, h, 2 * sums + passes * (x + h) + steps)


def _shape(case: Case) -> Shape:
    """How to cut this case: as many vectors side by side as leave room for the sums of a pass's sequences."""
    G, kind = GATES[case.cell], _kind(case)
    digits = DIGITS if kind == "int8 digits" else 1
    room = registers() // digits
    passes = -(-case.batch // min(MOST_SEQUENCES, room))
    sequences = -(-case.batch // passes)
    vectors = max(n for n in range(1, G + 1) if G % n == 0 and (n == 1 or n * sequences <= room))
    thirds = {"float32": 3, "bfloat16": 2}.get(kind, 1)  # registers that unpacking leaves to sums
    sums, lines = room * thirds // 3, 6 if kind == "float32" and sequences > 1 else 8
    fits = [n for n in (2, 4) if n * vectors <= lines and n * vectors * sequences <= sums]
    streams = (
        max(fits, default=1) if passes == 1 else 1
    )  # the sums of several passes lie as one block's do
    busy = sequences * {"bfloat16": 2, "int8": 4}.get(kind, digits) >= 8
    ahead = AHEAD_BYTES if busy else 0
    return Shape(case.cell, kind, case.activations, vectors, sequences, streams, ahead)


AHEAD_BYTES = 8192
"""Prefetched ahead into the second level where a line of weights keeps the core busy for longer than it looks ahead."""


def _kind(case: Case) -> str:
    """The product that is exact enough and fastest here."""
    if case.dtype == "bfloat16" and case.activations == "bfloat16" and runs("bfloat16 pairs"):
        return "bfloat16 pairs"
    if case.dtype == "int8" and runs("int8 digits"):
        return "int8 digits" if max(case.input, case.hidden) <= MOST_DIGIT_TERMS else "int8"
    return case.dtype


def _in_place(shape: Shape, case: Case) -> bool:
    """Whether the products can read the activations where they lie."""
    as_wanted = {"bfloat16 pairs": "bfloat16", "int8 digits": ""}.get(shape.kind, "float32")
    depth = DEPTH[shape.kind]
    whole = case.input % depth == 0 and case.hidden % depth == 0
    return case.activations == as_wanted and whole and case.batch == 1


def _blocks(case: Case) -> int:
    return -(-case.hidden // LANES)


def _padded(size: int, to: int) -> int:
    return -(-size // to) * to
