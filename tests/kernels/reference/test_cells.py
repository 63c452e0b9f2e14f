"""The reference step is PyTorch's own cells in float64."""

from __future__ import annotations

import pytest
import torch

from kernels.case import CELLS, GATE_SUMS, Case
from kernels.reference import cells
from kernels.reference.cells import Inputs, Weights

OWN = {"rnn": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}
SHAPES = [(1, 3, 5), (7, 5, 3), (2, 1, 1), (4, 9, 16), (1, 33, 2)]  # B, I, H
EXACT = {"atol": 1e-12, "rtol": 0.0}


def own_cell(cell, B, I, H):  # noqa: E741 - the method's own letters
    """PyTorch's cell with random weights, an input for it, its answer, and the same weights in our hands."""
    torch.manual_seed(B + 10 * I + 100 * H)
    module = OWN[cell](I, H, dtype=torch.float64)
    x, h, c = (torch.randn(B, n, dtype=torch.float64) for n in (I, H, H))
    with torch.no_grad():
        answer = module(x, (h, c)) if cell == "lstm" else (module(x, h),)
    weights = Weights(module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh)
    return Inputs(x, h, c, torch.empty(0)), weights, answer


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("B", "I", "H"), SHAPES)
def test_the_reference_agrees_with_pytorchs_cell(cell, B, I, H):  # noqa: E741
    inputs, weights, answer = own_cell(cell, B, I, H)
    got = cells.reference(Case(cell, hidden=H, input=I, batch=B), inputs, weights)
    assert len(got) == len(answer)
    for mine, right in zip(got, answer, strict=True):
        torch.testing.assert_close(mine, right, **EXACT)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("B", "I", "H"), SHAPES)
def test_the_pointwise_part_after_the_linear_part_is_pytorchs_cell(cell, B, I, H):  # noqa: E741
    inputs, weights, answer = own_cell(cell, B, I, H)
    (sums,) = cells.reference(Case(cell, H, I, B, part="linear"), inputs, weights)
    handed_over = inputs._replace(x=torch.empty(0), sums=sums)
    got = cells.reference(Case(cell, H, I, B, part="pointwise"), handed_over, weights)
    for mine, right in zip(got, answer, strict=True):
        torch.testing.assert_close(mine, right, **EXACT)


@pytest.mark.parametrize(("cell", "sums"), [("rnn", 1), ("lstm", 4), ("gru", 4)])
def test_the_linear_part_hands_over_one_sum_per_gate_and_grus_candidate_in_two(cell, sums):
    inputs, weights, _ = own_cell(cell, 2, 3, 5)
    (got,) = cells.reference(Case(cell, 5, 3, 2, part="linear"), inputs, weights)
    assert got.shape == (2, sums * 5)
    assert GATE_SUMS[cell] == sums


def test_grus_candidate_keeps_the_product_of_x_apart_from_that_of_h():
    inputs, weights, _ = own_cell("gru", 2, 3, 5)
    no_x = inputs._replace(x=torch.zeros_like(inputs.x))
    (sums,) = cells.reference(Case("gru", 5, 3, 2, part="linear"), no_x, weights)
    assert not sums[:, 10:15].any()
    assert sums[:, 15:].all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_reference_computes_in_float64_whatever_it_is_given(dtype):
    inputs, weights, _ = own_cell("lstm", 2, 3, 5)
    rounded = (Inputs(*(t.to(dtype) for t in inputs)), Weights(*(t.to(dtype) for t in weights)))
    widened = (
        Inputs(*(t.to(torch.float64) for t in rounded[0])),
        Weights(*(t.to(torch.float64) for t in rounded[1])),
    )
    case = Case("lstm", hidden=5, input=3, batch=2)
    got, exact = cells.reference(case, *rounded), cells.reference(case, *widened)
    assert all(t.dtype == torch.float64 for t in got)
    assert all(torch.equal(a, b) for a, b in zip(got, exact, strict=True))
