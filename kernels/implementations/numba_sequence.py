"""Our own sequence on a CPU: all steps in one parallel region, each core with its own part of U (`vector/sequence.py`).

The products of all inputs with W come first. Then each thread goes through the same blocks of U at every step, and a
barrier of all threads parts the steps: what of U fits a core's own cache stays there from the first step to the last.
Products, gates and their dtypes are those of `numba_fused`.

Reads W, both biases (int8: and scales) and all x once a call, U at every step, the first h (c); writes the products
with W, every h, and the last c, to memory that is used again. NaN comes out where NaN goes in. int8 in limbs has one
unit for all activations of a sequence: an infinity, too, makes its new state NaN.
"""

import numba
import numpy as np
import torch
from torch import Tensor

from kernels.case import GATES, Case
from kernels.contract import Bind, InputSets, Sets, Step, Support, Tensors
from kernels.implementations import _layouts, numba_fused
from kernels.reference.cells import Weights
from kernels.reference.inputs import Floats, Layout
from kernels.vector import barrier
from kernels.vector.llvm import LANES, LINE_BYTES, registers
from kernels.vector.products import DEPTH, limbs
from kernels.vector.sequence import Places, Shape, compiled

label = "sequence (numba)"
reads = {"W": "per_call", "U": "per_step"}
version = numba_fused.version

SUPPORTS = Support(
    device=("cpu",),
    part=("cell",),
    weights_x_activations=numba_fused.SUPPORTS.weights_x_activations,
    sequences=True,
    residency=("resident",),
    instead={
        "part": "its linear and pointwise parts are one",
        "device": "triton_persistent and cuda_persistent are our sequences on a GPU",
    },
)


def layout(case: Case) -> Layout:
    """U in blocks (blocks, k, G*16, depth), scales of int8 and biases (blocks, 2, G, 16), then W as U."""
    blocks, G = -(-case.hidden // LANES), GATES[case.cell]
    depth = DEPTH[case.dtype]
    U, W = ((blocks, -(-n // depth), G * LANES, depth) for n in (case.hidden, case.input))
    beside = (blocks, 2, G, LANES)
    return (U, Floats(beside), Floats(beside), W) if case.dtype == "int8" else (U, beside, W)


def canonical(case: Case, tensors: Tensors) -> Weights:
    """Unpacked, without what fills up a block; int8 as the floats it stands for."""
    packed_u, *scales, biases, packed_w = tensors
    G, H = GATES[case.cell], case.hidden

    def stacked(of_block: Tensor) -> Tensor:
        """(blocks, G, 16, ...) to (G*H, ...)."""
        units = of_block.transpose(0, 1).reshape(G, -1, *of_block.shape[3:])
        return units[:, :H].reshape(G * H, *of_block.shape[3:])

    def matrix(packed: Tensor, columns: int) -> Tensor:
        blocks, turns, _, depth = packed.shape
        rows = packed.transpose(1, 2).reshape(blocks, G, LANES, turns * depth)
        return stacked(rows)[:, :columns]

    W, U = matrix(packed_w, case.input), matrix(packed_u, H)
    if scales:
        of_w, of_u = (stacked(scales[0][:, part]) for part in range(2))
        W, U = _layouts.meant(case, W, of_w), _layouts.meant(case, U, of_u)
    return Weights(W, U, stacked(biases[:, 0]), stacked(biases[:, 1]))


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """Compile for the shape, and bind addresses of one set of weights and one set of inputs to the call."""
    shape = _shape(case)
    run = compiled(shape)
    T, B, H, I = case.steps, case.batch, case.hidden, case.input  # noqa: E741 - the method's own letters
    first = inputs[0].h
    out, c_new = first.new_empty(T, B, H), torch.empty_like(first)
    answer = (out, c_new) if case.cell == "lstm" else (out,)
    work, places = _memory(shape, case)
    in_place, threads = _in_place(shape, case), min(case.threads, numba.get_num_threads())

    def bind(w: int, i: int) -> Step:
        given, (U, *beside, W) = inputs[i], sets[w]
        c = given.c if case.cell == "lstm" else given.h
        tensors = U, W, beside[0], beside[-1], given.x, given.h, c, out, c_new
        arguments = (
            *(tensor.data_ptr() for tensor in tensors),
            *(T, B, I, H, threads, in_place),
            *places,
        )

        def sequence() -> Tensors:
            run(*arguments)
            return answer

        sequence.keeps = work, tensors  # type: ignore[attr-defined] # alive: it knows their addresses only
        return sequence

    return bind


def _shape(case: Case) -> Shape:
    """How to cut this case: as many sequences at once as leave room for the sums of all gates of a block."""
    G, kind = GATES[case.cell], numba_fused._kind(case)
    room = registers() // limbs(kind)
    rows, sequences = (_even(n, max(1, room // G)) for n in (case.steps * case.batch, case.batch))
    unpacked = {"float32": 3, "bfloat16": 2}.get(kind, 1)  # thirds of the registers left to sums
    fits = [n for n in (2, 4, 8) if n * G <= 8 and n * G * sequences <= room * unpacked // 3]
    # the sums of several passes lie as one block's do
    streams = max(fits, default=1) if sequences == case.batch else 1
    return Shape(case.cell, kind, case.activations, rows, sequences, streams)


compiled_as = _shape
"""Cases of one shape share a sequence."""


def _even(count: int, most: int) -> int:
    """Of so many, as many to a pass as make the fewest passes alike."""
    return -(-count // -(-count // most))


def _in_place(shape: Shape, case: Case) -> bool:
    """Whether the products can read h where it lies."""
    as_wanted = {"bfloat16 pairs": "bfloat16", "int8 limbs": ""}.get(shape.kind, "float32")
    whole = case.hidden % DEPTH[shape.kind] == 0
    return case.activations == as_wanted and whole and case.batch == 1


def _memory(shape: Shape, case: Case) -> tuple[np.ndarray, Places]:
    """Memory beside weights, inputs and outputs, all zeros; and what lies where in it."""
    G, per_sum, R = GATES[case.cell], limbs(shape.kind), case.steps * case.batch
    each = {"int8 limbs": 2, "bfloat16 pairs": 2}.get(shape.kind, 4)
    rows_bytes = _lines(case.input) * each * shape.rows
    h_bytes = _lines(case.hidden) * each * shape.sequences
    row = per_sum * G * LINE_BYTES
    sums_bytes = shape.streams * case.batch * row
    passes = -(-case.batch // shape.sequences)
    own_bytes = sums_bytes + passes * h_bytes + case.batch * LINE_BYTES
    sizes = (
        barrier.BYTES,
        -(-R // shape.rows) * rows_bytes,
        R * LINE_BYTES,
        -(-case.hidden // LANES) * R * row,
        case.threads * own_bytes,
    )
    work = np.zeros(sum(sizes) + LINE_BYTES, np.uint8)
    start = _lines(work.ctypes.data)
    barriers, rows, units, sums, own = (start + sum(sizes[:n]) for n in range(len(sizes)))
    return work, Places(
        barriers, rows, units, sums, own, rows_bytes, h_bytes, sums_bytes, own_bytes
    )


def _lines(size: int) -> int:
    return -(-size // LINE_BYTES) * LINE_BYTES
