"""What PyTorch's dispatcher ran is counted by its own formulas, and is what the model says where nothing hides it."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import torch

from bench.measure import point, products
from kernels import cost, implementations
from kernels.case import Case

LSTM = Case("lstm", 64, 32, 4)


@pytest.mark.parametrize(
    ("case", "name"),
    [
        (LSTM, "torch_cell"),
        (LSTM, "torch_gates"),
        (replace(LSTM, part="linear"), "torch_gates"),
        (replace(LSTM, cell="gru"), "torch_cell"),
        (replace(LSTM, phase="train"), "torch_cell"),
        (replace(LSTM, dtype="bfloat16", activations="bfloat16"), "torch_cell"),
    ],
)
def test_a_points_products_are_those_of_the_model(context, case, name):
    found = point.point(context, case, name, implementations.load(name), order=0)
    assert (found.status, found.reason) == ("ok", None)
    assert found.products["flops"] == cost.count(case).linear_flops
    assert found.products["count"] >= 2


def test_what_never_reaches_the_dispatcher_is_not_counted(context):
    found = point.point(context, LSTM, "numba_fused", implementations.load("numba_fused"), order=0)
    assert (found.status, found.products) == ("ok", None)


def test_of_a_sequence_they_are_per_step_and_rounded_up():
    x, w = torch.zeros(10, 8), torch.zeros(8, 4)

    def call():
        whole = x @ w  # of 5 steps at once
        for _ in range(5):
            torch.addmm(torch.zeros(4), x[:2], w)
        return whole

    assert products.counted(call, 5) == {"count": 2, "flops": 2 * 2 * (2 * 8 * 4)}


def test_what_was_compiled_stays_compiled():
    """A mode of the dispatcher would have it fall back, or refuse."""
    product = torch.compile(lambda x: x @ x, fullgraph=True, backend="eager")
    x = torch.ones(4, 4)
    product(x)
    assert products.counted(lambda: product(x), 1) == {"count": 1, "flops": 2 * 4**3}
    assert torch.equal(product(x), x @ x)


def test_a_call_that_raises_leaves_nothing_watched():
    with pytest.raises(ZeroDivisionError):
        products.counted(lambda: 1 // 0, 1)
    assert not torch._C._autograd._profiler_enabled()
    assert products.counted(lambda: torch.ones(2, 2) @ torch.ones(2, 2), 1) == {
        "count": 1,
        "flops": 16,
    }


def test_with_a_pytorch_that_cannot_tell_points_are_measured_uncounted(context, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.autograd.profiler_legacy", None)
    found = point.point(context, LSTM, "torch_cell", implementations.load("torch_cell"), order=0)
    assert (found.status, found.products) == ("ok", None)
