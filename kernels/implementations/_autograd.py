"""A training step by PyTorch's autograd, for implementations whose step is made of PyTorch's differentiable operations.

What a user pays who trains: every call builds its graph going forward and lets autograd walk it back. Gradients come in
fresh memory, as `loss.backward()` leaves them after `zero_grad()` as it is by default; nothing is added to older ones.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from kernels.case import Case
from kernels.contract import Bind, InputSets, Prepare, Sets, Step


def prepare(prepare_step: Prepare, case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """`bind` of phase train, from the `prepare` of the same implementation's steps."""
    leaves = [tuple(_leaf(tensor) for tensor in one) for one in sets]
    given = [one._replace(x=_leaf(one.x), h=_leaf(one.h), c=_leaf(one.c)) for one in inputs]
    forward = prepare_step(replace(case, phase="step"), leaves, given)

    def bind(w: int, i: int) -> Step:
        x, h, c, _, d_h_new, d_c_new = given[i]
        if case.cell == "lstm":
            return partial(_passes, forward(w, i), (x, h, c, *leaves[w]), (d_h_new, d_c_new))
        return partial(_passes, forward(w, i), (x, h, *leaves[w]), (d_h_new,))

    return bind


def _leaf(tensor: Tensor) -> Tensor:
    """The same memory, with a gradient of its own."""
    return tensor.detach().requires_grad_()


def _passes(forward: Step, by: Sequence[Tensor], d_new: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Forward, then backward: new state, and the gradients of these leaves."""
    new = forward()
    return *new, *torch.autograd.grad(new, by, d_new)
