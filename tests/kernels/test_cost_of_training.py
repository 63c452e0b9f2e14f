"""FLOPs and bytes of a training step, against counters and tensors that know nothing of our formulas."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from torch.utils.flop_counter import FlopCounterMode

from kernels import cost
from kernels.case import CELLS, Case
from kernels.reference import inputs
from kernels.reference.cells import Weights
from tests.kernels import backward
from tests.kernels.test_cost import CASES, CountElements, any_case, own_cell

FLOATS = ("float32", "bfloat16")
ids = pytest.mark.parametrize(
    "case", [replace(case, phase="train") for case in CASES], ids=lambda case: case.id
)


class Count(CountElements):
    """One more for every element that is added up by a sum."""

    MOVES = (*CountElements.MOVES, "ones_like")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket.__name__ == "sum":
            self.flops += args[0].numel()
            return func(*args, **(kwargs or {}))
        return super().__torch_dispatch__(func, types, args, kwargs)


def forward(case, dtype=torch.float32):
    """What PyTorch's own cell takes (inputs, then weights), and the new state it gives."""
    module = own_cell(case, dtype)
    states = (case.hidden,) * (2 if case.cell == "lstm" else 1)
    taken = [
        torch.ones(case.batch, n, dtype=dtype, requires_grad=True) for n in (case.input, *states)
    ]
    x, h, *c = taken
    new = module(x, (h, *c)) if c else (module(x, h),)
    return taken, list(module.parameters()), list(new)


def plain(case):
    """Inputs and weights of ones for the equations."""
    (x, h, *c), weights, _ = forward(case)
    x, h, c = (t.detach() for t in (x, h, c[0] if c else h))
    return x, h, c, Weights(*(t.detach() for t in weights))


@ids
def test_linear_flops_are_what_pytorch_counts_forward_and_backward_in_its_own_cell(case):
    with FlopCounterMode(display=False) as counter:
        _, _, new = forward(case)
        torch.autograd.backward(new, [torch.ones_like(t) for t in new])
    assert cost.count(case).linear_flops == counter.get_total_flops()


@ids
def test_recurrent_flops_are_those_of_a_product_forward_and_backward(case):
    _, h, _, weights = plain(case)
    h, U = h.requires_grad_(), weights.U.requires_grad_()
    with FlopCounterMode(display=False) as counter:
        product = torch.nn.functional.linear(h, U)
        torch.autograd.grad(product, [h, U], torch.ones_like(product))
    assert cost.count(case).recurrent_flops == counter.get_total_flops()


@ids
def test_pointwise_flops_are_a_steps_and_the_elements_that_the_backward_pass_computes(case):
    x, h, c, weights = plain(case)
    kept = backward.keep(case.cell, x, h, c, weights)
    with Count() as counter:
        d_sums, d_h, _ = backward.pointwise(case.cell, kept, h, c, h, h)
        d_sums.sum(0)
        if d_h is not None:
            torch.add(h, d_h)  # past the products, added to what came through them
    step = cost.count(replace(case, phase="step")).pointwise_flops
    assert cost.count(case).pointwise_flops == step + counter.flops


def moved(case, dtype):
    """Bytes (read, written, of the weights' gradients) of the tensors that PyTorch's cell and its gradients are."""
    taken, weights, new = forward(case, dtype)
    d_new = [torch.ones_like(t) for t in new]
    found = torch.autograd.grad(new, [*taken, *weights], d_new)
    x, h, c, exact = plain(case)
    kept = backward.keep(case.cell, x, h, c, exact)
    of_new = {"rnn": 1, "lstm": 1, "gru": 0}[case.cell]  # h' and c' are the last that is kept

    def size(tensors):
        return sum(t.numel() * dtype.itemsize for t in tensors)

    read = size(taken) + size(weights) + size(kept) + size(taken) + size(weights[:2]) + size(d_new)
    written = size(new) + size(kept[: len(kept) - of_new]) + size(found)
    return read, written, size(found[len(taken) :])


@ids
@pytest.mark.parametrize("dtype", FLOATS)
def test_bytes_are_those_of_the_tensors_each_half_takes_and_gives(case, dtype):
    got = cost.count(replace(case, dtype=dtype, activations=dtype))
    read, written, of_weights = moved(case, inputs.TORCH_DTYPES[dtype])
    assert (got.bytes_read, got.bytes_written, got.gradient_bytes) == (read, written, of_weights)


def test_an_lstm_keeps_as_many_values_apart_as_pytorchs_fused_kernel():
    """Its workspace, by PyTorch's own account of shapes; no GPU is needed for that."""
    B, H = 3, 5
    sums, bias, c = (torch.empty(s, device="meta") for s in ((B, 4 * H), (4 * H,), (B, H)))
    _, _, workspace = torch.ops.aten._thnn_fused_lstm_cell(sums, sums, c, bias, bias)
    assert workspace.numel() == cost.KEPT_APART["lstm"] * B * H


@ids
def test_what_the_backward_pass_is_charged_for_changes_its_result(case):
    """Every kept value, and the c and h that are read again: each is really needed."""
    case = replace(case, hidden=case.hidden + 2)
    torch.manual_seed(0)
    x, h, c, weights = (
        torch.rand_like(t) if isinstance(t, torch.Tensor) else t for t in plain(case)
    )
    d_h, d_c = torch.rand_like(h), torch.rand_like(h)
    kept = backward.keep(case.cell, x, h, c, weights)
    assert len(kept) == cost.KEPT[case.cell]
    before = backward.pointwise(case.cell, kept, h, c, d_h, d_c)[0]
    for index in range(len(kept)):
        other = [t + 0.1 if i == index else t for i, t in enumerate(kept)]
        assert not torch.equal(backward.pointwise(case.cell, other, h, c, d_h, d_c)[0], before)
    if case.cell == "lstm":
        assert not torch.equal(backward.pointwise(case.cell, kept, h, c + 1, d_h, d_c)[0], before)


@given(any_case.filter(lambda case: case.dtype == case.activations and case.part == "cell"))
def test_what_is_read_and_written_are_weights_and_activations_and_nothing_else(case):
    step, got = cost.count(case), cost.count(replace(case, phase="train"))
    assert got.bytes_read + got.bytes_written == got.weight_bytes + got.activation_bytes
    assert got.gradient_bytes == step.weight_bytes
    assert step.gradient_bytes == 0
    assert 2 * step.weight_bytes < got.weight_bytes < 3 * step.weight_bytes
    assert got.linear_flops == 3 * step.linear_flops


@pytest.mark.parametrize("cell", CELLS)
def test_twice_the_batch_is_twice_the_flops_and_activations_of_the_same_weights(cell):
    one, two = (cost.count(Case(cell, 48, 32, batch, phase="train")) for batch in (3, 6))
    assert two.linear_flops == 2 * one.linear_flops
    assert two.pointwise_flops == 2 * one.pointwise_flops
    assert two.activation_bytes == 2 * one.activation_bytes
    assert two.weight_bytes == one.weight_bytes
