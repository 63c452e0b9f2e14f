"""FLOPs and bytes, against counters that know nothing of our formulas."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from kernels import cost
from kernels.case import CELLS, DTYPES, GATES, PARTS, QUANTISED, Case
from kernels.reference import cells, inputs
from kernels.reference.cells import Weights

FLOATS = ("float32", "bfloat16", "float16")
"""Dtypes that PyTorch's cells have parameters of."""

OWN = {"rnn": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}
SHAPES = [(1, 3, 5), (7, 5, 3), (2, 1, 1), (4, 9, 16)]  # B, I, H
CASES = [Case(cell, H, I, B) for cell in CELLS for B, I, H in SHAPES]  # noqa: E741 - the method's own letters
ids = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)

any_case = st.builds(
    Case,
    cell=st.sampled_from(CELLS),
    hidden=st.integers(1, 5000),
    input=st.integers(1, 5000),
    batch=st.integers(1, 300),
    part=st.sampled_from(PARTS),
    dtype=st.sampled_from(DTYPES),
    activations=st.sampled_from(FLOATS),
)


class CountElements(TorchDispatchMode):
    """One FLOP for every element that an addition, subtraction, multiplication, sigmoid or tanh gives."""

    ARITHMETIC = ("add", "sub", "rsub", "mul", "sigmoid", "tanh")
    MOVES = ("split", "chunk", "cat", "slice", "view", "t", "split_with_sizes", "detach")

    def __init__(self):
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        answer = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__.rstrip("_")
        if name in self.ARITHMETIC:
            self.flops += answer.numel()
        else:
            assert name in self.MOVES, f"uncounted: {name}"
        return answer


def own_cell(case, dtype=torch.float32):
    return OWN[case.cell](case.input, case.hidden, dtype=dtype)


def own_call(case, module, dtype=torch.float32):
    x = torch.ones(case.batch, case.input, dtype=dtype)
    h, c = (torch.ones(case.batch, case.hidden, dtype=dtype) for _ in range(2))
    given = (x, h, c) if case.cell == "lstm" else (x, h)
    answer = module(x, (h, c)) if case.cell == "lstm" else (module(x, h),)
    return given, answer


@ids
def test_linear_flops_are_what_pytorch_counts_in_its_own_cell(case):
    with FlopCounterMode(display=False) as counter:
        own_call(case, own_cell(case))
    assert cost.count(case).linear_flops == counter.get_total_flops()


@ids
def test_the_linear_part_has_the_flops_that_pytorch_counts_in_its_products(case):
    module = own_cell(case)
    weights = Weights(module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh)
    with FlopCounterMode(display=False) as counter:
        cells.linear(
            case.cell,
            torch.ones(case.batch, case.input),
            torch.ones(case.batch, case.hidden),
            weights,
        )
    assert cost.count(replace(case, part="linear")).linear_flops == counter.get_total_flops()


@ids
def test_recurrent_flops_are_those_of_the_state_alone(case):
    """A cell of one input, less what the input's column costs."""
    with FlopCounterMode(display=False) as counter:
        torch.nn.functional.linear(
            torch.ones(case.batch, case.hidden), own_cell(case).weight_hh.detach()
        )
    assert cost.count(case).recurrent_flops == counter.get_total_flops()


@ids
def test_pointwise_flops_are_the_elements_that_the_equations_compute_after_the_products(case):
    module = own_cell(case)
    weights = Weights(
        *(t.detach() for t in (module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh))
    )
    gates = GATES[case.cell] * case.hidden
    from_x, from_h = torch.ones(case.batch, gates), torch.ones(case.batch, gates)
    h, c = torch.ones(case.batch, case.hidden), torch.ones(case.batch, case.hidden)
    with CountElements() as counter:
        cells.pointwise(case.cell, cells.join(case.cell, from_x, from_h), h, c, weights)
    assert cost.count(case).pointwise_flops == counter.flops


@ids
def test_the_flops_of_the_two_parts_are_those_of_the_cell(case):
    whole, linear, pointwise = (cost.count(replace(case, part=part)) for part in PARTS)
    assert linear.linear_flops + pointwise.linear_flops == whole.linear_flops
    assert linear.pointwise_flops + pointwise.pointwise_flops == whole.pointwise_flops
    assert pointwise.linear_flops == pointwise.recurrent_flops == linear.pointwise_flops == 0


@ids
@pytest.mark.parametrize("dtype", FLOATS)
def test_weight_bytes_are_the_parameters_of_pytorchs_cell(case, dtype):
    module = own_cell(case, inputs.TORCH_DTYPES[dtype])
    sizes = {name: p.numel() * p.element_size() for name, p in module.named_parameters()}
    bytes_of = {
        "cell": sum(sizes.values()),
        "linear": sizes["weight_ih"] + sizes["weight_hh"],
        "pointwise": sizes["bias_ih"] + sizes["bias_hh"],
    }
    for part in PARTS:
        got = cost.count(replace(case, part=part, dtype=dtype, activations=dtype))
        assert got.weight_bytes == bytes_of[part], part


@ids
@pytest.mark.parametrize("dtype", QUANTISED)
def test_quantised_weights_are_the_parameters_at_a_byte_with_floats_for_biases_and_row_scales(
    case, dtype
):
    """Counted on tensors: PyTorch's parameters, the matrices in that dtype, the largest element of their rows."""
    module = own_cell(case)
    matrices = [p.detach() for p in (module.weight_ih, module.weight_hh)]
    kind = inputs.TORCH_DTYPES[dtype]
    bytes_of = {
        "pointwise": module.bias_ih.nbytes + module.bias_hh.nbytes,
        "linear": sum(p.to(kind).nbytes + p.amax(dim=1).nbytes for p in matrices),
    }
    bytes_of["cell"] = sum(bytes_of.values())
    for part, wanted in bytes_of.items():
        got = cost.count(replace(case, part=part, dtype=dtype))
        assert got.weight_bytes == wanted, part
        assert got.bytes_read - got.weight_bytes == (got.activation_bytes - got.bytes_written)


@ids
@pytest.mark.parametrize("dtype", FLOATS)
def test_activation_bytes_of_a_cell_are_the_tensors_pytorchs_cell_takes_and_gives(case, dtype):
    kind = inputs.TORCH_DTYPES[dtype]
    taken, given = own_call(case, own_cell(case, kind), kind)
    got = cost.count(replace(case, dtype=dtype, activations=dtype))
    assert got.activation_bytes == sum(t.nbytes for t in (*taken, *given))
    assert got.bytes_written == sum(t.nbytes for t in given)


@ids
@pytest.mark.parametrize("part", PARTS)
def test_activation_bytes_of_a_part_are_its_inputs_and_its_answer(case, part):
    case = replace(case, part=part, dtype="float32", activations="bfloat16")
    drawn = inputs.draw(case, torch.Generator().manual_seed(0))[0]
    module = own_cell(case)
    weights = Weights(module.weight_ih, module.weight_hh, module.bias_ih, module.bias_hh)
    answer = cells.reference(case, drawn, weights)
    read, written = sum(t.nbytes for t in drawn), sum(2 * t.numel() for t in answer)
    got = cost.count(case)
    assert got.activation_bytes == read + written
    assert got.bytes_written == written
    assert got.bytes_read == read + got.weight_bytes


@given(any_case)
def test_what_is_read_and_written_are_weights_and_activations_and_nothing_else(case):
    got = cost.count(case)
    assert got.bytes_read + got.bytes_written == got.weight_bytes + got.activation_bytes
    assert got.bytes_written < got.activation_bytes
    assert got.weight_bytes < got.bytes_read


@given(any_case)
def test_twice_the_batch_is_twice_the_flops_and_activations_of_the_same_weights(case):
    one, two = cost.count(case), cost.count(replace(case, batch=2 * case.batch))
    assert two.linear_flops == 2 * one.linear_flops
    assert two.pointwise_flops == 2 * one.pointwise_flops
    assert two.activation_bytes == 2 * one.activation_bytes
    assert two.weight_bytes == one.weight_bytes


@pytest.mark.parametrize("dtype", DTYPES)
def test_arithmetic_intensity_tends_to_two_sequences_per_weight_byte(dtype):
    size = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1, "float8": 1}[dtype]
    got = cost.count(Case("lstm", 100_000, 100_000, batch=3, dtype=dtype, activations="bfloat16"))
    assert got.linear_flops / got.bytes_read == pytest.approx(2 * 3 / size, rel=1e-3)


def test_bytes_of_float16_and_float8_by_hand():
    """An LSTM of 1024 units, one sequence: W and U are 4 x 1024 x 2048, biases 2 x 4096, scales as many."""
    words = {"cell": "lstm", "hidden": 1024, "input": 1024, "batch": 1}
    half = cost.count(Case(**words, dtype="float16", activations="float16"))
    assert half.weight_bytes == 2 * (8_388_608 + 8_192) == 16_793_600
    assert (half.bytes_written, half.activation_bytes) == (2 * 2_048, 2 * (3_072 + 2_048))
    eighth = cost.count(Case(**words, dtype="float8", activations="bfloat16"))
    assert eighth.weight_bytes == 8_388_608 + 4 * (8_192 + 8_192) == 8_454_144
    assert eighth.bytes_written == 4_096
    assert eighth.bytes_read == 8_454_144 + 2 * 3_072
    linear, pointwise = (
        cost.count(Case(**words, part=part, dtype="float8", activations="bfloat16")).weight_bytes
        for part in ("linear", "pointwise")
    )
    assert (linear, pointwise) == (8_388_608 + 32_768, 32_768)


def test_a_sequence_reads_float8s_scales_with_the_matrix_they_belong_to():
    case = Case("rnn", 64, 32, 2, dtype="float8", activations="bfloat16", steps=4)
    U = 64 * 64 + 8 * 64
    W = 64 * 32 + 8 * 64
    assert cost.walked_bytes(case, {"W": "per_call", "U": "per_step"}) == U
    got = cost.count(case, {"W": "per_call", "U": "per_step"})
    assert got.weight_bytes == (4 * U + W) // 4
