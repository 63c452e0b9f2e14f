"""A sequence whose every step starts from the first state, so that none waits for the one before."""

from __future__ import annotations

import torch

from kernels.implementations import torch_cell

caught = "wrong answer before it was timed"
steps = 5


def unavailable(_case):
    """It says it can."""
    return


def prepare(case, sets, inputs):
    """PyTorch's cell over all steps as one batch."""

    def bind(w, i):
        x, h, c, *_ = inputs[i]

        def call():
            flat = inputs[i]._replace(
                x=x.flatten(0, 1), h=h.repeat(case.steps, 1), c=c.repeat(case.steps, 1)
            )
            h_new, c_new = torch_cell.prepare(case, sets, [flat])(w, 0)()
            return torch.stack(h_new.split(case.batch)), c_new[-case.batch :]

        return call

    return bind
