"""Training by `numba_fused`: state and gradients against weights packed here from the layout's description."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kernels.case import CELLS, GATES, Case
from kernels.implementations import numba_fused
from kernels.reference import cells, check, gradients
from kernels.reference.cells import Weights
from kernels.reference.inputs import Arena, draw, set_bytes
from kernels.vector import llvm
from tests.kernels.elsewhere import with_avx2_alone

LANES = 16
FILLING = 64
"""What stands where nothing belongs; a step that counts it in is far off."""
BATCHES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 17, 35)
"""One pass and many, of one size and of two."""


def drawn(case, seed):
    """Weights in PyTorch's convention."""
    chance = torch.Generator().manual_seed(seed)
    G, H, I = GATES[case.cell], case.hidden, case.input  # noqa: E741 - the method's own letters
    size = (I + H) ** -0.5
    shapes = (G * H, I), (G * H, H), (G * H,), (G * H,)
    return Weights(*(torch.empty(s).uniform_(-size, size, generator=chance) for s in shapes))


def placed(case, weights, filling):
    """One set of the arena, filled row by row from the layout's description."""
    layout = numba_fused.layout(case)
    (tensors,) = Arena(set_bytes(layout, case.dtype), "cpu", 0).sets(layout, case.dtype, 1)
    for tensor in tensors:
        tensor.fill_(filling)
    packed, biases = tensors
    rows = packed.shape[3]
    split = -(-case.input // LANES)
    for gate in range(GATES[case.cell]):
        for unit in range(case.hidden):
            block, lane = divmod(unit, LANES)
            tile, row = divmod(gate * LANES + lane, rows)
            place = packed[block, tile, :, row, :]
            for matrix, lines in ((weights.W, place[:split]), (weights.U, place[split:])):
                line = torch.full((lines.numel(),), float(filling))
                line[: matrix.shape[1]] = matrix[gate * case.hidden + unit]
                lines.copy_(line.view(lines.shape))
            for part in range(2):
                biases[block, part, gate, lane] = weights[2 + part][gate * case.hidden + unit]
    return tensors


def holds(case, seed=0, choice=None):
    """Whether the step agrees with the reference, and its answer."""
    weights = drawn(case, seed)
    inputs = draw(case, torch.Generator().manual_seed(seed))
    tensors = placed(case, weights, FILLING)
    step = numba_fused.prepare(case, [tensors], inputs, choice)(0, 0)
    check.poison(step())
    answer = step()
    of_inputs, of_weights = gradients.reference(case, inputs[0], weights)
    right = cells.reference(case, inputs[0], weights)
    exact = *right, *of_inputs, *placed(case, of_weights, 0)
    scales = [float(tensor.abs().max().clamp(min=0.1)) for tensor in exact]
    worst = check.error(case, answer, [one.double() for one in exact], scales)
    assert worst <= check.tolerance(case), case.id
    return answer


def trained(cell, H, I, B, **words):  # noqa: E741 - the method's own letters
    return Case(cell, H, I, B, phase="train", **words)


@pytest.mark.parametrize("cell", CELLS)
def test_weights_come_back_as_they_were_packed(cell):
    for H, I in ((37, 13), (16, 4), (3, 33)):  # noqa: E741 - the method's own letters
        case = trained(cell, H, I, 1)
        weights = drawn(case, H)
        found = numba_fused.canonical(case, placed(case, weights, FILLING))
        assert all(torch.equal(mine, right) for mine, right in zip(found, weights, strict=True))


@pytest.mark.parametrize("cell", CELLS)
def test_every_batch_of_sizes_that_fill_no_vector(cell):
    """37 and 13 units; the filling is not counted, and its gradients are 0."""
    for batch in BATCHES:
        holds(trained(cell, 37, 13, batch))
    holds(trained(cell, 2, 1, 1))


@pytest.mark.parametrize("cell", CELLS)
def test_rows_that_passes_take_piece_by_piece(cell):
    """1100 elements of k are more than a piece."""
    for batch in (2, 5, 16):
        holds(trained(cell, 20, 1100, batch))


def test_states_and_weights_gradients_are_the_same_whatever_the_number_of_threads():
    """More threads than blocks too; to the last bit, for nobody else adds to them."""
    case = trained("lstm", 37, 13, 5)
    answers = [[t.clone() for t in holds(replace(case, threads=n))] for n in (1, 2, 3, 7)]
    for other in answers[1:]:
        for number in (0, 1, 5, 6):
            assert torch.equal(answers[0][number], other[number])


@pytest.mark.parametrize("residency", ["resident", "streamed"])
def test_every_choice_gives_the_same_gradients(residency):
    case = trained("gru", 37, 13, 5, residency=residency)
    choices = numba_fused.choices(case)
    assert len({choice.name for choice in choices}) == len(choices) > 1
    answers = [[t.clone() for t in holds(case, choice=choice)] for choice in choices]
    for other in answers[1:]:
        assert all(torch.equal(*pair) for pair in zip(answers[0], other, strict=True))


def test_what_is_no_number_stays_with_its_sequence():
    case = trained("gru", 37, 13, 5)
    inputs = draw(case, torch.Generator().manual_seed(0))
    step = numba_fused.prepare(case, [placed(case, drawn(case, 0), FILLING)], inputs)(0, 0)
    inputs[0].x[1, 11] = float("nan")
    new, dx, dh, *_ = step()
    assert new[1].isnan().all()
    assert dx[1].isnan().all()
    others = [0, 2, 3, 4]
    assert all(tensor[others].isfinite().all() for tensor in (new, dx, dh))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_with_fewer_registers_tiles_are_smaller(monkeypatch, cell):
    monkeypatch.setattr(llvm, "registers", lambda: (16, 2))
    case = trained(cell, 37, 13, 5)
    assert numba_fused.layout(case)[0][3] == 2
    for batch in (1, 4, 5, 10):
        holds(replace(case, batch=batch))


def test_it_does_not_train_in_other_dtypes():
    case = trained("rnn", 8, 8, 1, dtype="bfloat16", activations="bfloat16")
    assert "bfloat16" in numba_fused.SUPPORTS.unavailable(case)


AVX2 = """
from tests.kernels.implementations.test_numba_training import holds, trained
for cell in ("rnn", "gru"):
    for batch in (1, 5):
        holds(trained(cell, 37, 13, batch))
"""


@pytest.mark.slow
def test_it_is_right_on_a_processor_with_avx2_alone(tmp_path):
    assert with_avx2_alone(AVX2, tmp_path) == []
