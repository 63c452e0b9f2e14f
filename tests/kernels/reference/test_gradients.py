"""The reference's gradients are those that autograd finds in PyTorch's own cells, in float64."""

from __future__ import annotations

import pytest
import torch

from kernels import implementations
from kernels.case import CELLS, Case
from kernels.reference import cells, check, gradients
from kernels.reference.cells import Inputs, Weights
from kernels.reference.inputs import Arena, draw
from tests.kernels import backward
from tests.kernels.reference.test_cells import EXACT, OWN, SHAPES


def backwards(cell, B, I, H):  # noqa: E741 - the method's own letters
    """Inputs and weights of PyTorch's cell, and the gradients that autograd finds: of x, h (c), then W, U, b_w, b_u."""
    torch.manual_seed(B + 10 * I + 100 * H)
    module = OWN[cell](I, H, dtype=torch.float64)
    x, h, c, d_h, d_c = (torch.randn(B, n, dtype=torch.float64) for n in (I, H, H, H, H))
    leaves = [t.requires_grad_() for t in ((x, h, c) if cell == "lstm" else (x, h))]
    new = module(x, (h, c)) if cell == "lstm" else (module(x, h),)
    weights = Weights(module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh)
    given = (d_h, d_c)[: len(new)]
    found = torch.autograd.grad(new, [*leaves, *weights], given)
    return Inputs(x, h, c, torch.empty(0), d_h, d_c), weights, found


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("B", "I", "H"), SHAPES)
def test_every_gradient_is_autograds(cell, B, I, H):  # noqa: E741
    inputs, weights, right = backwards(cell, B, I, H)
    of_inputs, of_weights = gradients.reference(Case(cell, H, I, B, phase="train"), inputs, weights)
    mine = (*of_inputs, *of_weights)
    assert len(mine) == len(right)
    for one, other in zip(mine, right, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("B", "I", "H"), SHAPES)
def test_every_gradient_is_that_of_the_equations_that_cost_counts(cell, B, I, H):  # noqa: E741
    inputs, weights, _ = backwards(cell, B, I, H)
    x, h, c, _, d_h_new, d_c_new = inputs
    kept = backward.keep(cell, x, h, c, weights)
    d_sums, d_h, d_c = backward.pointwise(cell, kept, h, c, d_h_new, d_c_new)
    D_w, D_u = backward.part(cell, d_sums)
    b_w, b_u = backward.part(cell, d_sums.sum(0, keepdim=True))
    by_hand = [D_w @ weights.W, D_u @ weights.U + (0 if d_h is None else d_h)]
    by_hand += [] if d_c is None else [d_c]
    by_hand += [D_w.T @ x, D_u.T @ h, b_w[0], b_u[0]]
    of_inputs, of_weights = gradients.reference(Case(cell, H, I, B, phase="train"), inputs, weights)
    for one, other in zip((*of_inputs, *of_weights), by_hand, strict=True):
        torch.testing.assert_close(one, other, **EXACT)


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_kept_for_the_backward_pass_holds_the_new_state(cell):
    """So a kept h' or c' need not be written again."""
    inputs, weights, _ = backwards(cell, 3, 4, 5)
    kept = backward.keep(cell, inputs.x, inputs.h, inputs.c, weights)
    new = cells.reference(Case(cell, 5, 4, 3), inputs, weights)
    if cell != "gru":
        torch.testing.assert_close(kept[-1], new[-1], **EXACT)
    assert all(t.shape == (3, 5) for t in kept)


@pytest.mark.parametrize("name", ["torch_cell", "torch_gates"])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_in_a_layout_move_a_loss_as_its_tensors_do(name, cell):
    """Against a difference quotient: the loss d_h' . h' (+ d_c' . c') as the layout's own tensors are moved."""
    implementation = implementations.load(name)
    case = Case(cell, 5, 4, 3, phase="train")
    torch.manual_seed(0)
    tensors = [torch.randn(shape, dtype=torch.float64) for shape in implementation.layout(case)]
    moves = [torch.randn(t.shape, dtype=torch.float64) for t in tensors]
    inputs = draw(case, torch.Generator().manual_seed(1))[0]

    def loss(along):
        moved = [t + along * move for t, move in zip(tensors, moves, strict=True)]
        new = cells.reference(case, inputs, implementation.canonical(case, moved))
        d_new = (inputs.d_h_new, inputs.d_c_new)[: len(new)]
        return sum(float((d * n).sum()) for d, n in zip(d_new, new, strict=True))

    _, found = gradients.reference(case, inputs, implementation.canonical(case, tensors))

    def canonical(given):
        return implementation.canonical(case, given)

    in_layout = gradients.in_layout(canonical, tensors, found)
    slope = sum(float((d * move).sum()) for d, move in zip(in_layout, moves, strict=True))
    assert slope == pytest.approx((loss(1e-6) - loss(-1e-6)) / 2e-6, rel=1e-6)


def answer_of(case):
    """The right answer of a training step, what it is held against, and the scales."""
    implementation = implementations.load("torch_cell")
    arena = Arena(1 << 20, "cpu", 0)
    tensors = arena.sets(implementation.layout(case), "float32", 1)[0]
    inputs = draw(case, torch.Generator().manual_seed(0))[0]
    right, scales = check.expected(case, inputs, Weights(*tensors), lambda found: found)
    return [t.clone() for t in right], right, scales


@pytest.mark.parametrize("cell", CELLS)
def test_an_error_of_a_gradient_is_judged_by_the_largest_of_its_tensor(cell):
    case = Case(cell, 24, 16, 3, phase="train")
    answer, right, scales = answer_of(case)
    assert check.error(case, answer, right, scales) == 0
    for which in range(len(right) - 4, len(right)):
        largest = float(right[which].abs().max())
        spoiled = [t.clone() for t in right]
        spoiled[which].flatten()[1] += 0.01 * largest
        assert check.error(case, spoiled, right, scales) == pytest.approx(0.01, rel=1e-6), which


def test_a_gradient_that_cancels_is_judged_by_a_tenth_of_the_largest_of_its_kind():
    """The gradient of x is a sum of two products, 1 and -1; that of h, by nine weights of 3, sets the scale."""
    H = 9
    case = Case("rnn", H, 1, 1, phase="train")
    W, U = torch.zeros(H, 1), torch.zeros(H, H)
    W[0], W[1], U[:, 0] = 1.0, -1.0, 3.0
    weights = Weights(W, U, torch.zeros(H), torch.zeros(H))
    ones, none = torch.ones(1, H), torch.empty(0)
    inputs = Inputs(torch.zeros(1, 1), torch.zeros(1, H), none, none, ones, none)
    right, scales = check.expected(case, inputs, weights, lambda found: found)
    assert float(right[1]) == 0
    assert scales[1:3] == (pytest.approx(2.7), pytest.approx(27.0))


@pytest.mark.parametrize("cell", CELLS)
def test_an_answer_without_its_gradients_or_in_another_order_is_wrong(cell):
    case = Case(cell, 24, 16, 3, phase="train")
    answer, right, scales = answer_of(case)
    new = 2 if cell == "lstm" else 1
    W, U, b_w, b_u = answer[-4:]
    for wrong in (answer[:new], answer[:-1], [*answer[:-4], U, W, b_w, b_u]):
        assert check.error(case, wrong, right, scales) == float("inf")
    double = [*answer[:-4], 2 * W, U, b_w, b_u]
    assert check.error(case, double, right, scales) == pytest.approx(1)
