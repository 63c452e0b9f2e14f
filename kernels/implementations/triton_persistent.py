"""Our own sequence on a GPU: all steps in one launch, with U kept on chip (`kernels/gpu/persistent.py`).

The products of all inputs with W come first, as one large product by PyTorch's library. Then one kernel runs all steps,
each program with its rows of U in registers from first to last, and a barrier of all programs after each step.

Reads W, U, both biases once a call, all x, the first h (c), and from the second-level cache the last h at every step;
writes the products with W, every h, and the last c, to memory that is used again. Ran on an H200.
"""

import torch
import triton

from kernels.case import GATES, Case
from kernels.contract import ONE_DTYPE, Bind, InputSets, Sets, Step, Support, Tensors
from kernels.gpu import persistent
from kernels.implementations import _layouts
from kernels.implementations._gpus import processors, too_old
from kernels.reference.cells import Weights

label = "persistent (Triton)"
reads = {"W": "per_call", "U": "per_call"}
layout, canonical = _layouts.layout, _layouts.canonical


def version() -> str:
    """Triton's version, and PyTorch's, whose library makes the first product."""
    return f"triton {triton.__version__}, torch {torch.__version__}"


def _too_large(case: Case) -> str | None:
    """Why it does not fit on this GPU, or None, also where there is none."""
    if not torch.cuda.is_available():
        return None
    return too_old() or persistent.too_large(case, processors(torch.device(case.device)))


SUPPORTS = Support(
    device=("cuda",),
    part=("cell",),
    weights_x_activations=ONE_DTYPE,
    sequences=True,
    also=_too_large,
)


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """Memory for the products with W, for all h and the last c, and the barrier's counter; bind the rest."""
    T, B, G = case.steps, case.batch, GATES[case.cell]
    first = inputs[0].h
    count = processors(first.device)
    from_x = first.new_empty(T * B, G * case.hidden)
    out, c_new = first.new_empty(T, B, case.hidden), torch.empty_like(first)
    arrived = torch.zeros(1, dtype=torch.int32, device=first.device)
    answer = (out, c_new) if case.cell == "lstm" else (out,)

    def bind(w: int, i: int) -> Step:
        weights, given = Weights(*sets[w]), inputs[i]
        x, across = given.x.view(T * B, case.input), weights.W.T
        c = given.c if case.cell == "lstm" else given.h

        def sequence() -> Tensors:
            torch.mm(x, across, out=from_x)
            persistent.run(case, weights, from_x, given.h, c, out, c_new, arrived, count)
            return answer

        return sequence

    return bind
