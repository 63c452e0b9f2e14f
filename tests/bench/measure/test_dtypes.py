"""Points of float16 and of float8 weights: the arena serves theirs and then the others' again, and cheats are found."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import linear

from bench.measure import point
from kernels import cost, implementations
from kernels.case import CELLS, Case
from kernels.implementations import _layouts
from kernels.reference import cells
from kernels.reference.inputs import set_bytes

torch_cell = implementations.load("torch_cell")
HALF = Case("lstm", 64, 32, 4, dtype="float16", activations="float16")
EIGHTH = Case("lstm", 64, 32, 4, dtype="float8", activations="bfloat16")


def widened(tensors):
    """Weights of float8 in bfloat16, which is exact, with scales that are multiplied in float32."""
    W, U, of_w, of_u, b_w, b_u = tensors
    return W.bfloat16(), U.bfloat16(), of_w, of_u, b_w, b_u


def step(cell, given, W, U, of_w, of_u, b_w, b_u):
    """In float32 from products of bfloat16, the new state rounded to bfloat16: as a GPU's kernel does."""
    from_x = linear(given.x, W).float() * of_w
    from_h = linear(given.h, U).float() * of_u
    sums = cells.join(cell, from_x, from_h)
    weights = cells.Weights(W, U, b_w, b_u)
    new = cells.pointwise(cell, sums, given.h.float(), given.c.float(), weights)
    return [t.bfloat16() for t in new]


def of_float8(keeps=False, broken=lambda tensors: tensors):
    """A float8 step on a CPU, which widens its weights at every call, or keeps what it widened at first."""

    def prepare(case, sets, inputs):
        kept = [broken(widened(tensors)) for tensors in sets]
        return lambda w, i: (
            lambda: step(case.cell, inputs[i], *(kept[w] if keeps else broken(widened(sets[w]))))
        )

    return replace(
        torch_cell,
        unavailable=lambda _case: None,
        prepare=prepare,
        layout=_layouts.layout,
        canonical=_layouts.canonical,
    )


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("residency", ["resident", "streamed"])
def test_a_right_step_of_float8_is_a_point_with_the_bytes_of_its_scales(context, cell, residency):
    case = replace(EIGHTH, cell=cell, residency=residency)
    found = point.point(context, case, "eighth", of_float8(), order=0)
    assert (found.status, found.reason) == ("ok", None)
    assert found.tolerance / 100 < found.error < found.tolerance / 2
    assert found.bytes["weights"] == cost.count(case).weight_bytes
    assert found.working_set_bytes == found.weight_sets * set_bytes(_layouts.layout(case), "float8")


@pytest.mark.parametrize("cell", CELLS)
def test_a_float8_step_without_its_scales_is_wrong(context, cell):
    def unscaled(tensors):
        W, U, of_w, _of_u, *biases = tensors
        return W, U, of_w, torch.ones_like(of_w), *biases

    case = replace(EIGHTH, cell=cell)
    found = point.point(context, case, "eighth", of_float8(broken=unscaled), order=0)
    assert "wrong answer" in found.reason


def test_a_float8_step_that_keeps_copies_of_its_weights_does_not_follow_them(context):
    found = point.point(context, EIGHTH, "eighth", of_float8(keeps=True), order=0)
    assert "does not follow its weights" in found.reason


@pytest.mark.parametrize("name", ["torch_cell", "torch_gates"])
@pytest.mark.parametrize("words", [{}, {"residency": "streamed"}, {"phase": "train"}])
def test_a_step_of_float16_is_a_point(context, name, words):
    implementation = implementations.load(name)
    found = point.point(context, replace(HALF, **words), name, implementation, order=0)
    assert (found.status, found.reason) == ("ok", None)


def test_after_a_point_with_bits_of_its_own_the_arena_is_as_before(context):
    """Else the next float32 point would have other weights than in a run without the first."""
    digest = context.arena.digest(context.arena.size_bytes)
    for case, implementation in ((HALF, torch_cell), (EIGHTH, of_float8()), (HALF, torch_cell)):
        found = point.point(context, case, "one", implementation, order=0)
        assert (found.status, found.reason) == ("ok", None)
        context.arena.sets(((64,),), "float32", 1)  # as the next point asks for its weights
        assert context.arena.digest(context.arena.size_bytes) == digest


@pytest.mark.parametrize("name", ["numba_fused", "torch_cell", "torch_gates", "torch_sequence"])
def test_float8_on_a_cpu_is_skipped_with_a_reason(context, name):
    implementation = implementations.load(name)
    case = replace(EIGHTH, steps=3) if name == "torch_sequence" else EIGHTH
    found = point.point(context, case, name, implementation, order=0)
    assert found.status == "skipped"
    assert "not float8 x bfloat16" in found.reason
