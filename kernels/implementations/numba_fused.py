"""Our own step: one pass over packed weights, products and gates fused, in numba alone. CPU.

A block is 16 units with all their gates, so that new state follows as soon as its sums are there, and no sum leaves the
core's cache. Rows of a block lie side by side for each k (`kernels/vector/products.py`), first those of W, then those
of U; threads share the blocks. Sums of a few sequences stay in registers while the weights stream by once.

    few sequences    all gates of a block side by side, and blocks far apart read as several streams
    more sequences   gates of a block in parts, one after the other, because registers hold so many sums only
    over 16          passes of up to 16 sequences over each part, which the second level still holds

Reads W, U, both biases (int8: and scales), x, h (c); writes h' (c') to memory that is used again. NaN comes out where
NaN goes in. int8 in limbs has one unit for all activations of a sequence: an infinity, too, makes its new state NaN.
"""

import numba
import numpy as np
import torch
from torch import Tensor

from kernels.case import GATES, Case
from kernels.contract import Bind, InputSets, Sets, Step, Support, Tensors
from kernels.implementations import _layouts
from kernels.reference.cells import Weights
from kernels.reference.inputs import Floats, Layout
from kernels.vector.limbs import MOST_TERMS
from kernels.vector.llvm import LANES, LINE_BYTES, registers
from kernels.vector.products import DEPTH, limbs, runs
from kernels.vector.step import Shape, compiled

label = "fused (numba)"
reads = {"W": "per_step", "U": "per_step"}

SUPPORTS = Support(
    device=("cpu",),
    part=("cell",),
    weights_x_activations=(
        ("float32", "float32"),
        ("bfloat16", "bfloat16"),
        ("bfloat16", "float32"),
        ("int8", "float32"),
    ),
    instead={
        "steps": "torch_sequence computes sequences",
        "phase": "there are no gradients of its own yet",
        "part": "its linear and pointwise parts are one",
        "device": "triton_fused is our step on a GPU",
    },
)

MOST_SEQUENCES = 16
"""Sequences whose sums are kept in registers at once."""
AHEAD_BYTES = 8192
"""Prefetched ahead into the second level where a line of weights keeps the core busy for longer than it looks ahead."""


def version() -> str:
    """numba's version."""
    return f"numba {numba.__version__}"


def layout(case: Case) -> Layout:
    """Blocks (blocks, parts, k of W and U, rows of a part, depth); int8's scales and all biases (blocks, 2, G, 16)."""
    shape, blocks, G = _shape(case), -(-case.hidden // LANES), GATES[case.cell]
    depth = DEPTH[shape.kind]
    k = _padded(case.input, depth) + _padded(case.hidden, depth)
    packed = (blocks, G // shape.vectors, k // depth, shape.vectors * LANES, depth)
    beside = (blocks, 2, G, LANES)
    return (packed, Floats(beside), Floats(beside)) if case.dtype == "int8" else (packed, beside)


def canonical(case: Case, tensors: Tensors) -> Weights:
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
        of_w, of_u = (stacked(scales[0][:, part]) for part in range(2))
        W, U = _layouts.meant(case, W, of_w), _layouts.meant(case, U, of_u)
    return Weights(W, U, stacked(biases[:, 0]), stacked(biases[:, 1]))


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """Compile for the shape, and bind addresses of one set of weights and one set of inputs to the call."""
    shape = _shape(case)
    run = compiled(shape)
    B, H, I = case.batch, case.hidden, case.input  # noqa: E741 - the method's own letters
    new = tuple(torch.empty_like(inputs[0].h) for _ in range(2 if case.cell == "lstm" else 1))
    *of_parts, of_thread = _scratch(shape, case)
    work = np.zeros(case.threads * of_thread + 2 * LINE_BYTES, np.uint8)
    work_at = -(-work.ctypes.data // LINE_BYTES) * LINE_BYTES
    in_place = _in_place(shape, case)

    def bind(w: int, i: int) -> Step:
        given, (packed, *beside) = inputs[i], sets[w]
        state = given.c if case.cell == "lstm" else given.h
        tensors = packed, beside[0], beside[-1], given.x, given.h, state, new[0], new[-1]
        addresses = tuple(tensor.data_ptr() for tensor in tensors)
        sizes = (B, I, H, case.threads, in_place, work_at, *of_parts, of_thread)

        def step() -> Tensors:
            run(*addresses, *sizes)
            return new

        step.keeps = work, tensors  # type: ignore[attr-defined] # alive: it knows their addresses only
        return step

    return bind


def _scratch(shape: Shape, case: Case) -> tuple[int, int, int, int]:
    """Bytes of a thread's own memory: sums of W (and of U), x and h as the kind wants them; all, with limbs' worth."""
    sums = shape.streams * case.batch * limbs(shape.kind) * GATES[case.cell] * LINE_BYTES
    each = {"int8 limbs": 2, "bfloat16 pairs": 2}.get(shape.kind, 4) * shape.sequences
    x, h = (_padded(n, LINE_BYTES) * each for n in (case.input, case.hidden))
    passes = -(-case.batch // shape.sequences)
    return sums, x, h, 2 * sums + passes * (x + h) + 2 * case.batch * LINE_BYTES


def _shape(case: Case) -> Shape:
    """How to cut this case: as many vectors side by side as leave room for the sums of a pass's sequences."""
    G, kind = GATES[case.cell], _kind(case)
    room = registers() // limbs(kind)
    passes = -(-case.batch // min(MOST_SEQUENCES, room))
    sequences = -(-case.batch // passes)
    vectors = max(n for n in range(1, G + 1) if G % n == 0 and (n == 1 or n * sequences <= room))
    thirds = {"float32": 3, "bfloat16": 2}.get(kind, 1)  # registers that unpacking leaves to sums
    sums, lines = room * thirds // 3, 6 if kind == "float32" and sequences > 1 else 8
    fits = [n for n in (2, 4) if n * vectors <= lines and n * vectors * sequences <= sums]
    # the sums of several passes lie as one block's do
    streams = max(fits, default=1) if passes == 1 else 1
    busy = sequences * {"bfloat16": 2, "int8": 4}.get(kind, limbs(kind)) >= 8
    ahead = AHEAD_BYTES if busy else 0
    return Shape(case.cell, kind, case.activations, vectors, sequences, streams, ahead)


compiled_as = _shape
"""Cases of one shape share a step."""


def _kind(case: Case) -> str:
    """The product that is exact enough and fastest here."""
    if case.dtype == "bfloat16" and case.activations == "bfloat16" and runs("bfloat16 pairs"):
        return "bfloat16 pairs"
    if case.dtype == "int8" and max(case.input, case.hidden) <= MOST_TERMS and runs("int8 limbs"):
        return "int8 limbs"
    return case.dtype


def _in_place(shape: Shape, case: Case) -> bool:
    """Whether the products can read the activations where they lie."""
    as_wanted = {"bfloat16 pairs": "bfloat16", "int8 limbs": ""}.get(shape.kind, "float32")
    depth = DEPTH[shape.kind]
    whole = case.input % depth == 0 and case.hidden % depth == 0
    return case.activations == as_wanted and whole and case.batch == 1


def _padded(size: int, to: int) -> int:
    return -(-size // to) * to
