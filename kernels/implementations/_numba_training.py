"""`numba_fused` in phase train: its layout, canonical and prepare. The step itself is `kernels.training.step`.

Reads W and U twice, biases, x, h (c), d_h' (d_c'); writes h' (c'), and all gradients, to memory that is used again.
"""

import numpy as np
import torch

from kernels.case import GATES, Case
from kernels.contract import Bind, InputSets, Sets, Step, Tensors
from kernels.implementations import _layouts
from kernels.reference.cells import Weights
from kernels.reference.inputs import Layout, on_large_pages
from kernels.training import step as training
from kernels.training.lines import rows, sequences
from kernels.training.step import AHEAD_BYTES, Shape, Stores
from kernels.vector.llvm import LANES, LINE_BYTES


def shape(case: Case) -> Shape:
    """What the step is compiled for; cases of one shape share it."""
    return Shape(case.cell, rows(), sequences(rows()))


def layout(case: Case) -> Layout:
    """Tiles of 16 units' gates (blocks, tiles, lines of W and U, rows of a tile, 16), and biases (blocks, 2, G, 16)."""
    blocks, G = _lines(case.hidden), GATES[case.cell]
    lines = _lines(case.input) + blocks
    return (blocks, G * LANES // rows(), lines, rows(), LANES), (blocks, 2, G, LANES)


def canonical(case: Case, tensors: Tensors) -> Weights:
    """Unpacked, without what fills up a block or a line."""
    packed, biases = tensors
    G, H, split = GATES[case.cell], case.hidden, _lines(case.input) * LANES
    blocks, _, lines, _, _ = packed.shape
    of_block = packed.permute(0, 1, 3, 2, 4).reshape(blocks, G, LANES, lines * LANES)
    matrix = _layouts.stacked(of_block, H)
    W, U = matrix[:, : case.input], matrix[:, split : split + H]
    return Weights(W, U, *(_layouts.stacked(biases[:, part], H) for part in range(2)))


def choices(case: Case) -> tuple[Stores, ...]:
    """Ways through memory; the likelier ones first, by where the weights come from."""
    past = case.residency == "streamed"
    return Stores(past, AHEAD_BYTES), Stores(not past, AHEAD_BYTES), Stores(past, 0)


def prepare(case: Case, sets: Sets, inputs: InputSets, choice: Stores | None = None) -> Bind:
    """Compile for the shape, and bind addresses of one set of weights and one set of inputs to the call."""
    run = training.compiled(shape(case))
    B, H, I = case.batch, case.hidden, case.input  # noqa: E741 - the method's own letters
    ways = choice or choices(case)[0]
    given, of_state = inputs[0], 2 if case.cell == "lstm" else 1
    new = tuple(torch.empty_like(given.h) for _ in range(of_state))
    of_inputs = torch.empty_like(given.x), *(torch.empty_like(given.h) for _ in range(of_state))
    of_weights = tuple(on_large_pages(tuple(tensor.shape)) for tensor in sets[0])
    sizes = training.scratch(case.cell, B, I, H)
    work = np.zeros(sizes.size + case.threads * sizes.of_thread + LINE_BYTES, np.uint8)
    work_at = -(-work.ctypes.data // LINE_BYTES) * LINE_BYTES
    answer = *new, *of_inputs, *of_weights

    def bind(w: int, i: int) -> Step:
        x, h, c, _, d_h_new, d_c_new = inputs[i]
        state, d_c = (c, d_c_new) if case.cell == "lstm" else (h, d_h_new)
        read = *sets[w], x, h, state, d_h_new, d_c
        written = new[0], new[-1], *of_inputs[:2], of_inputs[-1], *of_weights
        addresses = tuple(tensor.data_ptr() for tensor in (*read, *written))
        numbers = B, I, H, case.threads, *ways, work_at, *sizes

        def step() -> Tensors:
            run(*addresses, *numbers)
            return answer

        step.keeps = work, read  # type: ignore[attr-defined] # alive: it knows their addresses only
        return step

    return bind


def _lines(size: int) -> int:
    return -(-size // LANES)
