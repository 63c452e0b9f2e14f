"""A training step by PyTorch's autograd, for implementations whose step is made of PyTorch's differentiable operations.

What a user pays who trains: every call builds its graph going forward and lets autograd walk it back. Gradients come in
fresh memory, as `loss.backward()` leaves them after `zero_grad()` as it is by default; nothing is added to older ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from kernels.case import Case
from kernels.reference.cells import Inputs

Prepare = Callable[
    [Case, Sequence[Sequence[Tensor]], Sequence[Inputs]],
    Callable[[int, int], Callable[[], Sequence[Tensor]]],
]


def prepare(
    step: Prepare, case: Case, sets: Sequence[Sequence[Tensor]], inputs: Sequence[Inputs]
) -> Callable[[int, int], Callable[[], Sequence[Tensor]]]:
    """`bind` of phase train, from the `prepare` of the same implementation's steps."""
    leaves = [tuple(_leaf(tensor) for tensor in one) for one in sets]
    given = [one._replace(x=_leaf(one.x), h=_leaf(one.h), c=_leaf(one.c)) for one in inputs]
    forward = step(replace(case, phase="step"), leaves, given)

    def bind(w: int, i: int) -> Callable[[], Sequence[Tensor]]:
        x, h, c, _, d_h_new, d_c_new = given[i]
        of_lstm = case.cell == "lstm"
        by = (x, h, c, *leaves[w]) if of_lstm else (x, h, *leaves[w])
        return partial(
            _there_and_back, forward(w, i), by, (d_h_new, d_c_new) if of_lstm else (d_h_new,)
        )

    return bind


def _leaf(tensor: Tensor) -> Tensor:
    """The same memory, with a gradient of its own."""
    return tensor.detach().requires_grad_()


def _there_and_back(
    forward: Callable[[], Sequence[Tensor]], by: tuple[Tensor, ...], d_new: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    new = forward()
    return *new, *torch.autograd.grad(new, by, d_new)
