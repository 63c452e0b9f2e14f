"""Our own step: one pass over packed weights, products and gates fused, in numba alone. CPU.

A block is 16 units with all their gates, so that new state follows as soon as its sums are there, and no sum leaves the
core's cache. Rows of a block lie side by side for each k (`kernels/vector/products.py`), first those of W, then those
of U; threads share the blocks. How many of its sums are in registers at once, a cut says (`kernels/vector/cuts.py`):

    few sequences    all of a block, or of several that lie far apart, while their weights stream by once
    more sequences   a few of them, and some of the gates: passes and parts go over a chunk of weights in the first
                     cache, one after the other, and prefetch the next chunk meanwhile, each a share; of few sequences
                     a single pass may do so, too

Which cut is the fastest is measured, by whoever prepares a case (`choices`); without that the likeliest is taken.

Reads W, U, both biases (int8: and scales), x, h (c); writes h' (c') to memory that is used again. NaN comes out where
NaN goes in. int8 in limbs has one unit for all activations of a sequence: an infinity, too, makes its new state NaN.
Phase train has a layout and kernels of its own: `_numba_training.py`.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import numba
import numpy as np
import torch

from kernels.case import GATES, PHASES, Case
from kernels.contract import Bind, Choice, InputSets, Sets, Step, Support, Tensors
from kernels.implementations import _layouts, _numba_training
from kernels.reference.cells import Weights
from kernels.reference.inputs import Floats, Layout
from kernels.vector import tiles
from kernels.vector.cuts import Cut, cuts, passes, shared, sized
from kernels.vector.limbs import MOST_TERMS
from kernels.vector.llvm import LANES, LINE_BYTES
from kernels.vector.products import DEPTH, GROUP_BYTES, TURNS, as_they_lie, limbs, runs
from kernels.vector.step import Plan, Skeleton, compiled
from kernels.vector.tiles import Tile

LONGEST = 1 << 40
"""Turns of a chunk that holds all."""

label = "fused (numba)"
reads = {"W": "per_step", "U": "per_step"}


def _untrained(case: Case) -> str | None:
    """Why it has no gradients of this case."""
    if case.phase == "train" and case.dtype != "float32":
        return f"it does not train in {case.dtype}: torch_cell does in bfloat16"
    return None


SUPPORTS = Support(
    device=("cpu",),
    phase=PHASES,
    part=("cell",),
    weights_x_activations=(
        ("float32", "float32"),
        ("bfloat16", "bfloat16"),
        ("bfloat16", "float32"),
        ("int8", "float32"),
    ),
    instead={
        "steps": "numba_sequence is our sequence on a CPU",
        "part": "its linear and pointwise parts are one",
        "device": "triton_fused is our step on a GPU",
    },
    also=_untrained,
)


def version() -> str:
    """numba's version."""
    return f"numba {numba.__version__}"


def layout(case: Case) -> Layout:
    """Blocks (blocks, k of W and U, rows, depth); int8's scales and all biases (blocks, 2, G, 16)."""
    if case.phase == "train":
        return _numba_training.layout(case)
    blocks, G, depth = _blocks(case), GATES[case.cell], DEPTH[products_of(case)]
    k = _padded(case.input, depth) + _padded(case.hidden, depth)
    packed, beside = (blocks, k // depth, G * LANES, depth), (blocks, 2, G, LANES)
    return (packed, Floats(beside), Floats(beside)) if case.dtype == "int8" else (packed, beside)


def canonical(case: Case, tensors: Tensors) -> Weights:
    """Unpacked, without what fills up a block; int8 as the floats it stands for."""
    if case.phase == "train":
        return _numba_training.canonical(case, tensors)
    packed, *scales, biases = tensors
    G, H = GATES[case.cell], case.hidden
    blocks, turns, _rows, depth = packed.shape
    of_block = packed.permute(0, 2, 1, 3).reshape(blocks, G, LANES, turns * depth)
    matrix = _layouts.stacked(of_block, H)
    split = _padded(case.input, depth)
    W, U = matrix[:, : case.input], matrix[:, split : split + H]
    if scales:
        of_w, of_u = (_layouts.stacked(scales[0][:, part], H) for part in range(2))
        W, U = _layouts.meant(case, W, of_w), _layouts.meant(case, U, of_u)
    return Weights(W, U, *(_layouts.stacked(biases[:, part], H) for part in range(2)))


def choices(case: Case) -> Sequence[Choice]:
    """The ways to cut the step that are worth trying here, the likeliest first; to train, those to store gradients."""
    return _numba_training.choices(case) if case.phase == "train" else _cuts(case)


def _cuts(case: Case) -> tuple[Cut, ...]:
    return cuts(GATES[case.cell], products_of(case), case.batch, _blocks(case), case.threads)


def prepare(case: Case, sets: Sets, inputs: InputSets, choice: Any = None) -> Bind:
    """Compile for a choice, and bind addresses of one set of weights and one set of inputs to the call."""
    if case.phase == "train":
        return _numba_training.prepare(case, sets, inputs, choice)
    cut, kind = choice or _cuts(case)[0], products_of(case)
    run = compiled(skeleton(case))
    B, H, I = case.batch, case.hidden, case.input  # noqa: E741 - the method's own letters
    new = tuple(torch.empty_like(inputs[0].h) for _ in range(2 if case.cell == "lstm" else 1))
    *of_parts, of_thread = _scratch(cut, kind, case)
    plan = np.array(_plan(cut, kind, case), np.int64)
    work = np.zeros(case.threads * of_thread + 2 * LINE_BYTES, np.uint8)
    work_at = -(-work.ctypes.data // LINE_BYTES) * LINE_BYTES
    in_place = B == 1 and as_they_lie(kind, case.activations, I, H)

    def bind(w: int, i: int) -> Step:
        given, (packed, *beside) = inputs[i], sets[w]
        state = given.c if case.cell == "lstm" else given.h
        tensors = packed, beside[0], beside[-1], given.x, given.h, state, new[0], new[-1]
        addresses = tuple(tensor.data_ptr() for tensor in tensors)
        sizes = (B, I, H, case.threads, in_place, plan.ctypes.data, work_at, *of_parts, of_thread)

        def step() -> Tensors:
            run(*addresses, *sizes)
            return new

        step.keeps = plan, work, tensors  # type: ignore[attr-defined] # alive: it knows their addresses only
        return step

    return bind


def _plan(cut: Cut, kind: str, case: Case) -> Plan:
    """The cut as the compiled step reads it, its tiles compiled."""
    G = GATES[case.cell]
    sizes = passes(case.batch, cut.sequences)
    most, full, less = sized(sizes)
    sizes *= G // cut.vectors
    in_sections = cut.streams * G if cut.ahead and cut.chunk else 0
    of_rows = cut.vectors if cut.ahead and not cut.chunk else 0
    sections = shared(in_sections, len(sizes))
    needed = set(zip(sizes, sections, strict=True))

    def tile(streams: int, size: int, lines: int, fetched: int) -> int:
        return tiles.compiled(Tile(kind, cut.vectors, size, streams, G, lines, fetched)).address

    many = [
        tile(cut.streams, size, of_rows, fetched) if (size, fetched) in needed else 0
        for fetched in (sections[0], sections[0] - 1)
        for size in (most, most - 1)
    ]
    left = _blocks(case) % cut.streams
    one = [tile(1, size, 0, 0) if left and size in sizes else 0 for size in (most, most - 1)]
    numbers = (cut.streams, cut.vectors, most, full, less, cut.chunk or LONGEST, cut.ahead)
    return Plan._make([*numbers, sections[0], sections.count(sections[0]), *many, *one])


def _scratch(cut: Cut, kind: str, case: Case) -> tuple[int, int, int, int]:
    """Bytes of a thread's own memory: sums of W (and of U); x and h of a sequence as the kind wants them; all."""
    sums = cut.streams * case.batch * limbs(kind) * GATES[case.cell] * LINE_BYTES
    per_block, block_bytes = DEPTH[kind] * TURNS, GROUP_BYTES[kind]
    x, h = (-(-n // per_block) * block_bytes for n in (case.input, case.hidden))
    return sums, x, h, 2 * sums + case.batch * (x + h + 2 * LINE_BYTES)


def compiled_as(case: Case) -> Hashable:
    """Cases of one skeleton share a step, those of one batch most of their tiles; a cell has one training step."""
    if case.phase == "train":
        return _numba_training.shape(case)
    return skeleton(case), case.batch


def skeleton(case: Case) -> Skeleton:
    """What a step of this case is compiled for, but for its tiles."""
    return Skeleton(case.cell, products_of(case), case.activations)


def _blocks(case: Case) -> int:
    return -(-case.hidden // LANES)


def products_of(case: Case) -> str:
    """The product that is exact enough and fastest here."""
    if case.dtype == "bfloat16" and case.activations == "bfloat16" and runs("bfloat16 pairs"):
        return "bfloat16 pairs"
    if case.dtype == "int8" and max(case.input, case.hidden) <= MOST_TERMS and runs("int8 limbs"):
        return "int8 limbs"
    return case.dtype


def _padded(size: int, to: int) -> int:
    return -(-size // to) * to
