"""Our own step on a GPU: products with W and U, and the gates, in one Triton kernel (`kernels/gpu/step.py`).

Where the blocks of units are too few for the processors, programs share a block's columns, and the last one adds up.
Weights lie in PyTorch's convention; int8 has a scale per row of W and of U, with float32 biases.

Reads W, U, both biases (int8: and scales), x, h (c); writes h' (c') to memory that is used again; a few sums per unit
go through the second-level cache where a block is shared. What ran on an H200 is in `kernels/gpu/step.py`.
"""

import torch
import triton

from kernels.case import GATE_SUMS, Case
from kernels.contract import Bind, InputSets, Sets, Step, Support, Tensors
from kernels.gpu import step as fused
from kernels.implementations import _layouts
from kernels.implementations._gpus import (
    CAPABILITY,
    FLOAT8,
    overlaps,
    processors,
    shared_memory,
    too_old,
)

label = "fused (Triton)"
reads = {"W": "per_step", "U": "per_step"}
layout, canonical = _layouts.layout, _layouts.canonical


def version() -> str:
    """Triton's version."""
    return f"triton {triton.__version__}"


def _too_large(case: Case) -> str | None:
    if case.batch > fused.MOST_SEQUENCES:
        return f"it keeps the sums of {fused.MOST_SEQUENCES} sequences at most, not {case.batch}"
    return too_old(FLOAT8 if case.dtype == "float8" else CAPABILITY)


SUPPORTS = Support(
    device=("cuda",),
    part=("cell",),
    instead={
        "steps": "triton_persistent computes sequences",
        "phase": "there are no gradients of its own yet",
        "part": "its linear and pointwise parts are one",
        "device": "numba_fused is our step on a CPU",
    },
    also=_too_large,
)


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """Memory for new state, for sums of shared blocks and for the counters of arrivals; bind the rest to the call."""
    device = inputs[0].h.device
    how = fused.cut(
        case, processors(device), shared=shared_memory(device), overlap=overlaps(device)
    )
    blocks = how.blocks(case.hidden)
    new = tuple(torch.empty_like(inputs[0].h) for _ in range(2 if case.cell == "lstm" else 1))
    one = how.parts * GATE_SUMS[case.cell] * how.units * how.sequences
    partial = torch.empty(blocks * one if how.parts > 1 else 0, device=device)
    arrived = torch.zeros(blocks, dtype=torch.int32, device=device)
    fixed = fused.constants(case, how)
    options = fused.options(how)
    launch = fused.step[blocks, how.parts]
    sizes = (case.batch, case.input, case.hidden)

    def bind(w: int, i: int) -> Step:
        (W, U, *scales, b_w, b_u), given = sets[w], inputs[i]
        scale_w, scale_u = scales or (b_w, b_u)
        c = given.c if case.cell == "lstm" else given.h
        weights = (W, U, b_w, b_u, scale_w, scale_u)

        def step() -> Tensors:
            launch(
                *weights, given.x, given.h, c, new[0], new[-1], partial, arrived, *sizes,
                **fixed, **options,
            )  # fmt: skip
            return new

        return step

    return bind
