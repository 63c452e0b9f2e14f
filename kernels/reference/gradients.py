"""Gradients of a step in float64, by autograd through the reference's own equations; and those of any layout.

Given d_h' (and d_c'), the loss's gradients with respect to the new state, phase `train` wants those of x, h (and c) and
of the weights. The equations of the backward pass are with their FLOPs in `kernels.cost`.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from kernels.case import Case
from kernels.reference import cells
from kernels.reference.cells import Answer, Inputs, Weights


def reference(case: Case, inputs: Inputs, weights: Weights) -> tuple[Answer, Weights]:
    """Gradients of x, h (and c), and of the weights as rounded to their dtype; in float64."""
    with torch.enable_grad():
        x, h, c, _, *d_new = cells.exactly(inputs)
        exact = Weights(*(tensor.requires_grad_() for tensor in cells.exactly(weights)))
        given = [t.requires_grad_() for t in ((x, h, c) if case.cell == "lstm" else (x, h))]
        new = cells.pointwise(case.cell, cells.linear(case.cell, x, h, exact), h, c, exact)
        found = torch.autograd.grad(new, (*given, *exact), d_new[: len(new)])
    return found[: len(given)], Weights(*found[len(given) :])


def in_layout(
    canonical: Callable[[Sequence[Tensor]], Weights], tensors: Sequence[Tensor], found: Weights
) -> tuple[Tensor, ...]:
    """Gradients of the weights `tensors` of some layout, from those of the same weights in PyTorch's convention.

    `canonical` turns that layout into PyTorch's convention by differentiable operations; it is gone back through.
    """
    with torch.enable_grad():
        leaves = [tensor.requires_grad_() for tensor in cells.exactly(tensors)]
        pairs = [
            pair for pair in zip(canonical(leaves), found, strict=True) if pair[0].requires_grad
        ]
        return torch.autograd.grad([w for w, _ in pairs], leaves, [d for _, d in pairs])
