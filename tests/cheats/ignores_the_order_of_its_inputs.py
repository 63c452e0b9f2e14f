"""A sequence that takes its time steps in any order, here the reverse: the same work, the same weights."""

from __future__ import annotations

from kernels.implementations import torch_sequence

caught = "wrong answer before it was timed"
steps = 5
reads, layout, canonical = torch_sequence.reads, torch_sequence.layout, torch_sequence.canonical
unavailable = torch_sequence.SUPPORTS.unavailable


def prepare(case, sets, inputs):
    """PyTorch's sequence over x turned round."""

    def bind(w, i):
        def call():
            turned = inputs[i]._replace(x=inputs[i].x.flip(0))
            return torch_sequence.prepare(case, sets, [turned])(w, 0)()

        return call

    return bind
