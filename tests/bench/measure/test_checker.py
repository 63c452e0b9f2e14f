"""A right step is not accused: of a long sum, of saturated gates, of a layout that is mostly padding."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bench.measure import point
from kernels import implementations
from kernels.case import CELLS, Case
from kernels.reference import check
from kernels.reference.cells import Weights
from tests.kernels import declared

torch_cell = implementations.load("torch_cell")
CASE = Case("lstm", hidden=64, input=32, batch=4)


def rounds_coarser(share, with_changed_weights):
    """PyTorch's cell, off by so much of its tolerance: always, or while weights hold what the checker puts there."""

    def prepare(case, sets, inputs):
        bind = torch_cell.prepare(case, sets, inputs)
        off = share * check.tolerance(case)

        def bound(w, i):
            step = bind(w, i)

            def call():
                changed = any(float(t.abs().max()) == 1.0 for t in sets[w])
                return [t + off * (changed or not with_changed_weights) for t in step()]

            return call

        return bound

    return replace(torch_cell, prepare=prepare)


def test_an_answer_to_larger_weights_may_be_off_by_more_and_yet_follows(context):
    """The checker's weights are fifty times as large as those the tolerance is for, and so are sums of few units."""
    found = point.point(context, CASE, "coarse", rounds_coarser(1.5, True), order=0)
    assert (found.status, found.reason) == ("ok", None)
    found = point.point(context, CASE, "coarse", rounds_coarser(1.5, False), order=0)
    assert "wrong answer" in found.reason
    found = point.point(context, CASE, "coarse", rounds_coarser(3.0, True), order=0)
    assert "does not follow its weights" in found.reason


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_training_whose_changed_weights_saturate_every_gate_is_right(context, cell, dtype):
    """Its gradients all but vanish, and what is left of them is rounding."""
    for seed in range(4):
        context = replace(context, seed=seed)
        case = Case(cell, 1, 300, 1, phase="train", dtype=dtype, activations=dtype)
        found = point.point(context, case, "torch_cell", torch_cell, order=0)
        assert (found.status, found.reason) == ("ok", None)


@declared.each(
    "dtype", but=declared.COMPILED, device="cpu", activations="float32", cell="rnn", steps=1
)
def test_a_step_of_65536_inputs_is_right(context, name, dtype):
    """Of float32 activations: PyTorch's own was called wrong, at 1.1e-5 of 1e-5."""
    implementation = implementations.load(name)
    for part, batch in (("cell", 1), ("cell", 4), ("linear", 1)):
        sizes = {"hidden": 4, "input": 65_536, "batch": batch, "part": part}
        case = Case("rnn", **sizes, dtype=dtype, activations="float32")
        if not implementation.unavailable(case):
            found = point.point(context, case, name, implementation, order=0)
            assert (found.status, found.reason) == ("ok", None)


@pytest.mark.parametrize("hidden", [1, 2, 5])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_a_layout_of_mostly_padding_is_not_said_to_read_fewer_weights(context, hidden, dtype):
    """Blocks of 16 units, of which one or a few are there."""
    implementation = implementations.load("numba_fused")
    for seed in range(5):
        context = replace(context, seed=seed)
        case = Case("gru", hidden, 1, 1, dtype=dtype)
        found = point.point(context, case, "numba_fused", implementation, order=0)
        assert (found.status, found.reason) == ("ok", None)


@pytest.mark.parametrize("hidden", [1, 5])
def test_of_mostly_padding_too_weights_that_are_not_read_are_found_out(context, hidden):
    fused = implementations.load("numba_fused")

    def of_zeros(*given):
        return Weights(*(0 * t for t in fused.canonical(*given)))

    cheat = replace(fused, canonical=of_zeros, prepare=zeros, choices=lambda _case: ())
    checked = point.point(context, Case("rnn", hidden, 60, 1), "cheat", cheat, order=0)
    assert "it reads fewer" in checked.reason


def zeros(case, _sets, _inputs):
    """Right for weights of zeros."""
    return lambda _w, _i: lambda: (torch.zeros(case.batch, case.hidden),)
