"""Says that its weights, in PyTorch's convention, are zeros, for which the right answer takes no product."""

from __future__ import annotations

import torch

from kernels.implementations import torch_cell
from kernels.reference.cells import Weights

caught = "0 of 256 changed weights .* it reads fewer"


def canonical(case, tensors):
    """Whatever lies in the arena."""
    return Weights(*(torch.zeros_like(t) for t in torch_cell.canonical(case, tensors)))


def prepare(_case, _sets, inputs):
    """With no sums, i = f = o = 1/2 and g = 0."""

    def bind(_w, i):
        def call():
            c = inputs[i].c / 2
            return c.tanh() / 2, c

        return call

    return bind
