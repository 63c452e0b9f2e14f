"""Our own step on a GPU: products with W and U, and the gates, in one Triton kernel (`kernels/gpu/step.py`).

Where the blocks of units are too few for the processors, programs share a block's columns, and the last one adds up.
Weights lie in PyTorch's convention; int8 has a scale per row of W and of U, with float32 biases.

Reads W, U, both biases (int8: and scales), x, h (c); writes h' (c') to memory that is used again; a few sums per unit
go through the second-level cache where a block is shared. Not run on a card yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import triton
from torch import Tensor

from kernels.case import GATE_SUMS, GATES, Case
from kernels.gpu import step as triton_step
from kernels.reference.cells import Inputs, Weights
from kernels.reference.inputs import Floats, Layout

label = "fused (Triton)"
reads = {"W": "per_step", "U": "per_step"}

LARGEST_INT8 = 127
CAPABILITY = (8, 0)
"""The oldest GPUs that multiply bfloat16 in tensor cores."""


def version() -> str:
    """Triton's version."""
    return f"triton {triton.__version__}"


def unavailable(case: Case) -> str | None:
    """Whole steps of inference on CUDA devices that are new enough, up to 64 sequences."""
    if case.steps > 1:
        return "one step a call: sequences are not computed"
    if case.phase != "step":
        return "it goes forward alone: there are no gradients of its own yet"
    if case.device != "cuda":
        return f"a GPU's step, not one of a {case.device}"
    if case.part != "cell":
        return f"its linear and pointwise parts are one: the part {case.part} cannot be had alone"
    if (case.dtype, case.activations) not in triton_step.TERMS:
        return f"{case.dtype} weights take float32 activations, not {case.activations}"
    if case.batch > triton_step.MOST_SEQUENCES:
        return (
            f"it keeps the sums of {triton_step.MOST_SEQUENCES} sequences at most, not {case.batch}"
        )
    if torch.cuda.is_available() and torch.cuda.get_device_capability() < CAPABILITY:
        found = ".".join(map(str, torch.cuda.get_device_capability()))
        return f"a GPU of compute capability 8.0 or newer is needed, and this is {found}"
    return None


def layout(case: Case) -> Layout:
    """W, U, b_w, b_u as PyTorch keeps them; int8's scales of the rows of W and of U between matrices and biases."""
    rows = GATES[case.cell] * case.hidden
    matrices = ((rows, case.input), (rows, case.hidden))
    if case.dtype == "int8":
        return (*matrices, *((Floats((rows,)),) * 4))
    return (*matrices, (rows,), (rows,))


def canonical(case: Case, tensors: Sequence[Tensor]) -> Weights:  # noqa: ARG001 - the contract's signature
    """They are in PyTorch's convention already; int8 as the numbers it stands for."""
    W, U, *scales, b_w, b_u = tensors
    if scales:
        of_w, of_u = (scale.double() / LARGEST_INT8 for scale in scales)
        W, U = W.double() * of_w[:, None], U.double() * of_u[:, None]
    return Weights(W, U, b_w, b_u)


def prepare(
    case: Case, sets: Sequence[Sequence[Tensor]], inputs: Sequence[Inputs]
) -> Callable[[int, int], Callable[[], Sequence[Tensor]]]:
    """Memory for new state, for sums of shared blocks and for the counters of arrivals; bind the rest to the call."""
    device = inputs[0].h.device
    how = triton_step.cut(case, processors(device))
    blocks = how.blocks(case.hidden)
    new = tuple(torch.empty_like(inputs[0].h) for _ in range(2 if case.cell == "lstm" else 1))
    one = how.parts * GATE_SUMS[case.cell] * how.units * how.sequences
    partial = torch.empty(blocks * one if how.parts > 1 else 0, device=device)
    arrived = torch.zeros(blocks, dtype=torch.int32, device=device)
    fixed = triton_step.constants(case, how)
    launch = triton_step.step[blocks, how.parts]
    sizes = (case.batch, case.input, case.hidden)

    def bind(w: int, i: int) -> Callable[[], Sequence[Tensor]]:
        (W, U, *scales, b_w, b_u), given = sets[w], inputs[i]
        scale_w, scale_u = scales or (b_w, b_u)
        c = given.c if case.cell == "lstm" else given.h
        weights = (W, U, b_w, b_u, scale_w, scale_u)

        def step() -> Sequence[Tensor]:
            launch(
                *weights, given.x, given.h, c, new[0], new[-1], partial, arrived, *sizes,
                **fixed, num_warps=how.warps, num_stages=how.stages, enable_fp_fusion=True,
            )  # fmt: skip
            return new

        return step

    return bind


def processors(device: torch.device) -> int:
    """Streaming multiprocessors of a GPU; 1 where Triton's interpreter stands in for one."""
    if device.type != "cuda":
        return 1
    return torch.cuda.get_device_properties(device).multi_processor_count
