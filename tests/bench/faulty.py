"""Implementations that do harm, on the way of PyTorch's own cell."""

from __future__ import annotations

from dataclasses import replace

from kernels import implementations

torch_cell = implementations.load("torch_cell")


def instead_of_a_call(harm):
    """PyTorch's cell, whose every call does `harm` first."""

    def prepare(case, sets, inputs):
        bind = torch_cell.prepare(case, sets, inputs)

        def bound(w, i):
            step = bind(w, i)

            def call():
                harm()
                return step()

            return call

        return bound

    return replace(torch_cell, prepare=prepare)


def when_preparing(harm):
    """PyTorch's cell, which does `harm` when it is prepared."""

    def prepare(case, sets, inputs):
        harm()
        return torch_cell.prepare(case, sets, inputs)

    return replace(torch_cell, prepare=prepare)
