"""Our own step, whole: every way in which it cuts a case, against weights packed here from the layout's description."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from kernels.case import GATES, Case
from kernels.implementations import numba_fused
from kernels.reference import cells, check
from kernels.reference.cells import Weights
from kernels.reference.inputs import TORCH_DTYPES, Arena, draw, set_bytes
from kernels.vector import cuts, limbs
from kernels.vector.cuts import Cut
from tests.kernels.elsewhere import python, with_avx2_alone

LANES, DEPTH = 16, {"float32": 1, "bfloat16": 2, "int8": 4}
FILLING = 64
"""What stands where nothing belongs; a step that counts it in is far off."""
CASES = [
    ("rnn", "float32", "float32"),
    ("lstm", "bfloat16", "bfloat16"),
    ("rnn", "bfloat16", "float32"),
    ("gru", "int8", "float32"),
]


def drawn(case, seed):
    """Weights in PyTorch's convention, in the case's dtype; int8's with scales of both parts, else None."""
    chance = torch.Generator().manual_seed(seed)
    G, H, I = GATES[case.cell], case.hidden, case.input  # noqa: E741 - the method's own letters
    shapes = (G * H, I), (G * H, H), (G * H,), (G * H,)
    if case.dtype != "int8":
        dtype = TORCH_DTYPES[case.dtype]
        return Weights(
            *(torch.empty(s).uniform_(-0.5, 0.5, generator=chance).to(dtype) for s in shapes)
        ), None
    whole = (torch.randint(-128, 128, s, generator=chance, dtype=torch.int8) for s in shapes[:2])
    biases = (torch.empty(G * H).uniform_(-0.5, 0.5, generator=chance) for _ in range(2))
    scales = torch.empty(2, G * H).uniform_(0.2, 0.5, generator=chance)
    return Weights(*whole, *biases), scales


def meant(weights, scales):
    """The numbers they stand for, in float64."""
    exact = Weights(*(t.double() for t in weights))
    if scales is None:
        return exact
    W, U = (m * s.double()[:, None] / 127 for m, s in zip(exact[:2], scales, strict=True))
    return exact._replace(W=W, U=U)


def packed(case, weights, scales):
    """One set of the arena, filled row by row from the layout's description."""
    layout = numba_fused.layout(case)
    (tensors,) = Arena(set_bytes(layout, case.dtype), "cpu", 0).sets(layout, case.dtype, 1)
    G, H, depth = GATES[case.cell], case.hidden, DEPTH[case.dtype]
    for tensor in tensors:
        tensor.fill_(FILLING)
    place, biases = tensors[0], tensors[-1]
    start = -(-case.input // depth)
    for gate in range(G):
        for unit in range(H):
            block, lane = divmod(unit, LANES)
            row = place[block, :, gate * LANES + lane, :]
            for matrix, turns in ((weights.W, row[:start]), (weights.U, row[start:])):
                line = torch.full((turns.numel(),), FILLING, dtype=matrix.dtype)
                line[: matrix.shape[1]] = matrix[gate * H + unit]
                turns.copy_(line.view(turns.shape))
            for part_of in range(2):
                biases[block, part_of, gate, lane] = weights[2 + part_of][gate * H + unit]
                if scales is not None:
                    tensors[1][block, part_of, gate, lane] = scales[part_of, gate * H + unit]
    return tensors


def prepared(case, seed=0, choice=None):
    """Weights as meant, one set of inputs, and the step bound to both."""
    weights, scales = drawn(case, seed)
    tensors = packed(case, weights, scales)
    inputs = draw(case, torch.Generator().manual_seed(seed))
    step = numba_fused.prepare(case, [tensors], inputs, choice)(0, 0)
    return meant(weights, scales), inputs[0], step


def holds(case, choice=None):
    """Whether the step agrees with the reference, and its answer."""
    weights, inputs, step = prepared(case, choice=choice)
    check.poison(step())
    answer = step()
    worst = check.error(case, answer, cells.reference(case, inputs, weights))
    assert worst <= check.tolerance(case), (case.id, choice)
    return answer


@pytest.mark.parametrize(("cell", "dtype", "activations"), CASES)
def test_weights_come_back_as_they_were_packed(cell, dtype, activations):
    for H, I, B in ((37, 13, 1), (16, 4, 9), (3, 1, 20)):  # noqa: E741 - the method's own letters
        case = Case(cell, H, I, B, dtype=dtype, activations=activations)
        weights, scales = drawn(case, H)
        found = numba_fused.canonical(case, packed(case, weights, scales))
        for mine, right in zip(found, meant(weights, scales), strict=True):
            torch.testing.assert_close(mine.double(), right, rtol=2**-50, atol=0)


@pytest.mark.parametrize(("cell", "dtype", "activations"), CASES)
def test_sizes_that_fill_no_vector_and_no_group(cell, dtype, activations):
    """37 and 13 units; the filling is not counted, whatever it is."""
    case = Case(cell, 37, 13, 1, dtype=dtype, activations=activations)
    holds(case)
    holds(replace(case, hidden=2, input=1))


@pytest.mark.parametrize(("cell", "dtype", "activations"), CASES)
@pytest.mark.parametrize("batch", [2, 7, 13, 35])
def test_every_cut_is_right(cell, dtype, activations, batch):
    """Passes of two sizes, parts of the gates, chunks that end amid W and amid U, blocks side by side and one left."""
    case = Case(cell, 16 * 9 + 5, 301, batch, dtype=dtype, activations=activations)
    choices = numba_fused.choices(case)
    assert 1 < len(choices) <= 6
    for choice in choices:
        holds(case, choice)


def test_a_cut_is_right_whatever_it_is():
    """More parts, streams and passes than any case would be cut in."""
    case = Case("lstm", 16 * 9 + 5, 77, 11)
    for choice in (
        Cut(2, 4, 3, 16, 4096),
        Cut(8, 4, 1, 32, 0),
        Cut(3, 2, 4, 0, 64),
        Cut(1, 1, 11, 48, 1 << 20),
        Cut(4, 1, 2, 16, 64),
    ):
        holds(case, choice)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_answer_is_the_same_whatever_the_number_of_threads(batch):
    """More threads than blocks too; to the last bit, for a block's sums are added in one order."""
    case = Case("rnn", 37, 13, batch)
    answers = [holds(replace(case, threads=threads))[0] for threads in (1, 2, 3, 7)]
    assert all(torch.equal(answers[0], other) for other in answers[1:])


def test_the_answer_is_the_same_however_often_and_whoever_takes_a_block():
    case = Case("rnn", 16 * 24 + 5, 13, 1, threads=2)
    _weights, _inputs, step = prepared(case)
    first = holds(case)[0].clone()
    for _ in range(100):
        check.poison(step())
        assert torch.equal(step()[0], first)


@pytest.mark.parametrize(
    ("cell", "dtype", "activations", "kind"),
    [("gru", "bfloat16", "bfloat16", "bfloat16"), ("lstm", "int8", "float32", "int8")],
)
def test_without_dot_products_it_computes_with_floats(monkeypatch, cell, dtype, activations, kind):
    monkeypatch.setattr(numba_fused, "runs", lambda _kind: False)
    monkeypatch.setattr(cuts, "registers", lambda: (16, 2))
    case = Case(cell, 37, 13, 9, dtype=dtype, activations=activations)
    assert numba_fused.products_of(case) == kind
    for choice in numba_fused.choices(case):
        assert choice.sequences * choice.vectors * choice.streams <= 6
        holds(case, choice)


def test_no_sum_of_limbs_has_more_terms_than_are_exact(monkeypatch):
    monkeypatch.setattr(numba_fused, "runs", lambda _kind: True)
    case = Case("rnn", 16, limbs.MOST_TERMS, 1, dtype="int8")
    assert numba_fused.products_of(case) == "int8 limbs"
    for field in ("input", "hidden"):
        longer = replace(case, **{field: limbs.MOST_TERMS + 1})
        assert numba_fused.products_of(longer) == "int8"


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("into", ["x", "h"])
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_what_is_no_number_stays_none_and_other_sequences_know_nothing_of_it(dtype, into, broken):
    """An infinity is an answer's end or an infinity's gate, 1 or -1; in limbs it is no number."""
    case = Case("rnn", 37, 13, 3, dtype=dtype)
    weights, inputs, step = prepared(case)
    getattr(inputs, into)[1, 11] = broken
    answer = step()[0]
    right = cells.reference(case, inputs, weights)[0]
    if numba_fused.products_of(case) == "int8 limbs" or math.isnan(broken):
        assert answer[1].isnan().all()
    else:
        assert torch.equal(answer[1].double(), right[1])
    others = [0, 2]
    assert check.error(case, [answer[others]], [right[others]]) <= check.tolerance(case)


@pytest.mark.parametrize("size", [0.0, 1e-45, 1e-38, 1e-31, 1e-20, 1e20])
def test_limbs_of_the_smallest_and_of_large_activations(size):
    case = Case("rnn", 37, 13, 3, dtype="int8")
    weights, inputs, step = prepared(case)
    for tensor in (inputs.x, inputs.h):
        tensor.mul_(size)
    right = cells.reference(case, inputs, weights)
    assert check.error(case, step(), right) <= check.tolerance(case)


CACHED = """
import sys, torch
from kernels.vector import step
from kernels.case import Case
from kernels.implementations import numba_fused
from tests.kernels.implementations.test_numba_fused import holds
holds(Case("rnn", 37, 13, 1))
one = step.compiled(numba_fused.skeleton(Case("rnn", 37, 13, 1)))
print(sum(one.stats.cache_misses.values()))
"""


@pytest.mark.slow
def test_a_compiled_step_is_found_again_by_the_next_process(tmp_path):
    assert python(CACHED, NUMBA_CACHE_DIR=str(tmp_path)) == ["1"]
    before = sorted(tmp_path.rglob("*.nbc"))
    assert python(CACHED, NUMBA_CACHE_DIR=str(tmp_path)) == ["0"]
    assert sorted(tmp_path.rglob("*.nbc")) == before


AVX2 = """
from kernels.vector import llvm, products
from kernels.case import Case
from kernels.implementations import numba_fused
from tests.kernels.implementations.test_numba_fused import holds
print(*llvm.registers(), *(kind for kind in products.DEPTH if products.runs(kind)), sep=",")
for dtype, activations in (("float32", "float32"), ("bfloat16", "bfloat16")):
    case = Case("rnn", 37, 13, 3, dtype=dtype, activations=activations)
    holds(case)
    print(numba_fused.products_of(case))
"""


@pytest.mark.slow
def test_it_is_right_on_a_processor_with_avx2_alone(tmp_path):
    lines = with_avx2_alone(AVX2, tmp_path)
    assert lines == ["16,2,float32,bfloat16,int8", "float32", "bfloat16"]


MARKED = """
from kernels.vector import llvm
from tests.kernels import marks
BEHIND = 1 << 20
llvm.prefetch = marks.behind(BEHIND)
import torch
from kernels.case import Case
from kernels.implementations import numba_fused
from kernels.reference.inputs import draw
from kernels.vector.cuts import Cut
for cell, inputs, batch, cut in (
    ("lstm", 64, 16, Cut(1, 4, 6, 64, 64 * 256)),
    ("lstm", 99, 9, Cut(1, 2, 5, 48, 48 * 256)),
    ("gru", 7, 4, Cut(1, 3, 4, 16, 16 * 192)),
):
    case = Case(cell, 64, inputs, batch, threads=1)
    ((blocks, turns, rows, _depth), (*_, gates, _lanes)) = numba_fused.layout(case)
    memory = torch.zeros(3 * BEHIND // 4)
    at = -memory.data_ptr() % 64 // 4
    weights = memory[at : at + blocks * turns * rows].view(blocks, turns, rows, 1)
    biases = torch.zeros(2 * blocks * rows)
    skip = -biases.data_ptr() % 64 // 4
    biases = biases[skip : skip + blocks * 2 * rows].view(blocks, 2, gates, 16)
    given = draw(case, torch.Generator().manual_seed(0))
    numba_fused.prepare(case, [(weights, biases)], given, cut)(0, 0)()
    marks = memory.view(torch.uint8)[at * 4 + BEHIND :][: blocks * turns * rows * 4]
    lines = marks.view(blocks, turns * rows // 16, 64)[:, :, 0].numpy()
    once = lines.copy()
    once[0, : cut.chunk * rows // 16] += 1  # for the first chunk nobody can ask
    print(int(once.min()), int(once.max()), int(marks.sum()) - int(lines.sum()))
"""


@pytest.mark.slow
def test_every_line_of_weights_is_prefetched_once(tmp_path):
    """But for the first chunk; with marks in memory, 1 MiB behind each line, in the place of prefetches."""
    assert python(MARKED, NUMBA_CACHE_DIR=str(tmp_path)) == ["1 1 0"] * 3
