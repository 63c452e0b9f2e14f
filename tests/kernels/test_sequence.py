"""A sequence is its steps one after the other: the answer, the FLOPs, the bytes."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from kernels import cost, implementations
from kernels.case import CELLS, DTYPES, GATES, Case
from kernels.implementations import torch_sequence
from kernels.reference import cells, check, inputs
from kernels.reference.inputs import Arena, draw, set_bytes
from tests.kernels import declared

OWN = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
STEP = {"rnn": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}
SHAPES = [(1, 1, 1, 1), (3, 5, 2, 1), (2, 7, 3, 5), (5, 33, 17, 3), (9, 16, 40, 2)]  # T, H, I, B
HOISTED = {"W": "per_call", "U": "per_step"}
FREQUENCIES = [{"W": w, "U": u} for w in ("per_step", "per_call") for u in ("per_step", "per_call")]
FREQUENCIES += [{"W": "per_call", "U": "own_cache"}]
each_cell = pytest.mark.parametrize("cell", CELLS)
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)

any_sequence = st.builds(
    Case,
    cell=st.sampled_from(CELLS),
    hidden=st.integers(1, 5000),
    input=st.integers(1, 5000),
    batch=st.integers(1, 300),
    dtype=st.sampled_from(DTYPES),
    activations=st.sampled_from(("float32", "bfloat16")),
    steps=st.integers(2, 2000),
)


def sequence(cell, shape, dtype="float32", activations="float32"):
    T, H, I, B = shape  # noqa: E741 - the method's own letters
    return Case(cell, H, I, B, dtype=dtype, activations=activations, steps=T)


def drawn(case, implementation=torch_sequence):
    """Weights of order one at these sizes, and the first set of inputs."""
    layout = implementation.layout(case)
    arena = Arena(set_bytes(layout, case.dtype), "cpu", seed=3)
    (weights,) = arena.sets(layout, case.dtype, 1)
    for tensor in weights:
        if tensor.is_floating_point():
            tensor.mul_(16)
    return weights, draw(case, torch.Generator().manual_seed(7))


def by_single_steps(case, given, weights):
    """T applications of the single step's reference, each fed the state of the last."""
    one = replace(case, steps=1)
    h, c, outputs = given.h, given.c, []
    for x in given.x.view(case.steps, case.batch, case.input):
        h, *carried = cells.reference(one, given._replace(x=x, h=h, c=c), weights)
        c = carried[0] if carried else c
        outputs.append(h)
    return torch.stack(outputs), c


@declared.each("cell", "dtype", "activations", device="cpu", steps=3)
@each_shape
def test_it_answers_as_that_many_single_steps_do(name, cell, shape, dtype, activations):
    implementation = implementations.load(name)
    case = sequence(cell, shape, dtype, activations)
    tensors, sets = drawn(case, implementation)
    with torch.inference_mode():
        answer = implementation.prepare(case, [tensors], sets)(0, 0)()
    weights = implementation.canonical(case, tensors)
    outputs, c = by_single_steps(case, sets[0], weights)
    expected = (outputs, c) if cell == "lstm" else (outputs,)
    if case.steps == 1:
        expected = (outputs[0], *expected[1:])
    assert check.error(case, answer, expected) <= check.tolerance(case)


@each_cell
@each_shape
def test_the_reference_of_a_sequence_is_pytorchs_own_in_float64(cell, shape):
    case = sequence(cell, shape)
    if case.steps == 1:
        case = replace(case, steps=4)
    tensors, sets = drawn(case)
    weights = torch_sequence.canonical(case, tensors)
    x, h, c, *_ = (t.double() for t in sets[0])
    own = OWN[cell](case.input, case.hidden, dtype=torch.float64)
    for parameter, tensor in zip(own.parameters(), weights, strict=True):
        parameter.data = tensor.double()
    outputs, last = own(x, (h[None], c[None]) if cell == "lstm" else h[None])
    expected = (outputs, last[1][0]) if cell == "lstm" else (outputs,)
    found = cells.reference(case, sets[0], weights)
    assert [t.shape for t in found] == [t.shape for t in expected]
    for mine, theirs in zip(found, expected, strict=True):
        assert torch.allclose(mine, theirs.detach(), rtol=0, atol=1e-12)


@each_cell
@each_shape
@pytest.mark.parametrize("reads", FREQUENCIES, ids=str)
def test_the_flops_of_a_step_are_a_cells_however_often_weights_are_read(cell, shape, reads):
    case = sequence(cell, shape)
    module = STEP[cell](case.input, case.hidden)
    x, h = torch.ones(case.batch, case.input), torch.ones(case.batch, case.hidden)
    with FlopCounterMode(display=False) as counter:
        for _ in range(case.steps):
            module(x, (h, h) if cell == "lstm" else h)
    got = cost.count(case, reads)
    assert case.steps * got.linear_flops == counter.get_total_flops()
    assert got.pointwise_flops == cost.count(replace(case, steps=1)).pointwise_flops


@each_cell
@each_shape
@pytest.mark.parametrize("reads", FREQUENCIES, ids=str)
def test_the_bytes_of_a_step_are_a_share_of_the_tensors_a_call_takes_and_gives(cell, shape, reads):
    case = sequence(cell, shape)
    own = OWN[cell](case.input, case.hidden)
    x = torch.ones(case.steps, case.batch, case.input)
    h = torch.ones(1, case.batch, case.hidden)
    outputs, last = own(x, (h, h) if cell == "lstm" else h)
    taken, given_back = [x, h], [outputs]
    if cell == "lstm":
        taken, given_back = [x, h, h], [outputs, last[1]]
    times = {"per_step": case.steps, "own_cache": case.steps, "per_call": 1}
    sizes = {name: p.nbytes for name, p in own.named_parameters()}
    W, U = (sizes[f"weight_{n}_l0"] + sizes[f"bias_{n}_l0"] for n in ("ih", "hh"))
    weights = times[reads["W"]] * W + times[reads["U"]] * U
    got = cost.count(case, reads)
    T = case.steps
    assert got.weight_bytes == weights // T
    assert got.bytes_read == (weights + sum(t.nbytes for t in taken)) // T
    assert got.bytes_written == sum(t.nbytes for t in given_back) // T
    if T > 1 and reads["W"] == "per_call":
        assert got.projection_bytes_read == (W + x.nbytes) // T
    else:
        assert got.projection_bytes_read == got.projection_flops == 0


@each_cell
def test_what_is_hoisted_is_the_product_of_all_inputs(cell):
    case = sequence(cell, (6, 5, 7, 3))
    W = torch.ones(GATES[cell] * 5, 7)
    with FlopCounterMode(display=False) as counter:
        torch.nn.functional.linear(torch.ones(6 * 3, 7), W)
    assert 6 * cost.count(case, HOISTED).projection_flops == counter.get_total_flops()


@given(any_sequence, st.sampled_from(FREQUENCIES))
def test_what_is_read_and_written_are_weights_and_activations_and_nothing_else(case, reads):
    got = cost.count(case, reads)
    assert got.bytes_read + got.bytes_written == got.weight_bytes + got.activation_bytes
    assert 0 <= got.projection_bytes_read <= got.bytes_read
    assert 0 <= got.projection_flops < got.linear_flops


@given(any_sequence)
def test_a_sequence_that_hoists_nothing_reads_the_weights_of_as_many_steps(case):
    one = cost.count(replace(case, steps=1))
    assert cost.count(case).weight_bytes == one.weight_bytes
    assert cost.walked_bytes(case, cost.PER_STEP) == one.weight_bytes
    both = {"W": "per_call", "U": "per_call"}
    assert cost.count(case, both).weight_bytes == one.weight_bytes // case.steps
    assert cost.walked_bytes(case, both) == one.weight_bytes
    kept, fetched = ({"W": "per_call", "U": u} for u in ("own_cache", "per_step"))
    assert cost.walked_bytes(case, kept) == cost.walked_bytes(case, fetched) < one.weight_bytes


@each_cell
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_every_step_walks_comes_first_in_the_layout_of_torch_sequence(cell, dtype):
    case = sequence(cell, (4, 8, 12, 1), dtype, dtype)
    U, b_u, *_ = torch_sequence.layout(case)
    element = cost.ELEMENT_BYTES[dtype]
    assert cost.walked_bytes(case, torch_sequence.reads) == (prod(U) + prod(b_u)) * element


def test_an_unknown_frequency_is_refused_in_one_line():
    with pytest.raises(ValueError, match="reads 'sometimes' is unknown: use one of per_step"):
        cost.count(sequence("rnn", (2, 3, 4, 5)), {"W": "sometimes", "U": "per_step"})


def test_a_sequence_reads_the_inputs_of_every_step():
    case = sequence("lstm", (4, 3, 2, 5))
    assert [tuple(t.shape) for t in inputs.draw(case, torch.Generator())[0][:3]] == [
        (4, 5, 2),
        (5, 3),
        (5, 3),
    ]
