"""The step in Triton: interpreted against the reference, compiled ahead of time; and on a GPU, if there is one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kernels.case import CELLS, DTYPES, ELEMENT_BYTES, GATES, QUANTISED, Case
from kernels.reference import cells, check
from kernels.reference.inputs import Arena, draw, set_bytes
from tests.kernels import ahead

pytest.importorskip("triton", reason=ahead.NO_TRITON)
from kernels.gpu import many_sequences, step
from kernels.implementations import triton_fused

GOOD = Case(
    "lstm", 1024, 1024, 1, dtype="bfloat16", activations="bfloat16", device="cuda", threads=0
)
H200_PROCESSORS = 132
UNDER_WAY = round(4.8e12 / H200_PROCESSORS * 0.7e-6)
"""Bytes for which a processor of an H200 must wait at any time, at 0.7 us from asking to arrival (Little's law)."""


answers = ahead.interpreting("fused")


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_interpreted_it_agrees_with_the_reference_at_odd_shapes(answers, cell):
    found = [one for one in answers if one["cell"] == cell]
    assert len({one["case"] for one in found}) >= (20 if ahead.EVERY else 8)
    assert {one["dtype"] for one in found} == set(DTYPES)
    wrong = [one for one in found if not one["error"] <= one["tolerance"]]
    assert not wrong


def test_some_of_them_share_blocks_between_programs_and_some_do_not(answers):
    assert {one["parts"] > 1 for one in answers} == {True, False}


CASES = (
    ("lstm", 1, "bfloat16", "bfloat16"),
    ("rnn", 1, "float32", "float32"),
    ("lstm", 64, "bfloat16", "bfloat16"),
    ("lstm", 64, "float32", "float32"),
    ("rnn", 8, "bfloat16", "float32"),
    ("gru", 1, "int8", "float32"),
    ("gru", 64, "int8", "float32"),
    ("lstm", 1, "float16", "float16"),
    ("lstm", 8, "float16", "float16"),
    ("lstm", 1, "float8", "bfloat16"),
    ("gru", 8, "float8", "bfloat16"),
)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "capability"), ahead.chosen(CASES, 1))
def test_compiled_ahead_it_spills_nothing_and_leaves_room_for_a_second_program(
    capability, case, tmp_path, monkeypatch
):
    cell, batch, dtype, activations = case
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    case = Case(
        cell, 1024, 1024, batch, dtype=dtype, activations=activations, device="cuda", threads=0
    )
    how = step.cut(case, H200_PROCESSORS)
    beside = "float32" if dtype in QUANTISED else dtype
    arguments = {
        **dict.fromkeys(("W", "U"), dtype),
        **dict.fromkeys(("b_w", "b_u", "scale_w", "scale_u"), beside),
        **dict.fromkeys(("x", "h", "c", "h_new", "c_new"), activations),
        "partial": "float32",
        "arrived": "int32",
        "B": batch,
        "I": 1024,
        "H": 1024,
    }
    taken = ahead.compiled(
        step.step,
        arguments,
        step.constants(case, how),
        capability,
        tmp_path,
        num_warps=how.warps,
        num_stages=how.stages,
        enable_fp_fusion=True,
    )
    assert taken.spilled == 0
    assert taken.registers * 32 * how.warps <= 65536 // step.PROGRAMS_PER_SM
    assert taken.shared <= (164 << 10) // step.PROGRAMS_PER_SM - 1024
    assert "ld.global.v4" in taken.ptx or "cp.async" in taken.ptx or "bulk" in taken.ptx
    assert ("mma" in taken.ptx) == (batch > 1)
    if batch == 1:
        assert taken.shared <= 64  # weights are multiplied by the thread that loaded them
        resident = 65536 // (-(-taken.registers // 8) * 8 * 32 * how.warps)
        tile = GATES[cell] * how.units * how.k * ELEMENT_BYTES[dtype]
        # half the time it multiplies; int8's sums leave fewer registers to its loads
        assert dtype == "int8" or resident * tile / 2 >= UNDER_WAY


@pytest.mark.parametrize("processors", [1, 8, 132, 148])
@pytest.mark.parametrize("hidden", [1, 17, 256, 1024, 4096, 16384])
@pytest.mark.parametrize("batch", [1, 8, 64])
def test_it_is_cut_into_enough_programs_and_none_without_work(processors, hidden, batch):
    case = Case("lstm", hidden, hidden, batch, device="cuda", threads=0)
    how = step.cut(case, processors)
    blocks = how.blocks(hidden)
    tiles = 2 * -(-hidden // how.k)
    assert how.sequences >= batch
    assert 1 <= how.parts <= min(step.MOST_PARTS, tiles)
    enough = blocks * how.parts >= step.PROGRAMS_PER_SM * processors
    assert enough or how.parts == min(step.MOST_PARTS, tiles)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"device": "cpu"}, "not cpu"),
        ({"phase": "train"}, "not train"),
        ({"steps": 2}, "not 2"),
        ({"part": "linear"}, "not linear"),
        ({"batch": 65}, "64 sequences at most, not 65"),
        ({"dtype": "float32"}, "not float32 x bfloat16"),
    ],
)
def test_what_it_cannot_compute_is_a_reason(words, reason):
    assert triton_fused.SUPPORTS.unavailable(GOOD) is None
    assert reason in triton_fused.SUPPORTS.unavailable(replace(GOOD, **words))


def test_an_old_gpu_is_a_reason(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    assert "8.0 or newer is needed, and this is 7.5" in triton_fused.SUPPORTS.unavailable(GOOD)


@pytest.mark.gpu
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("dtype", "activations"), list(many_sequences.TERMS))
@pytest.mark.parametrize(
    "sizes", [(1, 1, 1), (37, 61, 1), (129, 40, 3), (768, 512, 16), (1024, 1024, 64)]
)
def test_on_a_card_it_agrees_with_the_reference(card, cell, dtype, activations, sizes):
    case = Case(cell, *sizes, dtype=dtype, activations=activations, device=card, threads=0)
    layout = triton_fused.layout(case)
    sets = Arena(2 * set_bytes(layout, dtype), card, 0).sets(layout, dtype, 2)
    inputs = draw(case, torch.Generator(device=card).manual_seed(0))
    bind = triton_fused.prepare(case, sets, inputs)
    for w, i in ((0, 1), (1, 2), (1, 2)):
        new = bind(w, i)()
        weights = triton_fused.canonical(case, sets[w])
        assert check.error(case, new, cells.reference(case, inputs[i], weights)) <= check.tolerance(
            case
        )
        check.poison(new)
