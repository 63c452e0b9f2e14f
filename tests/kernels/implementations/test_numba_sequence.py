"""Our own sequence: every way in which it cuts a case, against weights packed here from the layout's description."""

from __future__ import annotations

from dataclasses import replace

import numba
import pytest
import torch

from kernels.case import GATES, Case
from kernels.implementations import numba_sequence
from kernels.reference import cells, check
from kernels.reference.inputs import Arena, draw, set_bytes
from tests.kernels.implementations.test_numba_fused import DEPTH, FILLING, LANES, drawn, meant

CASES = [
    ("rnn", "float32", "float32"),
    ("lstm", "float32", "float32"),
    ("gru", "float32", "float32"),
    ("gru", "bfloat16", "bfloat16"),
    ("lstm", "bfloat16", "float32"),
    ("lstm", "int8", "float32"),
    ("gru", "int8", "float32"),
]
each_case = pytest.mark.parametrize(("cell", "dtype", "activations"), CASES)


def packed(case, weights, scales):
    """One set of the arena, filled row by row from the layout's description."""
    layout = numba_sequence.layout(case)
    (tensors,) = Arena(set_bytes(layout, case.dtype), "cpu", 0).sets(layout, case.dtype, 1)
    depth = DEPTH[case.dtype]
    for tensor in tensors:
        tensor.fill_(FILLING)
    for gate in range(GATES[case.cell]):
        for unit in range(case.hidden):
            block, lane = divmod(unit, LANES)
            place = gate * case.hidden + unit
            for matrix, blocks in ((weights.U, tensors[0]), (weights.W, tensors[-1])):
                row = blocks[block, :, gate * LANES + lane, :]
                line = torch.full((row.numel(),), FILLING, dtype=matrix.dtype)
                line[: matrix.shape[1]] = matrix[place]
                row.copy_(line.view(row.shape))
            assert row.shape[1] == depth
            for part in range(2):
                tensors[-2][block, part, gate, lane] = weights[2 + part][place]
                if scales is not None:
                    tensors[1][block, part, gate, lane] = scales[part, place]
    return tensors


def prepared(case, seed=0):
    """Weights as meant, one set of inputs, and the sequence bound to both."""
    weights, scales = drawn(case, seed)
    inputs = draw(case, torch.Generator().manual_seed(seed))
    call = numba_sequence.prepare(case, [packed(case, weights, scales)], inputs)(0, 0)
    return meant(weights, scales), inputs[0], call


def holds(case):
    """Whether the sequence agrees with the reference, and its answer."""
    weights, inputs, call = prepared(case)
    check.poison(call())
    answer = call()
    expected = cells.reference(case, inputs, weights)
    assert check.error(case, answer, expected) <= check.tolerance(case), case.id
    return answer


@each_case
def test_weights_come_back_as_they_were_packed(cell, dtype, activations):
    for H, I in ((37, 13), (16, 4), (3, 1)):  # noqa: E741 - the method's own letters
        case = Case(cell, H, I, 1, dtype=dtype, activations=activations, steps=3)
        weights, scales = drawn(case, H)
        found = numba_sequence.canonical(case, packed(case, weights, scales))
        for mine, right in zip(found, meant(weights, scales), strict=True):
            torch.testing.assert_close(mine.double(), right, rtol=2**-50, atol=0)


@each_case
def test_sizes_that_fill_no_vector_and_no_group(cell, dtype, activations):
    """The filling is not counted, whatever it is; inputs and states of different sizes, short and long."""
    case = Case(cell, 40, 17, 1, dtype=dtype, activations=activations, steps=64, threads=2)
    holds(case)
    holds(replace(case, hidden=17, input=64))
    holds(replace(case, hidden=1, input=1))


@pytest.mark.parametrize(("cell", "dtype"), [("rnn", "float32"), ("lstm", "int8")])
@pytest.mark.parametrize("batch", [3, 17])
def test_several_sequences_side_by_side(cell, dtype, batch):
    """17 need passes whose rows overlap, over U as over W."""
    holds(Case(cell, 33, 18, batch, dtype=dtype, steps=2, threads=2))


@pytest.mark.parametrize(("batch", "steps"), [(1, 5), (3, 2)])
def test_the_answer_is_the_same_whatever_the_number_of_threads(batch, steps):
    """More threads than blocks, and more than there are, too; to the last bit."""
    case = Case("gru", 37, 13, batch, steps=steps)
    answers = [holds(replace(case, threads=threads))[0] for threads in (1, 2, 3, 7)]
    assert all(torch.equal(answers[0], other) for other in answers[1:])


def test_the_answer_is_the_same_where_fewer_threads_come_than_were_there_when_it_was_bound():
    case = Case("gru", 37, 13, 1, steps=5, threads=2)
    before = numba.get_num_threads()
    _weights, _inputs, call = prepared(case)
    first = call()[0].clone()
    numba.set_num_threads(1)
    try:
        check.poison(call())
        assert torch.equal(call()[0], first)
    finally:
        numba.set_num_threads(before)


def test_the_answer_is_the_same_however_often_it_is_called():
    """A step that reads h before all of it is there is found out by chance only."""
    case = Case("lstm", 16 * 8 + 5, 13, 1, steps=64, threads=2)
    _weights, _inputs, call = prepared(case)
    first = holds(case)[0].clone()
    for _ in range(100):
        check.poison(call())
        assert torch.equal(call()[0], first)


@pytest.mark.parametrize(
    ("words", "fits"),
    [
        ({"hidden": 256}, True),
        ({"hidden": 384}, False),
        ({"hidden": 384, "dtype": "bfloat16", "activations": "bfloat16"}, True),
        ({"hidden": 512, "dtype": "bfloat16"}, False),
        ({"hidden": 512, "dtype": "int8"}, True),
        ({"hidden": 512, "dtype": "int8", "threads": 1}, False),
        ({"hidden": 512, "dtype": "int8", "batch": 64}, False),
        ({"hidden": 512, "threads": 8}, True),
    ],
)
def test_u_is_in_the_cores_own_caches_where_each_threads_part_fits(words, fits):
    """U's share of an LSTM is 4*H*H/threads elements; here of a MiB."""
    case = Case("lstm", **{"input": 512, "batch": 1, "threads": 2, "steps": 64, **words})
    found = numba_sequence.reads(case, 1 << 20)
    assert found == {"W": "per_call", "U": "own_cache" if fits else "per_step"}
    assert numba_sequence.reads(case, None)["U"] == "per_step"


@pytest.mark.parametrize(
    "words",
    [
        {"device": "cuda", "threads": 0},
        {"dtype": "float16", "activations": "float16"},
        {"dtype": "float8"},
        {"part": "linear", "steps": 1},
    ],
)
def test_of_a_case_that_it_does_not_compute_nothing_stays_in_the_cores_caches(words):
    case = Case("lstm", 64, 64, 1, **{"steps": 2, **words})
    assert numba_sequence.SUPPORTS.unavailable(case)
    assert numba_sequence.reads(case, 1 << 20) == {"W": "per_call", "U": "per_step"}


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_what_is_no_number_stays_none_from_its_step_on_in_its_own_sequence(dtype):
    case = Case("gru", 37, 13, 3, dtype=dtype, steps=2)
    _weights, inputs, call = prepared(case)
    inputs.x[1, 2, 5] = torch.nan
    (outputs,) = call()
    assert outputs[1, 2].isnan().all()
    assert not outputs[0].isnan().any()
    assert not outputs[1, :2].isnan().any()
