"""Our own sequence on a GPU: all steps in one launch, with U kept on chip (`kernels/gpu/persistent.py`).

The products of all inputs with W come first, as one large product by PyTorch's library. Then one kernel runs all steps,
each program with its rows of U in registers from first to last, and a barrier of all programs after each step.

Reads W, U, both biases once a call, all x, the first h (c), and from the second-level cache the last h at every step;
writes the products with W, every h, and the last c, to memory that is used again. Not run on a card yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import triton
from torch import Tensor

from kernels.case import GATES, Case
from kernels.gpu import persistent
from kernels.implementations import _pytorch_layout
from kernels.reference.cells import Inputs, Weights

label = "persistent (Triton)"
reads = {"W": "per_call", "U": "per_call"}
layout, canonical = _pytorch_layout.layout, _pytorch_layout.canonical

CAPABILITY = (8, 0)
"""The oldest GPUs that multiply bfloat16 in tensor cores."""


def version() -> str:
    """Triton's version, and PyTorch's, whose library makes the first product."""
    return f"triton {triton.__version__}, torch {torch.__version__}"


def unavailable(case: Case) -> str | None:
    """Whole steps forward, on CUDA devices that are new enough, where U fits on the chip."""
    if case.device != "cuda":
        return f"a GPU's sequence, not one of a {case.device}"
    if case.part != "cell" or case.phase != "step":
        return f"it computes whole steps forward, not part {case.part} in phase {case.phase}"
    if case.activations != case.dtype or case.dtype == "int8":
        return f"its products take one float dtype, not {case.dtype} weights with {case.activations} activations"
    if torch.cuda.is_available():
        if torch.cuda.get_device_capability() < CAPABILITY:
            found = ".".join(map(str, torch.cuda.get_device_capability()))
            return f"a GPU of compute capability 8.0 or newer is needed, and this is {found}"
        return persistent.too_large(case, processors(torch.device(case.device)))
    return None


def prepare(
    case: Case, sets: Sequence[Sequence[Tensor]], inputs: Sequence[Inputs]
) -> Callable[[int, int], Callable[[], Sequence[Tensor]]]:
    """Memory for the products with W, for all h and the last c, and the barrier's counter; bind the rest."""
    T, B, G = case.steps, case.batch, GATES[case.cell]
    first = inputs[0].h
    count = processors(first.device)
    from_x = first.new_empty(T * B, G * case.hidden)
    out, c_new = first.new_empty(T, B, case.hidden), torch.empty_like(first)
    arrived = torch.zeros(1, dtype=torch.int32, device=first.device)
    answer = (out, c_new) if case.cell == "lstm" else (out,)

    def bind(w: int, i: int) -> Callable[[], Sequence[Tensor]]:
        weights, given = Weights(*sets[w]), inputs[i]
        x, across = given.x.view(T * B, case.input), weights.W.T
        c = given.c if case.cell == "lstm" else given.h

        def sequence() -> Sequence[Tensor]:
            torch.mm(x, across, out=from_x)
            persistent.run(case, weights, from_x, given.h, c, out, c_new, arrived, count)
            return answer

        return sequence

    return bind


def processors(device: torch.device) -> int:
    """Streaming multiprocessors of a GPU; 1 where Triton's interpreter stands in for one."""
    return persistent.processors_of(device) if device.type == "cuda" else 1
