"""Weights laid out as PyTorch keeps them: `layout` and `canonical` of every implementation that wants them so."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from kernels.case import GATES, Case
from kernels.reference.cells import Weights
from kernels.reference.inputs import Layout


def layout(case: Case) -> Layout:
    """W, U, b_w, b_u as PyTorch keeps them; a part takes what it reads and leaves the others empty."""
    rows = GATES[case.cell] * case.hidden
    matrices = (
        ((rows, case.input), (rows, case.hidden)) if case.part != "pointwise" else ((0, 0), (0, 0))
    )
    biases = ((rows,), (rows,)) if case.part != "linear" else ((0,), (0,))
    return matrices + biases


def canonical(case: Case, tensors: Sequence[Tensor]) -> Weights:  # noqa: ARG001 - the contract's signature
    """They are in PyTorch's convention already."""
    return Weights(*tensors)
