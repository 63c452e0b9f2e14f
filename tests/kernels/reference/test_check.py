"""The check: what counts as a wrong answer."""

from __future__ import annotations

from functools import cache
from math import inf

import numpy as np
import pytest
import torch

from kernels.case import ACTIVATIONS, ARITHMETIC, CELLS, DTYPES, GATE_SUMS, GATES, Case
from kernels.implementations import _layouts
from kernels.reference import cells, check
from kernels.reference.inputs import TORCH_DTYPES, Arena, draw, set_bytes

CASE = Case("lstm", hidden=40, input=24, batch=25)


def given(case):
    arena = Arena(1 << 16, "cpu", 0)
    G = GATES[case.cell]
    rows = G * case.hidden
    layout = ((rows, case.input), (rows, case.hidden), (rows,), (rows,))
    weights = cells.Weights(*arena.sets(layout, case.dtype, 1)[0])
    return draw(case, torch.Generator().manual_seed(0))[0], weights


@pytest.fixture
def right():
    """Inputs, weights, and the right answer in float32, of a step with a thousand new units of state."""
    inputs, weights = given(CASE)
    return inputs, weights, [t.float() for t in cells.reference(CASE, inputs, weights)]


def test_the_right_answer_has_no_error_but_rounding(right):
    inputs, weights, answer = right
    assert check.error(CASE, answer, cells.reference(CASE, inputs, weights)) < 1e-7


@pytest.mark.parametrize("which", [0, 1])
def test_one_wrong_element_in_a_thousand_is_the_error(right, which):
    inputs, weights, answer = right
    assert answer[which].numel() == 1000
    answer[which][17, 3] += 0.25
    assert check.error(CASE, answer, cells.reference(CASE, inputs, weights)) == pytest.approx(
        0.25, rel=1e-5
    )


@pytest.mark.parametrize("value", [float("nan"), inf, -inf])
def test_an_element_that_is_not_finite_is_an_infinite_error(right, value):
    inputs, weights, answer = right
    answer[1][0, 0] = value
    assert check.error(CASE, answer, cells.reference(CASE, inputs, weights)) == inf


def test_a_wrong_shape_is_an_infinite_error(right):
    inputs, weights, (h, c) = right
    for answer in ([h], [h, c, c], [h.T, c], [h[:-1], c], [h, c.flatten()], [h[None, None], c]):
        assert check.error(CASE, answer, cells.reference(CASE, inputs, weights)) == inf


def test_an_axis_of_one_layer_in_front_is_a_librarys_way(right):
    inputs, weights, (h, c) = right
    expected = cells.reference(CASE, inputs, weights)
    assert check.error(CASE, [h[None], c[None]], expected) == check.error(CASE, [h, c], expected)
    assert check.error(CASE, [torch.stack([h, h]), c], expected) == inf


def test_states_in_the_wrong_order_are_an_error(right):
    inputs, weights, (h, c) = right
    assert check.error(CASE, [c, h], cells.reference(CASE, inputs, weights)) > check.tolerance(CASE)


def test_the_error_is_relative_where_the_right_answer_is_above_one():
    case = Case("rnn", hidden=3, input=2, batch=1, part="linear")
    inputs = cells.Inputs(torch.tensor([[100.0, 0.0]]), torch.zeros(1, 3), *[torch.empty(0)] * 2)
    weights = cells.Weights(torch.eye(3, 2), torch.eye(3), torch.zeros(3), torch.zeros(3))
    answer = [torch.tensor([[101.0, 0.0, 0.0]])]
    assert check.error(case, answer, cells.reference(case, inputs, weights)) == pytest.approx(0.01)
    answer = [torch.tensor([[100.0, 0.5, 0.0]])]
    assert check.error(case, answer, cells.reference(case, inputs, weights)) == pytest.approx(0.5)


@pytest.mark.parametrize("cell", CELLS)
def test_the_linear_part_may_answer_whole_or_by_gate_or_in_two_products(cell):
    case = Case(cell, hidden=6, input=4, batch=3, part="linear")
    inputs, weights = given(case)
    (sums,) = cells.reference(case, inputs, weights)
    x, h, W, U = (t.double() for t in (inputs.x, inputs.h, weights.W, weights.U))
    for answer in ([sums], sums.chunk(GATE_SUMS[cell], dim=1), [x @ W.T, h @ U.T]):
        assert check.error(case, answer, cells.reference(case, inputs, weights)) < 1e-12


def test_poison_leaves_no_element_of_an_answer():
    answer = [torch.zeros(3, 4), torch.zeros(2, dtype=torch.bfloat16)]
    check.poison(answer)
    assert all(t.isnan().all() for t in answer)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_a_suite_can_ask_for_has_a_tolerance(dtype):
    of_dtype = {activations for weights, activations in ARITHMETIC if weights == dtype}
    assert ACTIVATIONS[dtype] in of_dtype
    for activations in of_dtype:
        case = Case("rnn", 8, 8, 1, dtype=dtype, activations=activations)
        assert 0 < check.tolerance(case) < 0.1


@pytest.mark.parametrize("narrow", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("cell", CELLS)
def test_the_tolerance_of_float32_is_finer_than_the_rounding_of_a_narrower_dtype(cell, narrow):
    case = Case(cell, hidden=32, input=32, batch=4)
    inputs, weights = given(case)
    narrowed = cells.Weights(*(t.to(narrow) for t in weights))
    answer = cells.reference(case, inputs, narrowed)
    assert check.error(
        case, [t.to(narrow) for t in answer], cells.reference(case, inputs, weights)
    ) > check.tolerance(case)


def of_a_sum(terms, **words):
    """A case whose longest sums have so many terms."""
    return Case("rnn", hidden=terms // 2, input=terms - terms // 2, batch=1, **words)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_tolerance_of_float32_activations_grows_with_the_root_of_the_sum(dtype):
    def of(terms):
        return check.tolerance(of_a_sum(terms, dtype=dtype, activations="float32"))

    assert of(16) == of(1024) == 1e-5
    assert of(65_536) == 4 * 256 * 2**-24
    assert of(4 * 65_536) == 2 * of(65_536)


@pytest.mark.parametrize("pair", [*check.TOLERANCES, ("int8", "float32", "int8")])
def test_every_tolerance_grows_from_some_sum_on(pair):
    dtype, activations, *rounded = pair

    def of(terms, **words):
        case = of_a_sum(terms, dtype=dtype, activations=activations, **words)
        return check.tolerance(case, *rounded)

    assert of(1 << 20) > of(1 << 19) > of(1024) == of(16)
    assert of(1 << 20, part="pointwise") == of(16), "it has no sum"


def test_the_gradients_of_weights_are_sums_over_the_batch():
    small, large = (Case("rnn", 8, 8, batch, phase="train") for batch in (64, 1 << 18))
    assert check.tolerance(large) == 4 * 512 * 2**-24 > check.tolerance(small) == 1e-5


def in_chains(terms, chains):
    """Sums along the last axis in float32, in so many chains of which each adds one term after the other."""
    each = terms.numpy().reshape(*terms.shape[:-1], -1, chains)
    lanes = np.add.accumulate(each, axis=-2, dtype=np.float32)[..., -1, :]
    return torch.from_numpy(np.add.accumulate(lanes, axis=-1, dtype=np.float32)[..., -1])


@pytest.mark.parametrize("chains", [4, 16])
def test_a_long_sum_in_float32_is_right_however_a_library_adds_it_up(chains):
    """Seen from the sums themselves, term by term; the tolerance of short ones would call the four chains wrong."""
    case = Case("rnn", hidden=16, input=65_536, batch=4, part="linear")
    arena = Arena(5 << 20, "cpu", 0)
    weights = cells.Weights(
        *arena.sets(((16, case.input), (16, 16), (16,), (16,)), "float32", 1)[0]
    )
    inputs = draw(case, torch.Generator().manual_seed(0))[0]
    from_x = in_chains(inputs.x[:, None] * weights.W, chains)
    from_h = in_chains(inputs.h[:, None] * weights.U, 1)
    found = check.error(case, [from_x + from_h], cells.reference(case, inputs, weights))
    assert found <= check.tolerance(case)
    if chains == 4:
        assert found > 1e-5


@pytest.mark.parametrize("narrow", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [1024, 8192, 65_536])
def test_rounded_to_a_narrower_dtype_a_long_sum_does_not_pass_for_float32(narrow, size):
    case = Case("rnn", hidden=8, input=size, batch=4)
    layout = ((8, size), (8, 8), (8,), (8,))
    weights = cells.Weights(*Arena(3 << 20, "cpu", 0).sets(layout, "float32", 1)[0])
    inputs = draw(case, torch.Generator().manual_seed(0))[0]
    right = cells.reference(case, inputs, weights)
    narrowed = cells.Weights(*(t.to(narrow) for t in weights))
    rounded = [t.to(narrow) for t in cells.reference(case, inputs, narrowed)]
    assert check.error(case, rounded, right) > 2 * check.tolerance(case)


ALIKE = [("bfloat16", "bfloat16"), ("float16", "float16"), ("float8", "bfloat16")]
"""Weights that are exact in the dtype of their activations."""
LARGE = [(cell, *pair) for cell in CELLS for pair in ALIKE]


@cache
def large(cell, dtype, activations):
    """A case of 1,024 units, its weights in float64, inputs, and the right answer."""
    case = Case(cell, 1024, 1024, 4, dtype=dtype, activations=activations)
    layout = _layouts.layout(case)
    tensors = Arena(set_bytes(layout, dtype), "cpu", 0).sets(layout, dtype, 1)[0]
    weights = cells.Weights(*cells.exactly(_layouts.canonical(case, tensors)))
    inputs = draw(case, torch.Generator().manual_seed(0))[0]
    return case, tensors, weights, inputs, cells.reference(case, inputs, weights)


def rounding(case, weights, inputs, kind):
    """The step by PyTorch's operations in this dtype, each of which rounds."""
    weights = cells.Weights(*(t.to(kind) for t in weights))
    x, h, c, *_ = (t.to(kind) for t in inputs)
    return cells.pointwise(case.cell, cells.linear(case.cell, x, h, weights), h, c, weights)


@pytest.mark.parametrize(("cell", "dtype", "activations"), LARGE)
def test_a_step_that_rounds_at_every_operation_has_room_and_not_too_much(cell, dtype, activations):
    case, _, weights, inputs, right = large(cell, dtype, activations)
    answer = rounding(case, weights, inputs, TORCH_DTYPES[activations])
    assert 1 / 10 < check.error(case, answer, right) / check.tolerance(case) < 1 / 2


@pytest.mark.parametrize(("cell", "dtype", "activations"), LARGE)
def test_a_gate_without_its_recurrent_product_or_a_row_off_is_wrong(cell, dtype, activations):
    case, _, weights, inputs, right = large(cell, dtype, activations)
    for gate in range(GATES[cell]):
        rows = slice(gate * 1024, (gate + 1) * 1024)
        without, off = weights.U.clone(), weights.W.clone()
        without[rows] = 0
        off[rows] = off[rows].roll(1, 0)
        for planted in (weights._replace(U=without), weights._replace(W=off)):
            error = check.error(case, cells.reference(case, inputs, planted), right)
            assert error > 2 * check.tolerance(case), gate


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_of_bfloat16_does_not_pass_for_float16(cell):
    case, _, weights, inputs, right = large(cell, "float16", "float16")
    answer = rounding(case, weights, inputs, torch.bfloat16)
    assert check.error(case, answer, right) > check.tolerance(case)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("dtype", "activations"), [("int8", "float32"), ("float8", "bfloat16")])
def test_a_gate_that_takes_the_scales_of_the_other_matrix_or_none_is_wrong(
    cell, dtype, activations
):
    case, tensors, _, inputs, right = large(cell, dtype, activations)
    W, U, of_w, of_u, *biases = tensors
    for gate in range(GATES[cell]):
        rows = slice(gate * 1024, (gate + 1) * 1024)
        swapped, none = of_u.clone(), of_u.clone()
        swapped[rows], none[rows] = of_w[rows], 1
        for planted in (swapped, none):
            wrong = _layouts.canonical(case, (W, U, of_w, planted, *biases))
            error = check.error(case, cells.reference(case, inputs, wrong), right)
            assert error > 2 * check.tolerance(case), gate
